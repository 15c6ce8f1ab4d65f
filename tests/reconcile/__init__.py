"""The pure decisions: by example, and each law over random states."""

from __future__ import annotations
