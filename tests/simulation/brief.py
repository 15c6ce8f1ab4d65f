"""Short histories, in which one thing happens again and again: a planted fault shows soon, and costs little."""

from __future__ import annotations

import random
from dataclasses import replace

from adapters.sandbox import Fault
from tests.simulation.actions import Act, Action, Ail, History, Jump, Make, Outage, PutAside, PutBack, Run, Wait
from tests.simulation.drawing import Dimension, Draw

KEPT = 2
"""How many of the drawn actions follow. Too many, and they mend what a fault has done."""
PART = 14
TEN_YEARS = 3653 * 86400
MOMENTS = range(28, 36)
"""The moments of a run at which it writes, where there are few tasks."""
CALL = Make("reply", 0, 0, 600)
MINUTE_AND_MORE = Wait(70)
"""Longer than a request may be on its way."""


def _only(history: History, *actions: Action) -> History:
    """Return the history with these actions, and few of its own."""
    return replace(history, rewords=False, undated=0, actions=(*actions, *history.actions[:KEPT]))


def _failing(what: str, *faults: Fault) -> Draw:
    def draw(_rng: random.Random, history: History) -> History:
        """People do this in one of two CRMs, and a request to the other fails, each time at another moment."""
        actions: list[Action] = []
        for number, moment in enumerate(MOMENTS):
            here, there = ("highlevel", "reply") if number % 2 == 0 else ("reply", "highlevel")
            down = Outage(there, faults[number % len(faults)], 1)
            made = Make("reply", number % 3, 0, 600 + 60 * number)
            actions += [made, Run(), Act(what, here, -1, 1000), Run(((moment, down),)), MINUTE_AND_MORE, Run()]
        return _only(history, *actions)

    return draw


def _forbidden_soon(_rng: random.Random, history: History) -> History:
    """One of two tasks may not be read any more, and then there is a third one to copy."""
    others = (Make("reply", 1, 0, 700), Make("highlevel", 1, 0, 700))
    return _only(history, CALL, others[0], Run(), Ail("forbidden", 0, heals=False), others[1], Run(), Run())


def _restored_ten_years_ahead(_rng: random.Random, history: History) -> History:
    """A copy of the ledger is put back while our clock is ten years fast."""
    put_back = (PutAside(), Run(), Jump(TEN_YEARS), PutBack("in_place"), Run(), Jump(0))
    return _only(history, CALL, Run(), *put_back, Make("highlevel", 1, 0, 700), Run(), Run())


def _brief(_rng: random.Random, history: History) -> History:
    """Only the beginning of the history."""
    return replace(history, actions=history.actions[:PART])


BRIEF = {
    "failed_completions": Dimension(0, _failing("complete", Fault.ERROR_BEFORE)),
    "failed_edits": Dimension(0, _failing("reschedule", Fault.ERROR_BEFORE, Fault.LOST_REQUEST)),
    "forbidden_soon": Dimension(0, _forbidden_soon),
    "restored_ten_years_ahead": Dimension(0, _restored_ten_years_ahead),
    # The last one: it shortens what the others have made.
    "brief": Dimension(0, _brief),
}
