"""The values."""

from __future__ import annotations
