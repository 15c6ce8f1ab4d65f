"""Reply.io, API version 3."""

from __future__ import annotations
