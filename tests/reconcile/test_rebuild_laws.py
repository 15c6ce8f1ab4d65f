"""Of any past that a ledger has left in the CRMs, each task is known once, whatever of it this ledger remembers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from syncer.domain.model import Kind, Reading, ReplicaState, State, Task
from syncer.domain.reasons import Reason
from syncer.reconcile.merge import Merged
from tests.support.rebuilding import copies_of, done, from_yesterday, put_back, rebuilt
from tests.support.strategies import (
    LANE,
    PLAIN,
    ROUTABLE,
    SYSTEMS,
    TYPED,
    a_replica,
    a_task,
    at,
    in_words_of,
)


@dataclass(frozen=True, slots=True)
class Past:
    """One task as a ledger has mirrored it, and its copies as they are now."""

    task: Task
    rows: list[Reading]

    @property
    def open(self) -> list[Reading]:
        return [row for row in self.rows if row.state is State.OPEN]

    @property
    def is_marked(self) -> bool:
        return any(row.marker is not None for row in self.rows)

    @property
    def is_finished(self) -> bool:
        """Whether a member was finished, so that it must be known: what a lane alone shows connects to nothing."""
        by_due_alone = self.task.origin != LANE and {row.system for row in self.open} == {LANE}
        return self.is_marked and len(self.open) < len(self.rows) and not by_due_alone


@st.composite
def a_past(draw: st.DrawFn, number: int, *, slot_free: bool) -> Past:
    """A task, due at a time of its own, of which at most one copy was finished and one edited."""
    origin = draw(st.sampled_from(SYSTEMS))
    kind = draw(st.sampled_from(ROUTABLE if slot_free else [Kind.REMINDER, Kind.TODO]))
    kind = in_words_of(TYPED, kind) if origin == TYPED else kind
    if origin == PLAIN:
        kind = Kind.FOLLOW_UP_CALL if slot_free else Kind.REMINDER
    title = None if origin == LANE else f"Task {number}"
    task = a_task(f"{origin}:{number}", origin=origin, kind=kind, due=at(hours=5 * number + 5), title=title)
    shown_in = [system for system in SYSTEMS if system == origin or draw(st.booleans())]
    rows = [from_yesterday(row) for row in copies_of(task, shown_in)]
    finished = draw(st.none() | st.sampled_from(shown_in))
    rows = [done(row) if row.system == finished else row for row in rows]
    if finished != origin and any(row.marker for row in rows) and draw(st.booleans()):
        rows = [row for row in rows if row.system != origin]
    # Nothing but the due connects a copy in the lane to the task: one other member must still have it.
    others = [row.system for row in rows if row.system != LANE]
    if others and (len(others) > 1 or LANE not in shown_in):
        moved: dict[str, Any] = {"due": task.due + timedelta(hours=1), "title": f"Edited {number}"}
        edited = draw(st.none() | st.sampled_from(others))
        rows = [replace(row, **moved) if row.system == edited else row for row in rows]
    return Past(task, rows)


@st.composite
def pasts(draw: st.DrawFn) -> list[Past]:
    found: list[Past] = []
    for number in range(draw(st.integers(1, 4))):
        taken = any(row.exclusive and row.system == LANE for past in found for row in past.rows)
        found.append(draw(a_past(number, slot_free=not taken)))
    return found


@given(pasts())
def test_of_any_past_every_task_exists_once(past: list[Past]) -> None:
    check_rebuilt(past, rebuilt(*(row for one in past for row in one.rows)))


@given(pasts(), st.data())
def test_of_any_old_copy_every_task_exists_once(past: list[Past], data: st.DataObject) -> None:
    """The copy knows some of the tasks, and some of their copies, all of them open."""
    base = put_back(visits={})
    for one in past:
        origin = next((row for row in one.rows if row.system == one.task.origin), None)
        if origin is None or data.draw(st.booleans()):
            continue
        rows = [row for row in one.rows if row is origin or data.draw(st.booleans())]
        for row in rows:
            copy = a_replica(one.task, row.system, row.remote_id, title=row.title)
            base.tasks[one.task.id], base.replicas[copy.key] = one.task, copy
    check_rebuilt(past, rebuilt(*(row for one in past for row in one.rows), base=base))


def check_rebuilt(past: list[Past], found: Merged) -> None:
    shown = {copy.key: copy for copy in found.base.replicas.values() if copy.state is ReplicaState.OPEN}
    assert set(shown) == {row.key for one in past for row in one.open if one.open}
    assert len({(copy.task, copy.system) for copy in shown.values()}) == len(shown)
    seen: set[str] = set()
    for one in past:
        tasks = {shown[row.key].task for row in one.open}
        held = {task for task in tasks if found.base.tasks[task].held == Reason.DONE_OR_REOPENED}
        assert len(tasks - held) <= 1
        assert tasks.isdisjoint(seen)
        seen |= tasks
        for task in tasks - held:
            finished = len(one.open) < len(one.rows)
            assert found.base.tasks[task].state is State.OPEN or finished
            assert found.base.tasks[task].state is State.DONE or not one.is_finished
    assert not found.incidents
