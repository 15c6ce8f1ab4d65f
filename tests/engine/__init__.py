"""Parts of one run, and how they are joined."""

from __future__ import annotations
