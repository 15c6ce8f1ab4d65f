"""A renewal of HighLevel's tokens ends with the run, and its answer is kept even if nobody waits for it any more."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from adapters.highlevel.sandbox_store import refusal
from adapters.http.sandbox_transport import SandboxTransport
from adapters.sandbox import Call, Reply
from syncer.contract.errors import BudgetSpent
from tests.support.highlevel_kit import draft
from tests.support.oauth_world import DAY, OAuthWorld, played


class SlowTokens(SandboxTransport):
    """The answer to a renewal takes this many seconds."""

    seconds = 0.0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        if request.url.path == "/oauth/token":
            await asyncio.sleep(self.seconds)
        return answer


@pytest.fixture
def world(tmp_path: Path) -> OAuthWorld:
    return OAuthWorld(tmp_path)


def now() -> float:
    return asyncio.get_running_loop().time()


def throttle_renewals(world: OAuthWorld, monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    def answer(_call: Call) -> Reply:
        busy = refusal(429, "Too many requests")
        return Reply(busy.status, busy.body, {**busy.headers, "retry-after": str(seconds)})

    monkeypatch.setattr(world.sandbox.oauth, "answer", answer)


def test_a_renewal_that_must_wait_beyond_the_end_of_the_run_is_not_waited_for(
    world: OAuthWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token is revoked in the middle of a run, and the token endpoint asks for a pause of an hour."""

    async def work() -> None:
        adapter = world.adapter()
        contact = world.sandbox.add_contact("Asha", "Rao", "asha@example.com", "+919876543210")
        await adapter.list_contacts()
        world.sandbox.oauth.person_revokes()
        throttle_renewals(world, monkeypatch, 3000)
        adapter.wire.set_deadline(60.0)
        began = now()
        with pytest.raises(BudgetSpent):
            await adapter.create_task(draft(contact))
        assert now() - began < 1
        assert not world.sandbox.tasks()

    played(work)


def test_a_renewal_that_waits_ends_with_a_signal(world: OAuthWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        adapter = world.adapter()
        throttle_renewals(world, monkeypatch, 3000)
        reading = asyncio.ensure_future(adapter.list_contacts())
        await asyncio.sleep(20)
        began = now()
        adapter.wire.set_deadline(0.0)
        with pytest.raises(BudgetSpent):
            await reading
        assert now() - began < 2

    played(work)


def test_while_the_old_token_is_good_a_renewal_for_which_there_is_no_time_stops_nothing(
    world: OAuthWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        adapter = world.adapter()
        await adapter.list_contacts()
        await asyncio.sleep(DAY * 0.95)
        throttle_renewals(world, monkeypatch, 3000)
        adapter.wire.set_deadline(60.0)
        await adapter.list_contacts()

    played(work)


def test_a_renewal_in_flight_is_stored_though_its_request_is_cancelled(world: OAuthWorld) -> None:
    """A used refresh token works for half a minute more. After that somebody would have to authorise the app again."""

    async def work() -> None:
        SlowTokens.seconds = 3.0
        adapter = world.adapter(SlowTokens(world.sandbox))
        reading = asyncio.ensure_future(adapter.list_contacts())
        await asyncio.sleep(1)
        reading.cancel()
        await asyncio.wait({reading})
        assert reading.cancelled()
        assert json.loads(world.file.read_text())["refresh_token"] == "refresh-1"
        await asyncio.sleep(3600)
        await world.adapter().list_contacts()

    played(work)


def test_a_cancelled_renewal_whose_answer_does_not_come_is_waited_for_some_seconds_only(world: OAuthWorld) -> None:
    async def work() -> None:
        SlowTokens.seconds = 10_000.0
        reading = asyncio.ensure_future(world.adapter(SlowTokens(world.sandbox)).list_contacts())
        await asyncio.sleep(1)
        reading.cancel()
        began = now()
        await asyncio.wait({reading})
        assert reading.cancelled()
        assert now() - began < 8.5

    played(work)
