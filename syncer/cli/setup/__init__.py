"""What ``syncer init`` does: ask, try each connection, offer what was found there, write."""

from __future__ import annotations
