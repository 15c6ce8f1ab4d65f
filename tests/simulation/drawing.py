"""Helpers that put special features into a history."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.simulation.actions import (
    Action,
    Happening,
    History,
    Make,
    Run,
)

Draw = Callable[[random.Random, History], History]


@dataclass(frozen=True, slots=True)
class Dimension:
    """A special feature of histories. ``chance`` is its share of all histories; ``draw`` puts it into one.

    With a chance of 0 it makes something frequent that all histories have now and then, to find a planted fault soon.
    """

    chance: float
    draw: Draw


def insert(history: History, rng: random.Random, *actions: Action) -> History:
    """Insert the actions in this order, at random places."""
    mixed = list(history.actions)
    places = sorted(rng.randrange(len(mixed) + 1) for _ in actions)
    for place, action in reversed(list(zip(places, actions, strict=True))):
        mixed.insert(place, action)
    return replace(history, actions=tuple(mixed))


def setting(history: History, section: str, line: str) -> History:
    """Add a line to a section of the account's settings. It replaces a line with the same key."""
    settings = dict(history.settings)
    key = line.partition(" = ")[0]
    others = [old for old in settings.get(section, "").splitlines() if old.partition(" = ")[0] != key]
    settings[section] = "\n".join([*others, line])
    return replace(history, settings=tuple(sorted(settings.items())))


def traits(history: History, rng: random.Random, trait: str, chance: float, *, only: str = "") -> History:
    """Give this trait to a share of the tasks that people create."""
    actions = [
        replace(action, trait=trait, twin_in=None, system=only or action.system)
        if isinstance(action, Make) and not action.trait and rng.random() < chance
        else action
        for action in history.actions
    ]
    return replace(history, actions=tuple(actions))


def happen(history: History, rng: random.Random, happenings: list[Happening]) -> History:
    """Let these happen at random moments of runs."""
    actions = list(history.actions)
    runs = [index for index, action in enumerate(actions) if isinstance(action, Run)]
    for happening in happenings:
        index = rng.choice(runs)
        run = actions[index]
        assert isinstance(run, Run)
        at = dict(run.at) | {rng.randrange(1, 30): happening}
        actions[index] = replace(run, at=tuple(sorted(at.items(), key=lambda pair: pair[0])))
    return replace(history, actions=tuple(actions))


def together(history: History, place: int, *actions: Action) -> History:
    """Insert these actions at this place, one directly after the other."""
    return replace(history, actions=(*history.actions[:place], *actions, *history.actions[place:]))
