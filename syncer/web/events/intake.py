"""``POST /events/NAME/CRM``: store the event and answer at once. A run for that contact follows.

Checks in this order: unknown account or switched off (404), too large (413), forged (401), not understood (400),
received before (409).
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
from syncer.ledger.hints import CONTACT, PHONE, TASK, Delivered
from syncer.web.events.inbox import Inbox, NotStored
from syncer.web.site import Site

LARGEST: Final = 1024 * 1024
"""The largest body, in bytes."""
READ_AT_ONCE: Final = 32
"""How many bodies are read at the same time. Others wait in their sockets, where they take none of our memory."""
READ_WITHIN: Final = 10.0
SAME_WITHIN: Final = 2.0
"""For this many seconds an equal body counts as a repetition, if the CRM gives its deliveries no id."""
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


class _AccountEvents:
    """One account's event readers and its inbox, as its file configures them."""

    def __init__(self, account: Account, site: Site) -> None:
        self.account = account
        self.inbox = Inbox(account, site.clock)
        self.readers: Mapping[str, EventReader] = {}
        try:
            self.readers = event_readers(account)
        except ValueError as error:
            _log.error("events.off", account=account.name, words=redact(str(error)))


class Intake:
    """The event handler of one site."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._by_account: dict[str, _AccountEvents] = {}
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
        served = self._served(name)
        if served is None:
            return self._answer("", "", "not_found")
        reader = served.readers.get(system)
        if reader is None or not reader.is_address(request.path_params.get("rest", "")):
            # An unknown name must not become a label of a metric: anybody could add labels without end.
            return self._answer(name, system if system in served.account.connections else "", "not_found")
        outcome, is_news = await self._take(request, served, system, reader)
        if is_news:
            self._site.control.wake(name)
        return self._answer(name, system, outcome)

    def _answer(self, account: str, system: str, outcome: str) -> Response:
        self._site.metrics.note_event(account, system, outcome)
        return PlainTextResponse(outcome.replace("_", " ") + "\n", _STATUS[outcome])

    def _served(self, name: str) -> _AccountEvents | None:
        state = self._site.board.get(name)
        # The process that serves the account receives its events.
        if state is None or state.elsewhere:
            self._by_account.pop(name, None)
            return None
        found = self._by_account.get(name)
        if found is None or found.account != state.account:
            found = self._by_account[name] = _AccountEvents(state.account, self._site)
        return found

    def _is_repeated(self, account: str, system: str, body: bytes) -> bool:
        """Whether an equal event was delivered a moment ago. Both lead to one run."""
        # Only the hash is remembered: the bodies themselves may be a megabyte each.
        key, now = hashlib.sha256(f"{account}\0{system}\0".encode() + body).digest(), time.monotonic()
        before = self._lately.get(key)
        if before is not None and now - before < SAME_WITHIN:
            return True
        self._lately[key] = now
        self._lately.move_to_end(key)
        if len(self._lately) > _REMEMBERED:
            self._lately.popitem(last=False)
        return False

    async def _take(
        self, request: Request, served: _AccountEvents, system: str, reader: EventReader
    ) -> tuple[str, bool]:
        """Return what becomes of a delivery, in a word, and whether a run is needed."""
        # Refused by what the head says, before a byte of the body is read.
        length = request.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > LARGEST:
            return "too_large", False
        try:
            body = await self._body(request)
            if body is None:
                return "too_large", False
            told = reader.read(request.headers, body)
            repeated = told.delivery is None and self._is_repeated(served.account.name, system, body)
            new = await served.inbox.put(_delivered(system, told))
        except Forged as error:
            _log.warning("event.forged", account=served.account.name, system=system, words=str(error))
            return "forged", False
        except NotUnderstood as error:
            _log.info("event.not_understood", account=served.account.name, system=system, words=str(error))
            return "not_understood", False
        except NotStored:
            # When these are delivered again, they must be stored and not count as repetitions.
            self._lately.clear()
            return "full", False
        except (ClientDisconnect, TimeoutError):
            return "broken", False
        if repeated:
            self._wake_later(served.account.name)
            return "accepted", False
        return ("accepted", True) if new else ("known", False)

    def _wake_later(self, account: str) -> None:
        """Wake the daemon once for all repetitions until then, because one of them may report something new."""
        if account not in self._to_wake:
            self._to_wake.add(account)
            asyncio.get_running_loop().call_later(SAME_WITHIN, self._wake, account)

    def _wake(self, account: str) -> None:
        self._to_wake.discard(account)
        self._site.control.wake(account)

    async def _body(self, request: Request) -> bytes | None:
        """Return the whole body, or ``None`` if it turns out to be too large."""
        body = bytearray()
        async with self._reading, asyncio.timeout(READ_WITHIN):
            async for part in request.stream():
                body += part
                if len(body) > LARGEST:
                    return None
        return bytes(body)


def _delivered(system: str, told: Told) -> Delivered:
    hints = [(CONTACT, contact) for contact in told.contacts]
    hints += [(PHONE, phone) for phone in told.phones] + [(TASK, task) for task in told.tasks]
    return Delivered(system, tuple(hints), told.delivery)
