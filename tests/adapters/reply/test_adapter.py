"""Reply's adapter before its sandbox: tasks made, read and completed, and what goes wrong."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.reply.adapter import ReplyAdapter
from adapters.sandbox import Fault
from syncer.contract.adapter import Completes, ListsTasks
from syncer.contract.errors import AdapterError, Ambiguous, BadAnswer, InDoubt, Missing, NotSent, Refused, Unauthorized
from syncer.contract.settings import Rate
from syncer.domain.model import Kind, Record, State
from tests.support import reply_world
from tests.support.clock import run_virtual
from tests.support.reply_world import DUE, MARKER, WHOLE, ReplyWorld, answering, draft, page, ref

DIALECTS = ["integers", "strings"]


@pytest.mark.parametrize("auth", ["x-api-key", "bearer"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_task_is_made_listed_read_and_completed_in_every_dialect(dialect: str, auth: str) -> None:
    world = ReplyWorld(sandbox={"dialect": dialect, "auth": auth, "strict": True}, dialect=dialect, auth=auth)
    contact = world.crm.add_contact("Asha")

    async def scenario() -> None:
        assert (await world.reply.identity()).id == "41"
        made = await world.reply.create_task(draft(contact))
        assert (made.title, made.body, made.marker) == ("Call about the visit", "Bring the plan", MARKER)
        assert (made.contact, made.due, made.raw_type, made.state) == (contact, DUE, "Call", State.OPEN)
        assert await world.reply.get_task(ref(made.remote_id)) == made
        (listed,) = (await world.reply.list_tasks()).rows
        assert (listed.remote_id, listed.contact, listed.due, listed.whole) == (made.remote_id, contact, DUE, False)
        done = await world.reply.complete_task(ref(made.remote_id))
        assert (done.remote_id, done.state, done.marker) == (made.remote_id, State.DONE, MARKER)
        assert (await world.reply.list_tasks()).rows == ()
        await world.reply.aclose()

    asyncio.run(scenario())
    assert world.sent("/tasks")["startAt"] == "2026-05-19T08:30:00Z"


def test_braces_from_elsewhere_survive_the_rendering_of_a_finished_task() -> None:
    world = ReplyWorld()
    contact = world.crm.add_contact("Asha")

    async def scenario() -> tuple[str | None, str | None]:
        made = await world.reply.create_task(draft(contact, title="Say {{firstName}}", body="and {{{ x }}}"))
        done = await world.reply.complete_task(ref(made.remote_id))
        assert (done.title, done.body, done.marker) == (made.title, made.body, MARKER)
        return done.title, done.body

    title, body = asyncio.run(scenario())
    assert (title, body) == ("Say {{firstName}}", "and {{{ x }}}")


def test_a_draft_that_reply_cannot_take_is_refused_before_it_is_sent() -> None:
    world = ReplyWorld()
    with pytest.raises(Refused, match="due before 2015"):
        asyncio.run(world.reply.create_task(draft("7", due=datetime(1970, 1, 1, tzinfo=UTC))))
    assert world.crm.calls == []


def test_a_create_for_an_unknown_contact_is_refused_in_replys_words() -> None:
    world = ReplyWorld()
    with pytest.raises(Refused, match=r"contactId is no contact.*validationFailed"):
        asyncio.run(world.reply.create_task(draft("999")))


@pytest.mark.parametrize("status", [400, 404, 409, 422])
def test_a_4xx_on_a_create_is_a_refusal(status: int) -> None:
    problem = {"title": "No", "status": status, "detail": "Such is life", "code": "task.no"}
    with pytest.raises(Refused, match=r"Such is life task\.no") as caught:
        asyncio.run(answering(problem, status=status).create_task(draft("7")))
    assert caught.value.status == status


@pytest.mark.parametrize("body", [{}, {"id": None}, [], b"", b"<html>", {**WHOLE, "status": 2}])
def test_a_success_that_cannot_be_read_is_in_doubt(body: Any) -> None:
    for call in (answering(body).create_task(draft("7")), answering(body).complete_task(ref("5"))):
        with pytest.raises(InDoubt):
            asyncio.run(call)


@pytest.mark.parametrize(
    ("fault", "error", "happened"),
    [
        (Fault.NO_CONNECTION, NotSent, False),
        (Fault.LOST_REQUEST, InDoubt, False),
        (Fault.LOST_ANSWER, InDoubt, True),
        (Fault.ERROR_AFTER, InDoubt, True),
        (Fault.TRUNCATED, InDoubt, True),
    ],
)
def test_a_lost_write_is_never_repeated(fault: Fault, error: type[AdapterError], *, happened: bool) -> None:
    world = ReplyWorld()
    contact = world.crm.add_contact("Asha")
    world.crm.fault = lambda _call: fault
    with pytest.raises(error):
        run_virtual(world.reply.create_task(draft(contact)))
    assert len(world.crm.tasks()) == happened
    assert len(world.crm.calls) <= 1


@pytest.mark.parametrize(
    ("status", "failed", "state"),
    [
        ("New", False, State.OPEN),
        ("New", True, State.OPEN),
        ("Finished", False, State.DONE),
        ("Finished", True, State.CANCELLED),
        ("Cancelled", False, State.CANCELLED),
        ("Archived", False, State.CANCELLED),
        ("SequenceDetached", False, State.CANCELLED),
    ],
)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_state_of_every_status(dialect: str, status: str, state: State, *, failed: bool) -> None:
    world = ReplyWorld(sandbox={"dialect": dialect})
    task_id = world.crm.person_creates(None, "Call", DUE)
    world.crm.person_completes(task_id, failed=failed)
    world.crm.person_cancels(task_id, status)
    assert asyncio.run(world.reply.get_task(ref(task_id))).state is state


def test_a_status_that_nobody_knows_is_a_bad_answer() -> None:
    world = ReplyWorld()
    task_id = world.crm.person_creates(None, "Call", DUE)
    world.crm.person_cancels(task_id, "2")
    with pytest.raises(BadAnswer, match="unknown task status 2"):
        asyncio.run(world.reply.get_task(ref(task_id)))


def test_a_sequences_task_and_a_scheduled_one_are_told_apart() -> None:
    world = ReplyWorld()
    owned = world.crm.person_creates(None, "Call", DUE, sequence=5)
    scheduled = world.crm.person_creates(None, "Sms", DUE, scheduled=True)
    first, second = (asyncio.run(world.reply.get_task(ref(task_id))) for task_id in (owned, scheduled))
    assert (first.sequence, first.mirrored) == (True, True)
    assert (second.sequence, second.mirrored) == (False, False)
    by_source = asyncio.run(answering({**WHOLE, "creationSource": "Sequence"}).get_task(ref("5")))
    assert by_source.sequence


def test_a_deleted_task_is_missing() -> None:
    world = ReplyWorld()
    task_id = world.crm.person_creates(None, "Call", DUE)
    world.crm.person_deletes(task_id)
    for call in (world.reply.get_task(ref(task_id)), world.reply.complete_task(ref(task_id))):
        with pytest.raises(Missing, match=r"task\.notFound"):
            asyncio.run(call)


def test_a_key_that_is_refused_stops_every_call() -> None:
    world = ReplyWorld(sandbox={"api_key": "another"})
    with pytest.raises(Unauthorized) as caught:
        asyncio.run(world.reply.identity())
    assert (caught.value.status, caught.value.words) == (401, "Unauthorized")
    with pytest.raises(Unauthorized, match="insufficient_scope"):
        asyncio.run(answering({"code": "insufficient_scope"}, status=403).get_task(ref("5")))


@pytest.mark.parametrize("body", [{}, {"userId": None}, {"userId": True}, {"userId": ""}, {"userId": [1]}, []])
def test_a_user_that_cannot_be_read_is_a_bad_answer(body: Any) -> None:
    with pytest.raises(BadAnswer):
        asyncio.run(answering(body).identity())


def test_contacts_are_read_by_id_and_created_once() -> None:
    world = ReplyWorld()
    wanted = Record("highlevel", "h1", "Asha B", ("+919876543210",), ("asha@example.com",))
    made = asyncio.run(world.reply.create_contact(wanted))
    assert made == Record("reply", made.remote_id, wanted.name, wanted.phones, wanted.emails)
    assert asyncio.run(world.reply.get_contact(made.remote_id)) == made
    assert asyncio.run(world.reply.create_contact(wanted)) == made
    assert len(world.crm.contacts()) == 1
    with pytest.raises(Missing):
        asyncio.run(world.reply.get_contact("999"))


def test_another_contact_than_the_requested_one_is_a_bad_answer() -> None:
    with pytest.raises(BadAnswer, match="contact 8 instead of contact 7"):
        asyncio.run(answering({"id": 8, "email": "asha@example.com"}).get_contact("7"))


def test_a_contact_is_not_created_where_two_have_its_email_or_reply_refuses() -> None:
    world = ReplyWorld()
    for name in ("Asha", "Ben"):
        world.crm.add_contact(name, "asha@example.com")
    with pytest.raises(Ambiguous, match="2 contacts") as caught:
        asyncio.run(world.reply.create_contact(Record("", "", "Asha", (), ("asha@example.com",))))
    assert caught.value.contacts == tuple(str(one.id) for one in world.crm.contacts())
    with pytest.raises(Refused, match="email or linkedInUrl is required"):
        asyncio.run(world.reply.create_contact(Record("", "", "Asha", ("+919876543210",))))


def test_a_contacts_answer_that_is_only_an_id_is_completed_from_what_was_sent() -> None:
    wanted = Record("", "", "Asha", ("+919876543210", "+919876543211"))
    made = asyncio.run(answering({"id": 5}).create_contact(wanted))
    assert made == Record("reply", "5", "Asha", ("+919876543210",))


def test_a_contacts_answer_about_somebody_else_is_in_doubt() -> None:
    wanted = Record("", "", "Asha", ("+919876543210",), ("asha@example.com",))
    for other in ({"email": "ben@example.com"}, {"phone": "+919876543211"}):
        with pytest.raises(InDoubt, match="none of the keys"):
            asyncio.run(answering(page(), {"id": 5, **other}).create_contact(wanted))


def test_a_contact_that_is_there_is_not_changed() -> None:
    world = ReplyWorld()
    there = world.crm.add_contact("Asha", "asha@example.com", "+919876543210")
    before = world.crm.contacts()
    wanted = Record("", "", "Somebody Else", ("+919876543211",), ("asha@example.com",))
    assert asyncio.run(world.reply.create_contact(wanted)).remote_id == there
    assert world.crm.contacts() == before


def test_the_checks_of_a_good_key() -> None:
    checks = asyncio.run(ReplyWorld().reply.check())
    assert [(check.what, check.ok) for check in checks] == [
        ("key", True),
        ("tasks", True),
        ("contacts", True),
        ("team", True),
    ]
    assert "tasks:operate" in checks[1].detail
    assert checks[3].detail == "41 Asha"


@pytest.mark.parametrize(
    ("status", "body", "advice"),
    [
        (401, b"", "Settings > API Key"),
        (403, {"title": "insufficient_scope"}, "contacts:read"),
        (503, b"", "check base_url"),
        (429, {"code": "rateLimit.exceeded"}, "no more requests for now"),
        (404, {"code": "page.notFound"}, "API version 3"),
        (404, b"<html>", "base_url"),
    ],
)
def test_the_checks_say_what_to_do(status: int, body: Any, advice: str) -> None:
    key, _tasks, contacts, team = run_virtual(answering(body, status=status).check())
    assert not key.ok
    assert not contacts.ok
    assert advice in contacts.advice
    assert team.ok is None


def test_the_check_finds_a_dialect_that_reply_does_not_take() -> None:
    world = ReplyWorld(sandbox={"dialect": "strings", "strict": True}, dialect="integers")
    checks = {check.what: check for check in asyncio.run(world.reply.check())}
    assert not checks["tasks"].ok
    assert "set dialect" in checks["tasks"].advice
    assert checks["contacts"].ok


def test_the_answer_about_another_task_is_none() -> None:
    with pytest.raises(BadAnswer, match="the answer has task 5 instead of task 6"):
        asyncio.run(answering(WHOLE).get_task(ref("6")))
    with pytest.raises(InDoubt, match="instead of task 6"):
        asyncio.run(answering({**WHOLE, "status": 1}).complete_task(ref("6")))


@pytest.mark.parametrize("team", [None, 5, {}, {"items": [{"id": 3, "name": "Ben"}, 7]}, [{}], [[]]])
def test_the_check_of_the_team_takes_any_shape(team: Any) -> None:
    checks = asyncio.run(answering({"userId": 1}, {"items": [], "hasMore": False}, [], team).check())
    assert checks[-1].ok
    assert checks[-1].detail in {"", "3 Ben"}


def test_the_capabilities_follow_the_settings() -> None:
    usual = ReplyWorld().reply.capabilities
    assert (usual.lists_tasks, usual.completes, usual.creates) == (ListsTasks.ALL, Completes.TASK, frozenset(Kind))
    assert usual.completes_sequences
    assert Kind.EMAIL not in usual.completes_kinds
    assert (usual.exclusive, usual.lane, usual.contact_keys) == (frozenset(), None, ("email",))
    narrow = ReplyWorld(sequence_tasks="read_only", complete_kinds=["email"]).reply.capabilities
    assert not narrow.completes_sequences
    assert narrow.completes_kinds == {Kind.EMAIL}


def test_the_settings_have_replys_limits_and_refuse_what_they_do_not_know() -> None:
    given_settings = ReplyAdapter.settings_model.model_validate({"api_key": reply_world.settings().api_key})
    assert given_settings.rate == (Rate(100, 60.0), Rate(3000, 3600.0))
    assert given_settings.base_url == "https://api.reply.io/v3"
    for wrong in ({"call_resolution": 3}, {"call_resolution": True}, {"complete_kinds": ["call"]}, {"dialects": "x"}):
        with pytest.raises(ValidationError):
            reply_world.settings(**wrong)
