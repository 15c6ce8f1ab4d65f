"""What can go wrong with a ledger.

::

    LedgerError          it cannot be opened, read or written; the message says where and what to do
    ├── Conflict         a uniqueness rule of the ledger refused a value: a bug, or two writers
    ├── LeaseLost        another process took the lease over: stop before the next write
    ├── LedgerReplaced   the file that is open is no longer the one that the account names: stop before the next write
    ├── Locked           another process keeps the database locked: try again later
    └── Busy             another process holds the lease
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from syncer.ledger.owner import Owner

UNREADABLE: Final = (ValueError, TypeError, LookupError, AttributeError)
"""What converting a damaged value raises."""


class LedgerError(Exception):
    """The ledger cannot be used. The text is a sentence for people and contains no secret."""


class Conflict(LedgerError):
    """A rule of the ledger refused a value. ``constraint`` is its name. Nothing of the transaction was stored."""

    def __init__(self, where: str, constraint: str) -> None:
        super().__init__(
            f"the ledger {where} refused a value ({constraint}): two processes wrote at once, or it is a bug of syncer"
        )
        self.constraint = constraint


class LeaseLost(LedgerError):
    """The lease is not held by this token. Nothing was stored."""

    def __init__(self) -> None:
        super().__init__("the lease was lost: another process runs this account now, so this run ends")


class LedgerReplaced(LedgerError):
    """The file was removed, replaced or restored while it was open. Nothing was stored."""

    def __init__(self, where: str) -> None:
        super().__init__(
            f"the ledger {where} was removed or replaced while it was in use: this run ends, "
            "and the next one opens what is there then"
        )


class Locked(LedgerError):
    """Another process keeps the database locked; nothing was stored."""

    def __init__(self, where: str) -> None:
        super().__init__(
            f"the ledger {where} cannot be used: another process keeps it locked; try again when that has ended"
        )


class Busy(LedgerError):
    """``owner`` holds the lease until ``expires_at``, unless it renews it. ``None`` means that it takes no lease."""

    def __init__(self, owner: Owner, expires_at: datetime | None = None) -> None:
        until = "" if expires_at is None else f" (lease until {expires_at:%FT%TZ})"
        super().__init__(f"process {owner.pid} on {owner.host} is running this account{until}")
        self.owner = owner
        self.expires_at = expires_at
