"""Each adapter against its sandbox, and what adapters share."""

from __future__ import annotations
