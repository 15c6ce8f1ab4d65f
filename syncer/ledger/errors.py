"""What can go wrong with a ledger.

::

    LedgerError          it cannot be opened, read or written; the message says where and what to do
    ├── Conflict         a uniqueness rule of the ledger refused a value: a bug, or two writers
    ├── LeaseLost        another process took the lease over: stop before the next write
    └── Busy             another process holds the lease
"""

from __future__ import annotations

from datetime import datetime

from syncer.ledger.owner import Owner


class LedgerError(Exception):
    """The ledger cannot be used; the text is a sentence for people, without any secret."""


class Conflict(LedgerError):
    """A rule of the ledger refused a value; ``constraint`` names it. Nothing of the transaction was stored."""

    def __init__(self, where: str, constraint: str) -> None:
        super().__init__(f"the ledger {where} refused a value: {constraint}")
        self.constraint = constraint


class LeaseLost(LedgerError):
    """The lease is not, or no longer, held by this token. Nothing was stored."""

    def __init__(self) -> None:
        super().__init__("the lease was lost: another process runs this account now")


class Busy(LedgerError):
    """``owner`` holds the lease, at the latest until ``expires_at`` unless it renews it."""

    def __init__(self, owner: Owner, expires_at: datetime) -> None:
        host = owner.machine.partition("/")[0]
        super().__init__(f"process {owner.pid} on {host} is running this account (lease until {expires_at:%FT%TZ})")
        self.owner = owner
        self.expires_at = expires_at
