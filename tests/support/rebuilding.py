"""A person's tasks as another ledger has left them in the CRMs, and one merge that brings this ledger up to date."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from syncer.domain.base import Base, Changes
from syncer.domain.model import Reading, ReplicaState, State, Task
from syncer.reconcile.merge import Merged
from tests.support.clock import START
from tests.support.merging import without_turns
from tests.support.strategies import (
    LANE,
    OTHER_LEDGER,
    PLAIN,
    SYSTEMS,
    a_base,
    a_replica,
    at,
    fresh_ids,
    in_words_of,
    marker_of,
    merged,
    read_back,
    read_in_full,
)

SINCE_THE_COPY: Final = at(hours=-1)
"""When the old copy of a ledger was put back."""


def copies_of(task: Task, systems: Iterable[str] = SYSTEMS, **changes: Any) -> list[Reading]:
    """What the CRMs hold of a task that another ledger had mirrored into them; the lane's copy is of our user."""
    found = []
    for system in systems:
        title = None if system == LANE else task.title or "Call Asha"
        reading = read_back(a_replica(task, system, title=title), task, kind_known=system != PLAIN)
        if system != task.origin:
            reading = replace(reading, kind=in_words_of(system, task.kind))
        marker = marker_of(task, OTHER_LEDGER) if reading.marker else None
        found.append(replace(reading, marker=marker, **changes))
    return found


def rebuilt(*rows: Reading, base: Base | None = None, **given: Any) -> Merged:
    """One merge after all persons were read in full. A second merge must find nothing to do."""
    seen = read_in_full(*rows)
    found = merged(base or a_base(), seen, **given)
    visits = dict.fromkeys(found.base.links, START)
    after = replace(found.base, cursors={**found.base.cursors, **found.changes.cursors}, visits=visits)
    again = merged(after, seen, **(given | {"run": "run2", "new_id": fresh_ids("again")}))
    assert without_turns(again.changes, after) == Changes()
    return found


def open_tasks(found: Merged) -> set[str]:
    """The ids of what is open; what is finished everywhere is remembered beside it."""
    return {task.id for task in found.base.tasks.values() if task.state is State.OPEN}


def one_task(found: Merged) -> Task:
    [task] = found.base.tasks.values()
    return task


def places(found: Merged, task: str, state: ReplicaState = ReplicaState.OPEN) -> set[str]:
    """The CRMs that show this task in this state."""
    return {copy.system for copy in found.base.replicas.values() if (copy.task, copy.state) == (task, state)}


def done(row: Reading, **changes: Any) -> Reading:
    """The same, finished by somebody an hour ago."""
    fields: dict[str, Any] = {"updated_at": at(hours=-1), "updated_by": "8"}
    return replace(row, state=State.DONE, **(fields | changes))


def from_yesterday(row: Reading) -> Reading:
    return replace(row, created_at=at(days=-1), updated_at=at(days=-1)) if row.system == LANE else row


def put_back(*tasks: Task, systems: Iterable[str] = SYSTEMS, **more: Any) -> Base:
    """A ledger from before, in which these tasks are open in these CRMs."""
    replicas = [a_replica(task, system) for task in tasks for system in systems]
    return a_base(*tasks, replicas=replicas, restored_at=SINCE_THE_COPY, **more)
