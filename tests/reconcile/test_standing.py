"""Of whom the ledger may not know what was already written, and who was read in full."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from syncer.domain.base import EVERYBODY, Base, Failing
from syncer.domain.cursors import BEHIND, OUR_USER
from syncer.domain.model import Kind, Reading, State
from syncer.domain.operations import Action, OpState
from syncer.domain.snapshot import ConnectionState, Seen
from syncer.reconcile.standing import Standing
from tests.support.clock import START
from tests.support.strategies import (
    API,
    CAPABILITIES,
    LANE,
    LEDGER,
    OTHER_LEDGER,
    PLAIN,
    POLICY,
    SYSTEMS,
    TYPED,
    a_base,
    a_reading,
    a_replica,
    a_task,
    an_operation,
    at,
    marker_of,
    merged,
    read_in_full,
    seen_of,
)

TASK = a_task(f"{TYPED}:1", origin=TYPED, title="Ring")
ORIGIN, COPY = a_replica(TASK, TYPED), a_replica(TASK, PLAIN)
KNOWN = a_base(TASK, replicas=[ORIGIN, COPY])
GRACE = POLICY.doubt_grace
"""So long after a request it may still arrive."""


def a_standing(base: Base, seen: Mapping[str, Seen]) -> Standing:
    return Standing(base, seen, CAPABILITIES, POLICY)


def visited(base: Base, at: datetime = START) -> Base:
    """The same, everybody's tasks having been read once."""
    return replace(base, visits=dict.fromkeys(base.links, at) | {(system, EVERYBODY): at for system in SYSTEMS})


# who was written for ------------------------------------------------------------------------------------


UNKNOWN = marker_of(f"{TYPED}:9", OTHER_LEDGER)


@pytest.mark.parametrize(
    ("readings", "told"),
    [
        ([a_reading(PLAIN, "x")], False),
        ([a_reading(PLAIN, "x", marker=UNKNOWN)], True),
        ([a_reading(PLAIN, COPY.remote_id, marker=UNKNOWN)], False),
        ([a_reading(PLAIN, "x", marker=marker_of(TASK))], False),
        ([a_reading(PLAIN, "x", marker=UNKNOWN, contact="nobody")], False),
        ([a_reading(PLAIN, "x", marker=UNKNOWN, state=State.DONE)], False),
        ([a_reading(PLAIN, "x", marker=UNKNOWN, state=State.DONE), a_reading(TYPED, "9")], True),
        ([a_reading(PLAIN, "x", marker=UNKNOWN, state=State.DONE), a_reading(TYPED, "9", state=State.DONE)], False),
        ([a_reading(LANE, "x", marker=marker_of(TASK), state=State.DONE, title="Ring")], True),
        ([a_reading(PLAIN, "x", marker=marker_of(TASK), state=State.DONE, title="Ring")], False),
    ],
    ids=[
        "no marker",
        "an unknown one",
        "an unknown one on a copy that we know",
        "a known one",
        "of nobody who is linked",
        "closed, the origin unseen",
        "closed, the origin open",
        "closed, and so the origin",
        "a closed copy of an open task, which we did not know",
        "a closed copy of a task that has another one there",
    ],
)
def test_a_marker_tells_of_whom_something_is_unknown(readings: list[Reading], told: bool) -> None:
    assert a_standing(visited(KNOWN), seen_of(*readings)).told() == ({"p1"} if told else set())


def test_a_finished_task_with_an_unknown_marker_tells_so_until_all_of_its_person_was_read() -> None:
    """Afterwards it is known, or another person's: then it must not hold up this one with every run."""
    seen = seen_of(a_reading(PLAIN, "x", marker=UNKNOWN, state=State.DONE))
    assert a_standing(KNOWN, seen).told() == {"p1"}
    assert a_standing(visited(KNOWN), seen).told() == set()
    assert a_standing(replace(visited(KNOWN), restored_at=at(days=1)), seen).told() == {"p1"}


def test_what_was_read_of_one_person_tells_too() -> None:
    seen = seen_of()
    seen[PLAIN].persons[f"p2-{PLAIN}"] = (a_reading(PLAIN, "x", marker=UNKNOWN, person="p2"),)
    assert a_standing(KNOWN, seen).told() == {"p2"}


def test_a_finished_task_with_the_marker_of_another_persons_task_holds_up_nobody() -> None:
    """It would with every list of its contact, for as long as that task is open: one create in each run."""
    finished = a_reading(LANE, "x", marker=marker_of(TASK), state=State.DONE, title="Ring", person="p2")
    assert a_standing(visited(KNOWN), seen_of(finished)).told() == set()


@pytest.mark.parametrize(("value", "told"), [("1", {"p9"}), ("", set())])
def test_who_was_told_of_once_is_remembered(value: str, told: set[str]) -> None:
    base = a_base(cursors={BEHIND + "p9": value, "other": "1"})
    assert a_standing(base, seen_of()).told() == told


@pytest.mark.parametrize(
    ("visits", "behind"),
    [
        ({}, {"p1", "p2"}),
        ({"p1": GRACE}, {"p2"}),
        ({"p1": GRACE, "p2": GRACE}, set()),
        ({"p1": GRACE, "p2": timedelta(0)}, {"p2"}),
    ],
    ids=["nobody read", "one read", "both read", "one read too early"],
)
def test_after_an_old_copy_was_put_back_everybody_is_behind_who_was_not_read_since(
    visits: dict[str, timedelta], behind: set[str]
) -> None:
    base = a_base(restored_at=START)
    base.visits = {key: START + visits[link] for key, link in base.links.items() if link in visits}
    assert a_standing(base, seen_of()).behind() == behind


def test_who_was_read_since_is_behind_still_where_a_marker_told_of_them() -> None:
    base = visited(a_base(restored_at=START, cursors={BEHIND + "p1": "1"}), START + GRACE)
    assert a_standing(base, seen_of()).behind() == {"p1"}


def test_one_crm_that_was_not_read_since_is_enough() -> None:
    base = visited(a_base(restored_at=START), START + GRACE)
    del base.visits[TYPED, f"p1-{TYPED}"]
    assert a_standing(base, seen_of()).behind() == {"p1"}


@pytest.mark.parametrize(
    ("due", "unread", "behind"),
    [
        (None, TYPED, True),
        (at(hours=5), TYPED, False),
        (None, LANE, False),
        (None, None, False),
    ],
)
def test_whose_task_has_no_due_waits_for_every_crm_in_which_its_copy_might_be(
    due: Any, unread: str | None, behind: bool
) -> None:
    """Nothing but that copy's marker connects it."""
    seen = seen_of(a_reading(PLAIN, "x", due=due))
    if unread is not None:
        seen[unread] = Seen(ConnectionState.UNAVAILABLE)
    assert a_standing(a_base(), seen).behind() == ({"p1"} if behind else set())
    read_before = a_base(visits={(TYPED, EVERYBODY): START, (PLAIN, EVERYBODY): START})
    assert a_standing(read_before, seen).behind() == set()


@pytest.mark.parametrize(
    ("lane", "behind"),
    [
        (a_reading(LANE, "9", state=State.DONE), True),
        (a_reading(LANE, "9", state=State.DONE, due=at(hours=7)), False),
        (a_reading(LANE, "9", state=State.DONE, kind=Kind.BOOKING), False),
        (a_reading(LANE, "9"), False),
        (a_reading(LANE, "9", due=at(hours=7), created_by=API), True),
    ],
    ids=["a closed one alike", "another due", "another kind", "an open one, its twin", "our user's, with another due"],
)
def test_whoever_has_what_may_be_our_copy_in_the_lane_waits_for_a_crm_that_was_never_read(
    lane: Reading, behind: bool
) -> None:
    """The copy there may carry the marker that tells which task is which."""
    seen = seen_of(a_reading(TYPED, "x"), lane)
    us = a_base(cursors={OUR_USER + LANE: API})
    assert a_standing(us, seen).behind() == set()
    seen[PLAIN] = Seen(ConnectionState.UNAVAILABLE)
    assert a_standing(us, seen).behind() == ({"p1"} if behind else set())
    read_before = replace(us, visits={(system, EVERYBODY): START for system in (TYPED, PLAIN)})
    assert a_standing(read_before, seen).behind() == set()


@pytest.mark.parametrize(
    ("failures", "since", "is_read"),
    [(2, at(), True), (2, at(hours=-1), True), (1, at(), False), (9, at(hours=-2), False)],
    ids=["given up", "given up, and failed as it was sent", "not yet", "failed before the request"],
)
def test_nobody_waits_for_a_create_in_doubt_that_made_what_is_given_up(
    failures: int, since: datetime, is_read: bool
) -> None:
    """The list tells nothing of it, not even its due. What is due at another time must not wait for it for good."""
    task, contact = a_task(f"{TYPED}:1", origin=TYPED), f"p1-{PLAIN}"
    create = an_operation(task, PLAIN, Action.CREATE, OpState.IN_DOUBT, due=task.due)
    failing = {(PLAIN, "person", contact): Failing(PLAIN, "person", contact, failures, since, "garbage", garbled=True)}
    base = a_base(task, replicas=[a_replica(task, TYPED)], operations=[create], failing=failing)
    assert a_standing(base, read_in_full()).is_read("p1") is is_read


@pytest.mark.parametrize(
    ("whole", "known", "is_read"), [(False, False, True), (True, False, False), (False, True, False)]
)
def test_what_a_create_in_doubt_made_is_waited_for_unless_it_may_be_what_cannot_be_read(
    *, whole: bool, known: bool, is_read: bool
) -> None:
    """A row with the due that was sent, of which nothing more can be read; what is known or readable is no such row."""
    task = a_task(f"{TYPED}:1", origin=TYPED)
    create = an_operation(task, PLAIN, Action.CREATE, OpState.IN_DOUBT, due=task.due)
    row = a_reading(PLAIN, "x", due=task.due, whole=whole)
    copies = [a_replica(task, TYPED), *([a_replica(task, PLAIN, "x")] if known else [])]
    base = a_base(task, replicas=copies, operations=[create])
    assert a_standing(base, read_in_full(row)).is_read("p1") is is_read


def test_whose_task_has_no_due_waits_for_a_crm_of_which_one_task_could_not_be_read() -> None:
    seen = seen_of(a_reading(PLAIN, "x", due=None))
    seen[TYPED].unread = {f"p2-{TYPED}"}
    assert a_standing(a_base(), seen).behind() == {"p1"}


def test_whose_task_has_no_due_waits_for_no_other_crm_where_its_own_alone_is_not_read() -> None:
    seen = seen_of(a_reading(TYPED, "x", due=None))
    seen[TYPED].state = ConnectionState.UNAVAILABLE
    assert a_standing(a_base(), seen).behind() == set()


@pytest.mark.parametrize(("ledger", "served"), [(OTHER_LEDGER, True), (LEDGER, False)])
def test_another_ledgers_marker_tells_that_the_account_was_served_before(ledger: str, served: bool) -> None:
    """What that one made in the lane looks as if people had made it. Nothing waits for that."""
    marked = a_reading(PLAIN, "y", person="p2", state=State.DONE, marker=marker_of(f"{TYPED}:9", ledger))
    standing = a_standing(a_base(), seen_of(a_reading(LANE, "x"), marked))
    assert standing.has_forerunner is served
    assert "p1" not in standing.behind()
    later = merged(a_base(), seen_of(marked)).base
    assert a_standing(later, seen_of()).has_forerunner is served, "the marker may not be read again"


@pytest.mark.parametrize(
    ("reading", "is_new"),
    [
        (a_reading(PLAIN, "x"), True),
        (a_reading(PLAIN, "x", state=State.DONE), False),
        (a_reading(PLAIN, COPY.remote_id), False),
        (a_reading(PLAIN, "x", contact="nobody"), False),
    ],
    ids=["an unknown task", "a closed one", "a known one", "nobody's"],
)
def test_new_are_those_with_an_unknown_task_who_were_never_read(reading: Reading, is_new: bool) -> None:
    assert a_standing(KNOWN, seen_of(reading)).new() == ({"p1"} if is_new else set())
    assert a_standing(visited(KNOWN), seen_of(reading)).new() == set()


def test_of_those_who_are_behind_only_who_has_an_open_task_is_read_now() -> None:
    base = a_base(TASK, replicas=[ORIGIN], people=("p1", "p2", "p3"), restored_at=START)
    standing = a_standing(base, seen_of(a_reading(PLAIN, "x", person="p3"), people=("p1", "p2", "p3")))
    assert standing.behind() == {"p1", "p2", "p3"}
    assert standing.persons_to_read() == ["p1", "p3"]
    assert a_standing(visited(KNOWN), seen_of(a_reading(PLAIN, "x"))).persons_to_read() == []


@pytest.mark.parametrize(("unvisited", "are_read"), [(TYPED, True), (LANE, False)])
def test_who_was_never_read_in_a_crm_with_markers_is_read_once_it_answers(unvisited: str, are_read: bool) -> None:
    base, seen = visited(KNOWN), seen_of()
    for person in ("p1", "p2"):
        del base.visits[unvisited, f"{person}-{unvisited}"]
    assert a_standing(base, seen).persons_to_read() == (["p1"] if are_read else [])
    seen[unvisited].state = ConnectionState.UNAVAILABLE
    assert a_standing(base, seen).persons_to_read() == []


# who was read --------------------------------------------------------------------------------------------


def test_a_person_is_read_once_every_crm_was() -> None:
    standing = a_standing(KNOWN, read_in_full())
    assert standing.is_read("p1")
    assert set(standing.contacts_of("p1")) == {(system, f"p1-{system}") for system in SYSTEMS}


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("how", ["not by itself", "unavailable", "not at all"])
def test_a_person_is_not_read_while_one_crm_is_not(system: str, how: str) -> None:
    seen = read_in_full()
    if how == "not by itself":
        seen[system] = replace(seen[system], persons={}, lanes={})
    elif how == "unavailable":
        seen[system] = replace(seen[system], state=ConnectionState.UNAVAILABLE)
    else:
        del seen[system]
    assert not a_standing(KNOWN, seen).is_read("p1")


@pytest.mark.parametrize("state", [OpState.IN_DOUBT, OpState.SENT, OpState.DONE])
def test_a_person_is_not_read_while_a_write_is_in_doubt(state: OpState) -> None:
    base = a_base(TASK, replicas=[ORIGIN], operations=[an_operation(TASK, PLAIN, Action.CREATE, state)])
    standing = a_standing(base, read_in_full())
    assert standing.is_read("p1") is (state is OpState.DONE)
    assert standing.is_read("p2")


@pytest.mark.parametrize(("failures", "read"), [(1, False), (2, True)])
def test_a_completion_in_doubt_of_what_cannot_be_read_holds_up_only_itself(failures: int, read: bool) -> None:
    """From the third run on: it may be so for good."""
    doubt = replace(an_operation(TASK, PLAIN, Action.COMPLETE, OpState.IN_DOUBT), remote_id=COPY.remote_id)
    base = a_base(TASK, replicas=[ORIGIN, COPY], operations=[doubt])
    failing = Failing(PLAIN, "task", COPY.remote_id, failures, START, "a due that is none", garbled=True)
    base.failing[failing.place] = failing
    assert a_standing(base, read_in_full()).is_read("p1") is read


@pytest.mark.parametrize("state", [State.OPEN, State.DONE])
@pytest.mark.parametrize(("hours", "read"), [(5, True), (6, False)])
def test_a_create_in_doubt_holds_up_only_its_task_where_its_copy_cannot_be_read(
    hours: int, read: bool, state: State
) -> None:
    """Its due tells which of the contact's tasks that is. Nothing else of the contact would ever be read."""
    doubt = an_operation(TASK, PLAIN, Action.CREATE, OpState.IN_DOUBT, due=at(hours=5))
    base = a_base(TASK, replicas=[ORIGIN], operations=[doubt])
    row = a_reading(PLAIN, "x", state=state, due=at(hours=hours), whole=False)
    assert a_standing(base, read_in_full(row)).is_read("p1") is read


@pytest.mark.parametrize(
    ("system", "changes", "is_read"),
    [
        (PLAIN, {}, True),
        (PLAIN, {"listed": False}, False),
        (LANE, {}, True),
        (LANE, {"phones": ("+919876543210",)}, False),
        (LANE, {"phones": ("+919876543210",), "asked": True}, True),
        (PLAIN, {"state": ConnectionState.UNAVAILABLE}, False),
        (LANE, {"phones": ("+919876543210",), "state": ConnectionState.UNAVAILABLE}, False),
        (LANE, {"phones": ("+919876543210",), "asked": True, "state": ConnectionState.UNAVAILABLE}, True),
    ],
    ids=str,
)
def test_who_is_unknown_in_a_crm_is_read_there_once_that_is_sure(
    system: str, changes: dict[str, Any], is_read: bool
) -> None:
    """A list that was read whole tells; where there is none, every phone number must have been asked for once."""
    base, seen = a_base(people=("p1",)), read_in_full(people=("p1",))
    del base.links[system, f"p1-{system}"]
    phones = changes.get("phones", ())
    base.records[TYPED, f"p1-{TYPED}"] = replace(base.records[TYPED, f"p1-{TYPED}"], phones=phones)
    if "asked" in changes:
        base.lookups = {(system, phone): START for phone in phones}
    answers = changes.get("state", ConnectionState.OK)
    seen[system] = replace(seen[system], listed=changes.get("listed", True), state=answers)
    assert a_standing(base, seen).is_read("p1") is is_read


def test_all_tasks_of_a_person_are_those_that_were_read_in_full() -> None:
    lane, typed, plain = (a_reading(system, "x", state=State.DONE) for system in SYSTEMS)
    seen = read_in_full(lane, typed, plain, a_reading(PLAIN, "y", person="p2"))
    del seen[TYPED].persons[f"p1-{TYPED}"]
    del seen[LANE].readings[lane.remote_id]
    assert a_standing(KNOWN, seen).readings_of("p1") == {LANE: [lane], TYPED: [], PLAIN: [plain]}


def test_what_two_contacts_of_a_person_show_is_one_task() -> None:
    """People gave it to the other contact between the two reads."""
    row = a_reading(PLAIN, "x")
    seen, second = read_in_full(row), f"p1-{PLAIN}-second"
    moved = replace(row, contact=second)
    seen[PLAIN].persons[second] = (moved,)
    base = replace(KNOWN, links={**KNOWN.links, (PLAIN, second): "p1"})
    assert a_standing(base, seen).readings_of("p1")[PLAIN] == [moved]


def test_what_was_read_to_settle_a_doubt_does_not_stand_for_what_was_read_in_full() -> None:
    """A list shows a closed task without its text, and so without its marker."""
    whole = a_reading(TYPED, "9", state=State.DONE, marker=UNKNOWN)
    seen = read_in_full(whole)
    seen[TYPED].lanes[f"p1-{TYPED}"] = (replace(whole, marker=None, whole=False),)
    assert a_standing(KNOWN, seen).readings_of("p1")[TYPED] == [whole]
    del seen[TYPED].persons[f"p1-{TYPED}"]
    assert not a_standing(KNOWN, seen).is_read("p1")


def test_a_known_task_whose_row_lacks_its_title_has_the_one_that_is_known() -> None:
    """A list's row shows none; without it, it would look like whatever is due with it."""
    row = a_reading(PLAIN, COPY.remote_id, title=None, whole=False)
    [found] = a_standing(KNOWN, read_in_full(row)).readings_of("p1")[PLAIN]
    assert found.title == COPY.title
