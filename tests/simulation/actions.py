"""What a history is made of: small values that say what people do, what goes wrong and when runs happen.

An action names its object by a number that is taken modulo what there is when its time comes, so that any part
of a history is a history, and a failing one can be made shorter.
"""

from __future__ import annotations

from dataclasses import dataclass

from adapters.sandbox import Fault

SYSTEMS = ("superfone", "reply", "highlevel")


@dataclass(frozen=True, slots=True)
class Make:
    """A person makes a task in a CRM; ``kind`` and ``minutes`` choose its type and due.

    ``twin_in`` is another CRM where the same is made as well: for the same person, or, as a ``lookalike``, for
    somebody else, which makes it another task though it looks the same. ``trait`` is ``equal`` (two of them are made,
    which nothing tells apart), ``same_due`` (it is due with another task of that person), ``recurring`` (it moves to
    its next date when it is completed) or ``sequence`` (a sequence owns it), each where the CRM has that.
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

    ``what`` is complete, cancel, delete, reschedule, rewrite, save (open it, and store it as it is), assign, copy or
    reopen.
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
    """A request gets an answer that is not the CRM's: see `network.STRANGE`."""

    what: str


@dataclass(frozen=True, slots=True)
class Outage:
    """The next requests to one CRM all meet a fault: more of them than a read is repeated."""

    system: str
    fault: Fault
    requests: int


@dataclass(frozen=True, slots=True)
class Delay:
    """The connection breaks, and the request takes effect only later."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Rush:
    """Somebody makes a task for a lead at the instant before our next write reaches it."""

    kind: int
    minutes: int


@dataclass(frozen=True, slots=True)
class Kill:
    """The process ends."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """The process stands still, as when its machine sleeps; meanwhile another one starts a run."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Time passes."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Jump:
    """Our own machine's clock is set forward, or back; in peace it is right again."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Lag:
    """From now on HighLevel's search is this late."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Ail:
    """From now on one item fails. ``what`` is lead (always 503), forbidden or malformed (a Reply task), bom (all
    answers of a CRM begin with a byte order mark, which spoils none of them)."""

    what: str
    which: int
    heals: bool


@dataclass(frozen=True, slots=True)
class LoseLedger:
    """The database is gone."""


@dataclass(frozen=True, slots=True)
class PutAside:
    """The ledger's file is copied."""


@dataclass(frozen=True, slots=True)
class PutBack:
    """The copy is put in the ledger's place: ``in_place`` between two processes, or ``under`` the one that runs."""

    how: str


Happening = Make | Act | Break | Strangely | Outage | Delay | Rush | Kill | Freeze | PutBack
"""What may come about at a moment within a run."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run; ``at`` says what happens at which moment of it. ``twice`` starts two at the same instant.

    ``ledger`` is which machine's: the first one, a second one with a ledger of its own, or both at once (2).
    """

    at: tuple[tuple[int, Happening], ...] = ()
    twice: bool = False
    ledger: int = 0


Action = Make | Act | Meet | Wait | Jump | Lag | Ail | LoseLedger | PutAside | PutBack | Run


@dataclass(frozen=True, slots=True)
class History:
    """Settings of the account, and what happens.

    ``newcomer`` are the CRMs that do not know the last person, and make them as soon as a task needs it; without any,
    Superfone does not know them, and nobody is made.
    ``page`` is the most rows that a CRM puts on one page (0 is as many as it likes); with ``counted``, HighLevel's
    pages can only be told apart by counting rows, as Reply's and Superfone's always are.
    Every ``undated``-th task that is made in HighLevel has no due, but one for each person at most (0 is all of them
    have one); where somebody ``rewords``, half of what would be rescheduled is given another title instead.
    ``editors`` are (CRM, what it makes of each text that it stores), see `editors`; where there are any, people also
    write texts of several lines, and dues with fractions of a second.
    ``systems`` are the account's CRMs. ``dirty`` is which pair of `contacts.DIRTY` is there, if any.
    ``dimensions`` are the names of what was drawn beyond the common ground, see `dimensions`.
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
    dimensions: tuple[str, ...] = ()
