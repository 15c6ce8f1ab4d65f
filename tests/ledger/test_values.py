from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Text
from sqlalchemy.dialects import sqlite

from syncer.domain.base import Base, Changes, Failing
from syncer.domain.events import Event
from syncer.domain.fields import Change, TaskField
from syncer.domain.model import Record, Replica, ReplicaState, Task
from syncer.domain.operations import Action, Operation, OpState
from syncer.ledger import Ledger, LedgerError, identity, questions, reading, writing
from syncer.ledger.columns import UtcDateTime, Words
from syncer.ledger.database import asking
from syncer.ledger.rows import EVENTS, FAILING, OPERATIONS, RECORDS, REPLICAS, TASKS, TableShape
from syncer.ledger.tables import METADATA
from tests.support.ledgers import DATABASES, NOW, database_url, make_operation, make_replica, make_task

# What a database takes; what it does not take has a test of its own.
words = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-9))])
instants = st.datetimes(timezones=zones).filter(lambda instant: 1 < instant.year < 9999)
any_texts = st.lists(st.text(max_size=20), max_size=3).map(tuple)

tasks = st.builds(
    Task,
    title=st.none() | words,
    body=st.none() | words,
    due=instants,
    notify_at=st.none() | instants,
    first_seen=st.none() | instants,
    assignee=st.none() | words,
    **dict.fromkeys(("id", "contact", "origin"), words),
    due_synthetic=st.booleans(),
    put_back=st.booleans(),
)
replicas = st.builds(
    Replica,
    **dict.fromkeys(("system", "remote_id", "contact", "raw_type"), words),
    task=st.just("01A"),
    state=st.sampled_from([state for state in ReplicaState if state is not ReplicaState.OPEN]),
    **{name: st.booleans() for name in ("made", "ours", "exclusive", "sequence")},
    title=st.none() | words,
    due=st.none() | instants,
    misses=st.integers(0, 1000),
    body=st.none() | words,
    assignee=st.none() | words,
    owed=any_texts,
    typed=any_texts,
)
changes = st.one_of(
    st.builds(Change, st.just(TaskField.DUE), st.none() | instants, instants),
    st.builds(Change, st.sampled_from([TaskField.TITLE, TaskField.BODY]), st.none() | st.text(), st.text()),
)
operations = st.builds(
    Operation,
    **dict.fromkeys(("id", "system", "contact", "raw_type", "fingerprint", "words", "reason", "run"), words),
    task=st.just("01A"),
    action=st.sampled_from(Action),
    state=st.sampled_from([OpState.SENT, OpState.IN_DOUBT, OpState.FAILED, OpState.PARKED]),
    created_at=instants,
    sent_at=instants,
    remote_id=st.none() | words,
    due=st.none() | instants,
    before=any_texts,
    seen=any_texts,
    failures=st.integers(0, 1000),
    not_before=st.none() | instants,
    changes=st.lists(changes, max_size=3, unique_by=lambda change: change.field).map(tuple),
)
records = st.builds(Record, words, words, words, phones=any_texts, emails=any_texts)
events = st.builds(
    Event,
    at=instants,
    what=words,
    who=words,
    detail=words,
    task=st.just("01A"),
    system=st.none() | words,
    remote_id=st.none() | words,
    run=words,
    lost=any_texts,
)


@contextmanager
def fresh(url: str = "sqlite://") -> Iterator[Ledger]:
    with Ledger.open(url, name="acme") as ledger:
        ledger.store(Changes(tasks={"01A": make_task()}), token=None)
        yield ledger


@pytest.fixture(scope="module", params=DATABASES)
def scratch(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A ledger whose examples are rolled back, which is faster than a new one for each."""
    folder = tmp_path_factory.mktemp("ledger")
    with (
        database_url(request.param, folder) as url,
        fresh(url) as ledger,
        ledger._database.writing() as connection,
    ):
        yield connection


def stored(connection: Connection, changes: Changes, *tasks: str) -> Base:
    with connection.begin_nested() as example:
        writing.store(connection, changes, NOW)
        base = reading.load(connection, NOW)
        reading.extend(connection, base, replicas=(), tasks=tasks)
        example.rollback()
    return base


@pytest.mark.parametrize("door", [TASKS, REPLICAS, OPERATIONS, EVENTS, RECORDS, FAILING])
def test_every_field_of_a_value_has_a_column(door: TableShape[Any]) -> None:
    beside = {"record": {"link"}, "event": {"id"}}.get(door.table.name, set())
    value: Any = {
        "task": Task,
        "replica": Replica,
        "operation": Operation,
        "event": Event,
        "record": Record,
        "failing": Failing,
    }
    assert {field.name for field in fields(value[door.table.name])} | beside == set(door.table.c.keys())


@given(task=tasks)
def test_a_task_comes_back_as_it_was(scratch: Connection, task: Task) -> None:
    assert stored(scratch, Changes(tasks={task.id: task}), task.id).tasks[task.id] == task


@given(replica=replicas)
def test_a_replica_comes_back_as_it_was(scratch: Connection, replica: Replica) -> None:
    assert stored(scratch, Changes(replicas={replica.key: replica})).replicas == {replica.key: replica}


@given(operation=operations)
def test_an_operation_comes_back_as_it_was(scratch: Connection, operation: Operation) -> None:
    assert stored(scratch, Changes(operations={operation.id: operation})).operations == {operation.id: operation}


@given(record=records, link=words)
def test_a_record_and_its_link_come_back_as_they_were(scratch: Connection, record: Record, link: str) -> None:
    base = stored(scratch, Changes(records={record.key: record}, links={record.key: link}))
    assert (base.records, base.links) == ({record.key: record}, {record.key: link})


@given(written=st.lists(events, max_size=4))
def test_events_come_back_in_order(scratch: Connection, written: list[Event]) -> None:
    with scratch.begin_nested() as example:
        writing.append(scratch, written)
        found = questions.history(asking(scratch), "01A")
        example.rollback()
    assert found == written


# The cursors about the ledger itself become fields of the base.
names = words.filter(lambda name: name not in identity.OWN)


@given(times=st.dictionaries(st.tuples(words, words), instants), cursors=st.dictionaries(names, words))
def test_small_values_come_back_as_they_were(
    scratch: Connection, times: dict[tuple[str, str], datetime], cursors: dict[str, str]
) -> None:
    base = stored(scratch, Changes(lookups=times, visits=times, cursors=cursors))
    assert (base.lookups, base.visits, base.cursors) == (times, times, cursors)


@given(st.builds(Failing, words, words, words, st.integers(1, 9), instants, words, st.booleans()))
def test_what_fails_comes_back_until_it_is_readable(scratch: Connection, thing: Failing) -> None:
    failing = {thing.place: thing}
    assert stored(scratch, Changes(failing=failing)).failing == failing
    with scratch.begin_nested() as example:
        writing.store(scratch, Changes(failing=failing), NOW)
        writing.store(scratch, Changes(readable={thing.place}), NOW)
        assert reading.load(scratch, NOW).failing == {}
        example.rollback()


@given(instants)
def test_an_instant_comes_back_in_utc_to_the_microsecond(instant: datetime) -> None:
    kind, dialect = UtcDateTime(), sqlite.dialect()
    stored = kind.process_bind_param(instant, dialect)
    assert stored is not None
    back = kind.process_result_value(stored.replace(tzinfo=None), dialect)
    assert back == instant
    assert back is not None
    assert back.tzinfo is UTC


def test_a_naive_instant_is_refused_and_nothing_is_stored() -> None:
    with fresh() as ledger:
        naive = make_task("01B", due=NOW.replace(tzinfo=None))
        with pytest.raises(ValueError, match="without a zone"):
            ledger.store(Changes(tasks={"01B": naive}, cursors={"a": "b"}), token=None)
        assert ledger.load().cursors == {}


@given(st.text(max_size=40))
def test_any_text_can_be_stored(text: str) -> None:
    stored = Words().process_bind_param(text, sqlite.dialect())
    assert stored is not None
    stored.encode()
    assert "\0" not in stored
    assert len(stored) == len(text)


def test_text_that_no_database_takes_does_not_break_a_run() -> None:
    with fresh() as ledger:
        ledger.store(Changes(tasks={"01B": make_task("01B", title="a\0b\ud800c")}), token=None)
        assert ledger.load().tasks["01B"].title == "a\ufffdb\ufffdc"


def test_a_word_that_is_not_known_is_no_value() -> None:
    with pytest.raises(LedgerError, match="'sideways' is not a valid Kind; upgrade syncer"):
        TASKS.value(["01A", "c1", "sideways", None, None, NOW, "reply", "open", False, None, None, False, None])


def test_every_column_for_text_takes_any_text() -> None:
    plain = {
        f"{column.table.name}.{column.name}"
        for table in METADATA.tables.values()
        for column in table.c
        if type(column.type) is Text
    }
    json = {"record.phones", "record.emails", "operation.before", "operation.seen", "run.report", "run.lists"}
    json |= {"operation.changes", "replica.owed", "replica.typed"}
    assert plain == {*json, "report_list.hash"}


def test_values_of_the_helpers_are_whole() -> None:
    with fresh() as ledger:
        changes = Changes(replicas={("reply", "1"): make_replica()}, operations={"op1": make_operation()})
        ledger.store(changes, token=None)
        base = ledger.load()
        assert (base.replicas, base.operations) == (changes.replicas, changes.operations)
