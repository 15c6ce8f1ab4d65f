"""The values by which a ledger with the current schema is recognised."""

from __future__ import annotations

from typing import Final

APPLICATION_ID: Final = 0x53594E43
"""The application id in the header of a SQLite file that is a ledger: ``SYNC``."""

HEAD: Final = "0004"
"""The newest migration. A test compares it with the folder."""

BUSY_SECONDS: Final = 2.0
"""How long a transaction waits for other writers. Everything else in this process waits meanwhile."""

PART: Final = "part"
"""The status of a finished run for a few contacts. It reports what it did, and not the state of the whole account."""
