"""A task that anybody makes appears wherever its route leads, and is done everywhere once it is done anywhere."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from adapters.http.sandbox_transport import SandboxTransport
from tests.support.scenario import Make, details, waiting

SYSTEMS = ("superfone", "reply", "highlevel")
IN_REPLY = {
    "FOLLOW_UP_CALL": "Call",
    "FIRST_CALL": "Call",
    "CALLBACK_REQUEST": "Call",
    "SITE_VISIT": "Meeting",
    "BOOKING": "Meeting",
    "REMINDER": "ToDo",
}
IN_SUPERFONE = {"Call": "FOLLOW_UP_CALL", "Meeting": "SITE_VISIT", "ToDo": "REMINDER"}
RULES = """
[[highlevel.kind_rules]]
match = "(?i)call ?back"
kind = "callback"
[[highlevel.kind_rules]]
match = "(?i)visit"
kind = "site_visit"
[[highlevel.kind_rules]]
match = "(?i)remember"
kind = "reminder"
[[highlevel.kind_rules]]
match = "(?i)mail"
kind = "email"
"""


@pytest.mark.parametrize("done_in", SYSTEMS)
@pytest.mark.parametrize("raw_type", IN_REPLY)
def test_a_superfone_task_goes_round(stage: Make, raw_type: str, done_in: str) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    due = world.due()
    world.superfone.person_creates(lead, raw_type, due, title="About the flat")

    report = world.good()

    assert dict(report.created) == {"superfone": 0, "reply": 1, "highlevel": 1}
    [call], [task] = world.reply_open(), world.highlevel_open()
    assert (call.task_type, call.due_to, call.start_at < due) == (IN_REPLY[raw_type], due, True)
    assert call.template["body"].startswith("About the flat\n")
    assert (task.title, task.due) == ("About the flat", due.strftime("%Y-%m-%dT%H:%M:%S.000Z"))
    world.quiet()

    world.complete_in(done_in)
    report = world.good()

    assert world.open() == (0, 0, 0)
    assert sum(report.completed.values()) == 2
    assert report.completed[done_in] == 0
    world.quiet()


@pytest.mark.parametrize("done_in", SYSTEMS)
@pytest.mark.parametrize("task_type", IN_SUPERFONE)
@pytest.mark.parametrize("sequence", [None, 77])
def test_a_reply_task_goes_round(stage: Make, task_type: str, done_in: str, sequence: int | None) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    due, text = world.due(), "Ring Asha\nShe asked about parking"
    world.reply.person_creates(contact, task_type, due, text, sequence=sequence)

    world.good()

    [made] = world.superfone_open()
    assert (made.type, made.due, made.note) == (IN_SUPERFONE[task_type], due, text)
    assert [task.title for task in world.highlevel_open()] == ["Ring Asha"]
    assert (world.highlevel_open()[0].body or "").startswith("She asked about parking\nsyncer:")
    world.quiet()

    world.complete_in(done_in)
    world.good()

    assert world.open() == (0, 0, 0)
    assert world.reply.executed == []
    assert world.lane(lead) == []
    world.quiet()


@pytest.mark.parametrize("done_in", SYSTEMS)
@pytest.mark.parametrize(
    ("title", "raw_type", "task_type"),
    [
        ("Ask for papers", "FOLLOW_UP_CALL", "Call"),
        ("Call back soon", "CALLBACK_REQUEST", "Call"),
        ("Site visit", "SITE_VISIT", "Meeting"),
        ("Remember the keys", "REMINDER", "ToDo"),
    ],
)
def test_a_highlevel_task_goes_round(stage: Make, title: str, raw_type: str, task_type: str, done_in: str) -> None:
    world = stage(more=RULES)
    lead, _, contact = world.everywhere()
    due = world.due()
    world.highlevel.person_creates(contact, title, due, "Ground floor")

    world.good()

    assert world.lane(lead) == [raw_type]
    assert (world.superfone_open()[0].due, world.superfone_open()[0].note) == (due, f"{title}\nGround floor")
    assert [(task.task_type, task.due_to) for task in world.reply_open()] == [(task_type, due)]
    world.quiet()

    world.complete_in(done_in)
    world.good()

    assert world.open() == (0, 0, 0)
    world.quiet()


@pytest.mark.parametrize("task_type", ["ManualEmail", "Sms", "WhatsApp", "LinkedIn"])
def test_a_message_goes_to_highlevel_only_and_is_never_completed_in_reply(stage: Make, task_type: str) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, task_type, world.due(), "Send the plan")

    world.good()
    assert world.open() == (0, 1, 1)
    world.quiet()

    world.complete_in("highlevel")
    report = world.good()

    assert world.open() == (0, 1, 0)
    assert waiting(report) == {("reply", "not_completable")}
    assert waiting(world.quiet()) == {("reply", "not_completable")}

    world.complete_in("reply")
    report = world.good()
    assert report.waiting == ()
    assert world.reply.executed == []
    world.quiet()


def test_a_message_done_in_reply_is_done_in_highlevel(stage: Make) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Sms", world.due())
    world.good()

    world.complete_in("reply")
    world.good()

    assert world.open() == (0, 0, 0)
    world.quiet()


def test_a_message_kind_that_the_file_names_is_completed_in_reply(stage: Make) -> None:
    world = stage(reply='complete_kinds = ["email"]')
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "ManualEmail", world.due())
    world.reply.person_creates(contact, "Call", world.due(hours=7))
    world.good()
    assert world.open() == (1, 2, 2)

    world.complete_in("highlevel")
    report = world.good()

    assert world.open() == (0, 1, 0)
    assert [task.task_type for task in world.reply_open()] == ["Call"]
    assert waiting(report) == {("reply", "not_completable")}
    assert world.reply.executed == []
    world.quiet()


def test_an_email_by_title_goes_nowhere_but_by_its_route(stage: Make) -> None:
    world = stage(more=RULES + '[routes]\nemail = ["reply", "highlevel"]\n')
    _, _, contact = world.everywhere()
    world.highlevel.person_creates(contact, "Mail the brochure", world.due())

    world.good()

    assert world.open() == (0, 1, 1)
    assert world.reply_open()[0].task_type == "ManualEmail"
    world.quiet()


def test_a_route_leaves_a_crm_out_and_a_new_one_closes_nothing(stage: Make) -> None:
    world = stage(more='[routes]\nfollow_up_call = ["superfone", "reply"]\n')
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.good()
    assert world.open() == (1, 1, 0)
    world.quiet()

    world.configure(more='[routes]\nfollow_up_call = ["superfone"]\n')
    world.quiet()
    assert world.open() == (1, 1, 0)

    world.complete_in("superfone")
    world.good()
    assert world.open() == (0, 0, 0)
    world.quiet()


def test_a_first_call_stays_one_after_it_went_through_reply(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "FIRST_CALL", world.due())
    world.good()
    newer = world.superfone.person_creates(lead, "SITE_VISIT", world.due(hours=2))
    world.good()
    world.superfone.person_completes(newer)

    world.good()

    assert world.lane(lead) == ["FIRST_CALL"]
    assert world.open() == (1, 1, 1)
    world.quiet()


def test_completed_in_two_crms_between_two_runs(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()

    world.complete_in("superfone")
    world.complete_in("reply")
    report = world.good()

    assert dict(report.completed) == {"superfone": 0, "reply": 0, "highlevel": 1}
    assert world.open() == (0, 0, 0)
    world.quiet()


def test_an_unknown_superfone_type_is_a_todo_and_crashes_nothing(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "VIDEO_CALL", world.due(), title="Show the flat")

    report = world.good()

    assert world.open() == (1, 1, 1)
    assert world.reply_open()[0].task_type == "ToDo"
    assert report.attention == ()
    world.quiet()
    world.complete_in("highlevel")
    world.good()
    assert world.open() == (0, 0, 0)
    world.quiet()


def test_two_connections_are_enough(stage: Make) -> None:
    world = stage()
    text = world.account.path.read_text().split("[highlevel]")[0]
    world.account.path.write_text(text)
    world.reload()
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due())

    report = world.good()

    assert world.open() == (1, 1, 0)
    assert report.connections["highlevel"].state == "off"
    assert details(report) == ""
    world.quiet()


@pytest.mark.parametrize("origin", SYSTEMS)
def test_one_task_is_created_in_one_crm_after_the_other(
    stage: Make, monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    creates: list[tuple[float, float]] = []

    class Slow(SandboxTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.method != "POST" or not request.url.path.endswith(("/tasks", "/task")):
                return await super().handle_async_request(request)
            began = world.loop.time()
            await asyncio.sleep(5)
            creates.append((began, world.loop.time()))
            return await super().handle_async_request(request)

    monkeypatch.setattr("tests.support.world.SandboxTransport", Slow)
    world = stage()
    lead, contact, person = world.everywhere()
    if origin == "superfone":
        world.superfone.person_creates(lead, "BOOKING", world.due())
    elif origin == "reply":
        world.reply.person_creates(contact, "Call", world.due())
    else:
        world.highlevel.person_creates(person, "Ring", world.due())

    world.good()

    assert world.open() == (1, 1, 1)
    (_, first_ended), (second_began, _) = sorted(creates)
    assert first_ended <= second_began
