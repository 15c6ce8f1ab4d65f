"""Who is left out together, and that what is left out is not taken for gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from syncer.domain.base import Base, Changes
from syncer.domain.model import Kind, Reading, Replica, State, Task
from syncer.domain.snapshot import Seen
from syncer.domain.task_ids import Marker
from syncer.reconcile.left_out import Persons, concern

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ASHA, RAVI, MEENA = "asha", "ravi", "meena"


def a_task(number: int, contact: str) -> Task:
    return Task(f"reply:{number}", contact, Kind.TODO, "Ring", None, NOW, origin="reply", first_seen=NOW)


def row(number: int, contact: str | None, marker: Marker | None = None) -> Reading:
    return Reading("reply", str(number), contact, State.OPEN, Kind.TODO, "ToDo", "Ring", due=NOW, marker=marker)


def base(*tasks: Task, copies: dict[int, str]) -> Base:
    """The contact of each person is named after them. ``copies`` is the contact that each copy is on."""
    known = {task.id: task for task in tasks}
    return Base(
        tasks=known,
        replicas={
            ("reply", str(number)): Replica("reply", str(number), f"reply:{number}", contact)
            for number, contact in copies.items()
        },
        links={("reply", person.title()): person for person in (ASHA, RAVI, MEENA)},
    )


def groups(known: Base, *rows: Reading) -> list[tuple[str, ...]]:
    return Persons(known, {"reply": Seen(readings={one.remote_id: one for one in rows})}).groups


def test_everybody_is_alone_whom_no_task_connects_with_another() -> None:
    known = base(a_task(1, ASHA), a_task(2, RAVI), copies={1: "Asha", 2: "Ravi"})
    assert groups(known, row(1, "Asha"), row(3, "Meena")) == [(ASHA,), (MEENA,), (RAVI,)]


def test_a_copy_on_another_persons_contact_connects_the_two() -> None:
    known = base(a_task(1, ASHA), copies={1: "Asha"})
    assert groups(known, row(1, "Ravi"), row(3, "Meena")) == [(ASHA, RAVI), (MEENA,)]
    # As its last run has stored it, too.
    assert groups(replace(known, replicas={("reply", "1"): Replica("reply", "1", "reply:1", "Meena")})) == [
        (ASHA, MEENA)
    ]


def test_a_marker_connects_with_whom_it_names_known_or_not() -> None:
    known = base(a_task(1, ASHA), copies={1: "Asha"})
    assert groups(known, row(5, "Ravi", Marker("01", "reply:1"))) == [(ASHA, RAVI)]
    unknown = row(6, "Meena"), row(5, "Ravi", Marker("01", "reply:6"))
    assert groups(known, *unknown) == [(ASHA,), (MEENA, RAVI)]


def test_rows_without_a_person_are_alone() -> None:
    assert len(groups(Base(), row(1, None), row(2, None), row(3, "Nobody"), row(4, "Nobody"))) == 3


def test_what_is_left_out_is_there_all_the_same() -> None:
    known = base(a_task(1, ASHA), a_task(2, RAVI), copies={1: "Asha", 2: "Ravi"})
    rows = {"1": row(1, "Asha"), "2": row(2, "Ravi"), "3": row(3, "Asha")}
    lanes: dict[str, tuple[Reading, ...]] = {"Asha": (row(4, "Asha"),), "Ravi": (row(2, "Ravi"),)}
    seen = Seen(readings=rows, lanes=lanes, persons=lanes, missing={"1", "2"}, listed=True)
    left = Persons(known, {"reply": seen}).without({ASHA})["reply"]
    assert {*left.readings} == {"2"}
    assert {*left.lanes} == {*left.persons} == {"Ravi"}
    assert left.missing == {"2"}
    assert all(left.has(remote_id) for remote_id in "1234")
    # Nothing is made for her meanwhile.
    assert left.unread == {"Asha"}
    # Nothing of the snapshot itself has changed.
    assert seen.unread == set()
    assert {*seen.readings} == {"1", "2", "3"}


def test_changes_concern_whose_task_it_was_or_becomes() -> None:
    known = base(a_task(1, ASHA), a_task(2, RAVI), copies={1: "Asha", 2: "Ravi"})
    given = replace(known.tasks["reply:2"], contact=MEENA)
    changes = Changes(tasks={given.id: given})
    assert concern(changes, known, {RAVI})
    assert concern(changes, known, {MEENA})
    assert not concern(changes, known, {ASHA})
    copy = known.replicas["reply", "1"]
    assert concern(Changes(replicas={copy.key: copy}), known, {ASHA})
