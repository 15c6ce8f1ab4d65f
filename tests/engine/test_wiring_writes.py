"""What becomes of writes: what is stored, told and stopped by each way in which one may end."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from adapters.sandbox import Fault
from syncer.contract.errors import AdapterError, BudgetSpent, Forbidden, NotSent, Unauthorized, Unavailable
from syncer.domain.dues import Dues
from syncer.domain.model import Reading, State
from syncer.domain.operations import Action, OpState
from syncer.domain.snapshot import ConnectionState
from syncer.engine import opening
from syncer.engine.connection import Connection
from syncer.engine.context import RunContext
from syncer.engine.opening import AccountInHand
from syncer.engine.outcomes import moved_on
from syncer.engine.write_errors import WriteErrors
from syncer.ledger.stale import alone
from syncer.reconcile.lane_creates import _fitting
from tests.support.scenario import Make
from tests.support.strategies import (
    API,
    CAPABILITIES,
    LANE,
    POLICY,
    TYPED,
    a_base,
    a_reading,
    a_replica,
    a_task,
    an_operation,
    at,
    read_back,
)


@pytest.mark.parametrize("marked", [True, False])
def test_only_what_carries_its_own_marker_is_what_a_lost_create_made(stage: Make, marked: bool) -> None:
    """Somebody makes a task of the same due, by hand or out of a copy of another task, marker and all."""
    world = stage(sync='twin_window = "0"')
    lead, contact, _ = world.everywhere()
    due = world.due()
    world.superfone.person_creates(lead, "REMINDER", due)
    world.good()
    (copy,) = world.reply_open()
    world.superfone.person_creates(lead, "REMINDER", due)
    world.fail("reply", "create", Fault.LOST_REQUEST)
    world.again()
    assert len(world.reply_open()) == 1
    by_hand = world.reply.person_creates(contact, "ToDo", due, copy.template["body"] if marked else "Water the plants")
    world.again(2)
    assert len(world.reply_open()) == 3
    with world.open_ledger() as ledger:
        made = [copy for copy in ledger.load().replicas.values() if copy.system == "reply" and copy.made]
    assert len(made) == 2
    assert by_hand not in {copy.remote_id for copy in made}


def test_a_full_crm_stands_in_the_history_in_its_own_words(stage: Make) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    task = world.reply.person_creates(contact, "ToDo", world.due(), "Water the plants")
    world.superfone.storage_full = True
    world.again()
    with world.open_ledger() as ledger:
        events = ledger.history(f"reply:{task}")
        operations = ledger.load().operations.values()
    assert [event.detail for event in events if event.what == "held"] == ["Lead storage is full"]
    assert [one.words for one in operations if one.system == "superfone"] == ["Lead storage is full"]


@pytest.mark.parametrize(
    ("error", "state", "spent"),
    [
        (BudgetSpent("wait"), ConnectionState.OK, True),
        (Unauthorized("no"), ConnectionState.UNAUTHORIZED, False),
        (Forbidden("no"), ConnectionState.UNAUTHORIZED, False),
        (Unavailable("busy"), ConnectionState.UNAVAILABLE, False),
        (NotSent("no way"), ConnectionState.UNAVAILABLE, False),
    ],
)
def test_what_stops_a_crm_for_the_rest_of_a_run(
    stage: Make, error: AdapterError, state: ConnectionState, *, spent: bool
) -> None:
    async def stop(hand: AccountInHand) -> Connection:
        async with opening.leased(hand) as context:
            WriteErrors(context).stop_for(context.connections["reply"], error)
            return context.connections["reply"]

    world = stage()
    connection = world.do(world._with_account(stop))
    assert (connection.seen.state, connection.spent) == (state, spent)
    assert connection.seen.message == ("" if spent else error.words)


@pytest.mark.parametrize(
    ("system", "changes", "moved"),
    [
        (TYPED, {"due": at(days=1)}, True),
        (TYPED, {"due": at(hours=9)}, False),
        (TYPED, {}, False),
        (TYPED, {"due": None}, False),
        (TYPED, {"due": at(days=1), "state": State.DONE}, False),
        (TYPED, {"due": at(days=1), "remote_id": "another"}, False),
        (LANE, {"due": at(days=1)}, True),
        (LANE, {"due": at(days=1), "remote_id": "another"}, False),
    ],
)
def test_what_has_moved_to_its_next_date(system: str, changes: dict[str, Any], *, moved: bool) -> None:
    task = a_task(origin=system)
    replica = a_replica(task, system)
    base = a_base(task, replicas=[replica])
    context = cast("RunContext", SimpleNamespace(capabilities=CAPABILITIES, base=base, policy=POLICY))
    shown = {"remote_id": replica.remote_id, "due": at(hours=9)}
    operation = an_operation(task, system, Action.COMPLETE, OpState.SENT, **shown)
    reading: Reading = replace(read_back(replica, task), **changes)
    assert moved_on(context, operation, reading) is moved
    assert not moved_on(context, replace(operation, remote_id=None), reading)


def test_whether_nobody_has_a_database_open_is_told_by_its_locks(tmp_path: Path) -> None:
    path = tmp_path / "acme.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = wal")
        database.execute("CREATE TABLE something (value)")
    program = "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute('SELECT 1 FROM something')"
    command = [sys.executable, "-c", f"{program}; print(flush=True); sys.stdin.read()", str(path)]
    handles = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0  # noqa: PTH208 - a list that moves
    with alone(path) as nobody:
        assert nobody
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:  # noqa: S603
        assert other.stdout is not None
        assert other.stdin is not None
        other.stdout.readline()
        with alone(path) as nobody:
            assert not nobody
        other.stdin.close()
    if handles:
        assert len(os.listdir("/proc/self/fd")) == handles  # noqa: PTH208 - a list that moves


def test_what_a_lost_create_made_in_a_lane_is_told_by_all_that_is_known_of_it() -> None:
    task = a_task(origin=TYPED)
    operation = an_operation(task, LANE, Action.CREATE, OpState.IN_DOUBT, raw_type="CALL", due=task.due, seen=("1",))

    def row(remote_id: str, **fields: Any) -> Reading:
        return a_reading(LANE, remote_id, **({"raw_type": "CALL", "due": task.due, "created_by": API} | fields))

    unfit = [
        row("1"),
        row("2", raw_type="VISIT"),
        row("3", due=at(days=3)),
        row("4", created_by="8"),
    ]
    assert _fitting(Dues(), operation, unfit, {"8"}) is None
    closed, later, made = row("5", state=State.DONE), row("10"), row("9")
    assert _fitting(Dues(), operation, [*unfit, closed], {"8"}) == closed
    assert _fitting(Dues(), operation, [*unfit, closed, later, made], {"8"}) == made
    assert _fitting(Dues(), operation, unfit, ()) == unfit[-1], "as long as nobody is known to be somebody else"
