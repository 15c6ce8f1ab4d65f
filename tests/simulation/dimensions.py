"""The dimensions: special features of a history, each drawn from the seed independently.

A dimension that is ``on`` is in its share of all histories. One that is off is drawn only on request
(``python -m tests.simulation --with NAME``), because the engine does not yet keep the laws in it. The dimensions of
`frequent` and of `brief` that have no share are also drawn on request only.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import replace

from adapters.sandbox import Fault
from tests.simulation.actions import (
    SYSTEMS,
    Act,
    Action,
    Ail,
    Delay,
    History,
    Jump,
    LoseLedger,
    Make,
    Meet,
    Outage,
    PutAside,
    PutBack,
    Run,
    Rush,
    Strangely,
    Wait,
)
from tests.simulation.brief import BRIEF
from tests.simulation.drawing import Dimension, Draw, happen, insert, setting, together, traits
from tests.simulation.frequent import FREQUENT
from tests.simulation.slow import CROWD, slow
from tests.simulation.story import CLOCKS_DIFFER_BY

MINUTE, HOUR, DAY = 60, 3600, 86400
DIRTY_PAIRS = 8
"""How many there are in `contacts.DIRTY`."""


def with_dimensions(history: History, also: Collection[str] = ()) -> History:
    """Return the history with the dimensions that its seed draws, and with ``also``."""
    for name, dimension in DIMENSIONS.items():
        rng = random.Random(f"{history.seed} {name}")
        lucky = rng.random() < dimension.chance
        if name in also or (lucky and not history.without):
            history = dimension.draw(rng, history)
            history = replace(history, dimensions=(*history.dimensions, name))
    return history


# the dimensions ------------------------------------------------------------------------------------


def _ailing(what: str) -> Draw:
    def draw(rng: random.Random, history: History) -> History:
        """Let one or two items fail for good, or until the end."""
        return insert(
            history, rng, *[Ail(what, rng.randrange(1000), rng.random() < 0.5) for _ in range(rng.choice([1, 1, 2]))]
        )

    return draw


def _malformed(rng: random.Random, history: History) -> History:
    """Let a new Reply task be malformed, for good or until the end; sometimes also one that was read before."""
    new = Make("reply", rng.randrange(3), rng.randrange(100), rng.randrange(1, 4000))
    place = rng.randrange(len(history.actions) + 1)
    pair = (new, Ail("malformed", -1, rng.random() < 0.3))
    history = together(history, place, *pair)
    return _ailing("malformed")(rng, history) if rng.random() < 0.3 else history


def _equal(rng: random.Random, history: History) -> History:
    """Create two equal tasks of one person."""
    return traits(history, rng, "equal", 0.3)


def _same_due(rng: random.Random, history: History) -> History:
    """Create tasks of one person that are due together."""
    return traits(history, rng, "same_due", 0.4)


def _dirty(rng: random.Random, history: History) -> History:
    """Add two contacts with dirty keys, who get many of the tasks."""
    actions = [
        replace(action, person=rng.choice([3, 4])) if isinstance(action, Make) and rng.random() < 0.4 else action
        for action in history.actions
    ]
    return replace(history, actions=tuple(actions), dirty=rng.randrange(DIRTY_PAIRS), newcomer=())


def _contacts(rng: random.Random, history: History) -> History:
    """People add a contact, and correct a number."""
    deeds: list[Action] = [Meet("add", "superfone", 2)] if rng.random() < 0.6 else []
    if rng.random() < 0.6:
        deeds.append(Meet("correct", rng.choice(["reply", "highlevel"]), rng.randrange(3)))
    return replace(insert(history, rng, *deeds), newcomer=())


def _merged_contacts(rng: random.Random, history: History) -> History:
    """People enter somebody twice, and often merge the two contacts later."""
    person = rng.randrange(3)
    deeds = [Meet("double", "highlevel", person), Meet("merge", "highlevel", person)]
    return replace(insert(history, rng, *deeds[: rng.choice([1, 2, 2])]), newcomer=())


def _deleted_contacts(rng: random.Random, history: History) -> History:
    """People delete a contact with its tasks."""
    deed = Meet("delete", rng.choice(["superfone", "highlevel"]), rng.randrange(3))
    return replace(insert(history, rng, deed), newcomer=())


def _moved_numbers(rng: random.Random, history: History) -> History:
    """A number goes to another person."""
    return replace(insert(history, rng, Meet("move", "highlevel", rng.randrange(2))), newcomer=())


def _moved_tasks(rng: random.Random, history: History) -> History:
    """People give tasks to another person's contact, at any instant."""

    def give() -> Act:
        return Act("give", rng.choice(["reply", "highlevel"]), rng.randrange(1000), rng.randrange(1, 4000))

    history = insert(history, rng, give(), give())
    return happen(history, rng, [give()]) if rng.random() < 0.5 else history


def _two_ledgers(rng: random.Random, history: History) -> History:
    """Another machine with a ledger of its own runs for a while, in turn with ours or at the same time."""
    if _is_young(history) or any(isinstance(action, Jump | PutAside) for action in history.actions):
        # With a wrong clock or a restored copy, our ledger might be the younger one.
        return history
    actions = list(history.actions)
    runs = [index for index, action in enumerate(actions) if isinstance(action, Run)]
    # Our ledger is the older one, which goes on. The other one can read everything in its first run; for outages see
    # `_rebuilt_in_an_outage`.
    first = rng.randrange(1, len(runs) - 2)
    for index in runs[first : first + rng.randrange(1, 6)]:
        run = actions[index]
        assert isinstance(run, Run)
        at = run.at if index > runs[first] else ()
        actions[index] = replace(run, at=at, ledger=rng.choice([1, 1, 2]), twice=False)
    # Clocks differ, so it is certain which ledger is older only if ten minutes lie between them.
    actions.insert(runs[first], Wait(20 * MINUTE))
    return replace(history, actions=tuple(action for action in actions if not isinstance(action, LoseLedger)))


def _is_young(history: History) -> bool:
    """Whether, with a wrong clock, a new ledger would seem older than the tasks that were created before it.

    It would take them for another ledger's, and report that until somebody types ``take-over``.
    """
    slow = any(isinstance(action, Jump) and action.seconds < 0 for action in history.actions)
    return slow or abs(history.skew) > CLOCKS_DIFFER_BY.total_seconds()


def _old_ledger(rng: random.Random, history: History) -> History:
    """The ledger's file is copied, and the copy is restored later."""
    if _is_young(history):
        return history
    return insert(_unlost(history), rng, PutAside(), PutBack("in_place"))


def _swapped(rng: random.Random, history: History) -> History:
    """The ledger is replaced by its copy during a run."""
    if _is_young(history):
        return history
    history = insert(_unlost(history), rng, PutAside())
    return happen(history, rng, [PutBack("under")])


def _unlost(history: History) -> History:
    return replace(history, actions=tuple(a for a in history.actions if not isinstance(a, LoseLedger)))


def _skewed(rng: random.Random, history: History) -> History:
    """The clocks of two CRMs are a quarter of an hour off.

    This is more than the ten minutes that the engine allows for, so the ledger must not be lost as well.
    """
    return replace(_unlost(history), skew=rng.choice([15 * MINUTE, -15 * MINUTE]))


def _clocks(rng: random.Random, history: History) -> History:
    """Our clock jumps by an hour or a day, sometimes before a late request arrives."""
    if rng.random() < 0.5:
        new = Make("highlevel", rng.randrange(2), rng.randrange(100), rng.randrange(1, 4000))
        late = (new, Run(((1, Delay(25)),)), Jump(DAY), Run())
        history = together(history, rng.randrange(len(history.actions) + 1), *late)
    jumps = [Jump(rng.choice([-HOUR, -HOUR, HOUR, DAY])) for _ in range(rng.choice([1, 2]))]
    history = insert(history, rng, *jumps)
    return _unlost(history) if _is_young(history) else history


def _ten_years(rng: random.Random, history: History) -> History:
    """Our clock is ten years fast for a while."""
    return insert(history, rng, Jump(3653 * DAY), Jump(0))


def _strange(*whats: str) -> Draw:
    def draw(rng: random.Random, history: History) -> History:
        """Answers that do not come from the CRM, or do not fit the request."""
        return happen(history, rng, [Strangely(rng.choice(whats)) for _ in range(rng.randrange(1, 5))])

    return draw


def _recurring(rng: random.Random, history: History) -> History:
    """Tasks that move to their next date when they are completed."""
    return traits(history, rng, "recurring", 0.4, only="highlevel")


def _sequences(rng: random.Random, history: History) -> History:
    """Reply's tasks belong to sequences, which may be read-only."""
    history = traits(history, rng, "sequence", 0.4, only="reply")
    return setting(history, "reply", f'sequence_tasks = "{rng.choice(["sync", "read_only"])}"')


def _limits(rng: random.Random, history: History) -> History:
    """Few creates, completions or edits are allowed in one run; at the end all are."""
    what = rng.choice(["creates", "completions", "edits"])
    return setting(history, "sync", f"max_{what}_per_run = {rng.choice([1, 2, 4])}")


def _pairs(rng: random.Random, history: History) -> History:
    """An account of two CRMs."""
    missing = rng.choice(SYSTEMS)
    systems = tuple(system for system in SYSTEMS if system != missing)

    def is_there(action: Action) -> bool:
        return not isinstance(action, Make | Act | Meet) or action.system != missing

    actions = tuple(action for action in history.actions if is_there(action))
    return replace(history, actions=actions, systems=systems, newcomer=())


def _rushes(rng: random.Random, history: History) -> History:
    """Somebody creates a task just before our write, again and again."""
    return happen(history, rng, [Rush(rng.randrange(100), rng.randrange(1, 4000)) for _ in range(5)])


def _late_contacts(rng: random.Random, history: History) -> History:
    """The request that creates a contact arrives only after the next run has searched for the contact again."""
    newcomer = rng.choice([("reply",), ("superfone", "reply")])
    new = Make("highlevel", 2, rng.randrange(100), rng.randrange(1, 4000))
    late = Run(((1, Delay(25)),))
    return together(replace(history, newcomer=newcomer), 0, Run(), new, late, Run())


def _rebuilt_in_an_outage(rng: random.Random, history: History) -> History:
    """The ledger is lost, and one CRM is down while it is rebuilt."""
    down = Run(((1, Outage(rng.choice(SYSTEMS), Fault.ERROR_BEFORE, rng.randrange(4, 13))),))
    history = _unlost(history)
    return together(history, rng.randrange(len(history.actions) // 2, len(history.actions)), LoseLedger(), down)


def _linked(rng: random.Random, history: History) -> History:
    """Only the leads of contacts that have a task are watched.

    So everybody gets a task elsewhere and a run, before anybody gets one in Superfone. A new ledger would not find the
    leads of those who have none then.
    """
    elsewhere = [system for system in history.systems if system != "superfone"]
    persons = sorted({action.person for action in history.actions if isinstance(action, Make)})
    firsts = [
        Make(rng.choice(elsewhere), person, rng.randrange(100), rng.randrange(1, 4000))
        for person in persons
        if person < CROWD
    ]
    history = setting(_unlost(history), "superfone", 'discovery = "linked"')
    return together(history, 0, *firsts, Run())


DIMENSIONS = {
    "rushes": Dimension(0.1, _rushes),
    "late_contacts": Dimension(0.1, _late_contacts),
    "rebuilt_in_an_outage": Dimension(0.1, _rebuilt_in_an_outage),
    "pairs": Dimension(0.15, _pairs),
    "limits": Dimension(0.15, _limits),
    "equal": Dimension(0.25, _equal),
    "same_due": Dimension(0.25, _same_due),
    "sequences": Dimension(0.15, _sequences),
    "recurring": Dimension(0.2, _recurring),
    "dirty": Dimension(0.25, _dirty),
    "contacts": Dimension(0.2, _contacts),
    "merged_contacts": Dimension(0.1, _merged_contacts),
    "deleted_contacts": Dimension(0.1, _deleted_contacts),
    "moved_tasks": Dimension(0.1, _moved_tasks),
    "moved_numbers": Dimension(0.15, _moved_numbers),
    "skewed": Dimension(0.1, _skewed),
    "clocks": Dimension(0.15, _clocks),
    "ten_years": Dimension(0.1, _ten_years),
    "gateway": Dimension(0.2, _strange("html 404", "html 403", "html 401", "html 200", "odd wait")),
    "bom": Dimension(0.1, _ailing("bom")),
    "liar": Dimension(0.1, _strange("another due", "another id")),
    "failing_lead": Dimension(0.1, _ailing("lead")),
    "forbidden_task": Dimension(0.1, _ailing("forbidden")),
    "malformed_task": Dimension(0.1, _malformed),
    "old_ledger": Dimension(0.1, _old_ledger),
    "swapped": Dimension(0.1, _swapped),
    "two_ledgers": Dimension(0.1, _two_ledgers),
    "slow": Dimension(0.1, slow),
    "linked": Dimension(0.1, _linked),
    **FREQUENT,
    **BRIEF,
}
