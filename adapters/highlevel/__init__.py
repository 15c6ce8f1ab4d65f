"""HighLevel: one location, reached with a private integration token of that sub-account."""

from __future__ import annotations
