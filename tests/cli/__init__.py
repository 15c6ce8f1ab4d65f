"""Commands, the daemon and signals: mostly real processes."""

from __future__ import annotations
