"""The network between the engine and a CRM: delays, answers of proxies, and items that always fail."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx

from adapters.http.sandbox_transport import SandboxTransport
from adapters.reply.sandbox import ReplySandbox
from adapters.sandbox import Call, Reply, Sandbox
from adapters.superfone.sandbox import SuperfoneSandbox

_HTML = {"content-type": "text/html"}
_LEAD = re.compile(r"/lead/(\d+)/task")
_REPLY_TASK = re.compile(r"/tasks/(\d+)(?:/|$)")
STRANGE = ("html 404", "html 403", "html 401", "html 200", "odd wait", "another due", "another id")
A_MOMENT = timedelta(minutes=1)
_ODD_WAITS = ("2026-05-19T08:30:20Z", "Tue, 19 May 2026 08:30:20 GMT", "1.5", "-3", "soon")


class Network:
    """The network. ``strange`` is the kind of the next answer. ``ailing`` are the items that always fail, and how.

    ``known`` are the numbers of the tasks that existed when the run began. A wrong answer to a create names one of
    them: with a task that people created at the same time, nobody could notice it.
    """

    def __init__(self) -> None:
        self.known: dict[str, list[int]] = {}
        self.strange: str | None = None
        self.ailing: dict[tuple[str, str], str] = {}
        self._odd = 0

    @property
    def ailing_systems(self) -> frozenset[str]:
        """The CRMs with an item that always fails. Answers with a byte order mark do not count: they can be read."""
        return frozenset(system for system, item in self.ailing if item)

    def answer(self, sandbox: Sandbox, call: Call, exchange: Callable[[Call], Reply]) -> Reply:
        """Send one call through the network. Raises `Broken`."""
        failed = self._fails(sandbox.system, call)
        if failed is not None:
            sandbox.calls.append((call, failed.status))
            return failed
        strange = self._take(sandbox, call)
        if strange is not None and strange.startswith("html"):
            status = int(strange.removeprefix("html "))
            sandbox.calls.append((call, status))
            return Reply(status, b"<html><h1>gateway</h1></html>", _HTML)
        if strange == "odd wait":
            throttled = sandbox.throttled()
            sandbox.calls.append((call, throttled.status))
            self._odd += 1
            wait = _ODD_WAITS[self._odd % len(_ODD_WAITS)]
            return replace(throttled, headers={**throttled.headers, "retry-after": wait})
        reply = self._malformed(sandbox.system, exchange(call))
        if (sandbox.system, "") in self.ailing:
            return replace(reply, body=b"\xef\xbb\xbf" + reply.body)
        known = self.known.get(sandbox.system, [])
        return _another(reply, strange, known) if strange in {"another id", "another due"} else reply

    def begin(self, sandboxes: Iterable[Sandbox]) -> None:
        """Note that a run begins."""
        self.known = {sandbox.system: _ids(sandbox) for sandbox in sandboxes}

    def _take(self, sandbox: Sandbox, call: Call) -> str | None:
        """Return the kind of this answer. Only the answer to a create can name another task."""
        another = self.strange is not None and self.strange.startswith("another")
        if another and not (sandbox.is_write(call) and call.method == "POST" and call.path.endswith(("task", "tasks"))):
            return None
        strange, self.strange = self.strange, None
        return strange

    def _fails(self, system: str, call: Call) -> Reply | None:
        pattern = {"superfone": _LEAD, "reply": _REPLY_TASK}.get(system)
        found = pattern.search(call.path) if pattern else None
        how = self.ailing.get((system, found[1])) if found else None
        if how == "lead":
            return Reply(503, b"Service Unavailable", {"content-type": "text/plain"})
        if how == "forbidden":
            problem = {"type": "about:blank", "title": "Forbidden", "status": 403, "detail": "no access to this task"}
            return Reply(403, json.dumps(problem).encode(), {"content-type": "application/problem+json"})
        return None

    def _malformed(self, system: str, reply: Reply) -> Reply:
        """Return Reply's answer with an invalid due or text in the malformed tasks."""
        bad = {int(at) for (where, at), how in self.ailing.items() if (where, how) == (system, "malformed")}
        if not bad or not 200 <= reply.status < 300:
            return reply

        def spoil(value: Any) -> Any:
            if isinstance(value, list):
                return [spoil(one) for one in value]
            if isinstance(value, dict):
                spoilt = {name: spoil(one) for name, one in value.items()}
                if value.get("id") in bad and "dueTo" in value:
                    return spoilt | ({"dueTo": "whenever"} if value["id"] % 2 else {"template": 7})
                return spoilt
            return value

        return replace(reply, body=json.dumps(spoil(value)).encode()) if (value := _read(reply)) else reply


def _read(reply: Reply) -> Any:
    """Return the content of the answer, or ``None`` if it is damaged anyway."""
    try:
        return json.loads(reply.body)
    except ValueError:
        return None


def _ids(sandbox: Sandbox) -> list[int]:
    """Return the numbers of the tasks, in a CRM that counts them, without those of the last minute.

    The engine cannot know these without reading each new task once more.
    """
    tasks: list[Any] = []
    if isinstance(sandbox, SuperfoneSandbox):
        tasks = [task for lead in sandbox.leads() for task in sandbox.tasks(lead.id)]
    elif isinstance(sandbox, ReplySandbox):
        tasks = list(sandbox.tasks())
    return [task.id for task in tasks if sandbox.clock() - task.created_at > A_MOMENT]


def _another(reply: Reply, strange: str, ids: list[int]) -> Reply:
    """Return the answer to a create with the latest of these ids, or with another due."""
    if not 200 <= reply.status < 300:
        return reply
    answer = _read(reply)
    if not isinstance(answer, dict):
        return reply
    for task in (answer, answer.get("data"), answer.get("task")):
        if not isinstance(task, dict) or "id" not in task:
            continue
        older = [number for number in ids if isinstance(task["id"], int) and number < task["id"]]
        if strange == "another id" and older:
            task["id"] = max(older)
        for name in ("due_date", "dueTo", "dueDate"):
            if strange == "another due" and name in task:
                task[name] = "2026-06-30T10:00:00.000Z"
    return replace(reply, body=json.dumps(answer).encode())


class SlowTransport(SandboxTransport):
    """Answers after some virtual time, so that requests that may overlap do so."""

    def __init__(self, sandbox: Sandbox, network: Network, chance: Callable[[], float]) -> None:
        super().__init__(_Behind(sandbox, network))  # type: ignore[arg-type]
        self._chance = chance

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        await asyncio.sleep(self._chance() * 0.4)
        return response


class _Behind:
    """A sandbox behind the network."""

    def __init__(self, sandbox: Sandbox, network: Network) -> None:
        self._sandbox = sandbox
        self._network = network

    def exchange(self, call: Call) -> Reply:
        return self._network.answer(self._sandbox, call, self._sandbox.exchange)
