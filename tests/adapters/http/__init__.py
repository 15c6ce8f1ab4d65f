"""The HTTP client that all adapters use."""

from __future__ import annotations
