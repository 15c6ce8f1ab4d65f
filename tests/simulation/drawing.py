"""How what is special about a history is put into it."""

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
    """``chance`` is its share of all histories; ``draw`` puts it into one.

    Without a chance it makes frequent what all histories have now and then, for the hunt after a planted fault.
    """

    chance: float
    draw: Draw
    on: bool = True


def insert(history: History, rng: random.Random, *actions: Action) -> History:
    """The actions in this order, each anywhere after the one before."""
    mixed = list(history.actions)
    places = sorted(rng.randrange(len(mixed) + 1) for _ in actions)
    for place, action in reversed(list(zip(places, actions, strict=True))):
        mixed.insert(place, action)
    return replace(history, actions=tuple(mixed))


def setting(history: History, section: str, line: str) -> History:
    """One line more in a section of the account's settings."""
    settings = dict(history.settings)
    settings[section] = f"{settings.get(section, '')}\n{line}"
    return replace(history, settings=tuple(sorted(settings.items())))


def traits(history: History, rng: random.Random, trait: str, chance: float, *, only: str = "") -> History:
    """Give a share of what people make this trait."""
    actions = [
        replace(action, trait=trait, twin_in=None, system=only or action.system)
        if isinstance(action, Make) and not action.trait and rng.random() < chance
        else action
        for action in history.actions
    ]
    return replace(history, actions=tuple(actions))


def happen(history: History, rng: random.Random, happenings: list[Happening]) -> History:
    """Let these come about within runs."""
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
    """These actions, one right after the other, at this place."""
    return replace(history, actions=(*history.actions[:place], *actions, *history.actions[place:]))
