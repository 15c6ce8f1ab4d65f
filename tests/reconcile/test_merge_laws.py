"""Laws of the three-way comparison, over a common past that every side has changed in its own way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from syncer.domain.base import Changes
from syncer.domain.model import Reading, Replica, ReplicaState, State
from syncer.domain.reasons import Reason
from syncer.domain.snapshot import Seen
from syncer.reconcile.merge import Merged
from tests.support.merging import without_turns
from tests.support.strategies import LANE, SYSTEMS, RandomWorld, fresh_ids, worlds

WINDOW = timedelta(seconds=2)


def without_misses(seen: dict[str, Seen]) -> dict[str, Seen]:
    return {system: replace(one, missing=set()) for system, one in seen.items()}


def settled(world: RandomWorld, replica: Replica) -> bool:
    return replica.system != LANE or not any(
        op.system == LANE and op.contact == replica.contact and op.is_unsettled for op in world.base.operations.values()
    )


def superseders(world: RandomWorld, row: Reading) -> list[Reading]:
    """The contract's definition, word by word."""
    near = []
    for other in world.seen[LANE].lanes.get(row.contact or "", ()) if row.system == LANE and row.exclusive else ():
        if other.exclusive and other.remote_id != row.remote_id and row.updated_at and other.created_at:
            newer = row.created_at is None or other.created_at >= row.created_at
            same = row.updated_by == other.created_by or row.updated_by is None or other.created_by is None
            if newer and same and abs(row.updated_at - other.created_at) <= WINDOW:
                near.append(other)
    return near


def they_closed(world: RandomWorld, replica: Replica, state: State) -> bool:
    """Whether a known copy was closed like this, by a deed of theirs that meant it."""
    reading = world.seen[replica.system].readings.get(replica.remote_id)
    if reading is None or reading.state is not state or not settled(world, replica):
        return False
    if replica.state not in {ReplicaState.OPEN, ReplicaState.GONE}:
        return False
    if replica.system == LANE and reading.remote_id in world.effects.closed | world.effects.hit:
        return False
    newer = superseders(world, reading)
    policy = world.capabilities[LANE].lane
    if newer and policy is not None and policy.superseded_is_done:
        return not any(world.base.replicas[o.key].made for o in newer if o.key in world.base.replicas)
    return not newer


@given(worlds())
def test_tasks_are_closed_where_they_closed_a_copy_and_nowhere_else(world: RandomWorld) -> None:
    after = world.merged().base
    for task in world.base.tasks.values():
        copies = [replica for replica in world.base.replicas.values() if replica.task == task.id]
        done = any(they_closed(world, replica, State.DONE) for replica in copies)
        cancelled = any(they_closed(world, replica, State.CANCELLED) for replica in copies)
        expected = task.state
        if cancelled and world.policy.cancelled_closes and expected is State.OPEN:
            expected = State.CANCELLED
        assert after.tasks[task.id].state is (State.DONE if done else expected)


@given(worlds())
def test_a_second_look_at_the_same_changes_nothing(world: RandomWorld) -> None:
    first = world.merged()
    again = replace(world, base=first.base, seen=without_misses(world.seen)).merged(new_id=fresh_ids("again"))
    assert without_turns(again.changes, first.base) == Changes()
    assert not again.incidents
    assert not again.overwritten


@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_readings_does_not_matter(world: RandomWorld, random: Random) -> None:
    seen = {
        system: replace(
            world.seen[system],
            readings=dict(random.sample(sorted(world.seen[system].readings.items()), len(world.seen[system].readings))),
            lanes=dict(random.sample(sorted(world.seen[system].lanes.items()), len(world.seen[system].lanes))),
        )
        for system in random.sample(SYSTEMS, len(SYSTEMS))
    }
    one, other = world.merged(), replace(world, seen=seen).merged()
    assert one.changes == other.changes
    assert one.incidents == other.incidents


@given(worlds())
def test_what_was_not_read_has_not_changed(world: RandomWorld) -> None:
    after = world.merged().base
    for replica in world.base.replicas.values():
        seen = world.seen[replica.system]
        if replica.remote_id not in seen.readings and replica.remote_id not in seen.missing:
            assert after.replicas[replica.key] == replica
    nothing = replace(world, seen={system: Seen() for system in SYSTEMS}).merged()
    assert nothing.changes == Changes()


@given(worlds())
def test_a_task_has_at_most_one_open_copy_in_a_crm(world: RandomWorld) -> None:
    after = world.merged().base
    places = [(r.task, r.system) for r in after.replicas.values() if r.state is ReplicaState.OPEN]
    assert len(places) == len(set(places))


def lane_replicas(found: Merged) -> list[Replica]:
    return [replica for replica in found.base.replicas.values() if replica.system == LANE]


@given(worlds())
def test_an_incident_is_a_task_of_theirs_that_a_write_of_ours_closed_or_what_a_completion_hit(
    world: RandomWorld,
) -> None:
    found = world.merged()
    assert len({item.task for item in found.incidents}) == len(found.incidents)
    for item in found.incidents:
        task = found.base.tasks[item.task or ""]
        made_again = any((r.task, r.state) == (task.id, ReplicaState.OPEN) for r in lane_replicas(found))
        assert task.state is State.OPEN
        [row] = [r for r in found.changes.replicas.values() if r.task == task.id and r.state is ReplicaState.SUPERSEDED]
        before = world.base.replicas.get(row.key)
        hit_ours = before is not None and before.ours and row.remote_id in world.effects.hit
        made_by_another = task.held == Reason.UNMATCHED
        assert task.put_back or made_again or hit_ours or made_by_another
        assert before is None or not before.ours or hit_ours
        by_create = superseders(world, world.seen[LANE].readings[row.remote_id])
        made = any(world.base.replicas[o.key].made for o in by_create if o.key in world.base.replicas)
        assert made or row.remote_id in world.effects.closed | world.effects.hit


@given(worlds())
def test_a_task_keeps_its_kind_its_origin_and_its_contact_for_life(world: RandomWorld) -> None:
    after = world.merged().base
    for task in world.base.tasks.values():
        now = after.tasks[task.id]
        assert (now.kind, now.origin, now.contact) == (task.kind, task.origin, task.contact)


@given(worlds())
def test_a_made_due_stays_until_somebody_gives_one(world: RandomWorld) -> None:
    """In the origin, which has none, or in a copy, which has the one that was made up."""
    after = world.merged().base
    for task in world.base.tasks.values():
        copies = [copy for copy in world.base.replicas.values() if copy.task == task.id]
        read = {copy.key: world.seen[copy.system].readings.get(copy.remote_id) for copy in copies}
        given = any((row := read[copy.key]) is not None and row.due not in {None, copy.due} for copy in copies)
        if task.due_synthetic and not given:
            assert after.tasks[task.id].due == task.due
