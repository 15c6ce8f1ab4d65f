"""The base of the three sandboxes: a simulated CRM as a function from calls to replies, and the faults of a network.

A sandbox does no I/O, so a simulation can send a million calls. It is reached through the Starlette application below
or through `adapters.http.sandbox_transport`. The methods of a sandbox are the actions of people. They leave no traces
that the real CRM would not leave.
"""

from __future__ import annotations

import codecs
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Final, Literal

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route


@dataclass(frozen=True, slots=True)
class Call:
    """One request: header names in lower case, the path as sent, without the query."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """The body as JSON; ``None`` if it is empty or not JSON."""
        try:
            return json.loads(self.body) if self.body else None
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def json_reply(status: int, value: object, *, media_type: str = "application/json") -> Reply:
    """An answer with a JSON body."""
    return Reply(status, json.dumps(value).encode(), {"content-type": media_type})


class Fault(StrEnum):
    """A fault of one request: what the client sees, and whether the request was carried out."""

    NO_CONNECTION = "no_connection"
    LOST_REQUEST = "lost_request"
    """The connection breaks before the request is carried out."""
    LOST_ANSWER = "lost_answer"
    """The request is carried out, and the connection breaks before the answer."""
    ERROR_BEFORE = "error_before"
    """A 5xx. The request is not carried out."""
    ERROR_AFTER = "error_after"
    """The request is carried out, and answered with a 5xx."""
    THROTTLED = "throttled"
    UNAUTHORIZED = "unauthorized"
    GARBAGE = "garbage"
    """The request is carried out. The answer is a success that is not JSON."""
    TRUNCATED = "truncated"
    """The request is carried out. The answer is a success whose body ends early."""
    FORBIDDEN = "forbidden"
    """A 403 of the CRM. The request is not carried out."""
    GATEWAY_404 = "gateway_404"
    """A proxy's page with status 404. The request is not carried out."""
    GATEWAY_200 = "gateway_200"
    """A proxy's page with status 200, such as a login page. The request is not carried out."""
    BOM = "bom"
    """The request is carried out. The answer begins with a byte order mark."""


_UNREADABLE: Final = {Fault.LOST_ANSWER, Fault.ERROR_AFTER, Fault.GARBAGE, Fault.TRUNCATED}
_GATEWAY: Final = b"<!DOCTYPE html><html><head><title>Gateway</title></head><body><h1>Not found</h1></body></html>"
Lie = Literal["task", "contact", "due"]


class Broken(Exception):
    """The connection broke before the answer. ``sent`` tells whether the request had been sent."""

    def __init__(self, *, sent: bool) -> None:
        super().__init__("the sandbox broke the connection")
        self.sent = sent


class Sandbox(ABC):
    """One CRM, simulated from its documentation.

    ``clock`` is the CRM's own. ``fault`` chooses the fault of a call, or none. ``before`` and ``after`` are called
    around each call that is carried out; there a test lets somebody else act. ``unread`` is true there if the client
    will not be able to read the answer. ``calls`` has all calls that arrived, with the status of the answer (0 if there
    was none).

    Permanent faults: ``lasting`` has entries of a method (``""`` is any), a regular expression for the whole path, and
    the fault of such calls. ``garbled`` has, by the id of a task or contact, fields that replace its own in every
    answer. ``lying_create`` is the field that the answer to a create takes from another task. ``stores_text`` and
    ``stores_due`` are what the CRM makes of a task's text and due, whoever writes them: whether a text is HTML, and
    whether fractions of a second are kept, is not documented.
    """

    system: ClassVar[str]
    told_as: ClassVar[Mapping[Lie, str]]
    """The names of a task's fields for its id, its contact and its due."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.fault: Callable[[Call], Fault | None] = lambda _call: None
        self.before: Callable[[Call], None] = lambda _call: None
        self.after: Callable[[Call, Reply], None] = lambda _call, _reply: None
        self.unread = False
        self.calls: list[tuple[Call, int]] = []
        self.lasting: list[tuple[str, str, Fault]] = []
        self.stores_text: Callable[[str], str] = lambda text: text
        self.stores_due: Callable[[datetime], datetime] = lambda due: due
        self.garbled: dict[str, Mapping[str, object]] = {}
        self.lying_create: Lie | None = None

    @abstractmethod
    def handle(self, call: Call) -> Reply:
        """Answer one call as the CRM's documentation says."""

    @abstractmethod
    def is_write(self, call: Call) -> bool:
        """Whether the call would change something."""

    @abstractmethod
    def unauthorized(self) -> Reply:
        """The CRM's answer to a wrong key."""

    @abstractmethod
    def throttled(self) -> Reply:
        """The CRM's 429."""

    def refused(self, status: int, words: str) -> Reply:
        """The CRM's answer to a request that it rejects, in the form of its error bodies."""
        return json_reply(status, {"message": words})

    def forbidden(self) -> Reply:
        """The CRM's 403 for a single item."""
        return self.refused(403, "Forbidden")

    def told(self, made: dict[str, Any], others: Callable[[], Iterable[dict[str, Any]]]) -> dict[str, Any]:
        """The answer to a create: the created task, or, with ``lying_create``, one with a field of another task."""
        if self.lying_create is None:
            return made
        name = self.told_as[self.lying_create]
        lies = (other[name] for other in others() if other.get(name) not in (None, made[name]))
        return made | {name: next(lies, made[name])}

    def exchange(self, call: Call) -> Reply:
        """Send one call through the simulated network. Raises `Broken`."""
        fault = self.fault(call) or self._lasting(call)
        # Not counted among the calls: it never reached the CRM.
        if fault is Fault.NO_CONNECTION:
            raise Broken(sent=False)
        try:
            reply = self._exchange(call, fault)
        except Broken:
            self.calls.append((call, 0))
            raise
        self.calls.append((call, reply.status))
        return reply

    def _exchange(self, call: Call, fault: Fault | None) -> Reply:
        match fault:
            # To the client, this and a lost answer look the same. That is why it must read before it repeats.
            case Fault.LOST_REQUEST:
                raise Broken(sent=True)
            case Fault.ERROR_BEFORE:
                return Reply(503, b"Service Unavailable", {"content-type": "text/plain"})
            case Fault.THROTTLED:
                return self.throttled()
            case Fault.UNAUTHORIZED:
                return self.unauthorized()
            case Fault.FORBIDDEN:
                return self.forbidden()
            case Fault.GATEWAY_404 | Fault.GATEWAY_200:
                return Reply(404 if fault is Fault.GATEWAY_404 else 200, _GATEWAY, {"content-type": "text/html"})
        # What is returned above is not carried out; everything below is.
        self.unread = fault in _UNREADABLE
        self.before(call)
        reply = self._garble(self.handle(call))
        self.after(call, reply)
        match fault:
            case Fault.LOST_ANSWER:
                raise Broken(sent=True)
            case Fault.ERROR_AFTER:
                return Reply(500, b"Internal Server Error", {"content-type": "text/plain"})
            case Fault.GARBAGE:
                return Reply(200, b"<html>upstream</html>", {"content-type": "text/html"})
            case Fault.TRUNCATED:
                return Reply(reply.status, reply.body[: len(reply.body) // 2], reply.headers)
            case Fault.BOM:
                return replace(reply, body=codecs.BOM_UTF8 + reply.body)
        return reply

    def _lasting(self, call: Call) -> Fault | None:
        return next(
            (
                fault
                for method, path, fault in self.lasting
                if method in ("", call.method) and re.fullmatch(path, call.path)
            ),
            None,
        )

    def _garble(self, reply: Reply) -> Reply:
        if not self.garbled or not reply.body:
            return reply
        return replace(reply, body=json.dumps(_with_fields(json.loads(reply.body), self.garbled)).encode())


def _with_fields(shown: Any, fields: Mapping[str, Mapping[str, object]]) -> Any:
    """The JSON with these fields replaced in the objects with these ids."""
    if isinstance(shown, list):
        return [_with_fields(item, fields) for item in shown]
    if not isinstance(shown, dict):
        return shown
    inner = {name: _with_fields(value, fields) for name, value in shown.items()}
    # The rows of HighLevel's search name their id `_id`.
    return {**inner, **fields.get(str(shown.get("id", shown.get("_id"))), {})}


def application(sandbox: Sandbox) -> Starlette:
    """The sandbox as a Starlette application."""

    async def answer(request: Request) -> Response:
        try:
            body = await request.body()
        except ClientDisconnect:
            # The client died while it sent, so the CRM never got the whole request, and nobody reads an answer.
            return Response()
        call = Call(
            request.method,
            request.url.path.removeprefix(request.scope.get("root_path", "")),
            dict(request.query_params),
            {name.lower(): value for name, value in request.headers.items()},
            body,
        )
        try:
            reply = sandbox.exchange(call)
        except Broken:
            return _broken_off()
        return Response(reply.body, reply.status, dict(reply.headers))

    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return Starlette(routes=[Route("/{path:path}", answer, methods=methods)])


def _broken_off() -> Response:
    """An answer without the body that it announces. The server then closes the connection."""

    async def nothing() -> Any:
        return
        yield

    return StreamingResponse(nothing(), headers={"content-length": "1"})
