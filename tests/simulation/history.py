"""Histories, drawn from a seed: what people do, which faults occur, and when runs happen."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import replace

from adapters.sandbox import Fault
from tests.simulation.actions import (
    SYSTEMS,
    Act,
    Action,
    Break,
    Delay,
    Freeze,
    Happening,
    History,
    Kill,
    Lag,
    LoseLedger,
    Make,
    Outage,
    Run,
    Rush,
    Wait,
)
from tests.simulation.dimensions import with_dimensions

PERSONS = 3
DEEDS = 29
RUNS = 11
"""The number of runs. Four more follow at the end."""
MOMENTS = 40

# A rejected key is rare, because it stops a connection for the whole run, and then little else can happen.
_COMMON = (
    Fault.NO_CONNECTION,
    Fault.LOST_REQUEST,
    Fault.LOST_ANSWER,
    Fault.ERROR_BEFORE,
    Fault.ERROR_AFTER,
    Fault.THROTTLED,
    Fault.GARBAGE,
    Fault.TRUNCATED,
)
FAULTS = [*_COMMON * 4, Fault.UNAUTHORIZED]
OUTAGES = [Fault.ERROR_BEFORE, Fault.NO_CONNECTION, Fault.LOST_ANSWER, Fault.GARBAGE, Fault.TRUNCATED]


def make_history(seed: int, *, without: str = "", also: Collection[str] = ()) -> History:
    """Return the history of this seed, which is always the same. ``also`` names dimensions that it must have.

    ``without`` switches off one of the ways to avoid duplicates, ``"twins"`` or ``"markers"``, and leaves out what only
    that way could handle.
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
    history = History(seed, known, skew, page, counted, tuple(actions), newcomer, undated, rewords, without=without)
    return with_dimensions(history, also)


def _rebuilt_at_once(actions: list[Action]) -> list[Action]:
    """Let the run after a lost ledger be undisturbed: without twins, a task that is read later looks new."""
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
            # No twins: one that appears between our read of its CRM and our create there cannot be noticed in time.
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
    # No second run if one is suspended: it may take the lease, and the oracle cannot tell their writes apart.
    sleeps = any(isinstance(happening, Freeze) for _, happening in happenings)
    twice = rng.random() < 0.05 and not sleeps
    return Run(tuple(sorted(dict(happenings).items(), key=lambda pair: pair[0])), twice=twice)
