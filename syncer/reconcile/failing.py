"""What cannot be read, run after run: counted, and told to people when it may need them (pure)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from syncer.domain.base import Base, Changes, Failing
from syncer.domain.reasons import Item, Reason
from syncer.domain.snapshot import ConnectionState, Seen
from syncer.reconcile.reading_list import RUNS_UNTIL_ATTENTION, Place, What, in_words

_LEFT: Final = "it is tried again with every run, behind all others"


class Failure(NamedTuple):
    """How one reading failed. ``garbled`` says that it was answered, with what could not be understood.

    ``forbidden`` says that the CRM refuses it to this key.
    """

    words: str
    garbled: bool = False
    forbidden: bool = False


def failing_after(
    before: Mapping[Place, Failing],
    failed: Mapping[Place, Failure],
    answered: Collection[Place],
    unwanted: Collection[Place],
    *,
    now: datetime,
) -> Changes:
    """What is to be stored of one run: counts that rose, and what fails no more or is ``unwanted`` by now.

    What was not tried stays as it was.
    """
    changes = Changes()
    for place, failure in failed.items():
        known = before.get(place)
        failures, since = (known.failures + 1, known.since) if known else (1, now)
        changes.failing[place] = Failing(*place, failures, since, failure.words, garbled=failure.garbled)
    changes.readable = {place for place in before if place not in failed and (place in answered or place in unwanted)}
    return changes


def is_given_up(base: Base, place: Place, *, failed_now: bool) -> bool:
    """Whether it could not be read in so many runs that nothing else waits for it any more."""
    known = base.failing.get(place)
    return known is not None and known.failures + failed_now >= RUNS_UNTIL_ATTENTION


def told(base: Base, seen: Mapping[str, Seen]) -> tuple[list[Item], list[Item]]:
    """What waits, and what is under attention, because it could not be read when it was last tried.

    What was answered and not understood may need people at once, what was not answered only if it goes on so. A
    connection that could not be used says so for all that is in it.
    """
    waiting, attention = [], []
    for place, failing in sorted(base.failing.items()):
        system, what, key = place
        if system not in seen or seen[system].state is not ConnectionState.OK:
            continue
        replica = base.replicas.get((system, key)) if what == What.TASK else None
        task = None if replica is None else replica.task
        detail = f"{in_words(what, key)}: {failing.words}"
        if failing.failures < RUNS_UNTIL_ATTENTION:
            waiting.append(Item(task, system, Reason.UNREAD, detail))
            if not failing.garbled:
                continue
        reason = Reason.UNREADABLE if failing.garbled else Reason.FAILING
        since = f"not read since {failing.since:%Y-%m-%d %H:%M} UTC"
        attention.append(Item(task, system, reason, f"{detail}; {since}; {_LEFT}; see: syncer check"))
    return waiting, attention
