"""Dimensions that make frequent what all histories have now and then, so that planted faults are found soon."""

from __future__ import annotations

import random
from dataclasses import replace

from adapters.sandbox import Fault
from tests.simulation.account import users_section
from tests.simulation.actions import (
    SYSTEMS,
    Act,
    Action,
    Break,
    Delay,
    Freeze,
    Happening,
    History,
    Make,
    Outage,
    Run,
)
from tests.simulation.drawing import Dimension, Draw, happen, insert, setting, together

EDITS = ("reschedule", "rewrite")
STORED = ("paragraphs", "spaced", "tidied")
"""What a CRM may do to a text, see `editors`."""
MESSAGE = 4
"""The kind that becomes an e-mail in Reply."""


def _often(*happenings: Happening) -> Draw:
    def draw(rng: random.Random, history: History) -> History:
        """Let these happen in runs again and again."""
        return happen(history, rng, [rng.choice(happenings) for _ in range(10)])

    return draw


def _while_we_write(*happenings: Happening) -> Draw:
    def draw(rng: random.Random, history: History) -> History:
        """Let this happen while a run writes: each run follows an action of people, so it has something to write."""
        actions: list[Action] = []
        for action in history.actions:
            actions.append(action)
            if isinstance(action, Make | Act):
                actions.append(Run(((rng.randrange(8, 24), rng.choice(happenings)),)))
        left = [action for action in actions if not isinstance(action, Run) or action.at]
        return replace(history, actions=tuple(left))

    return draw


def _habit(what: str, *systems: str) -> Draw:
    def draw(rng: random.Random, history: History) -> History:
        """Let half of what people do with tasks be this."""
        actions = [
            replace(action, what=what, system=rng.choice(systems))
            if isinstance(action, Act) and rng.random() < 0.5
            else action
            for action in history.actions
        ]
        return replace(history, actions=tuple(actions))

    return draw


def _messages(rng: random.Random, history: History) -> History:
    """People often create a message in Reply, and often complete a task in HighLevel."""
    actions = [
        replace(action, system="reply", kind=MESSAGE, twin_in=None)
        if isinstance(action, Make) and rng.random() < 0.5
        else action
        for action in history.actions
    ]
    return _habit("complete", "highlevel")(rng, replace(history, actions=tuple(actions)))


def _cancellations(rng: random.Random, history: History) -> History:
    """People often cancel a task in Reply, and its copies stay open."""
    settings = {section: lines.replace('"close"', '"keep"') for section, lines in history.settings}
    return _habit("cancel", "reply")(rng, replace(history, settings=tuple(sorted(settings.items()))))


def _one_person(_rng: random.Random, history: History) -> History:
    """People create all tasks for one person."""
    actions = [replace(action, person=0) if isinstance(action, Make) else action for action in history.actions]
    return replace(history, actions=tuple(actions))


def _held(_rng: random.Random, history: History) -> History:
    """The task in a slot keeps it (``slot = "hold"``)."""
    settings = {section: lines.replace('"earliest_due"', '"hold"') for section, lines in history.settings}
    return replace(history, settings=tuple(sorted(settings.items())))


def _edits(rng: random.Random, history: History) -> History:
    """People mostly change due, title and text, also during a run."""
    actions = [
        replace(action, what=rng.choice(EDITS), system=rng.choice(SYSTEMS))
        if isinstance(action, Act) and rng.random() < 0.7
        else action
        for action in history.actions
    ]
    history = replace(history, actions=tuple(actions), rewords=True)
    return happen(history, rng, [_an_edit(rng) for _ in range(6)])


def _an_edit(rng: random.Random) -> Act:
    return Act(rng.choice(EDITS), rng.choice(SYSTEMS), rng.randrange(1000), rng.randrange(1, 4000))


def _editors(rng: random.Random, history: History) -> History:
    """CRMs store texts as HTML or with other white space, and people save tasks without changing them."""
    history = _habit("save", *SYSTEMS[1:])(rng, replace(history, rewords=True))
    chosen = tuple((system, rng.choice(STORED)) for system in SYSTEMS[1:])
    writes = [Act("rewrite", rng.choice(SYSTEMS[1:]), rng.randrange(1000)) for _ in range(4)]
    saves = [Act("save", rng.choice(SYSTEMS[1:]), rng.randrange(1000), rng.randrange(9)) for _ in range(2)]
    return happen(insert(replace(history, editors=chosen), rng, *writes), rng, [*saves])


def _assignees(rng: random.Random, history: History) -> History:
    """Users have ids in each CRM, and people assign tasks to them, also during a run."""
    history = _habit("assign", *SYSTEMS)(rng, setting(history, "users", users_section()))
    return happen(
        history, rng, [Act("assign", rng.choice(SYSTEMS), rng.randrange(1000), rng.randrange(9)) for _ in range(5)]
    )


def _deletions_close(rng: random.Random, history: History) -> History:
    """A task of which people delete a copy is completed elsewhere."""
    during = [Act("delete", rng.choice(SYSTEMS[1:]), rng.randrange(1000)) for _ in range(2)]
    history = happen(setting(history, "sync", 'deleted = "close"'), rng, [*during])
    return insert(history, rng, *[Act("delete", rng.choice(SYSTEMS[1:]), rng.randrange(1000)) for _ in range(3)])


def _done_while_owed(_rng: random.Random, history: History) -> History:
    """A message in Reply is rescheduled in HighLevel while Reply is down, then done there, which closes no message."""
    down = Run(((20, Outage("reply", Fault.ERROR_BEFORE, 9)),))
    put_off, done = Act("reschedule", "highlevel", 0, 1000), Act("complete", "highlevel", 0)
    history = replace(history, rewords=False, undated=0)
    return together(history, 0, Make("reply", 0, MESSAGE, 600), Run(), put_off, down, done, Run(), Run())


def _few_edits(_rng: random.Random, history: History) -> History:
    """One edit is allowed in a run; at the end all are."""
    return setting(history, "sync", "max_edits_per_run = 1")


def _undated(_rng: random.Random, history: History) -> History:
    """Tasks that people create in HighLevel have no due."""
    return replace(history, undated=1)


FREQUENT = {
    "edits": Dimension(0.3, _edits),
    "editors": Dimension(0.15, _editors),
    "assignees": Dimension(0.15, _assignees),
    "deletions_close": Dimension(0.1, _deletions_close),
    "done_while_owed": Dimension(0, _done_while_owed),
    "few_edits": Dimension(0, _few_edits),
    "undated": Dimension(0, _undated),
    # Longer than a lease, but shorter than a run may take.
    "sleeps": Dimension(0, _while_we_write(Freeze(150))),
    "late_writes": Dimension(0, _while_we_write(Delay(25))),
    "lost_answers": Dimension(0, _often(Break(Fault.LOST_ANSWER), Break(Fault.ERROR_AFTER))),
    "errors": Dimension(0, _often(Break(Fault.ERROR_BEFORE), Break(Fault.LOST_REQUEST))),
    "completions": Dimension(0, _habit("complete", *SYSTEMS[1:])),
    "deletions": Dimension(0, _habit("delete", *SYSTEMS[1:])),
    "gifts": Dimension(0, _habit("give", *SYSTEMS[1:])),
    "cancellations": Dimension(0, _cancellations),
    "messages": Dimension(0, _messages),
    "one_person": Dimension(0, _one_person),
    "held": Dimension(0, _held),
}
