"""The interface between the engine and a CRM: methods and capabilities.

The engine never checks which CRM it talks to. It checks what the adapter declares.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from typing import ClassVar, NamedTuple, Protocol

from syncer.domain.dues import SECOND, Dues
from syncer.domain.fields import Same, TaskField, Value, same_value
from syncer.domain.model import Draft, Edit, Kind, Listing, Reading, Record, TaskRef
from syncer.domain.titles import SHORTENED, is_cut, may_be_shortened


class ListsTasks(StrEnum):
    """How a CRM's tasks can be listed."""

    ALL = "all"
    """One list of all open tasks of the account."""
    PER_CONTACT = "per contact"
    """One list for each contact, with open and closed tasks, newest first."""


class Completes(StrEnum):
    """Which task the CRM's call for completing closes."""

    TASK = "the task"
    TOP_OF_LANE = "the contact's newest open task"


@dataclass(frozen=True, slots=True)
class LanePolicy:
    """Settings for lanes: for CRMs in which creating a task closes the contact's other tasks.

    replace_later       a waiting task replaces our copy in the slot, if that is due later
    reschedules         our copy in the slot is replaced if its due changes
    superseded_is_done  a task that was closed because people created another one counts as done
    supersede_window    the longest time between the creation of a task and the closing that it caused
    """

    replace_later: bool = True
    reschedules: bool = True
    superseded_is_done: bool = False
    supersede_window: timedelta = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a CRM can do, as data. The engine decides by these, never by the CRM's name.

    creates              kinds that can be created
    completes_kinds      kinds that we may complete, by the settings
    completes_sequences  tasks of a sequence may be completed, by the settings
    exclusive            kinds of which a contact can have one open task: creating one closes the others. Needs ``lane``
    lane                 what may be done in such a CRM. Needs ``ListsTasks.PER_CONTACT``
    gets_task            one task can be read by its id
    reads_marker         texts come back as they were written, from closed tasks too, so that markers are found
    has_kinds            tasks have types; else the kind of a reading is a guess
    listing_lags         lists may lack recent writes, so the contact's own list is read before each create
    whole_contact_lists  the rows of a contact's own list are complete, so tasks need no read of their own
    lists_contacts       all contacts can be listed
    contact_keys         the types of keys by which a contact can be found, the best first
    contact_recheck      without a list of contacts: a key that leads to nobody is looked up again after this time
    watches_all_contacts without a list of contacts: all contacts of the other CRMs are looked up, not only those with
                         a task
    creates_contacts     contacts can be created
    contacts_page        how many contacts a page of the list has: a long list is not read in every run
    due_step             how exactly dues are kept: one minute if seconds are cut off or rounded
    due_zone             the account's time zone, if a due may be a day without a time; with a ``due_step`` of a day
                         every due is one
    title_kept           how many characters of a title are kept at least, if longer ones are cut off
    tells_changes        `Adapter.list_changed` works. With ``ListsTasks.PER_CONTACT``, quiet contacts are
                         then read only once it names them
    shows                the fields that a task has there
    edits                the fields that can be changed, each with the kinds of tasks
    sequence_keeps       the fields that are never changed in a task of a sequence
    same                 whether two values of a field other than the due are the same, apart from what the CRM changes
    lists_texts          the list of all tasks has titles and texts
    notes                facts for users, printed by ``syncer check``
    """

    lists_tasks: ListsTasks
    completes: Completes
    creates: frozenset[Kind]
    completes_kinds: frozenset[Kind]
    # The defaults are what most CRMs can do. What leads to more writes, such as a lane or edits, has to be declared.
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
    title_kept: int = SHORTENED
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
            return self.dues.same(*map(_instant, (one, other)))
        return self.same(name, one, other)

    def keeps(self, name: TaskField, sent: Value, shown: Value) -> bool:
        """Whether the CRM may show a value of ours like this: alike, a due cut to a minute, or a title shortened."""
        if name is TaskField.DUE:
            return self.dues.keeps(*map(_instant, (sent, shown)))
        # Not `alike`: what a CRM showed before is shortened already, so a longer or a shorter title is people's edit.
        if name is TaskField.TITLE and isinstance(sent, str) and isinstance(shown, str):
            return self.same(name, sent, shown) or may_be_shortened(sent, shown, self.title_kept)
        return self.same(name, sent, shown)

    def makes(self, name: TaskField, sent: Value, shown: Value) -> bool:
        """Whether the CRM may have made this of a value that it was just sent: it keeps it, or cuts a title off."""
        cut = name is TaskField.TITLE and isinstance(sent, str) and isinstance(shown, str) and is_cut(sent, shown)
        return cut or self.keeps(name, sent, shown)


def _instant(value: Value) -> datetime | None:
    return value if isinstance(value, datetime) else None


@dataclass(frozen=True, slots=True)
class Changed:
    """The ids of contacts whose tasks changed, and the ``cursor`` for the next call."""

    contacts: frozenset[str]
    cursor: str


@dataclass(frozen=True, slots=True)
class Identity:
    """The remote account. ``id`` is ``None`` if only a later answer tells it."""

    id: str | None
    label: str


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one test of ``syncer check``: what was tested, whether it worked, and advice if it failed.

    ``ok`` is ``None`` if no harmless request can test it.
    """

    what: str
    ok: bool | None
    detail: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class TeamMember:
    """A user of the CRM to whom tasks can be assigned. ``email`` is in lower case, or empty if it is unknown."""

    id: str
    name: str
    email: str = ""


class Wire(Protocol):
    """The part of an adapter's HTTP client that the engine uses."""

    reads: int
    writes: int
    outcomes: Counter[str]
    """The number of requests sent, retries included, by result."""

    def budgets(self) -> dict[str, float]:
        """The used part of each rate now, from 0 to 1, by its window, such as ``60s``."""

    # A CRM that is given up because it hangs must not be given up for pauses that its own rate asks for.
    def waited(self) -> float:
        """Seconds so far in which a request waited for its answer. Pauses for rate limits do not count."""

    def paused(self) -> float:
        """Seconds so far in which requests waited for a rate limit, each counted by itself."""

    def set_deadline(self, seconds: float | None) -> None:
        """From now on, do not wait longer than ``seconds`` for a rate limit. ``None`` is no limit."""

    # Checked by the client and not by the engine: a request may wait for its budget while the lease ends.
    def set_fence(self, fence: Callable[[], None]) -> None:
        """Call ``fence`` at the last moment before each write. If it raises, so does the write, and it is not sent."""


class Listed(NamedTuple):
    """How far a list is read, if the CRM says how long it is. A request returns at most ``page`` rows."""

    rows: int
    total: int
    page: int


class Adapter(ABC):
    """One connection to one CRM."""

    system: ClassVar[str]
    wire: Wire
    listed: Listed | None = None
    """While a list is read: how far. It is only shown to people."""
    expected_identity: str | None = None
    """The account that the ledger belongs to. If it is unknown, the first answer with an account sets it."""

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What this CRM can do with this connection's settings."""

    def raw_type(self, kind: Kind) -> str:
        """The CRM's type for a task of this kind. Empty if markers can be read, for then it is not needed."""
        del kind
        return ""

    @abstractmethod
    async def identity(self) -> Identity:
        """The account of this key. Raises `Unauthorized`, `Unavailable`, `Refused`, `BadAnswer`."""

    @abstractmethod
    async def list_tasks(self) -> Listing[Reading]:
        """All open tasks of the account, each once (for ``ListsTasks.ALL``).

        A list that breaks off between pages raises `Unavailable` or `BadAnswer`; a part of it is never returned.
        """

    # A create whose answer was lost is settled by this list: what it does not show counts as not made once the grace is
    # over.
    @abstractmethod
    async def list_contact_tasks(self, contact: str) -> Listing[Reading]:
        """All open and closed tasks of one contact, newest first.

        This list must not lag. Rows may lack the body; then ``Reading.whole`` is false. Raises `Missing` if the contact
        does not exist.
        """

    # Quiet contacts are not read in turn where this exists. So a contact that it leaves out is never read.
    async def list_changed(self, cursor: str | None) -> Changed:
        """The contacts with a task that was created, changed, closed or deleted since this cursor.

        There may be more contacts than really changed, but never fewer. A change during the call is returned now or by
        the next call. ``None`` starts now and returns no contacts. Raises `Refused` for a cursor that has expired. Only
        used if ``capabilities.tells_changes``.
        """
        raise NotImplementedError

    async def list_tasks_of(self, contacts: Collection[str]) -> dict[str, Listing[Reading]]:
        """The result of `list_contact_tasks` for each of these contacts, if that takes fewer requests together.

        Empty if it does not. A contact that does not exist has no tasks. Raises `Unavailable`, `Unauthorized`,
        `BadAnswer`.
        """
        del contacts
        return {}

    @abstractmethod
    async def get_task(self, ref: TaskRef) -> Reading:
        """One task, whole. Raises `Missing` if it does not exist. Only used if ``capabilities.gets_task``."""

    # Only `NotSent` says that the request may be repeated. A time-out must be `InDoubt`, or a task is made twice.
    @abstractmethod
    async def create_task(self, draft: Draft) -> Reading:
        """Create a task and return it as answered. Raises `NotSent`, `InDoubt`, `Refused`, `Full`, `Unauthorized`."""

    @abstractmethod
    async def complete_task(self, ref: TaskRef) -> Reading:
        """Complete a task, and return the task that was closed. With ``Completes.TOP_OF_LANE`` this may be another one.

        A recurring task moves to its next date, so it is returned open, as it was read after the completion. The caller
        compares the due with the one before: if it differs, the completion was carried out, else it is in doubt. Raises
        `NotSent`, `InDoubt`, `Refused`, `NothingOpen`, `Missing`, `Unauthorized`.
        """

    # None of our CRMs takes a condition with a write, so the read just before it is all that protects people's edits.
    async def edit_task(self, ref: TaskRef, edit: Edit) -> Reading:
        """Change these fields of an open task, and return it as answered. Only used if ``capabilities.edits``.

        The task is read just before. If a field is not as expected, or the task is closed, it raises `Moved` and sends
        nothing. Raises `Refused` for a field that cannot be changed, `NotSent`, `InDoubt`, `Missing`, `Unauthorized`,
        and what the read raises.
        """
        raise NotImplementedError

    @abstractmethod
    async def list_contacts(self) -> Listing[Record]:
        """All contacts of the account, or an error. Only used if ``capabilities.lists_contacts``."""

    @abstractmethod
    async def get_contact(self, remote_id: str) -> Record:
        """One contact by id. Raises `Missing`, or `NotImplementedError` if the CRM cannot (Superfone)."""

    # Without `Ambiguous`, a contact that is found by a key which it does not show would look absent, and be made once
    # more.
    @abstractmethod
    async def find_contacts(self, key: str) -> tuple[Record, ...]:
        """The contacts with this key: an E.164 phone number (``+…``) or an e-mail in lower case. May be empty.

        Only used for the types of keys in ``capabilities.contact_keys``. Raises `Ambiguous` if the contact that is
        found does not show the key, `Unavailable`, `Unauthorized`, `BadAnswer`, `Refused`. This method, like all
        others, may raise `WrongAccount`.
        """

    @abstractmethod
    async def create_contact(self, record: Record) -> Record:
        """Find or create a contact with these keys, and return it as it is in the CRM. This is a write.

        An existing contact is never changed. Raises `Ambiguous` if the keys do not lead to exactly one contact,
        `Refused`, `Full`, `NotSent`, `InDoubt`, `Unauthorized`, and what `find_contacts` raises.
        """

    @abstractmethod
    async def check(self) -> list[Check]:
        """Test each permission that a run needs by a harmless read. Raises no `AdapterError`."""

    async def list_team(self) -> tuple[TeamMember, ...]:
        """The users of the team, for ``[[users]]``. Empty if the CRM has no such list. Runs do not need it.

        Raises what `list_contacts` raises.
        """
        return ()

    @abstractmethod
    async def aclose(self) -> None:
        """Close the connection pool."""
