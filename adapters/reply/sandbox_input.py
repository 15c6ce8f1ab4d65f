"""How the Reply sandbox reads requests, and the problem objects with which it rejects them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from adapters.instants import read_iso
from adapters.reply.mapping import EARLIEST_START
from adapters.reply.sandbox_store import SandboxTask
from adapters.reply.words import LINKEDIN_TYPE, STATUS, TASK_TYPE, Dialect, Vocabulary
from adapters.sandbox import Call, Reply, json_reply

_TITLES: Final = {400: "Bad Request", 404: "Not Found", 409: "Conflict", 429: "Too Many Requests"}
_DEFAULT_TOP: Final = 25
_MAX_TOP: Final = 1000
_FILTER_FROM: Final = datetime(2000, 1, 1, tzinfo=UTC)
# As documented: whoever does not send ``to`` misses what starts later.
_FILTER_AHEAD: Final = timedelta(days=365)

Test = Callable[[SandboxTask], bool]


class Problem(Exception):
    """An error answer: ``application/problem+json``, with a pointer for each wrong field."""

    def __init__(self, status: int, code: str, detail: str, *, pointer: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.pointer = pointer

    @property
    def reply(self) -> Reply:
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": _TITLES.get(self.status, "Error"),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.pointer:
            body["errors"] = [{"pointer": self.pointer, "detail": self.detail}]
        return json_reply(self.status, body, media_type="application/problem+json")


def invalid(pointer: str, detail: str) -> Problem:
    """The error for a wrong field, with its JSON Pointer."""
    return Problem(400, "validationFailed", f"{pointer.lstrip('/')} {detail}", pointer=pointer)


def no_route(call: Call) -> Problem:
    """The error for a path that Reply, or this sandbox, does not have."""
    return Problem(404, "route.notFound", f"no {call.method} {call.path}")


def fields(call: Call) -> dict[str, Any]:
    """The body as an object; an empty body is an empty object."""
    body = call.json()
    if body is None and not call.body.strip():
        return {}
    if not isinstance(body, dict):
        msg = "the body must be a JSON object"
        raise Problem(400, "invalidInput", msg)
    return body


def whole_number(text: str) -> int | None:
    """A number without a sign; ``None`` for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def window(query: Mapping[str, str]) -> tuple[int, int]:
    """``top`` and ``skip`` of a list call: 25 rows by default, 1000 at most."""
    top = whole_number(query.get("top", str(_DEFAULT_TOP)))
    skip = whole_number(query.get("skip", "0"))
    # What Reply answers to a page that is too large is a guess.
    if top is None or skip is None or not 1 <= top <= _MAX_TOP:
        raise Problem(400, "invalidPagination", f"top must be 1 to {_MAX_TOP} and skip 0 or more")
    return top, skip


def moment(sent: Mapping[str, Any], name: str) -> datetime | None:
    """An optional instant."""
    if sent.get(name) is None:
        return None
    try:
        return read_iso(sent[name])
    except ValueError:
        raise invalid(f"/{name}", "must be a date and time") from None


@dataclass(frozen=True, slots=True)
class TaskWords:
    """Reads enumerations, in both dialects or in one only."""

    dialect: Dialect
    strict: bool

    def read(self, vocabulary: Vocabulary, sent: Mapping[str, Any], name: str) -> str | None:
        """An optional word."""
        value = sent.get(name)
        if value is None:
            return None
        word = vocabulary.read(value)
        foreign = isinstance(value, str) is not (self.dialect == "strings")
        if word is None or (self.strict and foreign):
            raise invalid(f"/{name}", "is not one of the values allowed")
        return word


def filter_tests(sent: Mapping[str, Any], words: TaskWords, now: datetime) -> list[Test]:
    """One test for each filter of ``POST /tasks/filter``. ``from`` and ``to`` limit ``startAt`` and have defaults."""
    start = moment(sent, "from") or _FILTER_FROM
    end = moment(sent, "to") or now + _FILTER_AHEAD
    if end <= start:
        raise invalid("/to", "must be after from")
    given = {
        "status": words.read(STATUS, sent, "status"),
        "task_type": words.read(TASK_TYPE, sent, "taskType"),
        "linkedin_type": words.read(LINKEDIN_TYPE, sent, "linkedInTaskType"),
        "contact_id": sent.get("contactId"),
        "assigned_user_id": sent.get("assignedUserId"),
    }
    tests: list[Test] = [lambda task: start <= task.start_at <= end]
    tests += [_equal(name, value) for name, value in given.items() if value is not None]
    lists = {"sequence_id": "sequenceIds", "sequence_step_id": "sequenceStepIds"}
    tests += [_among(name, _list(sent, rule)) for name, rule in lists.items() if sent.get(rule)]
    if (overdue := sent.get("overdue")) is not None:
        tests.append(lambda task: (task.status == "New" and task.due_to < now) is overdue)
    return tests


def _equal(name: str, value: object) -> Test:
    return lambda task: getattr(task, name) == value


def _list(sent: Mapping[str, Any], name: str) -> list[Any]:
    values = sent[name]
    if not isinstance(values, list):
        raise invalid(f"/{name}", "must be a list")
    return values


def _among(name: str, values: Iterable[object]) -> Test:
    return lambda task: getattr(task, name) in values


def new_task(sent: Mapping[str, Any], words: TaskWords, *, task_id: int, user_id: int, now: datetime) -> SandboxTask:
    """The task of a create request, checked by the documented rules."""
    task_type = words.read(TASK_TYPE, sent, "taskType")
    start, due = moment(sent, "startAt"), moment(sent, "dueTo")
    linkedin = words.read(LINKEDIN_TYPE, sent, "linkedInTaskType")
    if task_type is None:
        raise invalid("/taskType", "is required")
    if start is None or start < EARLIEST_START:
        raise invalid("/startAt", "is required, and not before 2015")
    if due is None or due <= start:
        raise invalid("/dueTo", "is required, and after startAt")
    if linkedin is not None and task_type != "LinkedIn":
        raise invalid("/linkedInTaskType", "is for LinkedIn tasks only")
    return SandboxTask(
        id=task_id,
        task_type=task_type,
        start_at=start,
        due_to=due,
        created_at=now,
        assigned_user_id=user_id,
        contact_id=None if sent.get("contactId") is None else int(sent["contactId"]),
        template=_template(sent.get("template")),
        linkedin_type=linkedin,
    )


def start_before(due: datetime, start: datetime) -> datetime:
    """The start, or five minutes before the due if that is earlier."""
    head = timedelta(minutes=5)
    return min(start, due - head) if due - datetime.min.replace(tzinfo=UTC) > head else due


def _template(sent: object) -> dict[str, Any]:
    body = sent.get("body") if isinstance(sent, dict) else None
    if not isinstance(sent, dict) or not isinstance(body, str) or not body.strip():
        raise invalid("/template/body", "is required")
    if not isinstance(sent.get("subject"), str | None):
        raise invalid("/template/subject", "must be text")
    return {"body": body, "subject": sent.get("subject"), "attachmentIdList": sent.get("attachmentIdList") or []}
