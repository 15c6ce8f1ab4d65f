"""What an adapter raises.

Errors, by what the caller has to do::

    AdapterError
    ├── Unavailable          nothing is known; try again in a later run
    │   ├── NoConnection     the CRM cannot be reached: every other request would fail too
    │   └── BudgetSpent      the run's time or the CRM's requests are used up
    ├── Unauthorized         stop this connection for this run
    │   └── Forbidden        the key is valid but may not do this; perhaps only this item is concerned
    ├── WrongAccount         the key belongs to another account than the ledger: stop, and write nothing
    ├── NotSent              the request was certainly not carried out: it may be repeated
    ├── InDoubt              the request may have been carried out: settle it by reading, never repeat it
    ├── Refused              the CRM rejected the request, and would reject it again: park it
    │   ├── Full             the account's storage is full: creates wait, the task itself is fine
    │   ├── Ambiguous        a key belongs to several contacts, or to one that does not show it: use and create none
    │   └── NothingOpen      there was no open task to complete: read again
    ├── Moved                the task has changed, so nothing was sent: read it and decide again
    ├── Missing              the read of this item says that it does not exist
    └── BadAnswer            the answer could not be understood: conclude nothing, and list it under attention

Adapters raise no other exceptions on purpose. Any other exception is a bug: it costs a run what was asked for, and no
more.
"""

from __future__ import annotations

from syncer.domain.model import Reading


class AdapterError(Exception):
    """Base of all errors of an adapter.

    ``words`` is the CRM's error text, redacted, or our description if there was none. ``status`` is the HTTP status, if
    there was an answer. ``content`` is the answer as received, for the adapter only: it is not redacted, so it must not
    get into a log, a ledger or a report.
    """

    def __init__(self, words: str, *, system: str = "", status: int | None = None, content: bytes = b"") -> None:
        super().__init__(words)
        self.words = words
        self.system = system
        self.status = status
        self.content = content


class Unavailable(AdapterError):
    """The CRM could not be read: network, time-out or 5xx, after all retries."""


class NoConnection(Unavailable):
    """The CRM cannot be reached: no network, a wrong address, or no server."""


class BudgetSpent(Unavailable):
    """The next request is allowed only after the end of the run."""


class Unauthorized(AdapterError):
    """401: the key is wrong or revoked."""


class Forbidden(Unauthorized):
    """403: the key is valid, but may not do this."""


class WrongAccount(AdapterError):
    """The key belongs to another account than the ledger.

    ``expected`` and ``found`` are the CRM's ids of the two accounts.
    """

    def __init__(self, expected: str, found: str, *, system: str = "") -> None:
        super().__init__(f"the key belongs to account {found}, but the ledger to account {expected}", system=system)
        self.expected = expected
        self.found = found


class NotSent(AdapterError):
    """There was no connection: the request certainly did not arrive."""


class InDoubt(AdapterError):
    """The request may have been carried out: broken connection, time-out, 5xx on a write, unreadable success."""


class Refused(AdapterError):
    """The CRM understood the request and rejected it."""


class Full(Refused):
    """The account's storage is full."""


class Ambiguous(Refused):
    """A key does not lead to exactly one contact.

    ``contacts`` are the ids of those that were found: one that does not show the key, or several.
    """

    def __init__(
        self,
        words: str,
        *,
        contacts: tuple[str, ...] = (),
        system: str = "",
        status: int | None = None,
        content: bytes = b"",
    ) -> None:
        super().__init__(words, system=system, status=status, content=content)
        self.contacts = contacts


class NothingOpen(Refused):
    """There was no open task to complete."""


class Moved(AdapterError):
    """Somebody changed or closed the task, so nothing was sent. ``reading`` is the task as it is now."""

    def __init__(self, reading: Reading) -> None:
        super().__init__("the task was changed or closed meanwhile", system=reading.system)
        self.reading = reading


class Missing(AdapterError):
    """The read of a task or contact says that it does not exist."""


class BadAnswer(AdapterError):
    """A read that succeeded but could not be understood."""
