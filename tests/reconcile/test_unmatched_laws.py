"""First sight, over any past and present: markers and twins are believed exactly where they fit."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from hypothesis import given

from syncer.domain.base import Base
from syncer.domain.model import Reading, Replica, ReplicaState, State, Task
from syncer.domain.operations import Action
from syncer.domain.titles import same_title
from syncer.reconcile.markers import named_by
from syncer.reconcile.merge import Merged
from tests.support.strategies import (
    POLICY,
    RandomWorld,
    worlds,
)


@given(worlds())
def test_markers_are_believed_exactly_where_they_fit(world: RandomWorld) -> None:
    found = world.merged()
    for reading in _marked_unknown(world):
        copy = found.base.replicas.get(reading.key)
        task = named_by(world.base, reading.marker) if reading.marker else None
        if copy is None or task is None:
            assert copy is None or copy.task == reading.place
            continue
        if copy.made:
            assert copy.task == task.id
            assert task.contact == found.base.links[reading.system, reading.contact or ""]
            assert found.base.tasks[task.id].state is State.OPEN or _in_doubt(world.base, task, reading.system)
        elif copy.task != task.id:
            task = found.base.tasks[task.id]
            other = [r for r in found.base.replicas.values() if (r.task, r.system) == (task.id, reading.system)]
            shown = any(replica.state is ReplicaState.OPEN for replica in other)
            alien = task.contact != found.base.tasks[copy.task].contact
            assert shown or alien or task.state is not State.OPEN or _is_unlike(reading, [task, *other])


def _marked_unknown(world: RandomWorld) -> list[Reading]:
    """Open tasks with a marker, which no replica knows, that could be told."""
    readings = [reading for seen in world.seen.values() for reading in seen.readings.values()]
    return [r for r in readings if r.marker and r.key not in world.base.replicas and r.whole and r.state is State.OPEN]


def _is_unlike(reading: Reading, known: list[Task | Replica]) -> bool:
    """Whether there was another copy, and this is neither like it nor like the task."""
    near = [one for one in known if reading.due and one.due and abs(reading.due - one.due) <= timedelta(seconds=60)]
    return len(known) > 1 and not any(same_title(reading.title, one.title) for one in near)


def _in_doubt(base: Base, task: Task, system: str) -> bool:
    creates = [o for o in base.operations.values() if (o.task, o.system, o.action) == (task.id, system, Action.CREATE)]
    return any(operation.is_unsettled for operation in creates)


@given(worlds())
def test_a_twin_is_mutual_and_the_only_one(world: RandomWorld) -> None:
    found = world.merged()
    for event in found.changes.events:
        if event.what != "adopted" or "marker" in event.detail or "before" in event.detail:
            continue
        copy = found.base.replicas[event.system or "", event.remote_id or ""]
        twin, task = _read(world, copy), found.base.tasks[copy.task]
        rivals = [
            rival
            for rival in world.seen[copy.system].readings.values()
            if rival.key not in world.base.replicas and _fits(found, rival, task) and rival.state is State.OPEN
            if rival.whole and rival.mirrored and not found.base.replicas[rival.key].made
        ]
        assert rivals == [twin]
        assert [other.id for other in _free_before(world, found, copy) if _fits(found, twin, other)] in ([], [task.id])


def _read(world: RandomWorld, replica: Replica) -> Reading:
    return world.seen[replica.system].readings[replica.remote_id]


def _fits(found: Merged, reading: Reading, task: Task) -> bool:
    near = reading.due is not None and abs(reading.due - task.due) <= POLICY.twin_window
    same_person = found.base.links.get((reading.system, reading.contact or "")) == task.contact
    return near and same_person and reading.kind.compatible(task.kind) and same_title(reading.title, task.title)


def _free_before(world: RandomWorld, found: Merged, copy: Replica) -> Iterable[Task]:
    """Tasks of the ledger that are open now and had no copy in that CRM, nor one on its way."""
    for task in found.base.tasks.values():
        shown = {r.task for r in found.base.replicas.values() if (r.system, r.state) == (copy.system, "open")}
        free = task.id not in shown - {copy.task} and not _in_doubt(world.base, task, copy.system)
        if task.id in world.base.tasks and task.state is State.OPEN and free:
            yield task
