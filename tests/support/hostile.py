"""Hostile servers: unexpected values, valid answers with one broken part, raw bytes."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import httpx
from hypothesis import strategies as st

from adapters.highlevel.adapter import HighLevelAdapter
from adapters.reply.adapter import ReplyAdapter
from adapters.sandbox import Call, Reply, Sandbox
from adapters.superfone.adapter import SuperfoneAdapter
from syncer.contract.adapter import Adapter
from syncer.contract.errors import AdapterError
from syncer.domain.model import Draft, Kind, Record, TaskRef
from tests.support import highlevel_kit, reply_world, superfone_kit
from tests.support.clock import START, run_virtual
from tests.support.strategies import marker_of

PHONE: Final = "+919876543210"
EMAIL: Final = "asha@example.com"
MARKER: Final = marker_of("superfone:4567")

DATES: Final = (
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59-14:00",
    "10000-01-01T00:00:00Z",
    "2026-05-19T08:30:00+99:99",
    "2026-05-19T08:30:60Z",
    "2026-02-30T08:30:00Z",
    "2026-05-19T24:00:00Z",
    "2026-05-19T08:30:00",
    "2026-05-19",
    "2026-W21-2",
    "20260519T083000Z",
    "2026-05-19T08:30:00.123456789123Z",
    "19/05/2026 08:30",
    "٢٠٢٦-05-19T08:30:00Z",
    "1779179400",
)
TEXTS: Final = (
    "",
    " ",
    "\0",
    "no such word",
    "\ud800",
    "‮txet",
    "{{contact.name}} {% x %}",
    "<p>Ring <b>Asha</b></p><br>" + MARKER.line,
    "\n".join(MARKER.line for _ in range(50)),
    "syncer:",
    "../../tasks/1",
    "1/2?x=#",
    "x" * 5000,
    *DATES,
)
NUMBERS: Final = (-1, 0, 2**31, 2**63, 10**400, -(10**400), 0.5, 7.0, float("inf"), float("-inf"), float("nan"), 1e308)

RAW: Final = (
    b"",
    b"null",
    b"<html>upstream</html>",
    b"\xff\xfe{}",
    b"\xef\xbb\xbf{}",
    b"\xef\xbb\xbf",
    b"\0\0\0{}",
    "[]".encode("utf-16"),
    b'{"data": "\xff"}',
    b'{"data": 1e400}',
    b'{"items": [], "hasMore": ' + b"9" * 5000 + b"}",
    b"[" * 20_000,
    b'{"data":' * 5_000 + b"1" + b"}" * 5_000,
    b'{"items": ' + b"[" * 150 + b"]" * 150 + b', "hasMore": false}',
    b'{"data": {"rows": [], "rows": 1, "total_pages": 1, "total_items": 0}}',
    b'{"data": "\\ud800"}',
    b'{"data": "\x00"}',
    b'{"tasks": [{"id": "T1"',
    b'{"message": ["\\u0000", {"a": 1}, null]}',
)
STATUSES: Final = (200, 201, 204, 206, 226, 301, 304, 308, 400, 401, 403, 404, 408, 418, 422, 500, 503, 599, 600, 999)
HEADERS: Final[tuple[dict[str, str], ...]] = (
    {},
    {"Location": "mailto:asha@example.com"},
    {"Location": "http://xn--a/"},
    {"Location": "http://["},
    {"Retry-After": "inf"},
    {"Retry-After": "9" * 5000},
    {"Retry-After": "Mon, 31 Dec 9999 23:59:59 -2359"},
    {"Retry-After": "0 +0-", "Date": "never"},
    {"X-RateLimit-Interval-Milliseconds": "99999999999", "X-RateLimit-Remaining": "0"},
    {"Content-Encoding": "gzip"},
    {"Content-Encoding": "br"},
    {"Content-Encoding": "gzip, deflate, gzip"},
    {"Content-Length": "9" * 30},
    {"Retry-After": "1779179490"},
    {"Retry-After": "9999-12-31T23:59:59Z", "Date": "Mon, 01 Jan 0001 00:00:00 GMT"},
    {"Content-Type": "text/html; charset=nonsense"},
    {"Set-Cookie": "a=b; Max-Age=99999999999999999999; expires=never"},
)

Talk = Callable[[Any], Awaitable[object]]


def values() -> st.SearchStrategy[Any]:
    """Any JSON, most of it such as somebody would send."""
    simple = st.one_of(st.none(), st.booleans(), st.sampled_from(NUMBERS), st.sampled_from(TEXTS), st.integers())
    keys = st.sampled_from(("id", "rows", "items", "tasks", "contact", "email", "phone", "x"))
    return st.recursive(simple, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3))


def bodies() -> st.SearchStrategy[bytes]:
    """Any bytes, and any JSON."""
    return st.one_of(st.sampled_from(RAW), st.binary(max_size=40), values().map(encode))


def encode(value: object) -> bytes:
    """JSON as a careless program writes it: with ``NaN``, ``Infinity``, lone surrogates and numbers of any size."""
    return json.dumps(value).encode()


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to everything that stands in a value, but to the value itself."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inner:
        yield (*path, key)
        yield from places(child, (*path, key))


def broken(answer: object, path: tuple[Any, ...], junk: object) -> Any:
    """The answer with junk in one place."""
    spoilt = copy.deepcopy(answer)
    holder: Any = spoilt
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = junk
    return spoilt


# adapters --------------------------------------------------------------------------------------------


def _draft(contact: str) -> Draft:
    title = "Ring {{first}} <b>now</b>"
    return Draft(MARKER, contact, Kind.FOLLOW_UP_CALL, title, "the plan", START, START)


_WANTED: Final = Record("reply", "", "Asha Rao", (PHONE,), (EMAIL,))

SUPERFONE: Final[Mapping[str, Talk]] = {
    "find": lambda crm: crm.find_contacts(PHONE),
    "tasks of contact": lambda crm: crm.list_contact_tasks("12345"),
    "create": lambda crm: crm.create_task(_draft("12345")),
    "complete": lambda crm: crm.complete_task(TaskRef("superfone", "4567", "12345")),
    "new contact": lambda crm: crm.create_contact(_WANTED),
    "check": lambda crm: crm.check(),
}
_COMMON: Final[Mapping[str, Talk]] = {
    "identity": lambda crm: crm.identity(),
    "tasks": lambda crm: crm.list_tasks(),
    "contacts": lambda crm: crm.list_contacts(),
    "find": lambda crm: crm.find_contacts(EMAIL),
    "new contact": lambda crm: crm.create_contact(_WANTED),
    "check": lambda crm: crm.check(),
}


def _addressing(system: str, task: str, contact: str) -> dict[str, Talk]:
    return {
        **_COMMON,
        "tasks of contact": lambda crm: crm.list_contact_tasks(contact),
        "task": lambda crm: crm.get_task(TaskRef(system, task, contact)),
        "contact": lambda crm: crm.get_contact(contact),
        "create": lambda crm: crm.create_task(_draft(contact)),
        "complete": lambda crm: crm.complete_task(TaskRef(system, task, contact)),
    }


CALLS: Final[Mapping[str, Mapping[str, Talk]]] = {
    "superfone": SUPERFONE,
    "reply": _addressing("reply", "5", "7"),
    "highlevel": _addressing("highlevel", "T1", "C1"),
}

_TASK: Final = {"id": "T1", "_id": "T1", **highlevel_kit.TASK, "body": f"by noon\n{MARKER.line}", "deleted": False}
_PERSON: Final = {"id": "C1", "firstName": "Asha", "email": EMAIL, "phone": PHONE, "additionalEmails": [EMAIL]}
_CONTACT: Final = {"id": 7, "firstName": "Asha", "lastName": None, "email": EMAIL, "phone": PHONE}

# What each call is answered with where nothing is wrong.
GOOD: Final[Mapping[str, Mapping[str, Any]]] = {
    "superfone": {
        "find": {"data": superfone_kit.LEAD},
        "tasks of contact": superfone_kit.page([superfone_kit.ROW]),
        "create": {"data": superfone_kit.ROW},
        "complete": {"data": {**superfone_kit.ROW, "task_status": "COMPLETE"}},
        "new contact": {"data": superfone_kit.LEAD},
    },
    "reply": {
        "identity": {"userId": 41},
        "tasks": reply_world.page(reply_world.row(5)),
        "contacts": reply_world.page(_CONTACT),
        "find": reply_world.page(_CONTACT),
        "new contact": reply_world.page(_CONTACT),
        "tasks of contact": reply_world.page(reply_world.row(5)),
        "task": reply_world.WHOLE,
        "contact": _CONTACT,
        "create": reply_world.WHOLE,
        "complete": {**reply_world.WHOLE, "status": 1},
    },
    "highlevel": {
        "tasks": {"tasks": [_TASK]},
        "contacts": {"contacts": [_PERSON]},
        "find": {"contact": _PERSON},
        "new contact": {"contact": _PERSON},
        "tasks of contact": {"tasks": [_TASK]},
        "task": {"task": _TASK},
        "contact": {"contact": _PERSON},
        "create": {"task": _TASK},
        "complete": {"task": {**_TASK, "completed": True}},
    },
}


def connect(system: str, transport: httpx.AsyncBaseTransport) -> Adapter:
    """An adapter before this transport, all its windows wide."""
    if system == "superfone":
        return SuperfoneAdapter(superfone_kit.settings(rate="1000000/s"), region="IN", transport=transport)
    if system == "reply":
        return ReplyAdapter(reply_world.settings(rate="1000000/s"), region="IN", transport=transport)
    settings = highlevel_kit.settings(rate="1000000/s")
    return HighLevelAdapter(settings, region="IN", transport=transport)


def ask(system: str, call: str, answer: Callable[[httpx.Request], httpx.Response]) -> tuple[object, int]:
    """What a call comes to, a result or an error of the contract, and how many requests it took."""

    async def main() -> tuple[object, int]:
        crm = connect(system, httpx.MockTransport(answer))
        crm.wire.set_deadline(600)
        try:
            outcome = await CALLS[system][call](crm)
        except AdapterError as error:
            outcome = error
        finally:
            await crm.aclose()
        return outcome, crm.wire.reads + crm.wire.writes

    return run_virtual(main())


def saying(
    status: int, body: bytes, headers: Mapping[str, str] | None = None
) -> Callable[[httpx.Request], httpx.Response]:
    """A server that always answers the same."""
    return lambda _request: httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))


# whole runs ------------------------------------------------------------------------------------------

# None of these is a good value of any field, so that nothing may follow from them.
JUNK: Final[tuple[Any, ...]] = (
    -1,
    0.5,
    10**400,
    float("nan"),
    [[]],
    {"a": None},
    "no such word",
    "2026-13-45T99:99:99+99:99",
    "\0",
    None,
)
_KEPT: Final = ("/whoami",)
_ROWS: Final = ("rows", "items", "tasks", "contacts")


class Garbler:
    """Spoils a part of what the CRMs answer, one thing in an answer at a time; ``spoilt`` tells what."""

    def __init__(self, seed: int, share: float) -> None:
        self.share = share
        self.spoilt: list[str] = []
        self._random = random.Random(seed)

    def __call__(self, call: Call, reply: Reply) -> Reply:
        if reply.status >= 300 or call.path in _KEPT or self._random.random() >= self.share:
            return reply
        answer = json.loads(reply.body)
        ways = [way for way in places(answer) if "org_id" not in way]
        path = self._random.choice([way for way in ways if _is_row(way)] or ways)
        inside = [way for way in ways if way[: len(path)] == path]
        path, junk = self._random.choice(inside), self._random.choice(JUNK)
        self.spoilt.append(f"{call.method} {call.path}: {path} is {junk!r:.40}")
        return replace(reply, body=encode(broken(answer, path, junk)))


def _is_row(way: tuple[Any, ...]) -> bool:
    return len(way) > 1 and way[-2] in _ROWS


def garble(sandbox: Sandbox, garbler: Callable[[Call, Reply], Reply]) -> None:
    """From now on, what the sandbox answers goes through this."""
    honest = sandbox.handle
    sandbox.handle = lambda call: garbler(call, honest(call))  # type: ignore[method-assign]
