from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from syncer.domain.base import Changes
from syncer.domain.events import Event
from syncer.domain.model import Record, ReplicaState, State
from syncer.domain.operations import OpState
from syncer.domain.reasons import Reason
from syncer.ledger import Counts, Ledger, Run, TaskView, current_owner
from syncer.ledger.pages import Pages, TaskFilter
from tests.support.ledgers import DATABASES, DAY, NOW, database_url, make_operation, make_replica, make_task

FIRST = make_task("01HZXABCD0000000000000001A", "c1", due=NOW)
SECOND = make_task("01HZXABCD0000000000000002B", "c2", due=NOW + DAY, origin="highlevel")
PAST = make_task("01HZXWXYZ0000000000000003C", "c2", due=NOW - DAY, state=State.DONE)


@pytest.fixture(params=DATABASES)
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    with database_url(request.param, tmp_path) as url, Ledger.open(url, name="acme", clock=lambda: NOW) as opened:
        opened.store(
            Changes(
                tasks={task.id: task for task in (SECOND, FIRST, PAST)},
                replicas={
                    ("superfone", "s1"): make_replica("s1", FIRST.id, "superfone"),
                    ("reply", "r1"): make_replica("r1", FIRST.id),
                    ("reply", "r2:x"): make_replica("r2:x", SECOND.id),
                    ("reply", "r3"): make_replica("r3", PAST.id, state=ReplicaState.DONE),
                },
                records={
                    ("reply", "7"): Record("reply", "7", "Asha Rao", ("+919876543210",), ("asha@example.com",)),
                    ("highlevel", "h"): Record("highlevel", "h", "Émile"),
                    ("reply", "8"): Record("reply", "8", "Mr. E", (), ("e@example.org", "e.müller@example.org")),
                    ("superfone", "9"): Record("superfone", "9", "Nobody's", ("+915550000000",)),
                },
                links={("reply", "7"): "c1", ("highlevel", "h"): "c2", ("reply", "8"): "c2"},
            ),
            token=None,
        )
        yield opened


def ids(views: list[TaskView]) -> list[str]:
    return [view.task.id for view in views]


def test_tasks_come_by_due_with_their_copies_and_the_persons_name(ledger: Ledger) -> None:
    past, first, second = ledger.tasks()
    assert past == (PAST, [make_replica("r3", PAST.id, state=ReplicaState.DONE)], "Mr. E")
    assert (first.task, [replica.remote_id for replica in first.replicas]) == (FIRST, ["r1", "s1"])
    assert (first.contact, second.contact) == ("Asha Rao", "Émile")


@pytest.mark.parametrize(
    ("contact", "found"),
    [
        ("asha", [FIRST]),
        ("RAO", [FIRST]),
        ("éMI", [PAST, SECOND]),
        ("Asha@Example.com", [FIRST]),
        ("asha@", [FIRST]),
        ("MÜLLER", [PAST, SECOND]),
        ('"', []),
        (",", []),
        ("+919876543210", [FIRST]),
        ("98765 43210", [FIRST]),
        ("543210", [FIRST]),
        ("43210", [FIRST]),
        ("c2", [PAST, SECOND]),
        ("%", []),
        ("nobody's", []),
    ],
)
def test_tasks_of_a_person_on_the_command_line_and_on_the_page(
    ledger: Ledger, contact: str, found: list[object]
) -> None:
    """The page took parts of an e-mail, and the command line whole ones only."""
    assert [view.task for view in ledger.tasks(contact)] == found
    # A link's id stands nowhere on the page, so nobody types it there.
    if contact != "c2":
        views, total = Pages(ledger).tasks(TaskFilter(text=contact), 0, 10)
        assert ([view.task for view in views], total) == (found, len(found))


def test_a_task_is_found_on_the_page_by_its_id(ledger: Ledger) -> None:
    """The text was put into small letters and the id was not."""
    assert ids(Pages(ledger).tasks(TaskFilter(text=FIRST.id), 0, 10)[0]) == [FIRST.id]


def test_tasks_by_state_and_system(ledger: Ledger) -> None:
    assert ids(ledger.tasks(state="open")) == [FIRST.id, SECOND.id]
    assert ids(ledger.tasks(state="done")) == [PAST.id]
    assert ids(ledger.tasks(system="superfone")) == [FIRST.id]
    assert ids(ledger.tasks(contact="c2", state="open", system="reply")) == [SECOND.id]
    assert ledger.tasks(system="nowhere") == []


def test_a_person_without_a_name_has_none(ledger: Ledger) -> None:
    task = make_task("01B", "c3")
    ledger.store(Changes(tasks={"01B": task}), token=None)
    assert ledger.tasks(contact=None, state="open")[-1].contact in {"", "Émile"}
    assert {view.task.id: view.contact for view in ledger.tasks()}["01B"] == ""


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        (FIRST.id, FIRST.id),
        (FIRST.id.lower(), FIRST.id),
        (f" {FIRST.id} ", FIRST.id),
        (PAST.id[:6], PAST.id),
        ("01HZXW", PAST.id),
        ("01HZX", None),
        ("01HZXA", None),
        ("01HZX_", None),
        ("01HZX%", None),
        (SECOND.id[:-1], SECOND.id),
        ("superfone:s1", FIRST.id),
        ("reply:r2:x", SECOND.id),
        ("reply:s1", None),
        ("", None),
        (":", None),
        ("elsewhere", None),
    ],
)
def test_a_task_is_found_by_what_people_type(ledger: Ledger, reference: str, found: str | None) -> None:
    assert ledger.find(reference) == found


def test_an_id_that_begins_another_id_is_itself(ledger: Ledger) -> None:
    ledger.store(Changes(tasks={"01ABCDEF": make_task("01ABCDEF"), "01ABCDEFG": make_task("01ABCDEFG")}), token=None)
    assert ledger.find("01ABCDEF") == "01ABCDEF"
    assert ledger.find("01ABCDE") is None


def test_what_a_database_takes_for_any_letter_is_a_letter(ledger: Ledger) -> None:
    ledger.store(Changes(tasks={"01ABCDEF": make_task("01ABCDEF")}), token=None)
    assert ledger.find("01ABCDE") == "01ABCDEF"
    assert ledger.find("01ABCD_") is None
    assert ledger.find("01ABC%%") is None


def test_a_task_that_is_called_by_its_place_is_found_as_it_stands(ledger: Ledger) -> None:
    tasks = {name: make_task(name) for name in ("reply:1234", "reply:1234~2", "superfone:77")}
    copies = [make_replica("1234", "reply:1234~2"), make_replica("9", "superfone:77", "superfone")]
    ledger.store(Changes(tasks=tasks, replicas={copy.key: copy for copy in copies}), token=None)
    assert ledger.find("reply:1234") == "reply:1234"
    assert ledger.find(" reply:1234~2 ") == "reply:1234~2"
    assert ledger.find("superfone:9") == "superfone:77"
    assert ledger.find("superfone:7") == "superfone:77"
    assert ledger.find("reply:123") is None


def test_a_forgotten_copy_is_found_by_what_was_written_about_it(ledger: Ledger) -> None:
    event = Event(NOW, "gone", "them", "", FIRST.id, "superfone", "s1")
    ledger.store(Changes(events=[event], forgotten={("superfone", "s1")}), token=None)
    assert ledger.find("superfone:s1") == FIRST.id


def test_a_forgotten_copy_that_two_tasks_had_is_the_latter_ones(ledger: Ledger) -> None:
    events = [Event(NOW, "adopted", "us", "", task.id, "superfone", "s1") for task in (FIRST, SECOND)]
    ledger.store(Changes(events=events, forgotten={("superfone", "s1")}), token=None)
    assert ledger.find("superfone:s1") == SECOND.id


def test_numbers_for_the_status(ledger: Ledger) -> None:
    operation = make_operation("op1", FIRST.id, OpState.PARKED)
    ledger.store(Changes(operations={"op1": operation}), token=None)
    assert ledger.counts() == Counts(
        tasks={"open": 2, "done": 1},
        replicas={"superfone": {"open": 1}, "reply": {"open": 2, "done": 1}},
        operations={"parked": 1},
        records={"reply": 2, "highlevel": 1, "superfone": 1},
        links=2,
    )


def hold_back(ledger: Ledger) -> None:
    held = {"not_before": NOW + DAY, "fingerprint": "f", "failures": 5, "words": "no", "created_at": NOW + DAY}
    operations = [
        make_operation("op1", FIRST.id, OpState.PARKED, **held),
        make_operation("op2", SECOND.id, OpState.FAILED, **held),
        make_operation("op3", PAST.id, OpState.PARKED, **held),
        make_operation("op4", FIRST.id, OpState.SENT, **(held | {"system": "superfone"})),
        make_operation("op5", SECOND.id, OpState.DONE, **(held | {"system": "superfone"})),
        make_operation("op6", SECOND.id, OpState.FAILED, failures=1, created_at=NOW),
    ]
    ledger.store(
        Changes(
            operations={operation.id: operation for operation in operations},
            replicas={
                ("highlevel", "h1"): make_replica("h1", FIRST.id, "highlevel", state=ReplicaState.GONE, misses=2)
            },
            cursors={"full:superfone": "1", "full%": "x", "identity:reply": "41"},
        ),
        token=None,
    )


def test_everything_that_waits_is_freed(ledger: Ledger) -> None:
    hold_back(ledger)
    assert ledger.free() == 4
    base = ledger.load()
    for name in ("op1", "op2"):
        operation = base.operations[name]
        assert (operation.not_before, operation.fingerprint, operation.failures, operation.words) == (None, "", 0, "no")
    assert base.operations["op4"].failures == 5
    assert ("highlevel", "h1") not in base.replicas
    assert base.cursors == {"full%": "x", "identity:reply": "41", "freed": FIRST.id}
    freed = [(event.at, event.what, event.who, event.system) for event in ledger.history(FIRST.id)]
    assert freed == [(NOW, "freed", "us", "reply"), (NOW, "freed", "us", "highlevel")]
    assert ledger.free() == 0


def test_one_task_is_freed(ledger: Ledger) -> None:
    hold_back(ledger)
    assert ledger.free(SECOND.id) == 2
    base = ledger.load()
    assert (base.operations["op1"].failures, base.operations["op2"].failures) == (5, 0)
    assert ("highlevel", "h1") in base.replicas
    assert ledger.free(PAST.id) == 1


def test_a_duplicate_is_freed_by_its_id_alone(ledger: Ledger) -> None:
    """Most are to be deleted; all at once would double what is there."""
    held = {FIRST.id: Reason.DUPLICATE, SECOND.id: Reason.LOOP}
    tasks = {one.id: replace(one, held=held[one.id]) for one in (FIRST, SECOND)}
    ledger.store(Changes(tasks=tasks), token=None)
    assert ledger.free() == 1
    assert {one.id: one.held for one in ledger.load().tasks.values() if one.held} == {FIRST.id: "duplicate"}
    assert ledger.free(FIRST.id) == 1


def test_runs_come_newest_first(ledger: Ledger) -> None:
    assert ledger.last_run() is None
    for index in range(3):
        ledger.acquire(current_owner("t"), NOW + index * DAY, DAY, run=f"run{index}")
    ledger.finish_run("run1", NOW + 2 * DAY, "ok", {"created": {"reply": 1}, "words": "é\ud800\0"})
    assert [run.id for run in ledger.runs(2)] == ["run2", "run1"]
    assert ledger.last_run() == Run("run2", NOW + 2 * DAY, None, "running", {})
    assert ledger.runs()[1] == Run(
        "run1", NOW + DAY, NOW + 2 * DAY, "ok", {"created": {"reply": 1}, "words": "é\ud800\0"}
    )


def test_what_is_freed_during_a_run_is_free_for_the_next_one_whatever_that_run_stores(ledger: Ledger) -> None:
    """A run stores whole rows, as it loaded them when it began."""
    held = replace(FIRST, held=Reason.LOOP)
    gone = make_replica("r2:x", SECOND.id, state=ReplicaState.GONE)
    as_loaded = Changes(tasks={held.id: held}, replicas={gone.key: gone})
    ledger.store(as_loaded, token=None)
    ledger.acquire(current_owner("a"), NOW, DAY)
    assert ledger.free() == 2
    ledger.store(as_loaded, token="a", now=NOW)
    ledger.release("a")

    base = ledger.acquire(current_owner("b"), NOW, DAY)

    assert base.tasks[FIRST.id].held == ""
    assert gone.key not in base.replicas
    ledger.store(as_loaded, token="b", now=NOW)
    ledger.release("b")
    assert ledger.acquire(current_owner("c"), NOW, DAY).tasks[FIRST.id].held == Reason.LOOP, "it is freed once"
