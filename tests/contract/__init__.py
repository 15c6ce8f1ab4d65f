"""What all adapters have in common."""

from __future__ import annotations
