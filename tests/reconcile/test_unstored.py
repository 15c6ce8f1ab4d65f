"""Open tasks of a CRM that lists contact by contact, as long as it is not clear what they are."""

from __future__ import annotations

from dataclasses import replace

from syncer.domain.base import Base
from syncer.domain.cursors import UNSTORED
from syncer.domain.model import Reading, State
from syncer.domain.operations import Action, OpState
from syncer.domain.reasons import Reason
from syncer.reconcile.merge import Merged
from syncer.reconcile.read_items import Need, What
from syncer.reconcile.reading_list import reading_list
from syncer.reconcile.standing import Standing
from tests.support.clock import START
from tests.support.strategies import (
    CAPABILITIES,
    LANE,
    PLAIN,
    POLICY,
    a_base,
    a_reading,
    a_task,
    an_operation,
    merged,
    seen_of,
)

STRANGER = f"stranger-{LANE}"
"""A lead that was not read yet, so that nobody can tell whose its tasks are."""
NAME = f"{UNSTORED}{LANE}:{STRANGER}"


def lane_of(*rows: Reading, base: Base | None = None) -> Merged:
    """One merge after this lead's tasks were read."""
    seen = seen_of(*rows)
    seen[LANE].lanes[STRANGER] = rows
    return merged(base or a_base(), seen)


def unclear(remote_id: str, **fields: object) -> Reading:
    return a_reading(LANE, remote_id, contact=STRANGER, **fields)


def remembered(found: Merged) -> str | None:
    return found.changes.cursors.get(NAME)


def told(found: Merged) -> list[str]:
    return [item.remote_id for item in found.waiting if item.reason is Reason.UNREAD]


def test_what_is_open_and_not_stored_is_remembered() -> None:
    closed, automatic = unclear("3", state=State.DONE), unclear("4", mirrored=False)
    assert remembered(lane_of(unclear("2"), unclear("1"), closed, automatic)) == "1 2"
    assert remembered(lane_of()) is None


def test_what_is_open_no_more_is_forgotten() -> None:
    base = a_base(cursors={NAME: "1 2"})
    assert remembered(lane_of(unclear("2"), base=base)) == "2"
    assert remembered(lane_of(unclear("1", state=State.DONE), unclear("2", state=State.DONE), base=base)) == ""


def test_what_our_own_create_may_have_made_is_left_to_settling() -> None:
    task = a_task(origin=PLAIN)
    create = an_operation(task, LANE, Action.CREATE, OpState.IN_DOUBT, contact=STRANGER)
    for before in ({}, {NAME: "1"}):
        found = lane_of(unclear("2"), base=a_base(task, operations=[create], cursors=before))
        assert (remembered(found), told(found)) == (None, [])


def test_it_is_told_in_each_run_that_does_not_read_it() -> None:
    base = a_base(cursors={NAME: "1 2"})
    assert told(merged(base, seen_of())) == ["1", "2"]
    assert told(lane_of(base=base)) == [], "nothing is open there any more"
    lists_all = {LANE: replace(CAPABILITIES[PLAIN])}
    assert told(merged(base, seen_of(), capabilities=CAPABILITIES | lists_all)) == []


def test_its_person_is_read_first() -> None:
    base = a_base(cursors={f"{UNSTORED}{LANE}:p1-{LANE}": "1"})
    seen = seen_of(people=())
    items = reading_list(base, seen, CAPABILITIES, now=START)
    assert {item.key: item.need for item in items if item.what is What.LANE} == {
        f"p1-{LANE}": Need.OPEN,
        f"p2-{LANE}": Need.NEW,
    }
    assert Standing(base, seen, CAPABILITIES, POLICY).persons_to_read() == ["p1"]
