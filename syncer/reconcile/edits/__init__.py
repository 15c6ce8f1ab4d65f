"""Edits: what people changed in one copy, and what that makes of the task and of its other copies (pure)."""

from __future__ import annotations
