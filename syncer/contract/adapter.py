"""The contract between the engine and a CRM: methods, capabilities, errors.

The engine never asks which CRM it talks to; it asks what the adapter declares.

Errors, by what the caller must do::

    AdapterError
    ├── Unavailable          try again in a later run; nothing is known
    │   ├── NoConnection     it cannot be reached at all: asking for anything else would fail, too
    │   └── BudgetSpent      the run's time or the CRM's requests are used up
    ├── Unauthorized         stop this connection for this run
    │   └── Forbidden        the key is right and may not do this: it may concern this one thing alone
    ├── WrongAccount         the key opens another account than the ledger belongs to: stop, write nothing
    ├── NotSent              the request surely was not carried out: it may simply be repeated
    ├── InDoubt              it may have been carried out: settle by reading, never by repeating
    ├── Refused              it was not carried out, and the same request would be refused again: park it
    │   ├── Full             the account has no room for more: creates wait, nothing is wrong with the task
    │   ├── Ambiguous        a key leads to a contact that does not show it, or to several: nobody is found, nobody made
    │   └── NothingOpen      a completion found no open task: read again
    ├── Moved                it shows something else than was expected, so nothing was sent: look again, decide again
    ├── Missing              the read of this one thing says that it does not exist
    └── BadAnswer            it could not be understood: attention, and nothing is concluded

Adapters raise nothing else on purpose; any other exception is a bug of ours.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from typing import ClassVar, Protocol

from syncer.domain.dues import SECOND, Dues
from syncer.domain.fields import Same, TaskField, Value, same_value
from syncer.domain.model import Draft, Edit, Kind, Listing, Reading, Record, TaskRef


class AdapterError(Exception):
    """Something between us and a CRM went wrong.

    ``words`` are the CRM's own, redacted, or our description where it said nothing. ``status`` is the HTTP
    status, if there was an answer. ``content`` is that answer as received, for the adapter alone: it is not
    redacted and goes into no log, ledger or report.
    """

    def __init__(self, words: str, *, system: str = "", status: int | None = None, content: bytes = b"") -> None:
        super().__init__(words)
        self.words = words
        self.system = system
        self.status = status
        self.content = content


class Unavailable(AdapterError):
    """The CRM could not be read now: network, time-out, 5xx, after all retries."""


class NoConnection(Unavailable):
    """Nothing of the CRM can be reached: no network, a wrong address, or nobody there."""


class BudgetSpent(Unavailable):
    """Waiting for the next allowed request would outlast the run."""


class Unauthorized(AdapterError):
    """401: the key is wrong or revoked."""


class Forbidden(Unauthorized):
    """403: the key opens the account, but not this."""


class WrongAccount(AdapterError):
    """The key opens another account than the ledger belongs to.

    ``expected`` and ``found`` are the CRM's own ids of the two accounts.
    """

    def __init__(self, expected: str, found: str, *, system: str = "") -> None:
        super().__init__(f"the key opens account {found}, but the ledger belongs to {expected}", system=system)
        self.expected = expected
        self.found = found


class NotSent(AdapterError):
    """No connection: the request surely did not arrive."""


class InDoubt(AdapterError):
    """The request may have been carried out: broken connection, time-out, 5xx on a write, unreadable success."""


class Refused(AdapterError):
    """The CRM understood the request and said no."""


class Full(Refused):
    """The account's quota is used up."""


class Ambiguous(Refused):
    """A key leads to contacts that cannot be told to be the one that is looked for.

    ``contacts`` are their ids: one that does not show the key by which it was found, or several that carry a key each.
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
    """Somebody changed or closed the task, so that nothing was sent; ``reading`` is what it shows."""

    def __init__(self, reading: Reading) -> None:
        super().__init__("it was changed or closed meanwhile", system=reading.system)
        self.reading = reading


class Missing(AdapterError):
    """There is no such task or contact, says the read of that one."""


class BadAnswer(AdapterError):
    """A read that succeeded but could not be understood."""


class ListsTasks(StrEnum):
    """How a CRM's tasks can be listed."""

    ALL = "all"
    """One list of every open task of the account."""
    PER_CONTACT = "per contact"
    """One list for each contact, open and closed tasks, newest created first."""


class Completes(StrEnum):
    """What the CRM's complete call addresses."""

    TASK = "the task"
    TOP_OF_LANE = "the contact's newest open task"


@dataclass(frozen=True, slots=True)
class LanePolicy:
    """What may be done in the lane of a contact where creating a task closes others.

    ``replace_later`` lets a waiting task that is due earlier take the slot of one of ours. ``supersede_window``
    is the largest distance between a closure and the creation that caused it. ``superseded_is_done`` takes a
    task that they superseded for done. ``reschedules`` lets a task of ours in the slot be made again with another due.
    """

    replace_later: bool = True
    reschedules: bool = True
    superseded_is_done: bool = False
    supersede_window: timedelta = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a CRM can do, as data.

    ``creates`` are the kinds that can be created there; ``completes_kinds`` those whose replicas we may
    complete by configuration. ``exclusive`` are the kinds whose creation closes the contact's other open
    exclusive tasks; where it is not empty, ``lane`` is set. ``listing_lags`` says that a list may miss what
    was just written, so that nothing is created without reading that one contact's tasks before;
    ``whole_contact_lists`` that each row of such a contact's list is all that there is to read of the task.
    ``contact_keys`` are the keys by which one contact can be found, best first; ``lists_contacts`` says
    that all contacts can be listed, ``creates_contacts`` that one can be made. ``due_step`` is the time to which a due
    is kept: a minute, where seconds are cut off or rounded. ``due_zone`` is set where a due may be a day without a
    time: the account's time zone, by which the engine and the adapter tell which day an instant is on; with a
    ``due_step`` of a day every due is one. ``tells_changes`` says that it can be asked whose tasks changed since it was
    asked before. ``shows`` are the fields of a task that have a place there, ``edits`` those that can be changed, with
    the kinds of which they may be; ``sequence_keeps`` those that are never changed in a task of a sequence. ``same``
    says which values of a field, beside dues, are one, as far as the CRM changes them by itself. ``lists_texts`` says
    that the list of all tasks shows titles and texts. ``notes`` are facts for people, printed by ``syncer check``.
    """

    lists_tasks: ListsTasks
    completes: Completes
    creates: frozenset[Kind]
    completes_kinds: frozenset[Kind]
    completes_sequences: bool = True
    exclusive: frozenset[Kind] = frozenset()
    lane: LanePolicy | None = None
    gets_task: bool = True
    reads_marker: bool = True
    has_kinds: bool = True
    listing_lags: bool = False
    whole_contact_lists: bool = False
    lists_contacts: bool = True
    contact_keys: tuple[str, ...] = ("email", "phone")
    contact_recheck: timedelta = timedelta(0)
    watches_all_contacts: bool = False
    creates_contacts: bool = True
    contacts_page: int = 1000
    due_step: timedelta = SECOND
    due_zone: tzinfo | None = None
    tells_changes: bool = False
    shows: frozenset[TaskField] = frozenset({TaskField.DUE, TaskField.TITLE, TaskField.BODY})
    edits: Mapping[TaskField, frozenset[Kind]] = field(default_factory=dict)
    sequence_keeps: frozenset[TaskField] = frozenset()
    same: Same = same_value
    lists_texts: bool = True
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def dues(self) -> Dues:
        """How dues are kept: which are the same, and which instant stands for a day."""
        return Dues(self.due_step, self.due_zone)

    def alike(self, name: TaskField, one: Value, other: Value) -> bool:
        """Whether two values of a field are one there."""
        if name is TaskField.DUE:
            return self.dues.same(*(value if isinstance(value, datetime) else None for value in (one, other)))
        return self.same(name, one, other)


@dataclass(frozen=True, slots=True)
class Changed:
    """Whose tasks changed: the contacts' ids, and the ``cursor`` with which to ask the next time."""

    contacts: frozenset[str]
    cursor: str


@dataclass(frozen=True, slots=True)
class Identity:
    """The account on the other side. ``id`` is ``None`` where it is only learned from later answers."""

    id: str | None
    label: str


@dataclass(frozen=True, slots=True)
class Check:
    """One harmless read of ``syncer check``: what was tried, whether it worked, and what to do if not.

    ``ok`` is ``None`` where nothing harmless can tell.
    """

    what: str
    ok: bool | None
    detail: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class TeamMember:
    """A user of the CRM, to whom tasks can be assigned; ``email`` is in lower case, empty where the CRM tells none."""

    id: str
    name: str
    email: str = ""


class Wire(Protocol):
    """What the engine watches of an adapter's traffic."""

    reads: int
    writes: int
    outcomes: Counter[str]
    """How many requests arrived, repeated ones too, by what came of them."""

    def budgets(self) -> dict[str, float]:
        """Which part of each rate's budget is used up now, from 0 to 1, by the rate's window such as ``60s``."""

    def waited(self) -> float:
        """Seconds, so far, for which an answer was awaited; no pause that the CRM asked for counts, nor a budget's."""

    def set_deadline(self, seconds: float | None) -> None:
        """Refuse, from now on, to wait for a request budget beyond this many seconds; ``None`` is no limit."""

    def set_fence(self, fence: Callable[[], None]) -> None:
        """Call this at the last moment before each write is sent; what it raises, the write raises, unsent."""


class Adapter(ABC):
    """One connection to one CRM."""

    system: ClassVar[str]
    wire: Wire
    expected_identity: str | None = None
    """The account that the ledger belongs to; learned from the first answer that names one, where it is unknown."""

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What this CRM can do, under this connection's settings."""

    def raw_type(self, kind: Kind) -> str:
        """The CRM's own word for what a create of this kind becomes; empty where a marker can be read back."""
        del kind
        return ""

    @abstractmethod
    async def identity(self) -> Identity:
        """Which account this key opens. Raises `Unauthorized`, `Unavailable`, `Refused`, `BadAnswer`."""

    @abstractmethod
    async def list_tasks(self) -> Listing[Reading]:
        """Every open task of the account, read whole or not at all (``ListsTasks.ALL``).

        De-duplicated by id. A list that breaks off between pages raises `Unavailable` or `BadAnswer`.
        """

    @abstractmethod
    async def list_contact_tasks(self, contact: str) -> Listing[Reading]:
        """One contact's tasks, open and closed, newest created first, whole.

        Never lags. Reply gives open and closed rows of the contact, without bodies. Raises `Missing` if
        the contact does not exist.
        """

    async def list_changed(self, cursor: str | None) -> Changed:
        """The contacts of whom a task was made, changed, closed or deleted since this cursor, read whole or not at all.

        More may be named than changed, never fewer: what changes while it is read is named now or the next time.
        Without a cursor it begins now, and names nobody. Raises `Refused` for a cursor that is not known any more.
        Only where ``capabilities.tells_changes``.
        """
        raise NotImplementedError

    async def list_tasks_of(self, contacts: Collection[str]) -> dict[str, Listing[Reading]]:
        """What `list_contact_tasks` gives of each of these contacts, where fewer requests give them all at once.

        Empty where they do not. Who is not there has no tasks. Raises `Unavailable`, `Unauthorized`, `BadAnswer`.
        """
        del contacts
        return {}

    @abstractmethod
    async def get_task(self, ref: TaskRef) -> Reading:
        """One task, whole. Raises `Missing` where the CRM says that there is none.

        Only where ``capabilities.gets_task``.
        """

    @abstractmethod
    async def create_task(self, draft: Draft) -> Reading:
        """Create a task; the answer, as read. Raises `NotSent`, `InDoubt`, `Refused`, `Full`, `Unauthorized`."""

    @abstractmethod
    async def complete_task(self, ref: TaskRef) -> Reading:
        """Complete a task; the task that was closed, whichever it was (``Completes.TOP_OF_LANE``).

        A task that moves to its next date when it is completed comes back open, as it was read after the completion:
        with another due than before, that was carried out; with the same one it is in doubt. Only the caller knows the
        due that was before. Raises `NotSent`, `InDoubt`, `Refused`, `NothingOpen`, `Missing`, `Unauthorized`.
        """

    async def edit_task(self, ref: TaskRef, edit: Edit) -> Reading:
        """Change fields of an open task, and nothing else; the task as answered. Only where ``capabilities.edits``.

        It is read just before: where a field is not as expected, or the task is closed, raises `Moved`, and nothing is
        sent. Raises what a read raises for that reading, `Refused` for a field that cannot be changed, `NotSent`,
        `InDoubt`, `Missing`, `Unauthorized`.
        """
        raise NotImplementedError

    @abstractmethod
    async def list_contacts(self) -> Listing[Record]:
        """Every contact of the account, read whole or not at all. Only where ``capabilities.lists_contacts``."""

    @abstractmethod
    async def get_contact(self, remote_id: str) -> Record:
        """One contact by id. Raises `Missing`, or `NotImplementedError` where the CRM cannot (Superfone)."""

    @abstractmethod
    async def find_contacts(self, key: str) -> tuple[Record, ...]:
        """The contacts that carry this key: an E.164 phone number (``+…``) or a lower-case e-mail.

        Empty where there is none. Only for kinds of key in ``capabilities.contact_keys``. Raises `Ambiguous` for a
        contact that is found and does not show the key, `Unavailable`, `Unauthorized`, `BadAnswer`, `Refused`; like any
        method that learns of it, `WrongAccount`.
        """

    @abstractmethod
    async def create_contact(self, record: Record) -> Record:
        """Create, or find, a contact with these keys; the record as it is there. A write.

        One that is there is never changed. Raises `Ambiguous` where it cannot be told who that is, `Refused`, `Full`,
        `NotSent`, `InDoubt`, `Unauthorized`, and what `find_contacts` raises.
        """

    @abstractmethod
    async def check(self) -> list[Check]:
        """Try each permission that a run needs by a harmless read. Raises nothing but bugs."""

    async def list_team(self) -> tuple[TeamMember, ...]:
        """Who is in the team, for ``[[users]]``; empty where the CRM has no such list. No run needs it.

        Raises what `list_contacts` raises.
        """
        return ()

    @abstractmethod
    async def aclose(self) -> None:
        """Close the connection pool."""
