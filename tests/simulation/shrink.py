"""Shorten a failing history: remove parts as long as it still fails, first large ones, then single actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from tests.simulation.actions import Happening, History, Run

T = TypeVar("T")


def shrink(history: History, fails: Callable[[History], bool]) -> History:
    """Return the shortest history found that still fails."""
    kept = _without(history.actions, lambda actions: fails(replace(history, actions=tuple(actions))))
    history = replace(history, actions=tuple(kept))
    for index, action in enumerate(history.actions):
        if isinstance(action, Run) and action.at:
            history = _calmer_run(history, index, action, fails)
    return history


def _calmer_run(history: History, index: int, action: Run, fails: Callable[[History], bool]) -> History:
    """Return the same history with fewer events in one of its runs."""

    def with_run(at: Sequence[tuple[int, Happening]]) -> History:
        actions = list(history.actions)
        actions[index] = replace(action, at=tuple(at))
        return replace(history, actions=tuple(actions))

    return with_run(_without(action.at, lambda at: fails(with_run(at))))


def _without(items: Sequence[T], fails: Callable[[Sequence[T]], bool]) -> Sequence[T]:
    """Delta debugging: remove parts, half as large each time, while the rest still fails."""
    size = max(1, len(items) // 2)
    while True:
        start = 0
        while start < len(items):
            rest = [*items[:start], *items[start + size :]]
            if fails(rest):
                items = rest
            else:
                start += size
        if size == 1:
            return items
        size = max(1, size // 2)
