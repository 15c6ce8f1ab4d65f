"""Slow accounts: so few requests a second, and runs so short, that no run can read everything.

Each CRM takes ``rate`` requests a second. A run lasts ``limit`` seconds, and half of them at most are for reading.
There are more leads without an open task than that is enough for.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import replace
from math import ceil

from tests.simulation.actions import SYSTEMS, Act, Action, Ail, History, Make, Run
from tests.simulation.drawing import insert, setting

CROWD = 10
"""The number of the first of those persons."""
REQUESTS = 6
"""The most requests that one write takes, with what is read before and after it."""
READING = 0.5
"""The largest share of a run's time for reading."""
EACH = 0.2
"""The least share of the time for reading that the leads have of whom nothing is known."""


def slow(rng: random.Random, history: History) -> History:
    """Let no run have the time to read everything. Some of those leads get tasks, and some of these cannot be read."""
    if any(isinstance(action, Run) and action.ledger for action in history.actions):
        # In its first run the other machine reads everything.
        return history
    rate, limit = rng.choice([(1, 20), (1, 30), (1, 40), (2, 20)])
    reads = int(READING * rate * limit)
    crowd = rng.randrange(reads, reads + reads // 2 + 1)
    actions: list[Action] = [
        replace(action, person=CROWD + rng.randrange(crowd))
        if isinstance(action, Make) and rng.random() < 0.4
        else action
        for action in history.actions
    ]
    history = replace(history, actions=tuple(actions), crowd=crowd, page=0)
    for system in SYSTEMS:
        history = setting(history, system, f'rate = "{rate}/s"')
    for line in (f'run_limit = "{limit}s"', f'interval = "{rng.choice([limit, 3 * limit])}s"'):
        history = setting(history, "sync", line)
    for _ in range(rng.choice([0, 1, 1, 2])):
        last = rng.randrange(crowd)
        new = Make("superfone", CROWD + crowd - 1 - last, rng.randrange(100), rng.randrange(1, 4000))
        history = insert(
            history, rng, Ail("lead", -1 - last, rng.random() < 0.8), new, Act("complete", "superfone", last)
        )
    return history


def turn(settings: Mapping[str, str], leads: int, texts: int) -> int:
    """Return after how many runs all leads, and all texts that no list shows, have been read once more.

    Each run reads at least one text.
    """
    reads = int(EACH * READING * _rate(settings) * _limit(settings))
    return max(ceil(leads / max(1, reads)), texts) + 1


def runs_for(settings: Mapping[str, str], writes: int) -> int:
    """Return how many runs at most so many writes in one CRM take."""
    each = int((1 - READING) * _rate(settings) * _limit(settings)) // REQUESTS
    return ceil(writes / max(1, each))


def _rate(settings: Mapping[str, str]) -> float:
    return _number(r'rate = "(\d+)/s"', settings["superfone"])


def _limit(settings: Mapping[str, str]) -> float:
    return _number(r'run_limit = "(\d+)s"', settings["sync"])


def _number(pattern: str, lines: str) -> float:
    found = re.search(pattern, lines)
    assert found is not None
    return float(found[1])
