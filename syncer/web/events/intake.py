"""``POST /events/NAME/CRM``: answered at once, and looked at by a run for that contact alone.

Refused in this order: no such account or off (404), too large (413), forged (401), not understood (400), known (409).
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from syncer.config.events import event_readers
from syncer.config.schema import Account
from syncer.contract.events import EventReader, Forged, NotUnderstood, Told
from syncer.domain.redact import redact
from syncer.ledger.hints import CONTACT, TASK, Delivered
from syncer.web.events.inbox import Inbox, NotStored
from syncer.web.site import Site

LARGEST: Final = 1024 * 1024
"""Bytes of a body."""
READ_AT_ONCE: Final = 32
"""Bodies that are read at the same time; the others wait in their sockets, and not in our memory."""
READ_WITHIN: Final = 10.0
SAME_WITHIN: Final = 2.0
"""Seconds in which the same body, of a CRM that gives its deliveries no id, is the same delivery again."""
_REMEMBERED: Final = 1000
_STATUS: Final = {
    "accepted": 202,
    "not_found": 404,
    "too_large": 413,
    "forged": 401,
    "not_understood": 400,
    "known": 409,
    "full": 503,
    "broken": 408,
}
_log: Final = structlog.get_logger("syncer.events")


class _Door:
    """One account's readers and its inbox, as its file says."""

    def __init__(self, account: Account, site: Site) -> None:
        self.account = account
        self.inbox = Inbox(account, site.clock)
        self.readers: Mapping[str, EventReader] = {}
        try:
            self.readers = event_readers(account)
        except ValueError as error:
            _log.error("events.off", account=account.name, words=redact(str(error)))


class Intake:
    """The handler of one site."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._doors: dict[str, _Door] = {}
        self._lately: OrderedDict[bytes, float] = OrderedDict()
        self._to_wake: set[str] = set()
        self._reading = asyncio.Semaphore(READ_AT_ONCE)

    def routes(self) -> list[Route]:
        return [
            Route("/events/{name}/{system}", self._deliver, methods=["POST"]),
            Route("/events/{name}/{system}/{rest:path}", self._deliver, methods=["POST"]),
        ]

    async def _deliver(self, request: Request) -> Response:
        name, system = request.path_params["name"], request.path_params["system"]
        door = self._door(name)
        if door is None:
            return self._answer("", "", "not_found")
        reader = door.readers.get(system)
        if reader is None or not reader.is_address(request.path_params.get("rest", "")):
            # What others write into an address must not become a label.
            return self._answer(name, system if system in door.account.connections else "", "not_found")
        outcome, is_news = await self._take(request, door, system, reader)
        if is_news:
            self._site.control.wake(name)
        return self._answer(name, system, outcome)

    def _answer(self, account: str, system: str, outcome: str) -> Response:
        self._site.metrics.note_event(account, system, outcome)
        return PlainTextResponse(outcome.replace("_", " ") + "\n", _STATUS[outcome])

    def _door(self, name: str) -> _Door | None:
        state = self._site.board.get(name)
        if state is None or state.elsewhere:
            self._doors.pop(name, None)
            return None
        found = self._doors.get(name)
        if found is None or found.account != state.account:
            found = self._doors[name] = _Door(state.account, self._site)
        return found

    def _is_repeated(self, account: str, system: str, body: bytes) -> bool:
        """Whether the same was delivered a moment ago; it is looked at once, then."""
        key, now = hashlib.sha256(f"{account}\0{system}\0".encode() + body).digest(), time.monotonic()
        before = self._lately.get(key)
        if before is not None and now - before < SAME_WITHIN:
            return True
        self._lately[key] = now
        self._lately.move_to_end(key)
        if len(self._lately) > _REMEMBERED:
            self._lately.popitem(last=False)
        return False

    async def _take(self, request: Request, door: _Door, system: str, reader: EventReader) -> tuple[str, bool]:
        """What becomes of a delivery, in a word, and whether there is something to look at."""
        length = request.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > LARGEST:
            return "too_large", False
        try:
            body = await self._body(request)
            if body is None:
                return "too_large", False
            told = reader.read(request.headers, body)
            repeated = told.delivery is None and self._is_repeated(door.account.name, system, body)
            new = await door.inbox.put(_delivered(system, told))
        except Forged as error:
            _log.warning("event.forged", account=door.account.name, system=system, words=str(error))
            return "forged", False
        except NotUnderstood as error:
            _log.info("event.not_understood", account=door.account.name, system=system, words=str(error))
            return "not_understood", False
        except NotStored:
            # What comes again has to be stored.
            self._lately.clear()
            return "full", False
        except (ClientDisconnect, TimeoutError):
            return "broken", False
        if repeated:
            self._wake_later(door.account.name)
            return "accepted", False
        return ("accepted", True) if new else ("known", False)

    def _wake_later(self, account: str) -> None:
        """Wake the daemon once for all that is repeated meanwhile: it may also tell of something that came after."""
        if account not in self._to_wake:
            self._to_wake.add(account)
            asyncio.get_running_loop().call_later(SAME_WITHIN, self._wake, account)

    def _wake(self, account: str) -> None:
        self._to_wake.discard(account)
        self._site.control.wake(account)

    async def _body(self, request: Request) -> bytes | None:
        """The whole body; ``None`` if it is too large after all."""
        body = bytearray()
        async with self._reading, asyncio.timeout(READ_WITHIN):
            async for part in request.stream():
                body += part
                if len(body) > LARGEST:
                    return None
        return bytes(body)


def _delivered(system: str, told: Told) -> Delivered:
    hints = [(CONTACT, contact) for contact in told.contacts] + [(TASK, task) for task in told.tasks]
    return Delivered(system, tuple(hints), told.delivery)
