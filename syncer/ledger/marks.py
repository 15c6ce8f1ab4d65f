"""By what a ledger of today is known."""

from __future__ import annotations

from typing import Final

APPLICATION_ID: Final = 0x53594E43
"""Stands in a SQLite file's head and says that it is a ledger: ``SYNC``."""

HEAD: Final = "0002"
"""The newest migration. A test holds it against the folder."""

BUSY_SECONDS: Final = 2.0
"""How long a transaction waits for other writers: everything else in this process waits as long."""

PART: Final = "part"
"""How a run for a few contacts ends: it reports what it did, and nothing of how the account stands."""
