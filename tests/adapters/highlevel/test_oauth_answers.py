"""HighLevel by OAuth: an answer to a renewal that cannot be read, or not as a whole, costs no refresh token."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.sandbox import Call, Reply
from syncer.contract.errors import Unauthorized, Unavailable
from tests.support.highlevel_kit import LOCATION
from tests.support.oauth_world import DAY, OAuthWorld, played


@pytest.fixture
def world(tmp_path: Path) -> OAuthWorld:
    return OAuthWorld(tmp_path)


class Garbled:
    """The token endpoint, whose answers are changed on their way: ``change`` gets and gives the body's fields."""

    def __init__(self, world: OAuthWorld, monkeypatch: pytest.MonkeyPatch) -> None:
        self.change: Callable[[dict[str, Any]], object] | None = None
        self._answer = world.sandbox.oauth.answer
        monkeypatch.setattr(world.sandbox.oauth, "answer", self)

    def __call__(self, call: Call) -> Reply:
        reply = self._answer(call)
        if self.change is None or reply.status != 200:
            return reply
        body = self.change(json.loads(reply.body))
        return replace(reply, body=body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.fixture
def garbled(world: OAuthWorld, monkeypatch: pytest.MonkeyPatch) -> Garbled:
    return Garbled(world, monkeypatch)


@pytest.mark.parametrize(
    "body", [b"<html>", b"{}", b'{"access_token": "acc', b'{"access_token": 5, "refresh_token": []}']
)
def test_an_answer_to_a_renewal_that_cannot_be_read_rejects_no_refresh_token(
    world: OAuthWorld, garbled: Garbled, body: bytes
) -> None:
    """People were told to authorise the app again, though the next renewal may succeed."""

    async def work() -> None:
        adapter = world.adapter()
        garbled.change = lambda _fields: body
        with pytest.raises(Unavailable, match="could not be renewed: the answer has no token that can be read") as told:
            await adapter.list_contacts()
        assert "acc" not in str(told.value).replace("access", "")
        garbled.change = None
        await adapter.list_contacts()
        assert len(world.sandbox.oauth.grants) == 1

    played(work)


def test_a_refresh_token_that_an_unreadable_answer_used_up_says_what_to_do(world: OAuthWorld, garbled: Garbled) -> None:
    async def work() -> None:
        adapter = world.adapter()
        garbled.change = lambda _fields: b"<html>"
        with pytest.raises(Unavailable):
            await adapter.list_contacts()
        garbled.change = None
        await asyncio.sleep(60)
        with pytest.raises(Unauthorized, match="could not be read, may have used it up; authorise the app again"):
            await adapter.list_contacts()

    played(work)


@pytest.mark.parametrize("lifetime", ["soon", -1, 1e300, None])
def test_tokens_are_used_and_kept_though_their_lifetime_cannot_be_read(
    world: OAuthWorld, garbled: Garbled, lifetime: object
) -> None:
    async def work() -> None:
        garbled.change = lambda fields: fields | {"expires_in": lifetime}
        await world.adapter().list_contacts()
        assert json.loads(world.file.read_text())["refresh_token"] == "refresh-1"

    played(work)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("access", [5, "two words", ""])
def test_a_new_refresh_token_is_kept_though_the_access_token_beside_it_cannot_be_read(
    world: OAuthWorld, garbled: Garbled, access: object, *, first: bool
) -> None:
    """The renewal used the old refresh token up, and the new one was thrown away with the rest."""

    async def work() -> None:
        adapter = world.adapter()
        if not first:
            await adapter.list_contacts()
            await asyncio.sleep(DAY * 0.95)
        garbled.change = lambda fields: fields | {"access_token": access}
        if first:
            with pytest.raises(Unavailable, match="the access token could not be renewed"):
                await adapter.list_contacts()
        else:
            await adapter.list_contacts()
        newest = world.sandbox.oauth.refresh_token
        assert json.loads(world.file.read_text())["refresh_token"] == newest
        garbled.change = None
        await asyncio.sleep(3600)
        await world.adapter().list_contacts()
        await adapter.list_contacts()
        assert json.loads(world.file.read_text())["refresh_token"] != newest

    played(work)


@pytest.mark.parametrize("refresh", [None, "", 5])
def test_an_access_token_is_used_though_no_refresh_token_is_beside_it(
    world: OAuthWorld, garbled: Garbled, refresh: object
) -> None:
    """A server may leave it out, and then the old one stays valid."""

    async def work() -> None:
        garbled.change = lambda fields: fields | {"refresh_token": refresh}
        await world.adapter().list_contacts()
        assert json.loads(world.file.read_text())["refresh_token"] == "refresh-0"

    played(work)


def test_tokens_of_another_location_that_cannot_be_stored_reject_no_refresh_token(tmp_path: Path) -> None:
    world = OAuthWorld(tmp_path)
    (tmp_path / f"highlevel-{LOCATION}.tokens").symlink_to(tmp_path / "elsewhere")

    async def work() -> None:
        adapter = world.adapter(location_id="elsewhere", token_file=tmp_path / "highlevel-elsewhere.tokens")
        with pytest.raises((Unauthorized, Unavailable)) as told:
            await adapter.list_contacts()
        assert "refresh token was rejected" not in str(told.value)

    played(work)
