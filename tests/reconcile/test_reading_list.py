"""What is read next, in which order, and what is said of what cannot be read."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from syncer.contract.adapter import Capabilities
from syncer.domain.base import Base, Failing
from syncer.domain.cursors import BEHIND, CHANGES
from syncer.domain.model import Kind, Reading, Record, ReplicaState, State, Unreadable
from syncer.domain.operations import Action, OpState
from syncer.domain.snapshot import ConnectionState, Seen
from syncer.reconcile.failing import Failure, failing_after, is_given_up, told, told_apart
from syncer.reconcile.read_items import ReadItem
from syncer.reconcile.reading_list import reading_list
from tests.support.clock import START
from tests.support.strategies import (
    CAPABILITIES,
    LANE,
    PLAIN,
    SYSTEMS,
    TYPED,
    a_base,
    a_reading,
    a_replica,
    a_task,
    an_operation,
    at,
)

WATCHING = CAPABILITIES | {LANE: replace(CAPABILITIES[LANE], watches_all_contacts=True)}


def the_list(base: Base, seen: dict[str, Seen] | None = None, **given: Any) -> list[str]:
    """The list as it is printed."""
    capabilities: dict[str, Capabilities] = given.pop("capabilities", CAPABILITIES)
    items = reading_list(base, seen or {system: Seen() for system in SYSTEMS}, capabilities, now=START, **given)
    return [f"{item.system} {item.what} {item.key} {item.need}" for item in items]


def of(system: str, lines: list[str]) -> list[str]:
    return [line.removeprefix(f"{system} ") for line in lines if line.startswith(system)]


def listed(system: str, *rows: Reading) -> dict[str, Seen]:
    seen = {name: Seen() for name in SYSTEMS}
    found = {row.remote_id: row for row in rows}
    seen[system] = Seen(listed=True, rows=found, readings=dict(found))
    return seen


def failing(*places: tuple[str, str, str], failures: int = 1, **fields: Any) -> dict[tuple[str, str, str], Failing]:
    return {place: Failing(*place, failures, START, "503", **fields) for place in places}


# the order -------------------------------------------------------------------------------------------


def test_lists_come_first_and_lanes_that_are_known_beside_them() -> None:
    task = a_task(origin=TYPED)
    base = a_base(task, replicas=[a_replica(task, LANE)], people=("p1",))

    assert the_list(base) == [
        "reply list tasks open",
        "highlevel list tasks open",
        "superfone lane p1-superfone completion",
    ]


def test_lanes_are_read_by_need_and_within_it_the_longest_unread_first() -> None:
    shown, sent, elsewhere = a_task("t1"), a_task("t2", contact="p2", origin=TYPED), a_task("t3", contact="p3")
    visits = {(LANE, f"p{n}-{LANE}"): at(minutes=-n) for n in (1, 2, 3, 5)}
    base = a_base(
        shown,
        sent,
        replace(elsewhere, origin=TYPED),
        replicas=[a_replica(shown, LANE), a_replica(sent, TYPED), a_replica(elsewhere, TYPED)],
        people=("p1", "p2", "p3", "p4", "p5", "p6"),
        operations=[an_operation(sent, LANE, Action.CREATE, OpState.IN_DOUBT)],
        visits=visits,
    )

    assert of(LANE, the_list(base, named={(LANE, f"p6-{LANE}")})) == [
        "lane p6-superfone event",
        "lane p3-superfone open",
        "lane p2-superfone operation",
        "lane p1-superfone completion",
        "lane p4-superfone new",
        "lane p5-superfone turn",
    ]


def test_where_changes_are_named_only_contacts_read_before_that_have_a_turn() -> None:
    since = at(hours=-5)
    base = a_base(people=(), cursors={CHANGES + LANE: f"{since.isoformat()} 17"})
    for contact, visit in (("before", at(hours=-6)), ("since", at(hours=-4)), ("named", at(hours=-3)), ("never", None)):
        base.records[LANE, contact] = Record(LANE, contact, contact)
        if visit is not None:
            base.visits[LANE, contact] = visit

    assert of(LANE, the_list(base, named=[(LANE, "named")])) == [
        "lane named event",
        "lane never new",
        "lane before turn",
    ]


def test_phones_of_people_with_an_open_task_are_looked_up_before_new_leads_are_read() -> None:
    busy, idle = Record(TYPED, "r1", "Asha", ("+1",)), Record(TYPED, "r2", "Ravi", ("+2", "+1"))
    base = Base(records={record.key: record for record in (idle, busy, Record(LANE, "7", "Mina", ("+3",)))})
    seen = listed(TYPED, a_reading(TYPED, "1", contact="r1"))

    assert of(LANE, the_list(base, seen)) == ["lookup +1 open", "lane 7 new"]
    assert of(LANE, the_list(base, seen, capabilities=WATCHING)) == ["lookup +1 open", "lane 7 new", "lookup +2 new"]
    base.lookups[LANE, "+1"] = START
    recheck = WATCHING | {LANE: replace(WATCHING[LANE], contact_recheck=timedelta(hours=1))}
    assert of(LANE, the_list(base, seen, capabilities=recheck)) == ["lane 7 new", "lookup +2 new"]


def test_numbers_are_asked_for_again_in_turn() -> None:
    """If a day is too short for all of them, the same ones would be asked for again and again."""
    records = [Record(TYPED, f"r{number}", "Asha", (f"+{number}",)) for number in range(1, 5)]
    asked = {(LANE, "+1"): at(hours=-30), (LANE, "+2"): at(hours=-40), (LANE, "+3"): at(hours=-2)}
    base = Base(records={record.key: record for record in records}, lookups=asked)
    recheck = WATCHING | {LANE: replace(WATCHING[LANE], contact_recheck=timedelta(hours=24))}

    wanted = of(LANE, the_list(base, capabilities=recheck))

    assert wanted == ["lookup +4 new", "lookup +2 new", "lookup +1 new"]


def test_copies_that_vanished_come_before_rows_that_changed_and_these_by_their_due() -> None:
    gone, moved, cancelled = a_task("t1", origin=TYPED), a_task("t2", origin=TYPED), a_task("t3", state=State.DONE)
    lost = replace(a_replica(cancelled, TYPED), state=ReplicaState.GONE)
    base = a_base(gone, moved, cancelled, replicas=[a_replica(gone, TYPED, "1"), a_replica(moved, TYPED, "2"), lost])
    rows = [
        a_reading(TYPED, "2", whole=False, due=at(hours=9)),
        a_reading(TYPED, "3", whole=False, due=None),
        a_reading(TYPED, "4", whole=False, due=at(hours=1)),
        a_reading(TYPED, "5", whole=False, mirrored=False),
        a_reading(TYPED, "6", whole=True, contact="stranger"),
    ]

    assert of(TYPED, the_list(base, listed(TYPED, *rows))) == [
        "task 1 completion",
        "task 4 new",
        "task 2 open",
        "task 3 new",
        "contact stranger new",
    ]


def test_where_a_contacts_own_list_is_whole_it_is_read_instead_of_the_new_tasks_of_an_unknown_contact() -> None:
    whole = CAPABILITIES | {TYPED: replace(CAPABILITIES[TYPED], whole_contact_lists=True)}
    known, contact = a_task("t1", origin=TYPED), (TYPED, f"p1-{TYPED}")
    rows = [a_reading(TYPED, number, whole=False, due=at(hours=9)) for number in ("1", "2", "3")]
    new, seen = a_base(known, replicas=[a_replica(known, TYPED, "1")]), listed(TYPED, *rows)
    each = ["task 1 open", "task 2 new", "task 3 new"]

    assert of(TYPED, the_list(new, seen, capabilities=whole)) == ["task 1 open", f"person {contact[1]} new"]
    assert of(TYPED, the_list(new, seen)) == each
    read_before = replace(new, visits={contact: START})
    assert of(TYPED, the_list(read_before, seen, capabilities=whole)) == each
    fails = replace(new, failing=failing((TYPED, "person", contact[1])))
    assert of(TYPED, the_list(fails, seen, capabilities=whole)) == each


def test_who_is_to_be_read_in_full_is_looked_for_again_once_where_nobody_knew_them() -> None:
    """Another ledger may have made the contact since."""
    person = "p1"
    record = Record(TYPED, f"{person}-{TYPED}", "Asha", phones=("+919876543210",))
    base = a_base(people=())
    base.records, base.links = {record.key: record}, {record.key: person}
    base.lookups[LANE, record.phones[0]] = START
    assert of(LANE, the_list(base, persons=[person])) == [f"lookup {record.phones[0]} told"]
    base.cursors[BEHIND + person] = "1"
    assert not of(LANE, the_list(base, persons=[person]))


@pytest.mark.parametrize("person", ["p1", "p2"])
def test_everything_of_a_person_is_read_where_it_is_known(person: str) -> None:
    base = a_base()
    base.links = {key: record.name for key, record in base.records.items() if key != (PLAIN, "p1-highlevel")}

    wanted = [line for line in the_list(base, persons=[person]) if " person " in line]

    known = [system for system in SYSTEMS if (system, person) != (PLAIN, "p1")]
    assert wanted == [f"{system} person {person}-{system} open" for system in known]


def test_what_failed_comes_last_whatever_needs_it_and_what_failed_least_often_first() -> None:
    tasks = [a_task(f"t{n}", contact=f"p{n}") for n in (1, 2, 3)]
    base = a_base(*tasks, replicas=[a_replica(task, LANE) for task in tasks], people=("p1", "p2", "p3", "p4"))
    base.visits = {(LANE, f"p4-{LANE}"): START}
    base.failing = failing((LANE, "lane", f"p1-{LANE}"), failures=9) | failing((LANE, "lane", f"p2-{LANE}"))

    assert of(LANE, the_list(base)) == [
        "lane p3-superfone completion",
        "lane p4-superfone turn",
        "lane p2-superfone completion",
        "lane p1-superfone completion",
    ]


def test_an_item_says_in_words_what_it_is() -> None:
    items = reading_list(a_base(people=("p1",)), {s: Seen() for s in SYSTEMS}, CAPABILITIES, now=START)
    assert [item.words for item in items] == [
        "the list of tasks",
        "the list of tasks",
        f"the tasks of contact p1-{LANE}",
    ]
    assert all(isinstance(item, ReadItem) and item.place[0] == item.system for item in items)


# what fails ------------------------------------------------------------------------------------------

PLACES = [(TYPED, "task", str(number)) for number in range(4)]


def test_failures_are_counted_in_a_row_and_what_was_not_tried_stays_as_it_was() -> None:
    before = failing(*PLACES[:3], failures=2)

    changes = failing_after(
        before,
        {PLACES[0]: Failure("502", garbled=False), PLACES[3]: Failure("?", garbled=True)},
        answered={PLACES[1], (TYPED, "task", "9")},
        unwanted=set(),
        now=at(hours=1),
    )

    assert changes.failing == {
        PLACES[0]: Failing(*PLACES[0], 3, START, "502"),
        PLACES[3]: Failing(*PLACES[3], 1, at(hours=1), "?", garbled=True),
    }
    assert changes.readable == {PLACES[1]}


def test_the_contact_of_a_task_that_fails_is_kept_for_its_next_read() -> None:
    place, later = PLACES[0], at(hours=1)
    first = failing_after({}, {place: Failure("502", contact="p1")}, answered=(), unwanted=(), now=START).failing
    assert failing_after(first, {place: Failure("502")}, answered=(), unwanted=(), now=later).failing == {
        place: Failing(*place, 2, START, "502", contact="p1")
    }


@pytest.mark.parametrize(
    ("what", "failures", "person", "item"),
    [
        ("task", 3, "p1", ["task 9 new"]),
        ("task", 2, "p1", []),
        ("task", 3, "p2", []),
        ("person", 3, "p1", ["person p1-reply new"]),
        ("person", 3, "p2", []),
    ],
)
def test_what_no_list_shows_and_failed_for_long_is_tried_again_for_people_with_an_open_task(
    what: str, failures: int, person: str, item: list[str]
) -> None:
    task = a_task(origin=PLAIN)
    contact = f"{person}-{TYPED}"
    base = a_base(task, replicas=[a_replica(task, PLAIN, "1")], people=("p1", "p2"))
    place = (TYPED, what, "9" if what == "task" else contact)
    base.failing = failing(place, failures=failures, contact=contact if what == "task" else "")
    seen = listed(TYPED)
    assert of(TYPED, the_list(base, seen)) == item


def test_what_nobody_wants_to_read_any_more_fails_no_more() -> None:
    changes = failing_after(failing(*PLACES[:2]), {}, answered=set(), unwanted={PLACES[0]}, now=START)
    assert changes.readable == {PLACES[0]}


@pytest.mark.parametrize(("failures", "now", "given_up"), [(2, False, False), (2, True, True), (3, False, True)])
def test_nobody_waits_for_what_failed_three_times(failures: int, now: bool, given_up: bool) -> None:
    base = Base(failing=failing(PLACES[0], failures=failures))
    assert is_given_up(base, PLACES[0], failed_now=now) is given_up
    assert not is_given_up(base, PLACES[1], failed_now=True)


@pytest.mark.parametrize(
    ("failures", "garbled", "waits", "attends"),
    [
        (1, False, ["unread"], []),
        (2, True, ["unread"], ["unreadable"]),
        (3, False, [], ["failing"]),
        (7, True, [], ["unreadable"]),
    ],
)
def test_people_are_told_of_what_fails(failures: int, garbled: bool, waits: list[str], attends: list[str]) -> None:
    task = a_task(origin=TYPED)
    base = a_base(task, replicas=[a_replica(task, TYPED, "0")])
    base.failing = failing(PLACES[0], failures=failures, garbled=garbled)

    waiting, attention = told(base, {TYPED: Seen()})

    assert ([item.reason for item in waiting], [item.reason for item in attention]) == (waits, attends)
    assert all(item.task == "t1" and item.detail.startswith("task 0: 503") for item in (*waiting, *attention))
    for state in (ConnectionState.UNAVAILABLE, ConnectionState.UNAUTHORIZED):
        assert told(base, {TYPED: Seen(state)}) == ([], [])
    assert told(base, {}) == ([], [])


@pytest.mark.parametrize(
    ("what", "key", "contact", "whose"),
    [
        ("task", "0", "9", (TYPED, "9")),
        ("task", "0", "", None),
        ("contact", "9", "", (TYPED, "9")),
        ("lane", "9", "", (TYPED, "9")),
        ("person", "9", "", (TYPED, "9")),
    ],
)
def test_people_are_told_whose_it_is_what_cannot_be_read(
    what: str, key: str, contact: str, whose: tuple[str, str] | None
) -> None:
    base = Base(failing=failing((TYPED, what, key), failures=3, contact=contact))
    [line] = told(base, {TYPED: Seen()})[1]
    assert line.person == whose


def test_a_line_about_what_fails_stays_the_same_from_run_to_run() -> None:
    lines = [told(Base(failing=failing(PLACES[0], failures=n)), {TYPED: Seen()})[1] for n in (3, 4)]
    assert lines[0] == lines[1]


# what a damaged lane still says ----------------------------------------------------------------------


def a_row(number: int, **fields: Any) -> Reading:
    created = at(minutes=number)
    return a_reading(LANE, str(number), created_at=created, updated_at=fields.pop("updated_at", created), **fields)


@pytest.mark.parametrize(
    ("row", "broken", "says"),
    [
        (a_row(5, state=State.DONE, updated_at=at(hours=2)), "4", True),
        (a_row(5, state=State.DONE, updated_at=at(hours=2)), "6", False),
        (a_row(5, state=State.DONE, updated_at=at(hours=2)), None, False),
        (a_row(5, state=State.DONE, updated_at=at(minutes=8)), "4", False),
        (a_row(99, state=State.DONE, updated_at=at(hours=9)), "100", False),
        (a_row(5, state=State.DONE, kind=Kind.REMINDER), None, True),
        (a_row(5), "6", False),
        (a_row(7), "6", True),
    ],
    ids=["newer", "older", "unknown", "superseded", "by number", "reminder", "unknown and open", "known and open"],
)
def test_which_rows_beside_an_unreadable_one_are_believed(row: Reading, broken: str | None, says: bool) -> None:
    rows = (a_row(8, state=State.DONE, updated_at=at(hours=3)), row)
    unreadable = (Unreadable(LANE, broken, "status"),)

    found = told_apart(rows, unreadable, timedelta(seconds=2), {(LANE, "7")}, new=False)

    assert (row in found) is says
    assert row in told_apart(rows, unreadable, timedelta(seconds=2), (), new=True) or row.state is not State.OPEN
