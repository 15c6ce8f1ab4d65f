"""HighLevel by OAuth: tokens are renewed ahead of time, one renewal at a time, stored before they are used."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from adapters.highlevel.adapter import HighLevelAdapter
from adapters.highlevel.sandbox_store import refusal
from adapters.highlevel.settings import HighLevelSettings
from adapters.sandbox import Fault
from syncer.contract.errors import Forbidden, NotSent, Unauthorized, Unavailable
from syncer.domain.redact import redact
from tests.support.clock import virtual_loop
from tests.support.highlevel_kit import LOCATION, draft
from tests.support.oauth_world import DAY, OAuthWorld, played


@pytest.fixture
def world(tmp_path: Path) -> OAuthWorld:
    return OAuthWorld(tmp_path)


def test_the_first_request_brings_tokens_which_are_stored_in_a_private_file(world: OAuthWorld) -> None:
    async def work() -> None:
        await world.adapter().list_contacts()
        assert world.renewals == 1
        stored = json.loads(world.file.read_text())
        assert stored["refresh_token"] == "refresh-1"
        assert stat.S_IMODE(world.file.stat().st_mode) == 0o600
        assert redact(f"{stored['access_token']} refresh-1 client-secret refresh-0") == " ".join(["[secret]"] * 4)
        await world.adapter().list_contacts()
        assert world.renewals == 1, "another process uses what is stored"

    played(work)


def test_many_requests_at_once_make_one_renewal(world: OAuthWorld) -> None:
    async def work() -> None:
        adapter = world.adapter()
        await asyncio.gather(*(adapter.list_contacts() for _ in range(5)), world.adapter().list_contacts())
        assert world.renewals == 1

    played(work)


def test_what_is_stored_is_used_while_another_process_renews(world: OAuthWorld) -> None:
    async def work() -> None:
        await world.adapter().list_contacts()
        lock = os.open(world.file.with_name(f".{world.file.name}.lock"), os.O_RDWR)
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            began = virtual_loop().time()
            await world.adapter().list_contacts()
            assert virtual_loop().time() - began < 1
        finally:
            os.close(lock)

    played(work)


def test_tokens_are_renewed_ahead_of_time_and_never_more_than_that(world: OAuthWorld) -> None:
    async def work() -> None:
        adapter = world.adapter()
        for _ in range(60):
            await adapter.list_contacts()
            await asyncio.sleep(DAY / 20)
        assert world.renewals == 4
        assert [status for _, status in world.sandbox.calls if status == 401] == []

    played(work)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give files away")
def test_what_root_renews_by_hand_can_be_renewed_by_the_service_too(world: OAuthWorld) -> None:
    async def work() -> None:
        await world.adapter().list_contacts()
        lock = world.file.with_name(f".{world.file.name}.lock")
        lock.unlink()
        os.chown(world.file, 65534, 65534)
        await asyncio.sleep(DAY)
        await world.adapter().list_contacts()
        assert world.renewals == 2
        assert [file.stat().st_uid for file in (world.file, lock)] == [65534, 65534]

    played(work)


def test_while_the_old_token_is_good_a_renewal_that_fails_stops_nothing(world: OAuthWorld) -> None:
    async def work() -> None:
        adapter = world.adapter()
        await adapter.list_contacts()
        world.sandbox.fault = lambda call: Fault.ERROR_BEFORE if call.path == "/oauth/token" else None
        await asyncio.sleep(DAY * 0.95)
        await adapter.list_contacts()
        await asyncio.sleep(DAY * 0.1)
        with pytest.raises(Unavailable, match="the access token could not be renewed"):
            await adapter.list_contacts()
        world.sandbox.fault = lambda _call: None
        await adapter.list_contacts()

    played(work)


def test_a_token_that_was_revoked_is_renewed_once_and_the_request_is_sent_again(world: OAuthWorld) -> None:
    async def work() -> None:
        adapter = world.adapter()
        contact = world.sandbox.add_contact("Asha", "Rao", "asha@example.com", "+919876543210")
        await adapter.list_contacts()
        world.sandbox.oauth.person_revokes()
        await adapter.create_task(draft(contact))
        assert (world.renewals, len(world.sandbox.tasks())) == (2, 1)
        world.sandbox.fault = lambda call: Fault.UNAUTHORIZED if call.path != "/oauth/token" else None
        with pytest.raises(Unauthorized):
            await adapter.list_contacts()
        assert world.renewals == 3

    played(work)


def test_a_scope_that_is_missing_is_no_reason_to_renew(world: OAuthWorld) -> None:
    async def work() -> None:
        adapter = world.adapter()
        await adapter.list_contacts()
        world.sandbox.scopes = frozenset()
        with pytest.raises(Forbidden):
            await adapter.list_contacts()
        assert world.renewals == 1

    played(work)


def test_a_lost_answer_to_a_renewal_is_asked_for_again(world: OAuthWorld) -> None:
    async def work() -> None:
        lost = iter([Fault.LOST_ANSWER])
        world.sandbox.fault = lambda call: next(lost, None) if call.path == "/oauth/token" else None
        await world.adapter().list_contacts()
        assert (world.renewals, len(world.sandbox.oauth.grants)) == (2, 1)

    played(work)


def test_new_tokens_that_cannot_be_stored_are_not_used_and_not_lost(world: OAuthWorld) -> None:
    async def work() -> None:
        contact = world.sandbox.add_contact("Asha", "Rao", "asha@example.com", "+919876543210")
        adapter = world.adapter()
        world.file.symlink_to(world.file.with_name("elsewhere"))
        with pytest.raises(NotSent, match="cannot be"):
            await adapter.create_task(draft(contact))
        world.file.unlink()
        await adapter.create_task(draft(contact))
        assert len(world.sandbox.oauth.grants) == 1
        assert json.loads(world.file.read_text())["refresh_token"] == "refresh-1"
        assert not world.file.with_name("elsewhere").exists()

    played(work)


def test_a_refresh_token_that_is_not_good_any_more_says_what_to_do(world: OAuthWorld) -> None:
    async def work() -> None:
        with pytest.raises(Unauthorized, match="authorise the app again"):
            await world.adapter(refresh_token=SecretStr("an old one")).list_contacts()
        checks = await world.adapter(client_secret=SecretStr("wrong")).check()
        assert [check.ok for check in checks] == [False, False]
        assert "Invalid client credentials!" in checks[0].detail

    played(work)


def test_a_renewal_for_which_the_server_gave_up_waiting_rejects_no_refresh_token(
    world: OAuthWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        monkeypatch.setattr(world.sandbox.oauth, "answer", lambda _call: refusal(408, "Request Timeout"))
        with pytest.raises(Unavailable, match="the access token could not be renewed: Request Timeout"):
            await world.adapter().list_contacts()

    played(work)


def test_a_new_refresh_token_in_the_account_file_counts_before_what_is_stored(world: OAuthWorld) -> None:
    async def work() -> None:
        await world.adapter().list_contacts()
        world.sandbox.oauth.refresh_token = "authorised-again"
        await world.adapter(refresh_token=SecretStr("authorised-again")).list_contacts()
        assert world.renewals == 2

    played(work)


def test_tokens_of_another_location_are_refused(world: OAuthWorld) -> None:
    async def work() -> None:
        with pytest.raises(Unauthorized, match="location_id is elsewhere"):
            await world.adapter(location_id="elsewhere").list_contacts()

    played(work)


def test_a_wrong_location_costs_no_refresh_token(tmp_path: Path) -> None:
    """A renewal uses the token up, and its answer says whose it is: the next one is stored for that location."""
    world = OAuthWorld(tmp_path)

    def adapter(location: str) -> HighLevelAdapter:
        return world.adapter(location_id=location, token_file=tmp_path / f"highlevel-{location}.tokens")

    async def work() -> None:
        with pytest.raises(Unauthorized, match="location_id is elsewhere"):
            await adapter("elsewhere").list_contacts()
        await asyncio.sleep(3600)
        await adapter(LOCATION).list_contacts()
        assert world.renewals == 1

    played(work)
    assert [file.name for file in tmp_path.glob("highlevel-*")] == [f"highlevel-{LOCATION}.tokens"]


def test_tokens_from_another_refresh_token_are_not_replaced_by_a_wrong_location(tmp_path: Path) -> None:
    world = OAuthWorld(tmp_path)
    file = tmp_path / f"highlevel-{LOCATION}.tokens"

    async def work() -> None:
        await world.adapter(token_file=file).list_contacts()
        before = file.read_text()
        world.sandbox.oauth.refresh_token = "refresh-x"
        more = {"location_id": "elsewhere", "token_file": tmp_path / "highlevel-elsewhere.tokens"}
        with pytest.raises(Unauthorized):
            await world.adapter(refresh_token=SecretStr("refresh-x"), **more).list_contacts()
        assert file.read_text() == before

    played(work)


def test_a_token_file_that_others_can_read_or_that_is_none_of_ours_is_refused(world: OAuthWorld) -> None:
    async def work() -> None:
        await world.adapter().list_contacts()
        world.file.chmod(0o644)
        with pytest.raises(Unavailable, match="chmod 600"):
            await world.adapter().list_contacts()
        world.file.chmod(0o600)
        world.file.write_text("{}")
        with pytest.raises(Unavailable, match="is not from syncer"):
            await world.adapter().list_contacts()

    played(work)


def test_a_clock_that_is_wrong_renews_once_and_no_more(world: OAuthWorld) -> None:
    async def work() -> None:
        await world.adapter().list_contacts()
        adapter = world.adapter()
        assert adapter._tokens is not None
        adapter._tokens.authorization._clock = lambda: virtual_loop().now() + timedelta(days=3650)
        for _ in range(5):
            await adapter.list_contacts()
        assert world.renewals == 2

    played(work)


@pytest.mark.parametrize("app", [{}, {"client_id": "c"}, {"token": SecretStr("t"), "client_id": "c"}])
def test_there_is_one_way_in(app: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="expected either token, or client_id, client_secret and refresh_token"):
        HighLevelSettings(location_id=LOCATION, **app)


def test_the_file_lies_beside_the_account_file_and_is_the_location_s() -> None:
    context = {"folder": Path("/etc/accounts"), "secrets": False}
    table = {"client_id": "c", "client_secret": "env:A", "refresh_token": "env:B", "location_id": LOCATION}
    found = HighLevelSettings.model_validate(table, context=context)
    assert found.token_file == Path(f"/etc/accounts/highlevel-{LOCATION}.tokens")
