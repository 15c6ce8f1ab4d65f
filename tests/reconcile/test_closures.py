"""What a completion hit instead of what it meant: told from the lane alone, against what really happened."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.domain.model import Kind, Reading, Replica, State
from syncer.domain.operations import Action, OpState
from syncer.reconcile.closures import LaneCompletion, closed_by_create
from tests.support.strategies import API, LANE, a_reading, a_replica, a_task, an_operation, at

TASK = a_task()
GRACE = timedelta(seconds=30)
PERSON = "7"
ARRIVES = "arrives"


@dataclass
class Lane:
    """A lane of reminders, oldest first, in which things happen a second apart. Our request means its newest task."""

    rows: list[Reading]
    ours: set[str]
    clock: int = 0
    hit: str = ""
    seen: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.seen = tuple(row.remote_id for row in self.rows)

    @property
    def meant(self) -> str:
        return self.seen[-1]

    def happen(self, what: str | int) -> None:
        """A person completes the task of this place, or makes one (-1); or our request arrives."""
        self.clock += 1
        if what == ARRIVES:
            still_open = [row for row in self.rows if row.state is State.OPEN]
            if still_open:
                self.hit = still_open[-1].remote_id
                self._close(still_open[-1], API)
        elif what == -1:
            name = str(100 + len(self.rows))
            self.rows.append(a_reminder(name, at(seconds=self.clock), PERSON))
        elif isinstance(what, int) and what < len(self.rows) and self.rows[what].state is State.OPEN:
            self._close(self.rows[what], PERSON)

    def _close(self, row: Reading, who: str) -> None:
        closed = replace(row, state=State.DONE, updated_at=at(seconds=self.clock), updated_by=who)
        self.rows[self.rows.index(row)] = closed

    def completion(self, us: str | None = None) -> LaneCompletion:
        operation = an_operation(
            TASK, LANE, Action.COMPLETE, OpState.IN_DOUBT, remote_id=self.meant, before=self.seen, seen=self.seen
        )
        known = [self._replica(name) for name in self.seen]
        by_key = {replica.key: replica for replica in known}
        return LaneCompletion(operation, self.rows, by_key, timedelta(seconds=2), GRACE, us)

    def _replica(self, name: str) -> Replica:
        """What is not ours was first seen here."""
        is_ours = name in self.ours
        return a_replica(TASK if is_ours else a_task(f"{LANE}:{name}"), LANE, name, made=is_ours)


def a_reminder(name: str, made_at: object, who: str) -> Reading:
    return a_reading(
        LANE, name, kind=Kind.REMINDER, created_at=made_at, updated_at=made_at, created_by=who, updated_by=who
    )


def a_lane(ours: list[bool]) -> Lane:
    rows = [
        a_reminder(str(place), at(hours=-2, minutes=place), API if is_ours else PERSON)
        for place, is_ours in enumerate(ours)
    ]
    return Lane(rows, {str(place) for place, is_ours in enumerate(ours) if is_ours})


deeds = st.lists(st.integers(-1, 5), max_size=6)
lanes = st.lists(st.booleans(), min_size=1, max_size=4).map(a_lane)


@given(lanes, deeds, deeds)
def test_what_was_hit_is_always_found(lane: Lane, before: list[int], after: list[int]) -> None:
    events: list[str | int] = [*before, ARRIVES, *after]
    for what in events:
        lane.happen(what)
    found = lane.completion().hit
    if lane.hit and lane.hit != lane.meant:
        assert lane.hit in found


@given(lanes, deeds)
def test_what_one_person_finished_was_not_hit(lane: Lane, done: list[int]) -> None:
    """Unless what was meant is still open, and something newer was finished."""
    for what in done:
        lane.happen(what)
    after = lane.completion()
    assert after.hit.isdisjoint(lane.seen)
    assert after.meant is not None
    if after.meant.state is not State.OPEN:
        assert after.hit <= {row.remote_id for row in lane.rows if row.created_by == PERSON}
        assert after.closed_by_another is bool(lane.ours)


@given(lanes, deeds)
def test_where_we_closed_what_was_meant_nothing_else_was_hit(lane: Lane, after: list[int]) -> None:
    lane.happen(ARRIVES)
    for what in after:
        lane.happen(what)
    if lane.ours:
        assert lane.completion().hit == set()
        assert not lane.completion().closed_by_another


@given(lanes, deeds)
def test_who_we_are_may_be_known_from_another_lane(lane: Lane, before: list[int]) -> None:
    for what in before:
        lane.happen(what)
    lane.happen(ARRIVES)
    if lane.hit == lane.meant:
        assert lane.completion(us=API).hit == set()


def test_where_nobody_knows_who_we_are_its_maker_is_not_us() -> None:
    lane = a_lane([False])
    for what in (-1, 1, ARRIVES):
        lane.happen(what)
    assert lane.hit == lane.meant
    assert lane.completion().hit == set()


def test_whoever_made_nothing_but_copies_may_be_us_for_a_ledger_that_was_brought_up_to_date() -> None:
    """It knows that they are copies, not that we made them: what their maker closed just then was hit."""
    lane = a_lane([False, True])
    newer = replace(a_reminder("new", at(seconds=1), PERSON), state=State.DONE, updated_at=at(seconds=2))
    meant = replace(lane.rows[1], state=State.DONE, updated_at=at(seconds=1), updated_by=PERSON)
    lane.rows = [lane.rows[0], meant, replace(newer, updated_by=API)]
    after = lane.completion()
    known = {key: replace(replica, made=False) for key, replica in after.known.items()}
    assert replace(after, known=known).hit == {"new"}
    first_seen_here = {key: replace(replica, task=f"{LANE}:{replica.remote_id}") for key, replica in known.items()}
    assert replace(after, known=first_seen_here).hit == set()


def test_whoever_made_what_is_history_to_this_ledger_may_be_us() -> None:
    """A lost ledger may have made it, and finished it: what its maker closed just then was hit."""
    lane = a_lane([True, True])
    history = replace(lane.rows[0], state=State.DONE)
    newer = replace(a_reminder("new", at(seconds=1), PERSON), state=State.DONE, updated_at=at(seconds=2))
    meant = replace(lane.rows[1], state=State.DONE, updated_at=at(seconds=1), updated_by=PERSON)
    lane.rows = [history, meant, replace(newer, updated_by=API)]
    after = lane.completion()
    known = {meant.key: replace(after.known[meant.key], made=False)}
    assert replace(after, known=known).hit == {"new"}


@pytest.mark.parametrize(("seconds", "suspected"), [(-1, False), (0, True), (2, True), (3, False)])
def test_where_a_person_has_our_key_another_may_have_been_hit_just_after(seconds: int, suspected: bool) -> None:
    """The person closes what was meant, our request the one below, and both are said to have been us."""
    lane = a_lane([True, True])
    lane.clock = 20
    lane.happen(ARRIVES)
    lane.clock += seconds - 1
    lane.happen(ARRIVES)
    assert lane.completion().closed_by_us
    assert lane.completion().hit == ({"0"} if suspected else set())


@pytest.mark.parametrize(
    ("row", "suspected"),
    [
        ({"remote_id": "0", "updated_at": at(seconds=19)}, False),
        ({"remote_id": "0", "updated_at": at(seconds=21)}, True),
        ({"remote_id": "0", "updated_at": at(seconds=50)}, True),
        ({"remote_id": "0", "updated_at": at(seconds=51)}, False),
        ({"remote_id": "0", "updated_at": at(seconds=21), "updated_by": PERSON}, False),
        ({"remote_id": "0", "updated_at": at(seconds=21), "updated_by": None}, True),
        ({"remote_id": "0", "updated_at": None}, True),
        ({"remote_id": "new", "created_at": at(seconds=-11), "updated_at": at(seconds=19)}, True),
        ({"remote_id": "new", "created_at": at(seconds=-12), "updated_at": at(seconds=19)}, False),
        ({"remote_id": "new", "created_at": None, "updated_at": at(seconds=19)}, False),
    ],
)
@pytest.mark.parametrize("meant_by", [PERSON, None])
def test_where_somebody_closed_what_was_meant_another_may_have_been_hit(
    row: dict[str, Any], suspected: bool, meant_by: str | None
) -> None:
    lane = a_lane([False, False])
    lane.rows[1] = replace(lane.rows[1], state=State.DONE, updated_at=at(seconds=20), updated_by=meant_by)
    other = replace(lane.rows[0], state=State.DONE, updated_by="8")
    lane.rows = [replace(other, **row), lane.rows[1]]
    assert bool(lane.completion().hit) is suspected


def test_a_request_hits_nothing_after_its_grace() -> None:
    lane = a_lane([True, False, True])
    lane.happen(2)
    lane.clock += int(GRACE.total_seconds()) + 1
    lane.happen(ARRIVES)
    assert lane.completion().hit == set()


def test_what_the_rows_do_not_tell_may_have_been_hit() -> None:
    lane = a_lane([True, True])
    for what in (1, 0):
        lane.happen(what)
    lane.rows = [replace(row, updated_at=None, updated_by=None) for row in lane.rows]
    assert lane.completion().hit == {"0"}
    lane.rows.pop()
    assert lane.completion().meant is None
    assert lane.completion().hit == {"0"}
    assert not lane.completion().closed_by_another


def test_what_was_superseded_was_not_hit() -> None:
    lane = a_lane([True])
    gone = a_reading(LANE, "x", state=State.DONE, created_at=at(seconds=1), updated_at=at(seconds=9), updated_by=PERSON)
    newer = a_reading(LANE, "y", created_at=at(seconds=9), created_by=PERSON)
    lane.rows += [gone, newer]
    assert lane.completion().hit == set()
    lane.rows.pop()
    assert lane.completion().hit == {"x"}


def test_what_was_closed_before_is_no_news() -> None:
    lane = a_lane([True, True])
    known = lane.completion()
    lane.happen(0)
    closed_before = replace(known.operation, before=("1",))
    after = replace(lane.completion(), operation=replace(closed_before, remote_id="2"))
    assert after.hit == set()


def test_what_our_create_closed_was_closed_by_us_also_where_the_crm_says_so() -> None:
    """A CRM that names who closed the older task names us: that is no completion of a person's."""
    old = replace(a_reminder("1", at(), PERSON), exclusive=True, updated_at=at(), updated_by=PERSON)
    made = replace(a_reminder("2", at(minutes=5), API), exclusive=True)
    closed = replace(old, state=State.DONE, updated_at=at(minutes=5))
    window = timedelta(seconds=5)
    for who, ours in ((API, {"1"}), (PERSON, {"1"}), ("8", set())):
        after = [replace(closed, updated_by=who), made]
        assert closed_by_create(made, [old], after, window) == ours, who
    assert closed_by_create(made, [old], [replace(closed, updated_at=at(minutes=2), updated_by=API)], window) == set()


def test_a_reminder_that_we_create_closes_nothing() -> None:
    """What a person's newer task closed at that moment would count as an accident of ours."""
    old = replace(a_reminder("1", at(), PERSON), exclusive=True, updated_at=at())
    made = a_reminder("3", at(minutes=5), API)
    closed = replace(old, state=State.DONE, updated_at=at(minutes=5), updated_by=None)
    assert closed_by_create(made, [old], [closed, made], timedelta(seconds=5)) == set()
