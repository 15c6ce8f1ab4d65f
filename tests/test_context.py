"""When failing reads stop a connection for the rest of a run."""

from __future__ import annotations

import pytest

from adapters.sandbox import Fault
from adapters.superfone.adapter import SuperfoneAdapter
from syncer.context import Connection
from syncer.observations import ConnectionState
from tests.superfone import PHONE, sandbox, within


@pytest.mark.parametrize(
    ("reads", "state"),
    [
        ("failed failed failed", ConnectionState.UNAVAILABLE),
        ("failed failed read failed failed", ConnectionState.OK),
        ("failed read failed read failed read", ConnectionState.OK),
    ],
)
def test_reads_that_fail_in_a_row_stop_a_connection_and_scattered_ones_do_not(
    reads: str, state: ConnectionState
) -> None:
    room = sandbox()
    lead = str(room.add_lead("Asha", [PHONE]))

    async def read(adapter: SuperfoneAdapter) -> ConnectionState:
        connection = Connection(adapter)
        for outcome in reads.split():
            fault = Fault.ERROR_BEFORE if outcome == "failed" else None
            room.fault = lambda _call, fault=fault: fault  # type: ignore[misc]
            assert (await connection.read_contact(lead) is None) is (outcome == "failed")
        return connection.seen.state

    assert within(room, read) is state
