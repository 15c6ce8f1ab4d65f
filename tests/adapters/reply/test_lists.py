"""Lists of Reply's: whole or not at all, whatever the pages look like."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from adapters.sandbox import Call, Fault, Reply
from syncer.contract.errors import Ambiguous, BadAnswer, Missing, Unavailable
from syncer.domain.model import Kind, State
from tests.support.clock import run_virtual
from tests.support.reply_world import DUE, ReplyWorld, answering, due_in, page, row


@pytest.mark.parametrize("order", ["id", "reversed", "shuffled"])
def test_more_rows_than_a_page_are_all_read_once(order: str) -> None:
    world = ReplyWorld(sandbox={"order": order, "seed": 3})
    contact = world.crm.add_contact("Asha")
    ids = {world.crm.person_creates(contact, "Call", DUE) for _ in range(1203)}
    found = asyncio.run(world.reply.list_tasks())
    assert {reading.remote_id for reading in found.rows} == ids
    assert len(found.rows) == 1203
    assert world.paths() == ["POST /tasks/filter"] * 4


def test_a_server_that_gives_shorter_pages_is_read_to_the_end() -> None:
    world = ReplyWorld()
    world.crm.top_cap = 7
    contact = world.crm.add_contact("Asha")
    for _ in range(22):
        world.crm.person_creates(contact, "Call", DUE)
    assert len(asyncio.run(world.reply.list_tasks()).rows) == 22
    assert [call.query["skip"] for call, _ in world.crm.calls] == ["0", "7", "14", "21"] * 2


def test_rows_that_shift_between_pages_are_listed_once() -> None:
    world = ReplyWorld(sandbox={"order": "reversed"})
    world.crm.top_cap = 3
    contact = world.crm.add_contact("Asha")
    ids = {world.crm.person_creates(contact, "Call", DUE) for _ in range(5)}
    made: list[str] = []

    def somebody_creates(call: Call) -> None:
        if call.query.get("skip") == "3":
            made.append(world.crm.person_creates(contact, "Call", DUE))

    world.crm.before = somebody_creates
    rows = asyncio.run(world.reply.list_tasks()).rows
    assert {reading.remote_id for reading in rows} == ids | set(made[:-1])
    assert len(rows) == 5 + len(made) - 1


@pytest.mark.parametrize("closings", [1, 2])
def test_a_row_that_moves_up_while_the_list_is_read_is_not_lost(closings: int) -> None:
    world = ReplyWorld(sandbox={"order": "id"})
    world.crm.top_cap = 3
    contact = world.crm.add_contact("Asha")
    ids = [world.crm.person_creates(contact, "Call", DUE) for _ in range(8)]
    to_close = ids[:closings]

    def somebody_completes(call: Call) -> None:
        if call.query.get("skip") == "3" and to_close:
            world.crm.person_completes(to_close.pop())

    world.crm.before = somebody_completes
    rows = asyncio.run(world.reply.list_tasks()).rows
    assert {reading.remote_id for reading in rows} == set(ids)


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.ERROR_BEFORE, Fault.NO_CONNECTION])
def test_a_list_that_breaks_off_is_not_read(fault: Fault) -> None:
    world = ReplyWorld()
    world.crm.top_cap = 2
    contact = world.crm.add_contact("Asha")
    for _ in range(5):
        world.crm.person_creates(contact, "Call", DUE)
    world.crm.fault = lambda call: fault if call.query.get("skip") == "2" else None
    with pytest.raises(Unavailable):
        run_virtual(world.reply.list_tasks())


@pytest.mark.parametrize("fault", [Fault.GARBAGE, Fault.TRUNCATED])
def test_a_page_that_cannot_be_understood_is_a_bad_answer(fault: Fault) -> None:
    world = ReplyWorld()
    world.crm.person_creates(None, "Call", DUE)
    world.crm.fault = lambda _call: fault
    with pytest.raises(BadAnswer):
        asyncio.run(world.reply.list_tasks())


@pytest.mark.parametrize(
    "pages",
    [
        [page(more=True)],
        [page(row(1), more=True), page(more=True)],
        [page(row(1), row(2), more=True), page(row(2), row(1), more=True)],
        [page({"broken": 1}, more=True)],
        [{"items": []}],
        [{"items": None, "hasMore": False}],
        [{"items": [], "hasMore": 0}],
        [[]],
    ],
)
def test_a_list_without_a_proper_end_is_a_bad_answer(pages: list[object]) -> None:
    with pytest.raises(BadAnswer):
        asyncio.run(answering(*pages).list_tasks())


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_refused_list_is_a_bad_answer_and_never_an_empty_one(status: int) -> None:
    crm = answering({"title": "No", "status": status}, status=status)
    for read in (crm.list_tasks(), crm.list_contacts()):
        with pytest.raises(BadAnswer):
            asyncio.run(read)


def test_only_open_rows_are_kept_where_the_filter_is_ignored() -> None:
    rows = [row(number, status=status) for number, status in enumerate([0, 1, 3, 4, 5, "new", "FINISHED", "0"])]
    found = asyncio.run(answering(page(*rows)).list_tasks())
    assert [reading.remote_id for reading in found.rows] == ["0", "5", "7"]
    assert all(reading.state is State.OPEN and not reading.whole for reading in found.rows)


@pytest.mark.parametrize(
    ("broken", "remote_id"),
    [
        (row(5, status=2), "5"),
        (row(5, status="paused"), "5"),
        (row(5, status=None), "5"),
        (row(5, taskType=[]), "5"),
        (row(5, taskType=""), "5"),
        (row(5, dueTo="soon"), "5"),
        (row(5, dueTo=17476434), "5"),
        (row(5, contact={"id": {}}), "5"),
        (row(5, isScheduled="no"), "5"),
        (row(5, sequenceId=1.5), "5"),
        (row(True), None),
        (row("../contacts"), None),
        (row(10**80), None),
        ("a task", None),
        (None, None),
        ([], None),
        ({}, None),
    ],
)
def test_a_row_that_cannot_be_read_is_reported_and_the_rest_goes_on(broken: object, remote_id: str | None) -> None:
    found = asyncio.run(answering(page(broken, row(6))).list_tasks())
    assert [reading.remote_id for reading in found.rows] == ["6"]
    assert [item.remote_id for item in found.unreadable] == [remote_id]
    assert found.unreadable[0].system == "reply"
    assert found.unreadable[0].detail
    assert found.unreadable[0].received


@pytest.mark.parametrize(
    ("broken", "contact"),
    [
        (row(5, status=77), "7"),
        (row(5, status=77, contact={"fullName": "Asha"}, contactId=8), "8"),
        (row(5, status=77, contact=None), None),
        (row(5, contact={"id": {}}), None),
        ("a task", None),
    ],
)
def test_what_cannot_be_read_says_whose_it_is(broken: object, contact: str | None) -> None:
    found = asyncio.run(answering(page(broken, row(6))).list_tasks())
    assert [item.contact for item in found.unreadable] == [contact]


def test_what_cannot_be_read_of_others_is_nothing_of_this_contact() -> None:
    strange = [row(5, status=77), row(8, status=77, contact={"id": 9}), row(9, status=77, contact=None)]
    found = asyncio.run(answering(page(row(6), *strange)).list_contact_tasks("7"))
    assert [item.remote_id for item in found.unreadable] == ["5", "9"]


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00", 0, "1969-12-31T19:00:00-05:00", "9999-12-31T23:59:59.999Z"])
def test_a_due_that_stands_for_none_is_none(date: object) -> None:
    found = asyncio.run(answering(page(row(5, dueTo=date))).list_tasks())
    assert [(item.remote_id, item.due) for item in found.rows] == [("5", None)]


def test_the_row_of_a_kind_that_nobody_knows_is_a_todo_with_its_own_word() -> None:
    rows = [row(1, taskType=6), row(2, taskType="voiceDrop"), row(3, taskType="CALL")]
    found = asyncio.run(answering(page(*rows)).list_tasks())
    assert [(reading.kind, reading.raw_type) for reading in found.rows] == [
        (Kind.TODO, "6"),
        (Kind.TODO, "voiceDrop"),
        (Kind.FOLLOW_UP_CALL, "Call"),
    ]


def test_what_a_row_says_of_itself() -> None:
    rows = [
        row(1, contact=None, contactId=8),
        row(2, sequenceId=5, isScheduled=True),
        row(3, contact=None, dueTo="2026-05-19T10:30:00"),
    ]
    first, second, third = asyncio.run(answering(page(*rows)).list_tasks()).rows
    assert (first.contact, first.sequence, first.mirrored, first.assignee) == ("8", False, True, "41")
    assert (second.contact, second.sequence, second.mirrored) == ("7", True, False)
    assert (third.contact, third.due) == (None, DUE)


def test_a_task_that_starts_in_years_is_listed() -> None:
    world = ReplyWorld()
    far = due_in(24 * 900)
    task_id = world.crm.person_creates(None, "Call", far, start=far - timedelta(days=1))
    assert [reading.remote_id for reading in asyncio.run(world.reply.list_tasks()).rows] == [task_id]


def test_a_contacts_tasks_are_listed_whatever_their_status_newest_first() -> None:
    world = ReplyWorld()
    contact, other = world.crm.add_contact("Asha"), world.crm.add_contact("Ben")
    ids = [world.crm.person_creates(contact, "Call", DUE) for _ in range(3)]
    world.crm.person_creates(other, "Call", DUE)
    world.crm.person_completes(ids[0])
    world.crm.person_cancels(ids[1])
    rows = asyncio.run(world.reply.list_contact_tasks(contact)).rows
    assert [(reading.remote_id, reading.state) for reading in rows] == [
        (ids[2], State.OPEN),
        (ids[1], State.CANCELLED),
        (ids[0], State.DONE),
    ]


def test_another_contacts_rows_are_left_out_where_the_filter_is_ignored() -> None:
    adapter = answering(page(row(1), row(2, contact={"id": 8}), row(3, contact=None)))
    assert [reading.remote_id for reading in asyncio.run(adapter.list_contact_tasks("7")).rows] == ["1"]


def test_a_contact_without_tasks_is_told_from_one_that_is_not_there() -> None:
    world = ReplyWorld()
    contact = world.crm.add_contact("Asha")
    assert asyncio.run(world.reply.list_contact_tasks(contact)).rows == ()
    with pytest.raises(Missing):
        asyncio.run(world.reply.list_contact_tasks("999"))


def test_contacts_are_read_with_their_keys_normalised() -> None:
    world = ReplyWorld()
    world.crm.top_cap = 2
    world.crm.add_contact("Asha B", "Asha@Example.com", "98765 43210")
    world.crm.add_contact("Ben", None, "+1-415-555-0123")
    world.crm.add_contact("", "no address", "call the office")
    found = asyncio.run(world.reply.list_contacts())
    assert [(record.name, record.phones, record.emails) for record in found.rows] == [
        ("Asha B", ("+919876543210",), ("asha@example.com",)),
        ("Ben", ("+14155550123",), ()),
        ("", (), ()),
    ]


def test_a_contact_that_cannot_be_read_is_reported() -> None:
    found = asyncio.run(answering(page({"id": 1, "phone": 5}, {"id": 2})).list_contacts())
    assert [item.remote_id for item in found.unreadable] == ["1"]
    assert [record.remote_id for record in found.rows] == ["2"]


def test_a_contact_is_found_by_its_exact_email() -> None:
    world = ReplyWorld()
    asha = world.crm.add_contact("Asha", "Asha@Example.com")
    world.crm.add_contact("Ben", "ben@example.com")
    found = asyncio.run(world.reply.find_contacts("asha@example.com"))
    assert [record.remote_id for record in found] == [asha]
    assert asyncio.run(world.reply.find_contacts("nobody@example.com")) == ()
    with pytest.raises(NotImplementedError):
        asyncio.run(world.reply.find_contacts("+919876543210"))


def test_a_search_whose_filter_is_ignored_finds_the_right_contacts_all_the_same() -> None:
    rows = [{"id": 1, "email": "ben@example.com", "phone": 5}, {"id": 2, "email": "ASHA@example.com"}, {"id": 3}]
    found = asyncio.run(answering(page(*rows)).find_contacts("asha@example.com"))
    assert [record.remote_id for record in found] == ["2"]
    with pytest.raises(BadAnswer):
        asyncio.run(answering(page(*rows)).find_contacts("ben@example.com"))


@pytest.mark.parametrize("count", [1, 9])
def test_contacts_that_do_not_show_the_email_are_ambiguous(count: int) -> None:
    rows = [{"id": n, "email": f"ben{n}@example.com"} for n in range(1, count + 1)]
    with pytest.raises(Ambiguous, match="contact 1") as caught:
        asyncio.run(answering(page(*rows)).find_contacts("asha@example.com"))
    assert caught.value.contacts == tuple(str(n) for n in range(1, count + 1))
    assert ("and 4 more" in caught.value.words) == (count == 9)


def test_a_contact_is_not_lost_though_another_leaves_the_list() -> None:
    world = ReplyWorld()
    world.crm.top_cap = 2
    made = [world.crm.add_contact(f"Asha {n}") for n in range(6)]
    gone: list[str] = []

    def somebody_acts(_call: Call, _reply: Reply) -> None:
        if not gone:
            gone.append(made[0])
            world.crm.person_deletes_contact(made[0])

    world.crm.after = somebody_acts
    found = asyncio.run(world.reply.list_contacts())
    assert {row.remote_id for row in found.rows} >= set(made[1:])


def test_a_429_is_waited_out() -> None:
    world = ReplyWorld()
    throttled = iter([Fault.THROTTLED, Fault.THROTTLED])
    world.crm.fault = lambda _call: next(throttled, None)

    async def scenario() -> float:
        await world.reply.list_tasks()
        return asyncio.get_running_loop().time()

    assert 40 <= run_virtual(scenario()) < 41


def test_a_redirect_is_an_error() -> None:
    with pytest.raises(Unavailable):
        run_virtual(answering(b"", status=302).identity())
