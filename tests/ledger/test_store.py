from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy.exc import DBAPIError

from syncer.domain.base import Base, Changes
from syncer.domain.events import Event
from syncer.domain.model import Kind, Record, ReplicaState, State
from syncer.domain.operations import Action, OpState
from syncer.ledger import Conflict, Ledger, LedgerError
from syncer.ledger.reading import CHUNK
from tests.support.ledgers import DATABASES, DAY, NOW, database_url, make_operation, make_replica, make_task


@pytest.fixture(params=DATABASES)
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    with database_url(request.param, tmp_path) as url, Ledger.open(url, name="acme", clock=lambda: NOW) as opened:
        yield opened


def store(ledger: Ledger, **changes: Any) -> None:
    for name, key in (("tasks", "id"), ("operations", "id"), ("replicas", "key"), ("records", "key")):
        if name in changes:
            changes[name] = {getattr(value, key): value for value in changes[name]}
    ledger.store(Changes(**changes), token=None)


def scalar(ledger: Ledger, query: str) -> Any:
    with ledger._database.reading() as connection:
        return connection.exec_driver_sql(query).scalar()


def test_a_new_ledger_is_empty(ledger: Ledger) -> None:
    assert ledger.load() == Base()


def test_tasks_that_are_alike_are_counted_for_a_day_though_they_are_done(ledger: Ledger) -> None:
    alike: dict[str, Any] = {"title": "Ring", "due": NOW, "state": State.DONE}
    tasks = [make_task(f"reply:{number}", first_seen=NOW, **alike) for number in range(3)]
    tasks += [make_task("reply:7", first_seen=NOW, title="Other"), make_task("reply:8", first_seen=NOW - DAY, **alike)]
    store(ledger, tasks=tasks)
    recent = {("c1", Kind.FOLLOW_UP_CALL, "Ring", NOW): 3, ("c1", Kind.FOLLOW_UP_CALL, "Other", NOW): 1}
    assert ledger.load().recent == recent


def test_what_a_run_knows_already_is_not_loaded_again(ledger: Ledger) -> None:
    """A plan stores nothing, so what it knows may be newer."""
    store(ledger, tasks=[make_task("t1"), make_task("t2")], replicas=[make_replica("1", "t1"), make_replica("2", "t2")])
    known = replace(make_task("t1"), title="Ring again"), replace(make_replica("1", "t1"), misses=1)
    base = Base(tasks={"t1": known[0]}, replicas={known[1].key: known[1]})
    ledger.extend(base, tasks=["t1", "t2"], replicas=[known[1].key])
    assert (base.tasks["t1"], base.replicas[known[1].key]) == known
    assert set(base.tasks) == {"t1", "t2"}
    assert len(base.replicas) == 2


def test_the_open_operations_of_a_task_are_unsettled_or_ended_badly_last(ledger: Ledger) -> None:
    made = [
        ("reply", Action.CREATE, OpState.FAILED),
        ("reply", Action.CREATE, OpState.DONE),
        ("reply", Action.COMPLETE, OpState.FAILED),
        ("reply", Action.COMPLETE, OpState.SENT),
        ("superfone", Action.CREATE, OpState.DONE),
        ("superfone", Action.CREATE, OpState.PARKED),
        ("highlevel", Action.CREATE, OpState.FAILED),
        ("highlevel", Action.COMPLETE, OpState.IN_DOUBT),
    ]
    operations = [
        make_operation(str(number), "t1", system=system, action=action, state=state, created_at=NOW + number * DAY)
        for number, (system, action, state) in enumerate(made)
    ]
    store(ledger, tasks=[make_task("t1"), make_task("t2")], operations=operations)
    assert [one.id for one in ledger.open_operations("t1")] == ["3", "5", "6", "7"]
    assert ledger.open_operations("t2") == []


@pytest.mark.parametrize(("still", "first", "number"), [("ab", 9, 2), ("b", 1, 1), ("", 9, 0)])
def test_an_incident_that_was_put_back_is_not_when_a_later_one_began(
    ledger: Ledger, still: str, first: int, number: int
) -> None:
    hours = {"a": timedelta(hours=9), "b": timedelta(hours=1)}
    store(
        ledger,
        tasks=[make_task(name, put_back=name in still) for name in hours],
        events=[Event(NOW - ago, "incident", "us", "", name, "superfone", "1") for name, ago in hours.items()],
    )
    found = ledger.incidents(NOW - DAY)
    assert found == (NOW - timedelta(hours=first), number)


def test_nothing_is_written_where_nothing_changed(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger._database, "writing", None)
    ledger.store(Changes(), token="nobody's")


def test_a_task_is_loaded_while_it_may_matter(ledger: Ledger) -> None:
    done = {"state": State.DONE}
    store(
        ledger,
        tasks=[make_task("open"), make_task("copy", **done), make_task("asked", **done), make_task("past", **done)],
        replicas=[
            make_replica("1", "copy"),
            make_replica("2", "copy", state=ReplicaState.DONE),
            make_replica("3", "past", state=ReplicaState.DONE),
        ],
        operations=[make_operation("op1", "asked", OpState.IN_DOUBT)],
    )
    base = ledger.load()
    assert set(base.tasks) == {"open", "copy", "asked"}
    assert set(base.replicas) == {("reply", "1"), ("reply", "2")}
    assert set(base.operations) == {"op1"}


def test_only_the_latest_operation_of_a_slot_counts(ledger: Ledger) -> None:
    later = NOW + timedelta(microseconds=1)
    store(
        ledger,
        tasks=[make_task(), make_task("past", state=State.DONE)],
        operations=[
            make_operation("a1", state=OpState.PARKED),
            make_operation("a2", state=OpState.DONE, created_at=later),
            make_operation("b1", state=OpState.FAILED, system="superfone"),
            make_operation("b2", state=OpState.FAILED, system="superfone", created_at=later),
            make_operation("c1", state=OpState.PARKED, action=Action.COMPLETE),
            make_operation("c2", state=OpState.FAILED, action=Action.COMPLETE),
            make_operation("d1", state=OpState.FAILED, task="past"),
            make_operation("e1", state=OpState.SENT, system="highlevel"),
            make_operation("e2", state=OpState.DONE, system="highlevel", created_at=later),
        ],
    )
    assert set(ledger.load().operations) == {"b2", "c2", "e1"}


def test_more_is_added_when_it_is_asked_for(ledger: Ledger) -> None:
    store(
        ledger,
        tasks=[make_task("past", state=State.DONE), make_task("other", state=State.DONE)],
        replicas=[
            make_replica("1", "past", state=ReplicaState.DONE),
            make_replica("2", "past", state=ReplicaState.GONE, system="highlevel"),
            make_replica("3", "other", state=ReplicaState.DONE),
        ],
        operations=[
            make_operation("op1", "past", OpState.PARKED),
            make_operation("op2", "past", OpState.DONE, system="highlevel"),
            make_operation("op3", "past", OpState.DONE, system="highlevel", action=Action.COMPLETE),
        ],
    )
    base = ledger.load()
    ledger.extend(base, replicas=[("reply", "3"), ("reply", "none"), ("nowhere", "1")])
    assert (set(base.replicas), set(base.tasks)) == ({("reply", "3")}, {"other"})
    ledger.extend(base, tasks=["past", "none"])
    assert set(base.tasks) == {"other", "past"}
    assert set(base.replicas) == {("reply", "3"), ("reply", "1"), ("highlevel", "2")}
    assert set(base.operations) == {"op1", "op2"}


def test_what_the_engine_holds_already_is_not_replaced(ledger: Ledger) -> None:
    store(ledger, tasks=[make_task("past", state=State.DONE)], replicas=[make_replica("1", "past", misses=0)])
    base = ledger.load()
    mine = base.replicas["reply", "1"] = make_replica("1", "past", misses=1)
    del base.tasks["past"]
    ledger.extend(base, replicas=[("reply", "1")], tasks=["past"])
    assert base.replicas["reply", "1"] is mine


def test_long_lists_are_asked_for_in_parts(ledger: Ledger) -> None:
    many = range(2 * CHUNK + 1)
    store(
        ledger,
        tasks=[make_task(f"t{i}", state=State.DONE) for i in many],
        replicas=[make_replica(f"{i}", f"t{i}", state=ReplicaState.DONE) for i in many],
    )
    base = ledger.load()
    ledger.extend(base, replicas=[("reply", f"{i}") for i in many])
    assert len(base.replicas) == len(many)
    base = ledger.load()
    ledger.extend(base, tasks=[f"t{i}" for i in many])
    assert len(base.tasks) == len(base.replicas) == len(many)


def test_whole_values_replace_what_was_there(ledger: Ledger) -> None:
    store(ledger, tasks=[make_task()], replicas=[make_replica()], operations=[make_operation()], cursors={"a": "1"})
    task, replica = make_task(title=None, due=NOW + DAY), make_replica(misses=1, title="x")
    operation = make_operation(state=OpState.FAILED, failures=2, not_before=NOW)
    store(ledger, tasks=[task], replicas=[replica], operations=[operation], cursors={"a": "2", "b": ""})
    base = ledger.load()
    assert (base.tasks, base.replicas) == ({"01A": task}, {("reply", "1"): replica})
    assert (base.operations, base.cursors) == ({"op1": operation}, {"a": "2", "b": ""})


def test_a_record_read_again_keeps_its_link(ledger: Ledger) -> None:
    store(ledger, records=[Record("reply", "7", "Asha")], links={("reply", "7"): "c1"})
    store(ledger, records=[Record("reply", "7", "Asha B.", ("+919876543210",))])
    base = ledger.load()
    assert base.links == {("reply", "7"): "c1"}
    assert base.records["reply", "7"].phones == ("+919876543210",)


def test_a_link_to_a_record_that_was_never_read_is_kept(ledger: Ledger) -> None:
    store(ledger, links={("superfone", "5"): "c1"})
    base = ledger.load()
    assert base.links == {("superfone", "5"): "c1"}
    assert base.records == {("superfone", "5"): Record("superfone", "5")}


def test_a_link_can_move(ledger: Ledger) -> None:
    store(ledger, links={("reply", "7"): "c1"})
    store(ledger, links={("reply", "7"): "c2"})
    assert ledger.load().links == {("reply", "7"): "c2"}


def test_a_merged_link_gives_all_it_has_to_the_survivor(ledger: Ledger) -> None:
    store(ledger, tasks=[make_task(contact="c1")], links={("reply", "7"): "c1", ("highlevel", "h"): "c2"})
    store(ledger, tasks=[make_task("01B", contact="c1")], links={("superfone", "5"): "c1"}, merged={"c1": "c2"})
    base = ledger.load()
    assert set(base.links.values()) == {"c2"}
    assert len(base.links) == 3
    assert {task.contact for task in base.tasks.values()} == {"c2"}
    assert scalar(ledger, "SELECT count(*) FROM contact") == 1


@pytest.mark.parametrize(
    "merged", [{"a": "b", "b": "c"}, {"b": "c", "a": "b"}, {"a": "c", "b": "c"}], ids=["chain", "backwards", "star"]
)
def test_merges_of_merges_end_at_the_last_survivor(ledger: Ledger, merged: dict[str, str]) -> None:
    store(ledger, links={("reply", "1"): "a", ("reply", "2"): "b", ("reply", "3"): "c"})
    store(ledger, merged=merged)
    assert set(ledger.load().links.values()) == {"c"}
    assert scalar(ledger, "SELECT count(*) FROM contact") == 1


@pytest.mark.parametrize("merged", [{"a": "b", "b": "c"}, {"c": "a"}, {"a": "a"}])
def test_what_is_believed_after_a_merge_is_what_is_stored(ledger: Ledger, merged: dict[str, str]) -> None:
    links = {("reply", "1"): "a", ("reply", "2"): "b", ("highlevel", "3"): "c"}
    tasks = [make_task(f"01{link}", contact=link, first_seen=NOW) for link in "abc"]
    store(ledger, links=links, tasks=tasks)
    believed = ledger.load()
    changes = {"tasks": [make_task("01d", contact="a", first_seen=NOW)], "merged": merged}
    store(ledger, **changes)
    believed.update(Changes(tasks={"01d": make_task("01d", contact="a", first_seen=NOW)}, merged=merged))
    stored = ledger.load()
    assert (believed.links, believed.tasks) == (stored.links, stored.tasks)


def test_a_link_merged_into_itself_stays(ledger: Ledger) -> None:
    store(ledger, links={("reply", "1"): "a"}, merged={"a": "a"})
    assert ledger.load().links == {("reply", "1"): "a"}


def test_a_forgotten_replica_is_removed(ledger: Ledger) -> None:
    store(ledger, tasks=[make_task()], replicas=[make_replica(), make_replica("2", system="highlevel")])
    store(ledger, forgotten={("reply", "1"), ("reply", "unknown")})
    assert set(ledger.load().replicas) == {("highlevel", "2")}


def test_a_second_open_replica_is_refused_by_name_and_nothing_is_stored(ledger: Ledger) -> None:
    store(ledger, tasks=[make_task()], replicas=[make_replica()])
    with pytest.raises(Conflict) as caught:
        store(ledger, replicas=[make_replica("2")], cursors={"a": "b"})
    assert caught.value.constraint == "one_open_replica"
    assert ledger.load().cursors == {}


def test_one_closes_and_another_opens_in_one_step(ledger: Ledger) -> None:
    store(ledger, tasks=[make_task()], replicas=[make_replica("1")])
    store(ledger, replicas=[make_replica("2"), make_replica("1", state=ReplicaState.SUPERSEDED)])
    assert ledger.load().replicas["reply", "2"].state is ReplicaState.OPEN


def test_one_becomes_another_tasks_and_another_opens_in_one_step(ledger: Ledger) -> None:
    store(ledger, tasks=[make_task(), make_task("task2")], replicas=[make_replica("1")])
    store(ledger, replicas=[make_replica("2"), make_replica("1", task="task2")])
    found = ledger.load().replicas
    assert found["reply", "2"].task != found["reply", "1"].task == "task2"


def test_a_second_unsettled_operation_is_refused_by_name(ledger: Ledger) -> None:
    store(ledger, tasks=[make_task()], operations=[make_operation("a"), make_operation("b", action=Action.COMPLETE)])
    with pytest.raises(Conflict) as caught:
        store(ledger, operations=[make_operation("c", state=OpState.IN_DOUBT)])
    assert caught.value.constraint == "one_unsettled_operation"


def test_one_operation_settles_and_the_next_is_sent_in_one_step(ledger: Ledger) -> None:
    store(ledger, tasks=[make_task()], operations=[make_operation("a")])
    store(ledger, operations=[make_operation("b"), make_operation("a", state=OpState.FAILED)])
    assert set(ledger.load().operations) == {"b"}


def test_a_replica_needs_its_task(ledger: Ledger) -> None:
    with pytest.raises(Conflict):
        store(ledger, replicas=[make_replica(task="none")])


@pytest.mark.parametrize("statement", ["UPDATE event SET detail = 'else'", "DELETE FROM event"])
def test_the_database_itself_keeps_events_as_they_are(ledger: Ledger, statement: str) -> None:
    store(ledger, events=[Event(NOW, "seen", "them", "first", "01A")])
    with pytest.raises(LedgerError, match="append-only"), ledger._database.writing() as connection:
        connection.exec_driver_sql(statement)
    assert [event.detail for event in ledger.history("01A")] == ["first"]


def test_errors_name_the_ledger_and_no_values(ledger: Ledger) -> None:
    with pytest.raises(LedgerError) as caught, ledger._database.writing() as connection:
        connection.execute(sqlalchemy.text("SELECT :secret FROM nowhere"), {"secret": "private words"})
    assert isinstance(caught.value.__cause__, DBAPIError)
    assert "private words" not in f"{caught.value} {caught.value.__cause__}"
    assert ledger.where in str(caught.value)


def test_a_bug_of_ours_is_not_disguised(ledger: Ledger) -> None:
    def work() -> None:
        with ledger._database.writing() as connection:
            connection.exec_driver_sql("INSERT INTO cursor VALUES ('a', 'b')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert ledger.load().cursors == {}
