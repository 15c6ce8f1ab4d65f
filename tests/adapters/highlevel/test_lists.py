"""HighLevel's lists of tasks: every page, once, whatever shape they come in."""

from __future__ import annotations

import json
from datetime import timedelta

import httpx
import pytest

from adapters.highlevel.adapter import HighLevelAdapter
from adapters.highlevel.paging import ContactPager
from adapters.highlevel.sandbox import HighLevelSandbox
from adapters.http.client import HEADERS
from adapters.sandbox import Call
from syncer.contract.adapter import Completes, ListsTasks
from syncer.contract.errors import AdapterError, BadAnswer, Missing, Unauthorized, Unavailable
from syncer.domain.model import Kind, Reading, State
from tests.support.clock import START
from tests.support.highlevel_kit import (  # noqa: F401 - fixtures
    DUE,
    LOCATION,
    MARKER,
    TASK,
    HighLevelClock,
    a_clock,
    a_contact,
    a_sandbox,
    answers,
    asking,
    bodies,
    got,
    ids,
    listed,
    using,
)


@pytest.mark.parametrize("place", [1779179400000, 1779179400000.5, "1779179400000", None])
def test_a_cursor_is_sent_back_as_it_came(place: object) -> None:
    pager = ContactPager(1)
    assert pager.take([{"id": "a", "searchAfter": [place, "a"]}])
    assert pager.asks == {"searchAfter": [place, "a"]}


@pytest.mark.parametrize("cursor", [[float("inf"), "a"], [float("nan"), "a"], [{}, "a"], [1, "another"], "a", None])
def test_what_cannot_be_sent_back_is_no_cursor_and_pages_are_counted(cursor: object) -> None:
    pager = ContactPager(1)
    assert pager.take([{"id": "a", "searchAfter": cursor}])
    assert pager.asks == {"page": 2}


class TestIdentity:
    def test_it_sends_nothing(self, sandbox: HighLevelSandbox) -> None:
        identity = asking(sandbox, lambda adapter: adapter.identity())
        assert identity.id == LOCATION
        assert sandbox.calls == []

    def test_capabilities(self, sandbox: HighLevelSandbox) -> None:
        async def talk(adapter: HighLevelAdapter) -> HighLevelAdapter:
            return adapter

        told = asking(sandbox, talk).capabilities
        assert (told.lists_tasks, told.completes) == (ListsTasks.ALL, Completes.TASK)
        assert told.creates == told.completes_kinds == frozenset(Kind)
        assert (told.exclusive, told.lane, told.has_kinds, told.listing_lags) == (frozenset(), None, False, True)

    def test_every_request_is_signed(self, sandbox: HighLevelSandbox) -> None:
        listed(sandbox)
        headers = sandbox.calls[0][0].headers
        assert headers["authorization"] == "Bearer highlevel-token"
        assert headers["version"] == "2021-07-28"
        assert headers["user-agent"] == HEADERS["User-Agent"]


class TestListTasks:
    def test_open_tasks_of_all_contacts(self, sandbox: HighLevelSandbox, contact: str) -> None:
        other = sandbox.add_contact("Ravi")
        first = sandbox.person_creates(contact, "Call", DUE, f"text\n{MARKER.line}")
        second = sandbox.person_creates(other, "Visit")
        sandbox.person_completes(sandbox.person_creates(contact, "Done"))
        listing = listed(sandbox)
        assert ids(listing) == sorted([first, second])
        row = next(row for row in listing.rows if row.remote_id == first)
        assert row == Reading(
            "highlevel", first, contact, State.OPEN, Kind.FOLLOW_UP_CALL, "", "Call", "text", MARKER, DUE,
            kind_known=False, whole=False, created_at=START, updated_at=START,
        )  # fmt: skip
        assert next(row.due for row in listing.rows if row.remote_id == second) is None

    def test_a_marker_in_an_editors_text(self, sandbox: HighLevelSandbox, contact: str) -> None:
        task = sandbox.person_creates(contact, "Call", DUE, f"text\n{MARKER.line}")
        sandbox.person_rewrites(task, f"<p>more text</p><p>{MARKER.line}</p>")
        assert [(row.body, row.marker) for row in listed(sandbox).rows] == [("more text", MARKER)]

    @pytest.mark.parametrize("cursors", [True, False])
    @pytest.mark.parametrize("clamp", [500, 25, 3])
    @pytest.mark.parametrize("count", [0, 1, 3, 25, 60, 100, 101, 230])
    def test_every_page_is_read(
        self, sandbox: HighLevelSandbox, clock: HighLevelClock, contact: str, cursors: bool, clamp: int, count: int
    ) -> None:
        sandbox.task_cursors, sandbox.page_clamp = cursors, clamp
        made = []
        for number in range(count):
            clock.tick(number % 2)
            made.append(sandbox.person_creates(contact, f"Call {number}"))
        listing = listed(sandbox)
        assert ids(listing) == sorted(made)
        scans = 1 if cursors or not count else 2
        assert len(sandbox.calls) == scans * (-(-count // min(clamp, 100)) + 1)

    @pytest.mark.parametrize("clamp", [500, 100, 7])
    @pytest.mark.parametrize("moments", [1, 2, 9, 130])
    def test_a_cursor_of_a_time_alone_hides_no_task(
        self, sandbox: HighLevelSandbox, clock: HighLevelClock, contact: str, clamp: int, moments: int
    ) -> None:
        """30 of 130 tasks of one time are on no page that such a cursor leads to."""
        sandbox.cursors_tie, sandbox.page_clamp = True, clamp
        made = []
        for number in range(130):
            clock.tick(number % (130 // moments) == 0)
            made.append(sandbox.person_creates(contact, f"Call {number}"))
        assert ids(listed(sandbox)) == sorted(made)

    def test_what_such_a_cursor_would_hide(self, sandbox: HighLevelSandbox, contact: str) -> None:
        sandbox.cursors_tie = True
        for number in range(130):
            sandbox.person_creates(contact, f"Call {number}")
        path, headers = f"/locations/{LOCATION}/tasks/search", {"authorization": "Bearer highlevel-token"}
        body = json.dumps({"limit": 100, "searchAfter": [int(START.timestamp() * 1000)]}).encode()
        reply = sandbox.handle(Call("POST", path, {}, {**headers, "version": "2021-07-28"}, body))
        assert json.loads(reply.body) == {"tasks": []}

    def test_the_cursor_is_preferred_to_counting(self, sandbox: HighLevelSandbox, contact: str) -> None:
        for number in range(101):
            sandbox.person_creates(contact, f"Call {number}")
        listed(sandbox)
        assert [sorted(body) for body in bodies(sandbox)] == [
            ["completed", "limit"],
            ["completed", "limit", "searchAfter"],
            ["completed", "limit", "searchAfter"],
        ]
        sandbox.task_cursors = False
        sandbox.calls.clear()
        listed(sandbox)
        assert [body.get("skip") for body in bodies(sandbox)] == [None, 100, 101] * 2

    @pytest.mark.parametrize("cursors", [True, False])
    @pytest.mark.parametrize(("count", "clamp"), [(150, 500), (26, 25)])
    def test_a_task_that_is_closed_between_pages_hides_no_other(
        self, sandbox: HighLevelSandbox, contact: str, cursors: bool, count: int, clamp: int
    ) -> None:
        sandbox.task_cursors, sandbox.page_clamp = cursors, clamp
        made = [sandbox.person_creates(contact, f"Call {number}") for number in range(count)]
        newest = made[-1]

        def somebody_acts(_call: object) -> None:
            if len(sandbox.calls) == 1:
                sandbox.person_completes(newest)

        sandbox.before = somebody_acts
        assert ids(listed(sandbox)) == sorted(made)

    @pytest.mark.parametrize("cursors", [True, False])
    def test_tasks_created_between_pages_neither_repeat_nor_hide_rows(
        self, sandbox: HighLevelSandbox, clock: HighLevelClock, contact: str, cursors: bool
    ) -> None:
        sandbox.task_cursors = cursors
        made = [sandbox.person_creates(contact, f"Call {number}") for number in range(150)]

        def somebody_acts(_call: object) -> None:
            clock.tick()
            sandbox.person_creates(contact, "between")

        sandbox.before = somebody_acts
        found = ids(listed(sandbox))
        assert set(made) <= set(found)
        assert len(found) == len(set(found))

    @pytest.mark.parametrize("status", [200, 201])
    @pytest.mark.parametrize("nested", [True, False])
    def test_both_documented_and_live_shapes(
        self, sandbox: HighLevelSandbox, contact: str, status: int, nested: bool
    ) -> None:
        sandbox.search_status, sandbox.nested_rows = status, nested
        made = [sandbox.person_creates(contact, f"Call {number}") for number in range(120)]
        assert ids(listed(sandbox)) == sorted(made)

    @pytest.mark.parametrize("shown", [True, False])
    def test_deleted_rows_are_left_out(self, sandbox: HighLevelSandbox, contact: str, shown: bool) -> None:
        sandbox.deleted_rows = shown
        kept, gone = (sandbox.person_creates(contact, title) for title in ("kept", "gone"))
        sandbox.person_deletes(gone)
        assert ids(listed(sandbox)) == [kept]
        sandbox.person_restores(gone)
        assert ids(listed(sandbox)) == sorted([kept, gone])

    def test_a_task_of_nobody_is_given_without_a_contact(self, sandbox: HighLevelSandbox) -> None:
        sandbox.person_creates(None, "whose?")
        assert [row.contact for row in listed(sandbox).rows] == [None]

    def test_the_search_lags(self, sandbox: HighLevelSandbox, clock: HighLevelClock, contact: str) -> None:
        sandbox.lag = timedelta(seconds=5)
        task = sandbox.person_creates(contact, "Call")
        assert ids(listed(sandbox)) == []
        clock.tick(5)
        assert ids(listed(sandbox)) == [task]
        sandbox.person_completes(task)
        assert ids(listed(sandbox)) == [task]
        assert got(sandbox, task, contact).state is State.DONE
        clock.tick(5)
        assert ids(listed(sandbox)) == []

    def test_unreadable_rows_are_kept_apart(self) -> None:
        rows = [
            {"_id": "T1", "completed": False, "contactId": "C1", "title": "Call"},
            {"_id": "T2", "completed": "no", "title": "odd", "contactId": "C2"},
            {"_id": "T3", "title": "stateless"},
            {"_id": "T4", "completed": True, "title": "done after all"},
            {"_id": "T5", "completed": False, "dueDate": "tomorrow"},
            {"title": "nameless", "completed": False},
            "what?",
            {"_id": "../T6", "completed": False},
        ]
        listing = using(answers({"tasks": rows}, {"tasks": []}), lambda adapter: adapter.list_tasks())
        assert ids(listing) == ["T1"]
        assert [row.remote_id for row in listing.unreadable] == ["T2", "T3", "T5", None, None, "../T6"]
        assert [row.contact for row in listing.unreadable] == ["C2", None, None, None, None, None]
        assert "completed" in listing.unreadable[1].detail
        assert "stateless" in listing.unreadable[1].received

    @pytest.mark.parametrize(
        ("broken", "error"),
        [
            (httpx.Response(500), Unavailable),
            (httpx.Response(401, json={"message": "Invalid token: access token is invalid"}), Unauthorized),
            (httpx.Response(404, json={"message": "Location not found"}), BadAnswer),
            (httpx.Response(422, json={"message": ["property searchAfter should not exist"]}), BadAnswer),
            ({"tasks": None}, BadAnswer),
            ({}, BadAnswer),
            ([], BadAnswer),
            (b'{"tasks": [', BadAnswer),
        ],
    )
    def test_a_list_that_breaks_off_is_no_list(self, broken: object, error: type[AdapterError]) -> None:
        first = {"tasks": [TASK | {"_id": f"T{number}", "id": f"T{number}"} for number in range(100)]}
        with pytest.raises(error):
            using(answers(first, broken), lambda adapter: adapter.list_tasks())

    def test_it_refuses_to_go_round_in_circles(self) -> None:
        full = {"tasks": [TASK | {"id": f"T{number}"} for number in range(100)]}
        with pytest.raises(BadAnswer, match="same full page"):
            using(answers(full), lambda adapter: adapter.list_tasks())
        last = TASK | {"id": "T9", "searchAfter": [1, "T9"]}
        pages = [{"tasks": [TASK | {"id": f"T{number}"}, last]} for number in range(3)]
        with pytest.raises(BadAnswer, match="same cursor"):
            using(answers(*pages), lambda adapter: adapter.list_tasks())

    def test_rows_without_an_id_do_not_end_a_list(self) -> None:
        rows = [{"title": "nameless"}, {"title": "nameless, too"}, TASK]
        listing = using(
            answers(*({"tasks": [row]} for row in rows), {"tasks": []}), lambda adapter: adapter.list_tasks()
        )
        assert ids(listing) == ["T1"]
        assert len(listing.unreadable) == 2

    def test_what_cannot_be_read_among_a_contacts_tasks_is_that_contacts(self) -> None:
        rows = {"tasks": [TASK, {"id": "T2", "completed": 7}, {"id": "T3", "completed": 7, "contactId": "C3"}]}
        listing = using(answers(rows), lambda adapter: adapter.list_contact_tasks("C1"))
        assert [(row.remote_id, row.contact) for row in listing.unreadable] == [("T2", "C1"), ("T3", "C3")]

    def test_a_short_list_that_comes_again_has_ended(self) -> None:
        short = {"tasks": [TASK | {"searchAfter": [1, "T1"]}]}
        assert ids(using(answers(short), lambda adapter: adapter.list_tasks())) == ["T1"]


class TestContactTasks:
    def test_open_and_closed_whole(self, sandbox: HighLevelSandbox, contact: str) -> None:
        sandbox.lag = timedelta(minutes=1)
        first = sandbox.person_creates(contact, "Call", DUE, "text")
        second = sandbox.person_creates(contact, "Visit")
        sandbox.person_deletes(sandbox.person_creates(contact, "gone"))
        sandbox.person_completes(second)
        listing = asking(sandbox, lambda adapter: adapter.list_contact_tasks(contact))
        assert [(row.remote_id, row.state, row.whole, row.contact) for row in listing.rows] == [
            (first, State.OPEN, True, contact),
            (second, State.DONE, True, contact),
        ]

    @pytest.mark.parametrize("status", [400, 404, 422])
    def test_an_unknown_contact_is_missing(self, sandbox: HighLevelSandbox, status: int) -> None:
        sandbox.missing_status = status
        with pytest.raises(Missing, match="Contact with id nobody not found"):
            asking(sandbox, lambda adapter: adapter.list_contact_tasks("nobody"))

    def test_the_contact_asked_for_is_whose_they_are(self) -> None:
        rows = {"tasks": [{"id": "T1", "completed": False}, {"id": "T2", "deleted": True}]}
        listing = using(answers(rows), lambda adapter: adapter.list_contact_tasks("C9"))
        assert [(row.remote_id, row.contact) for row in listing.rows] == [("T1", "C9")]
