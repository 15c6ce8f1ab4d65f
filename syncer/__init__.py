"""One to-do list across several CRMs."""

from __future__ import annotations

__version__ = "0.1.0"
