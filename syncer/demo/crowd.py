"""The people of a sandbox, chosen by a seed: their contacts, their tasks, and what they do now and then."""

from __future__ import annotations

import random
from typing import Final

from syncer.demo.desks import LABELS, DeskTask, NotPossible
from syncer.demo.world import DemoWorld

_FIRST_NAMES: Final = ("Asha", "Bilal", "Chitra", "Dev", "Esha", "Farid", "Gita", "Harsh")
_LAST_NAMES: Final = ("Rao", "Khan", "Nair", "Mehta", "Das", "Ali", "Iyer", "Patel")
_TITLES: Final = (
    "Call about the quote",
    "Ask which size fits",
    "Send the floor plan",
    "Agree on a day for the visit",
    "Remind of the papers",
    "Call back after lunch",
    "Explain the discount",
    "Confirm the booking",
)
_IN_EVERY_CRM: Final = 3
_PRESENCE: Final = 0.75
_OPEN_TASKS: Final = 12
_EDITED: Final = 0.4
_REPLY_TYPES: Final = ("Call", "Call", "Meeting", "ToDo", "ManualEmail")


def populate(world: DemoWorld, seed: int) -> None:
    """Add eight people, the first three in all CRMs, and a dozen open tasks. A seed always gives the same."""
    rng = random.Random(seed)  # noqa: S311 - no secret depends on it
    for number, (first, last) in enumerate(zip(_FIRST_NAMES, _LAST_NAMES, strict=True)):
        for system in world.desks:
            # Some people are missing in a CRM, so that tasks also wait for a contact.
            if number < _IN_EVERY_CRM or rng.random() < _PRESENCE:
                email = f"{first.lower()}@example.com"
                world.act(system, "add", name=f"{first} {last}", phone=f"+9198765432{10 + number}", email=email)
    for _ in range(_OPEN_TASKS):
        somebody_creates(world, rng)


def somebody_acts(world: DemoWorld, rng: random.Random) -> str:
    """Somebody creates or changes a task. Returns what happened, as a sentence."""
    system = rng.choice(sorted(world.desks))
    tasks = [task for task in world.desks[system].tasks() if task.open]
    if not tasks or rng.random() < 0.5:
        return somebody_creates(world, rng)
    task = rng.choice(tasks)
    if rng.random() < _EDITED:
        world.act(system, "edit", task=task.id, due=f"{rng.randint(2, 96)}h")
        return f"In {LABELS[system]}: {sentence('edit', world.desks[system].task(task.id))}."
    verb = "cancel" if system == "reply" and rng.random() < 0.2 else "complete"
    world.act(system, verb, task=task.id)
    return f"In {LABELS[system]}: {sentence(verb, task)}."


def somebody_creates(world: DemoWorld, rng: random.Random) -> str:
    """Somebody creates a task for some contact, in some CRM."""
    system = rng.choice(sorted(world.desks))
    desk = world.desks[system]
    contact = rng.choice(sorted(desk.contacts()))
    kind = rng.choice(_REPLY_TYPES if system == "reply" else desk.types or (None,))
    due = f"{rng.randint(2, 96)}h"
    task = world.act(system, "create", contact=contact, title=rng.choice(_TITLES), type=kind, due=due)
    return f"In {LABELS[system]}: {sentence('create', desk.task(task))}."


def sentence(verb: str, task: DeskTask) -> str:
    """What happened to a task, as a sentence for users."""
    what = f"“{task.title}”" if task.title else f"task {task.id}"
    kind = f"{task.type} " if task.type else ""
    words = {
        "create": f"{kind}{what} is added for {task.contact}",
        "edit": f"{kind}{what} of {task.contact} is changed",
        "complete": f"{kind}{what} of {task.contact} is completed",
        "cancel": f"{kind}{what} of {task.contact} is cancelled",
        "reopen": f"{kind}{what} of {task.contact} is opened again",
        "delete": f"{kind}{what} of {task.contact} is deleted",
    }
    if verb not in words:
        msg = f"nothing is said of {verb}"
        raise NotPossible(msg)
    return words[verb]
