"""Histories: what people do, what goes wrong and when runs happen, as a list of small values made from a seed.

An action names its object by a number that is taken modulo what there is when its time comes, so that any part
of a history is a history, and a failing one can be made shorter.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from adapters.sandbox import Fault

PERSONS = 3
DEEDS = 29
RUNS = 11
"""Four more follow in peace."""
MOMENTS = 40


@dataclass(frozen=True, slots=True)
class Make:
    """A person makes a task in a CRM; ``kind`` and ``minutes`` choose its type and due.

    ``twin_in`` is another CRM where the same is made as well: for the same person, or, as a ``lookalike``, for
    somebody else, which makes it another task though it looks the same.
    """

    system: str
    person: int
    kind: int
    minutes: int
    twin_in: str | None = None
    lookalike: bool = False


@dataclass(frozen=True, slots=True)
class Act:
    """A person does something to an open task: ``what`` is complete, cancel, delete, reschedule, copy, reopen."""

    what: str
    system: str
    which: int
    minutes: int = 0


@dataclass(frozen=True, slots=True)
class Break:
    """A request meets a fault."""

    fault: Fault


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
class Lag:
    """From now on HighLevel's search is this late."""

    seconds: int


@dataclass(frozen=True, slots=True)
class LoseLedger:
    """The database is gone."""


Happening = Make | Act | Break | Outage | Delay | Rush | Kill | Freeze
"""What may come about at a moment within a run."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run; ``at`` says what happens at which moment of it. ``twice`` starts two at the same instant."""

    at: tuple[tuple[int, Happening], ...] = ()
    twice: bool = False


Action = Make | Act | Wait | Lag | LoseLedger | Run


@dataclass(frozen=True, slots=True)
class History:
    """Settings of the account, and what happens.

    ``newcomer`` are the CRMs that do not know the last person, and make them as soon as a task needs it; without any,
    Superfone does not know them, and nobody is made.
    ``page`` is the most rows that a CRM puts on one page (0 is as many as it likes); with ``counted``, HighLevel's
    pages can only be told apart by counting rows, as Reply's and Superfone's always are.
    Every ``undated``-th task that is made in HighLevel has no due, but one for each person at most (0 is all of them
    have one); where somebody ``rewords``, half of what would be rescheduled is given another title instead.
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
    without: str = ""


# A refused key is rare: it stops a connection for the whole run, and little else could happen in it.
FAULTS = [fault for fault in Fault if fault is not Fault.UNAUTHORIZED] * 4 + [Fault.UNAUTHORIZED]
OUTAGES = [Fault.ERROR_BEFORE, Fault.NO_CONNECTION, Fault.LOST_ANSWER, Fault.GARBAGE, Fault.TRUNCATED]
SYSTEMS = ("superfone", "reply", "highlevel")


def make_history(seed: int, *, without: str = "") -> History:
    """The history of this seed: always the same.

    ``without`` leaves one of the nets against doubles away, ``"twins"`` or ``"markers"``, and what only that net
    could catch.
    """
    rng = random.Random(seed)
    settings = {
        "sync": rng.choice(['cancelled = "close"', 'cancelled = "close"', 'cancelled = "keep"']),
        "superfone": rng.choice(['slot = "earliest_due"', 'slot = "earliest_due"', 'slot = "hold"']),
    }
    calm = rng.random() < 0.3
    deeds: list[Action] = [_deed(rng) for _ in range(DEEDS)]
    runs: list[Action] = [_run(rng, calm=calm) for _ in range(RUNS)]
    actions = deeds + runs
    rng.shuffle(actions)
    if not calm and rng.random() < 0.25:
        actions.insert(rng.randrange(len(actions)), LoseLedger())
    if rng.random() < 0.3:
        actions.insert(rng.randrange(len(actions)), Lag(rng.choice([20, 90, 400])))
    skew = rng.choice([0, 0, 7, -7, 300, -300])
    page, counted = rng.choice([0, 0, 0, 2, 3]), rng.random() < 0.5
    if without == "twins":
        settings["sync"] += '\ntwin_window = "0s"'
        actions = [replace(action, twin_in=None) if isinstance(action, Make) else action for action in actions]
        actions = _rebuilt_at_once(actions)
    if without == "markers":
        actions = [action for action in actions if not isinstance(action, LoseLedger)]
    newcomer = rng.choice([*[()] * 5, ("superfone", "highlevel"), ("superfone", "reply"), ("reply",)])
    if rng.random() < 0.25:
        settings["superfone"] += '\nsuperseded = "complete"'
    undated, rewords = rng.choice([0, 0, 0, 0, 1, 3]), rng.random() < 0.25
    known = tuple(sorted(settings.items()))
    return History(seed, known, skew, page, counted, tuple(actions), newcomer, undated, rewords, without)


def _rebuilt_at_once(actions: list[Action]) -> list[Action]:
    """Without twins a lost ledger must be rebuilt in one run: what is read later can't be told from something new."""
    if LoseLedger() not in actions:
        return actions
    actions = [action for action in actions if not isinstance(action, Lag)]
    lost = actions.index(LoseLedger())
    first = next((at for at in range(lost, len(actions)) if isinstance(actions[at], Run)), None)
    return actions if first is None else [*actions[:first], Run(), *actions[first + 1 :]]


def _deed(rng: random.Random) -> Action:
    dice = rng.random()
    if dice < 0.42:
        return _make(rng)
    if dice < 0.9:
        return _act(rng)
    return Wait(rng.choice([5, 35, 70, 3700]))


def _make(rng: random.Random) -> Make:
    system = rng.choice(SYSTEMS)
    twin_in = rng.choice([other for other in SYSTEMS if other != system]) if rng.random() < 0.15 else None
    lookalike = rng.random() < 0.3
    return Make(system, rng.randrange(PERSONS), rng.randrange(100), rng.randrange(1, 4000), twin_in, lookalike)


def _act(rng: random.Random) -> Act:
    what = rng.choices(["complete", "cancel", "delete", "reschedule", "copy", "reopen"], weights=[55, 8, 5, 15, 7, 10])[
        0
    ]
    return Act(what, rng.choice(SYSTEMS), rng.randrange(1000), rng.randrange(1, 4000))


def _run(rng: random.Random, *, calm: bool) -> Run:
    if calm or rng.random() < 0.3:
        return Run()
    happenings: list[tuple[int, Happening]] = []
    for _ in range(rng.choice([1, 1, 2, 3])):
        dice = rng.random()
        happening: Happening
        if dice < 0.1:
            happening = Rush(rng.randrange(100), rng.randrange(1, 4000))
        elif dice < 0.35:
            # Not twins: one that appears between our read of its CRM and our create there can't be told in time.
            happening = replace(_make(rng), twin_in=None) if rng.random() < 0.5 else _act(rng)
        elif dice < 0.63:
            happening = Break(rng.choice(FAULTS))
        elif dice < 0.71:
            happening = Outage(rng.choice(SYSTEMS), rng.choice(OUTAGES), rng.randrange(4, 13))
        elif dice < 0.79:
            happening = Delay(rng.choice([1, 10, 25]))
        elif dice < 0.95:
            happening = Kill()
        else:
            happening = Freeze(rng.choice([30, 150, 400]))
        happenings.append((rng.randrange(1, MOMENTS), happening))
    # Not twice where one sleeps: the other one may take its lease, and nobody could tell their writes apart.
    sleeps = any(isinstance(happening, Freeze) for _, happening in happenings)
    twice = rng.random() < 0.05 and not sleeps
    return Run(tuple(sorted(dict(happenings).items(), key=lambda pair: pair[0])), twice=twice)
