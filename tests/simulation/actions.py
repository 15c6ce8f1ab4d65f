"""The parts of a history: what people do, what goes wrong, and when runs happen.

An action names its object by a number, which is taken modulo the number of objects that exist at that time. So any part
of a history is a valid history, and a failing one can be shortened.
"""

from __future__ import annotations

from dataclasses import dataclass

from adapters.sandbox import Fault

SYSTEMS = ("superfone", "reply", "highlevel")


@dataclass(frozen=True, slots=True)
class Make:
    """A person creates a task in a CRM. ``kind`` and ``minutes`` select its type and due.

    ``twin_in`` is another CRM where the person creates it as well. A ``lookalike`` is created there for another person,
    so it is another task. ``trait`` is ``equal`` (two equal tasks), ``same_due`` (due with another task of the person),
    ``recurring`` (a completion moves it to its next date) or ``sequence`` (it belongs to a sequence), if the CRM has
    that.
    """

    system: str
    person: int
    kind: int
    minutes: int
    twin_in: str | None = None
    lookalike: bool = False
    trait: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """A person does something to an open task.

    ``what`` is complete, cancel, delete, reschedule, rewrite, save (open it, and store it as it is), assign, copy,
    reopen or give (to another person's contact).
    """

    what: str
    system: str
    which: int
    minutes: int = 0


@dataclass(frozen=True, slots=True)
class Meet:
    """A person does something to a contact.

    ``add`` (where the CRM does not know the person), ``correct`` (another number), ``double`` (enter the person in
    HighLevel once more), ``merge`` (those two), ``delete``, ``move`` (the number goes to another person).
    """

    what: str
    system: str
    person: int


@dataclass(frozen=True, slots=True)
class Break:
    """A request meets a fault."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class Strangely:
    """A request gets an answer that does not come from the CRM: see `network.STRANGE`."""

    what: str


@dataclass(frozen=True, slots=True)
class Outage:
    """The next requests to one CRM all fail, more of them than a read has attempts."""

    system: str
    fault: Fault
    requests: int


@dataclass(frozen=True, slots=True)
class Delay:
    """The connection breaks, and the request takes effect later."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Rush:
    """Somebody creates a task for a lead just before our next write arrives there."""

    kind: int
    minutes: int


@dataclass(frozen=True, slots=True)
class Kill:
    """The process ends."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """The process is suspended, as when its machine sleeps, and another one starts a run."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Time passes."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Jump:
    """Our machine's clock is set forward or back. At the end it is right again."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Lag:
    """From now on HighLevel's search lags by this many seconds."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Ail:
    """From now on one item fails.

    ``what`` is lead (always 503), forbidden or malformed (a Reply task), or bom (all answers of a CRM begin with a byte
    order mark, which must do no harm).
    """

    what: str
    which: int
    heals: bool


@dataclass(frozen=True, slots=True)
class LoseLedger:
    """The database is deleted."""


@dataclass(frozen=True, slots=True)
class PutAside:
    """The ledger's file is copied."""


@dataclass(frozen=True, slots=True)
class PutBack:
    """The copy replaces the ledger: ``in_place`` between two processes, or ``under`` a running one."""

    how: str


Happening = Make | Act | Break | Strangely | Outage | Delay | Rush | Kill | Freeze | PutBack
"""What may happen at a moment within a run."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run. ``at`` says what happens at which moment. With ``twice``, two runs start at the same instant.

    ``ledger`` selects the machine: the first one (0), a second one with its own ledger (1), or both at once (2).
    """

    at: tuple[tuple[int, Happening], ...] = ()
    twice: bool = False
    ledger: int = 0


Action = Make | Act | Meet | Wait | Jump | Lag | Ail | LoseLedger | PutAside | PutBack | Run


@dataclass(frozen=True, slots=True)
class History:
    """The settings of the account, and what happens.

    - ``newcomer``: the CRMs that do not have the last person. The engine creates the contact when a task needs it. If
      it is empty, Superfone does not have the person, and no contact is created.
    - ``page``: the most rows on a page (0 is no limit). With ``counted``, HighLevel has no cursors for its pages, so
      rows must be counted as in Reply and Superfone.
    - ``undated``: every such task that is created in HighLevel has no due, at most one for each person (0 is none).
    - ``rewords``: half of the tasks that would be rescheduled get another title instead.
    - ``editors``: (CRM, what it does to each text that it stores), see `editors`. If there are any, people also write
      texts of several lines, and dues with fractions of a second.
    - ``systems``: the account's CRMs.
    - ``dirty``: the pair of `contacts.DIRTY` that exists, if any.
    - ``crowd``: how many further persons there are in a slow account, see `slow`.
    - ``dimensions``: the names of the special features that were drawn, see `dimensions`.
    """

    seed: int
    settings: tuple[tuple[str, str], ...]
    skew: int
    page: int
    counted: bool
    actions: tuple[Action, ...]
    newcomer: tuple[str, ...] = ()
    undated: int = 0
    rewords: bool = False
    editors: tuple[tuple[str, str], ...] = ()
    without: str = ""
    systems: tuple[str, ...] = SYSTEMS
    dirty: int | None = None
    crowd: int = 0
    dimensions: tuple[str, ...] = ()
