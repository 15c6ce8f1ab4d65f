"""What `check` says of a HighLevel connection, and how its budget is kept."""

from __future__ import annotations

import httpx
import pytest

from adapters.highlevel.adapter import HighLevelAdapter
from adapters.highlevel.sandbox import HighLevelSandbox
from adapters.sandbox import Fault
from syncer.contract.errors import BudgetSpent
from tests.support.clock import virtual_loop
from tests.support.highlevel_kit import (  # noqa: F401 - fixtures
    a_clock,
    a_contact,
    a_sandbox,
    answers,
    asking,
    bodies,
    draft,
    ref,
    using,
)


class TestCheck:
    def test_all_is_well(self, sandbox: HighLevelSandbox) -> None:
        checks = asking(sandbox, lambda adapter: adapter.check())
        assert [check.ok for check in checks] == [True, True]
        assert "locations/tasks.readonly" in checks[0].detail
        assert "contacts.write" in checks[1].detail
        assert "none yet" in checks[0].detail
        assert not any(sandbox.is_write(call) for call, _ in sandbox.calls)
        assert [body.get("limit", body.get("pageLimit")) for body in bodies(sandbox)] == [1, 1]

    @pytest.mark.parametrize(("scope", "place"), [("locations/tasks.readonly", 0), ("contacts.readonly", 1)])
    def test_a_missing_scope(self, sandbox: HighLevelSandbox, scope: str, place: int) -> None:
        sandbox.scopes = sandbox.scopes - {scope}
        checks = asking(sandbox, lambda adapter: adapter.check())
        assert [check.ok for check in checks] == [place != 0, place != 1]
        assert scope in checks[place].advice
        assert "Settings > Private Integrations" in checks[place].advice

    @pytest.mark.parametrize(
        ("answer", "advice"),
        [
            (httpx.Response(401, json={"message": "Invalid token: access token is invalid"}), "highlevel.token"),
            (httpx.Response(403, content=b"error code: 1010"), "Cloudflare"),
            (httpx.Response(503), "try again"),
            (httpx.Response(429, headers={"retry-after": "3600"}), "no more requests for now"),
            (httpx.Response(404, json={"message": "Cannot POST /x"}), "base_url"),
            (httpx.Response(200, content=b"<html>"), "base_url"),
        ],
    )
    def test_other_troubles(self, answer: httpx.Response, advice: str) -> None:
        checks = using(answers(answer), lambda adapter: adapter.check())
        assert [check.ok for check in checks] == [False, False]
        assert all(advice in check.advice for check in checks)


class TestBudget:
    def test_a_429_waits_for_the_interval(self, sandbox: HighLevelSandbox, contact: str) -> None:
        throttled = iter([True, True, False])
        sandbox.fault = lambda _call: Fault.THROTTLED if next(throttled) else None

        async def talk(adapter: HighLevelAdapter) -> float:
            await adapter.get_contact(contact)
            return virtual_loop().time()

        assert asking(sandbox, talk) == pytest.approx(20.0, abs=0.1)

    def test_a_429_that_tells_nothing_waits_ten_seconds(self) -> None:
        async def talk(adapter: HighLevelAdapter) -> float:
            await adapter.get_contact("C1")
            return virtual_loop().time()

        transport = answers(httpx.Response(429), {"contact": {"id": "C1"}})
        assert using(transport, talk) == pytest.approx(10.0, abs=0.1)

    def test_the_run_does_not_wait_beyond_its_end(self) -> None:
        async def talk(adapter: HighLevelAdapter) -> None:
            adapter.wire.set_deadline(5)
            await adapter.get_contact("C1")

        with pytest.raises(BudgetSpent):
            using(answers(httpx.Response(429)), talk)

    def test_reads_and_writes_are_counted(self, sandbox: HighLevelSandbox, contact: str) -> None:
        async def talk(adapter: HighLevelAdapter) -> tuple[int, int]:
            made = await adapter.create_task(draft(contact))
            await adapter.complete_task(ref(made.remote_id, contact))
            await adapter.list_tasks()
            await adapter.list_contacts()
            return adapter.wire.reads, adapter.wire.writes

        assert asking(sandbox, talk) == (3, 2)
