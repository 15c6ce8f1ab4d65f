"""When failing reads stop a connection for the rest of a run, and what is remembered of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from math import inf

import pytest

from adapters.sandbox import Fault
from adapters.superfone.adapter import SuperfoneAdapter
from syncer.contract.errors import BadAnswer, BudgetSpent, Forbidden, Missing, NoConnection, Unauthorized, Unavailable
from syncer.domain.snapshot import ConnectionState
from syncer.engine.connection import FAILURES_UNTIL_UNAVAILABLE, LATEST, Connection
from syncer.reconcile.read_items import Need, Place, ReadItem, What
from tests.support.clock import virtual_loop
from tests.support.superfone_kit import PHONE, sandbox, within

MANY = FAILURES_UNTIL_UNAVAILABLE


def item(number: int) -> ReadItem:
    return ReadItem("superfone", What.LANE, str(number), Need.OPEN)


def after(
    outcomes: Iterable[Exception | None], *, failing: Iterable[Place] = (), whole: bool = False
) -> tuple[ConnectionState, Connection]:
    """A connection after reads of as many things, each of which failed in this way or succeeded."""

    async def main(adapter: SuperfoneAdapter) -> Connection:
        connection = Connection(adapter, failing=frozenset(failing))

        async def read(error: Exception | None) -> str:
            if error is not None:
                raise error
            return "read"

        for number, error in enumerate(outcomes):
            with contextlib.suppress(Missing):
                await connection.attempt(read(error), item(number), whole=whole)
        return connection

    connection: Connection = within(sandbox(), main)
    return connection.seen.state, connection


FAILED = Unavailable("503")


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ([FAILED] * MANY, ConnectionState.UNAVAILABLE),
        ([FAILED] * (MANY - 1), ConnectionState.OK),
        ([None, *[FAILED] * (MANY - 1)], ConnectionState.OK),
        ([*[FAILED] * (MANY - 1), None, *[FAILED] * (MANY - 1)], ConnectionState.OK),
        ([*[FAILED] * (MANY - 1), Missing("gone"), FAILED], ConnectionState.OK),
        ([None, *[FAILED] * MANY], ConnectionState.UNAVAILABLE),
        ([BadAnswer("?")] * MANY, ConnectionState.UNAVAILABLE),
        ([Forbidden("no")] * MANY, ConnectionState.UNAUTHORIZED),
        ([*[Forbidden("no")] * (MANY - 1), FAILED], ConnectionState.UNAVAILABLE),
        ([Forbidden("no"), None], ConnectionState.OK),
        ([Unauthorized("no")], ConnectionState.UNAUTHORIZED),
        ([NoConnection("no")], ConnectionState.UNAVAILABLE),
        ([BudgetSpent("no")], ConnectionState.OK),
    ],
)
def test_a_connection_is_given_up_where_nothing_of_it_can_be_read(
    outcomes: list[Exception | None], state: ConnectionState
) -> None:
    assert after(outcomes)[0] is state


def test_what_is_known_to_fail_says_nothing_of_the_rest() -> None:
    known = [item(number).place for number in range(1, MANY + 9)]
    assert after([None, *[FAILED] * (MANY + 8)], failing=known)[0] is ConnectionState.OK
    assert after([FAILED] * MANY, failing=[item(number).place for number in range(MANY)])[0] is not ConnectionState.OK


@pytest.mark.parametrize("error", [FAILED, BadAnswer("?"), BudgetSpent("no"), NoConnection("no")])
def test_what_a_connection_cannot_do_without_stops_it(error: Exception) -> None:
    assert after([error], whole=True)[0] is ConnectionState.UNAVAILABLE
    assert after([Forbidden("no")], whole=True)[0] is ConnectionState.UNAUTHORIZED


def test_each_outcome_is_remembered_by_its_item() -> None:
    outcomes = [None, FAILED, BadAnswer("?"), Forbidden("no"), Missing("gone"), BudgetSpent("no")]

    _, connection = after(outcomes)

    assert connection.answered == {item(0).place, item(4).place}
    assert {place[2]: failure for place, failure in connection.failed.items()} == {
        "1": ("503", False, False, ""),
        "2": ("?", True, False, ""),
        "3": ("no", False, True, ""),
    }
    assert connection.spent


def test_one_contact_that_cannot_be_read_before_a_write_is_named() -> None:
    room = sandbox()
    lead = str(room.add_lead("Asha", [PHONE]))
    room.fault = lambda _call: Fault.ERROR_BEFORE

    async def read(adapter: SuperfoneAdapter) -> list[str]:
        connection = Connection(adapter)
        assert await connection.read_contact(lead) is None
        assert connection.usable
        return [found.detail for found in connection.seen.unreached]

    assert within(room, read) == [f"the tasks of contact {lead}: Service Unavailable"]


@pytest.mark.parametrize("answers", [0, 1])
def test_a_silent_crm_is_given_up_at_the_end(answers: int) -> None:
    _, connection = after([FAILED, *[None] * answers])
    connection.stop_if_silent()
    assert connection.usable is bool(answers)


# time ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("error", "asked"), [(BudgetSpent("no"), False), (Unavailable("503"), True), (None, True)])
def test_what_there_was_no_budget_for_may_be_asked_for_later_in_the_run(error: Exception | None, asked: bool) -> None:
    async def main(adapter: SuperfoneAdapter) -> Connection:
        connection = Connection(adapter, asked={item(1).place})

        async def read() -> None:
            if error is not None:
                raise error

        await connection.attempt(read(), item(1))
        return connection

    assert (item(1).place in within(sandbox(), main).asked) is asked


def test_work_is_ended_when_its_time_is_over_and_what_hung_goes_to_the_end_of_the_list() -> None:
    async def main(adapter: SuperfoneAdapter) -> tuple[float, Connection]:
        connection = Connection(adapter)

        async def hang() -> None:
            await connection.attempt(asyncio.Event().wait(), item(1))

        ended = await connection.while_it_answers(hang(), patience=lambda _requests: inf, seconds=40)
        assert not ended
        return virtual_loop().time(), connection

    time, connection = within(sandbox(), main)
    assert time == pytest.approx(40)
    assert list(connection.failed) == [item(1).place]
    assert connection.usable


def test_patience_is_for_answers_and_not_for_pauses() -> None:
    async def main(adapter: SuperfoneAdapter) -> bool:
        connection = Connection(adapter)
        return await connection.while_it_answers(asyncio.sleep(900), patience=lambda _requests: 1.0)

    assert within(sandbox(), main)


def test_an_error_in_the_work_is_raised_as_it_is() -> None:
    async def fail() -> None:
        await asyncio.sleep(1)
        msg = "a bug"
        raise RuntimeError(msg)

    async def main(adapter: SuperfoneAdapter) -> None:
        with pytest.raises(RuntimeError, match="a bug"):
            await Connection(adapter).while_it_answers(fail(), patience=lambda _requests: inf)

    within(sandbox(), main)


def test_a_run_that_is_told_to_stop_ends_the_work_with_it() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cleanly")

    async def main(adapter: SuperfoneAdapter) -> None:
        task = asyncio.ensure_future(
            Connection(adapter).while_it_answers(work(), patience=lambda _requests: inf, seconds=99)
        )
        await asyncio.sleep(5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    within(sandbox(), main)
    assert ended == ["cleanly"]


def test_a_lane_that_has_read_what_its_create_did_leaves_another_one_the_time_for_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Several lanes are worked on at once, and the time of the run is over."""
    allowed: list[float | None] = []

    async def main(adapter: SuperfoneAdapter) -> None:
        connection = Connection(adapter)
        monkeypatch.setattr(adapter.wire, "set_deadline", allowed.append)
        with connection.confirming(lambda: 0.0):
            with connection.confirming(lambda: 0.0):
                pass
            assert allowed == [LATEST, LATEST]

    within(sandbox(), main)
    assert allowed == [LATEST, LATEST, 0.0]
