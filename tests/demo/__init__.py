"""The demo, as a newcomer runs it."""

from __future__ import annotations
