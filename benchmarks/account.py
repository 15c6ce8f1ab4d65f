"""An account with the simulated CRMs: its runs, their requests, and a ledger that agrees with the CRMs."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx
import structlog

from adapters.highlevel.sandbox import HighLevelSandbox
from syncer.config.loader import build_adapters, load_account
from syncer.contract.adapter import Adapter
from syncer.domain.base import Changes
from syncer.domain.model import Kind, Reading, Replica, Task
from syncer.domain.report import Report
from syncer.engine.opening import AccountInHand
from syncer.engine.run import Options, run
from syncer.ledger import Ledger

SECRETS: Final = {
    "SUPERFONE_API_KEY": "superfone-key",
    "REPLY_API_KEY": "reply-key",
    "HIGHLEVEL_TOKEN": "highlevel-token",
}
LOCATION: Final = HighLevelSandbox(lambda: datetime.now(UTC)).location_id
TABLES: Final = {
    "superfone": 'api_key = "env:SUPERFONE_API_KEY"',
    "reply": 'api_key = "env:REPLY_API_KEY"',
    "highlevel": f'token = "env:HIGHLEVEL_TOKEN"\nlocation_id = "{LOCATION}"',
}
HEAD: Final = """
[account]
name = "bench"
region = "IN"
[ledger]
backup = "off"
[sync]
run_limit = "0s"
"""


@dataclass(frozen=True, slots=True)
class Sent:
    """One request. A loop that does nothing else sends it again."""

    method: str
    url: str
    headers: Sequence[tuple[str, str]]
    content: bytes


class Recorder(httpx.AsyncBaseTransport):
    """The network. It notes what was sent."""

    def __init__(self, sent: list[Sent]) -> None:
        self._network = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=8, max_keepalive_connections=8))
        self._sent = sent

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._sent.append(Sent(request.method, str(request.url), request.headers.multi_items(), request.content))
        return await self._network.handle_async_request(request)

    async def aclose(self) -> None:
        await self._network.aclose()


class BenchAccount:
    """One account in ``folder`` with these CRMs at ``url``."""

    def __init__(self, folder: Path, url: str, systems: Sequence[str] = tuple(TABLES)) -> None:
        os.environ.update(SECRETS)
        logging.disable(logging.CRITICAL)
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        tables = [f'[{name}]\n{TABLES[name]}\nbase_url = "{url}/{name}"\nrate = "100000/s"\n' for name in systems]
        self.file = folder / "bench.toml"
        self.file.write_text(HEAD + "".join(tables))
        self.settings = load_account(self.file)
        self.sent: list[Sent] = []

    def adapters(self) -> dict[str, Adapter]:
        """Return one adapter for each CRM. They note what they send."""
        return build_adapters(self.settings, {system: Recorder(self.sent) for system in self.settings.connections})

    async def run(self, creates: int = 0) -> tuple[float, Report]:
        """Make one run. Returns its CPU seconds and its report. Its requests are in ``sent`` afterwards."""
        self.sent.clear()
        adapters = self.adapters()
        began = time.process_time()
        with Ledger.open(self.settings.ledger_url, name="bench") as ledger:
            report = await run(AccountInHand(self.settings, adapters, ledger), Options(allow_creates=creates))
        seconds = time.process_time() - began
        for adapter in adapters.values():
            await adapter.aclose()
        return seconds, report

    async def settle(self) -> None:
        """Fill the ledger as if all tasks of the CRMs had been copied by earlier runs."""
        adapters = self.adapters()
        changes = Changes()
        tasks: dict[str, Task] = {}
        for adapter in adapters.values():
            for record in (await adapter.list_contacts()).rows:
                changes.records[record.key] = record
                changes.links[record.key] = record.emails[0]
            for row in (await adapter.list_tasks()).rows:
                person = changes.links[row.system, row.contact or ""]
                task = tasks.setdefault(person, _task(row, person))
                changes.tasks[task.id] = task
                changes.replicas[row.key] = _replica(row, task)
            await adapter.aclose()
        with Ledger.open(self.settings.ledger_url, name="bench") as ledger:
            ledger.store(changes, token=None)


def _task(row: Reading, person: str) -> Task:
    due = row.due or datetime.now(UTC)
    return Task(row.place, person, Kind.FOLLOW_UP_CALL, row.title, None, due, row.system, first_seen=due)


def _replica(row: Reading, task: Task) -> Replica:
    return Replica(row.system, row.remote_id, task.id, row.contact or "", title=row.title, due=row.due)


async def bare(sent: Sequence[Sent]) -> float:
    """Send the same requests by httpx, one after another, and read the answers. Returns the CPU seconds."""
    async with httpx.AsyncClient() as client:
        began = time.process_time()
        for one in sent:
            await client.request(one.method, one.url, headers=list(one.headers), content=one.content)
        return time.process_time() - began
