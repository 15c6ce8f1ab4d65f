"""Who is read first where no run may have the time for everybody."""

from __future__ import annotations

from typing import Any

from syncer.domain.base import Base, Failing
from syncer.domain.cursors import BEHIND, UNFINISHED
from syncer.domain.model import Reading, State
from syncer.reconcile.persons_in_turn import in_turn, rows_in_turn
from tests.support.clock import START
from tests.support.strategies import LANE, PLAIN, TYPED, a_base, a_reading, a_replica, a_task, at, seen_of

PEOPLE = ("p1", "p2", "p3")


def due_in(person: str, hours: float | None, system: str = PLAIN, **fields: Any) -> Reading:
    """A task of this person that is due then."""
    due = None if hours is None else at(hours=hours)
    return a_reading(system, f"{person}-{hours}", person=person, due=due, **fields)


def unreadable(what: str, contact: str, system: str = LANE) -> dict[tuple[str, str, str], Failing]:
    found = Failing(system, what, contact, 3, START, "503")
    return {found.place: found}


def turns(base: Base, *rows: Reading) -> list[str]:
    return in_turn(base, seen_of(*rows), PEOPLE)


def rows_of(base: Base, *rows: Reading) -> list[str]:
    return [row.remote_id for row in rows_in_turn(base, rows)]


def visited(*people: str) -> dict[tuple[str, str], Any]:
    return {(PLAIN, f"{person}-{PLAIN}"): START for person in people}


# persons ---------------------------------------------------------------------------------------------


def test_who_has_a_task_that_is_due_first_is_read_first() -> None:
    rows = (due_in("p1", 9), due_in("p3", 5), due_in("p3", 7, TYPED), due_in("p1", 1, TYPED), due_in("p2", None))
    assert turns(a_base(people=PEOPLE), *rows) == ["p1", "p3", "p2"]


def test_what_is_closed_or_nobodys_makes_nobody_first() -> None:
    rows = (due_in("p3", 1, state=State.DONE), due_in("p4", 1), due_in("p2", 5))
    assert turns(a_base(people=PEOPLE), *rows) == ["p2", "p1", "p3"]


def test_who_was_begun_in_vain_comes_behind_and_who_cannot_be_read_comes_last() -> None:
    failing = unreadable("lane", f"p1-{LANE}")
    base = a_base(people=PEOPLE, cursors={UNFINISHED: "p2"}, failing=failing)
    assert turns(base, due_in("p1", 1), due_in("p2", 2), due_in("p3", 3)) == ["p3", "p2", "p1"]


def test_who_is_known_or_of_whom_one_task_cannot_be_read_waits_behind_nobody() -> None:
    known = {(LANE, f"p1-{LANE}"): START}
    for failing in (
        unreadable("lane", f"p1-{LANE}"),
        unreadable("task", f"p2-{PLAIN}", PLAIN),
        unreadable("lane", "of nobody"),
    ):
        base = a_base(people=PEOPLE, failing=failing, visits=known)
        assert turns(base, due_in("p1", 1), due_in("p2", 2)) == ["p1", "p2", "p3"]
    behind = a_base(people=PEOPLE, failing=unreadable("lane", f"p1-{LANE}"), cursors={BEHIND + "p1": "1"}, visits=known)
    assert turns(behind, due_in("p1", 1), due_in("p2", 2)) == ["p2", "p3", "p1"]


# rows ------------------------------------------------------------------------------------------------


def test_rows_of_known_contacts_come_by_due_and_before_those_of_all_others() -> None:
    base = a_base(people=PEOPLE, visits=visited("p1", "p2"))
    rows = (due_in("p3", 1), due_in("p1", 9), due_in("p2", 5), due_in("p1", 2), due_in("p2", None))
    assert rows_of(base, *rows) == ["p1-2", "p2-5", "p1-9", "p2-None", "p3-1"]


def test_rows_of_contacts_that_were_never_read_come_person_by_person() -> None:
    rows = (due_in("p1", 9), due_in("p2", 5), due_in("p1", 2), due_in("p2", 7))
    assert rows_of(a_base(people=PEOPLE), *rows) == ["p1-2", "p1-9", "p2-5", "p2-7"]


def test_who_cannot_be_read_comes_last_with_all_that_is_new_and_what_is_known_keeps_its_turn() -> None:
    """The contact's tasks in another CRM cannot be read, so nothing new is concluded of that person."""
    known = a_task("known")
    base = a_base(
        known,
        replicas=[a_replica(known, PLAIN, "p1-9")],
        people=PEOPLE,
        visits=visited("p1", "p2"),
        failing=unreadable("lane", f"p1-{LANE}"),
    )
    rows = (due_in("p1", 9), due_in("p1", 1), due_in("p2", 5), due_in("p3", 7))
    assert rows_of(base, *rows) == ["p2-5", "p1-9", "p3-7", "p1-1"]
