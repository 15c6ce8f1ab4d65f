"""HighLevel's adapter and its sandbox."""

from __future__ import annotations
