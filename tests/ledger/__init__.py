"""The ledger, on SQLite and on PostgreSQL."""

from __future__ import annotations
