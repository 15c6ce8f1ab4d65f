"""One task of HighLevel: read, created, completed, and what goes wrong with each."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from adapters.highlevel.sandbox import HighLevelSandbox
from adapters.highlevel.settings import KindRule, compile_expression
from adapters.sandbox import Fault
from syncer.contract.errors import (
    AdapterError,
    BadAnswer,
    Forbidden,
    InDoubt,
    Missing,
    NotSent,
    Refused,
    Unauthorized,
    Unavailable,
)
from syncer.domain.model import Kind, State
from tests.support.clock import START
from tests.support.highlevel_kit import (  # noqa: F401 - fixtures
    DUE,
    MARKER,
    TASK,
    a_clock,
    a_contact,
    a_sandbox,
    answers,
    asking,
    bodies,
    draft,
    got,
    ids,
    listed,
    ref,
    using,
)
from tests.support.strategies import marker_of


class TestGetTask:
    def test_it_is_whole(self, sandbox: HighLevelSandbox, contact: str) -> None:
        task = sandbox.person_creates(contact, "Call", DUE, "text")
        sandbox.person_assigns(task, "U1")
        row = asking(sandbox, lambda adapter: adapter.get_task(ref(task, contact)))
        assert (row.whole, row.title, row.body, row.due, row.assignee) == (True, "Call", "text", DUE, "U1")

    @pytest.mark.parametrize("status", [400, 404, 422])
    def test_deleted_moved_and_unknown_tasks_are_missing(
        self, sandbox: HighLevelSandbox, contact: str, status: int
    ) -> None:
        sandbox.missing_status = status
        deleted, moved = (sandbox.person_creates(contact, "Call") for _ in range(2))
        sandbox.person_deletes(deleted)
        sandbox.person_moves(moved, sandbox.add_contact("Ravi"))
        for task in (deleted, moved, "nothing"):
            with pytest.raises(Missing):
                got(sandbox, task, contact)

    def test_a_tombstone_is_missing_whatever_else_it_lacks(self) -> None:
        with pytest.raises(Missing, match="deleted"):
            using(answers({"task": {"id": "T1", "deleted": True}}), lambda adapter: adapter.get_task(ref("T1", "C1")))

    @pytest.mark.parametrize(
        ("status", "message", "error"),
        [
            (400, "Task does not exist", Missing),
            (400, "Bad Request", Refused),
            (400, "Location with id X not found", Refused),
            (404, "Cannot GET /v9/contacts/C1/tasks/T1", Refused),
            (404, "Not Found", Missing),
            (401, "version header was not found.", Unauthorized),
            (401, "The token is not authorized for this scope.", Forbidden),
            (403, "Forbidden", Forbidden),
            (503, "Service Unavailable", Unavailable),
        ],
    )
    def test_errors_by_what_they_mean(self, status: int, message: str, error: type[AdapterError]) -> None:
        transport = answers({"statusCode": status, "message": message}, status=status)
        with pytest.raises(AdapterError) as raised:
            using(transport, lambda adapter: adapter.get_task(ref("T1", "C1")))
        assert type(raised.value) is error

    @pytest.mark.parametrize(
        "answer", [{}, {"task": None}, {"task": {}}, {"task": TASK | {"id": "T2"}}, {"task": TASK | {"completed": 1}}]
    )
    def test_an_answer_without_that_task_is_bad(self, answer: object) -> None:
        with pytest.raises(BadAnswer):
            using(answers(answer), lambda adapter: adapter.get_task(ref("T1", "C1")))

    def test_the_answer_tells_whose_it_is(self) -> None:
        transport = answers({"task": TASK | {"contactId": "C2"}})
        assert using(transport, lambda adapter: adapter.get_task(ref("T1", "C1"))).contact == "C2"

    def test_strange_ids_stay_inside_their_path_segment(self, sandbox: HighLevelSandbox, contact: str) -> None:
        with pytest.raises(AdapterError):
            asking(sandbox, lambda adapter: adapter.get_task(ref("../../x?y#z", contact)))
        assert sandbox.calls[0][0].path.startswith(f"/contacts/{contact}/tasks/")
        assert not sandbox.calls[0][0].query


class TestCreateTask:
    def test_what_is_written_is_read_back(self, sandbox: HighLevelSandbox, contact: str) -> None:
        made = asking(sandbox, lambda adapter: adapter.create_task(draft(contact, assignee="U1")))
        assert bodies(sandbox) == [
            {
                "title": "Call Asha",
                "body": f"about the offer\n{MARKER.line}",
                "dueDate": "2026-05-19T10:30:00Z",
                "completed": False,
                "assignedTo": "U1",
            }
        ]
        assert made == asking(sandbox, lambda adapter: adapter.get_task(ref(made.remote_id, contact)))
        assert (made.body, made.marker, made.due, made.contact) == ("about the offer", MARKER, DUE, contact)
        assert ids(listed(sandbox)) == [made.remote_id]

    def test_without_text_and_assignee(self, sandbox: HighLevelSandbox, contact: str) -> None:
        made = asking(sandbox, lambda adapter: adapter.create_task(draft(contact, body=None)))
        assert bodies(sandbox)[0]["body"] == MARKER.line
        assert "assignedTo" not in bodies(sandbox)[0]
        assert (made.body, made.marker, made.assignee) == (None, MARKER, None)

    def test_a_marker_of_another_task_is_not_copied(self, sandbox: HighLevelSandbox, contact: str) -> None:
        text = f"about\n{marker_of('reply:5').line}"
        made = asking(sandbox, lambda adapter: adapter.create_task(draft(contact, body=text)))
        assert bodies(sandbox)[0]["body"] == f"about\n{MARKER.line}"
        assert made.marker == MARKER

    def test_milliseconds_are_kept(self, sandbox: HighLevelSandbox, contact: str) -> None:
        due = DUE + timedelta(microseconds=123_456)
        asking(sandbox, lambda adapter: adapter.create_task(draft(contact, due=due)))
        assert bodies(sandbox)[0]["dueDate"] == "2026-05-19T10:30:00.123Z"

    def test_an_unknown_contact_is_a_refusal(self, sandbox: HighLevelSandbox) -> None:
        with pytest.raises(Refused, match="not found"):
            asking(sandbox, lambda adapter: adapter.create_task(draft("nobody")))

    def test_the_words_of_a_refusal(self, sandbox: HighLevelSandbox, contact: str) -> None:
        with pytest.raises(Refused, match="title"):
            asking(sandbox, lambda adapter: adapter.create_task(draft(contact, title="")))

    @pytest.mark.parametrize(
        ("fault", "error", "made"),
        [
            (Fault.NO_CONNECTION, NotSent, 0),
            (Fault.LOST_REQUEST, InDoubt, 0),
            (Fault.LOST_ANSWER, InDoubt, 1),
            (Fault.ERROR_BEFORE, InDoubt, 0),
            (Fault.ERROR_AFTER, InDoubt, 1),
            (Fault.GARBAGE, InDoubt, 1),
            (Fault.TRUNCATED, InDoubt, 1),
            (Fault.UNAUTHORIZED, Unauthorized, 0),
        ],
    )
    def test_faults(
        self, sandbox: HighLevelSandbox, contact: str, fault: Fault, error: type[AdapterError], made: int
    ) -> None:
        sandbox.fault = lambda _call: fault
        with pytest.raises(error):
            asking(sandbox, lambda adapter: adapter.create_task(draft(contact)))
        assert len(sandbox.tasks()) == made

    @pytest.mark.parametrize("answer", [{}, {"task": None}, {"task": {"title": "Call"}}, {"task": {"id": ""}}, b"ok"])
    def test_a_success_without_an_id_is_in_doubt(self, answer: object) -> None:
        with pytest.raises(InDoubt):
            using(answers(answer, status=201), lambda adapter: adapter.create_task(draft("C1")))

    def test_the_id_is_enough(self) -> None:
        made = using(answers({"task": {"id": "T9"}}), lambda adapter: adapter.create_task(draft("C1")))
        assert (made.remote_id, made.contact, made.state) == ("T9", "C1", State.OPEN)


class TestCompleteTask:
    def test_it_completes_that_task(self, sandbox: HighLevelSandbox, contact: str) -> None:
        task, other = (sandbox.person_creates(contact, title) for title in ("one", "two"))
        for _ in range(2):
            closed = asking(sandbox, lambda adapter: adapter.complete_task(ref(task, contact)))
            assert (closed.remote_id, closed.state) == (task, State.DONE)
        assert [found.completed for found in sandbox.tasks()] == [True, False]
        assert sandbox.task(other).updated == START

    @pytest.mark.parametrize("status", [400, 404])
    @pytest.mark.parametrize("nobody", [True, False])
    def test_unknown_tasks_and_contacts_are_missing(
        self, sandbox: HighLevelSandbox, contact: str, status: int, nobody: bool
    ) -> None:
        sandbox.missing_status = status
        where = ref("nothing", "nobody" if nobody else contact)
        with pytest.raises(Missing):
            asking(sandbox, lambda adapter: adapter.complete_task(where))

    def test_one_that_moves_to_its_next_date_comes_back_open(self, sandbox: HighLevelSandbox, contact: str) -> None:
        task = sandbox.person_creates(contact, "Call", DUE, every=timedelta(days=7))
        after = asking(sandbox, lambda adapter: adapter.complete_task(ref(task, contact)))
        assert (after.state, after.due) == (State.OPEN, DUE + timedelta(days=7))

    def test_an_answer_from_before_the_completion_is_settled_by_reading(self) -> None:
        transport = answers({"task": TASK}, {"task": TASK | {"completed": True}})
        assert using(transport, lambda adapter: adapter.complete_task(ref("T1", "C1"))).state is State.DONE

    @pytest.mark.parametrize("again", [{}, {"task": TASK | {"deleted": True}}, httpx.Response(401), b"x"])
    def test_what_cannot_be_read_again_is_in_doubt(self, again: object) -> None:
        with pytest.raises(InDoubt):
            using(answers({"task": TASK}, again), lambda adapter: adapter.complete_task(ref("T1", "C1")))

    @pytest.mark.parametrize(
        "answer", [{}, {"task": {"id": "T1"}}, {"task": TASK | {"id": None}}, {"task": TASK | {"id": "T2"}}]
    )
    def test_an_answer_that_does_not_say_done_is_in_doubt(self, answer: object) -> None:
        with pytest.raises(InDoubt):
            using(answers(answer), lambda adapter: adapter.complete_task(ref("T1", "C1")))


class TestKinds:
    RULES = (
        KindRule(match=compile_expression(r"(?i)\bcall ?back\b"), kind=Kind.CALLBACK),
        KindRule(match=compile_expression(r"(?i)visit|визит"), kind=Kind.SITE_VISIT),
    )

    @pytest.mark.parametrize(
        ("title", "kind"),
        [
            ("Call back after the visit", Kind.CALLBACK),
            ("Site Visit", Kind.SITE_VISIT),
            ("ВИЗИТ", Kind.SITE_VISIT),
            ("Call", Kind.TODO),
        ],
    )
    def test_the_first_rule_that_fits_the_title(
        self, sandbox: HighLevelSandbox, contact: str, title: str, kind: Kind
    ) -> None:
        sandbox.person_creates(contact, title)
        listing = asking(sandbox, lambda adapter: adapter.list_tasks(), kind_rules=self.RULES, default_kind=Kind.TODO)
        assert [(row.kind, row.kind_known) for row in listing.rows] == [(kind, False)]

    def test_no_title_is_the_default_kind(self) -> None:
        row = using(answers({"task": TASK | {"title": None}}), lambda adapter: adapter.get_task(ref("T1", "C1")))
        assert (row.title, row.kind) == (None, Kind.FOLLOW_UP_CALL)
