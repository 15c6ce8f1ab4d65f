"""How long it takes from a person's act to the last CRM that shows it, with events and without.

``python -m benchmarks.latency [ACTS] [INTERVAL]``: so many acts of each sort (40), and the seconds between two whole
runs (60, the default of an account file). The rates are the defaults, too. The daemon is a process of its own.

Half of the acts create a task, half complete one, in turn in Superfone and HighLevel. Reply sends no events about
tasks.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from syncer.demo.server import SandboxServer
from syncer.demo.world import DemoWorld
from syncer.web.day import percentile

ACTS: Final = 40
INTERVAL: Final = 60.0
SYSTEMS: Final = ("superfone", "highlevel")
GAP: Final = (0.5, 2.5)
"""Seconds between two acts of which events tell."""
LOOK: Final = 0.05
PATIENCE: Final = 600.0
SECRET: Final = "hook-secret"  # noqa: S105 - no secret, the CRMs are simulated
KEYS: Final = {"superfone": "superfone-key", "reply": "reply-key", "highlevel": "highlevel-key"}
ACCOUNT: Final = """
[account]
name = "bench"
region = "IN"
[ledger]
backup = "off"
[sync]
interval = "{interval}s"
[superfone]
api_key = "env:SUPERFONE_KEY"
base_url = "{url}/superfone"
[reply]
api_key = "env:REPLY_KEY"
base_url = "{url}/reply"
[highlevel]
token = "env:HIGHLEVEL_KEY"
location_id = "{location}"
base_url = "{url}/highlevel"
[events]
superfone_secret = "env:HOOK"
highlevel = true
highlevel_public_key = "file:key.pem"
"""


@dataclass(slots=True)
class Act:
    """What one person does: ``began`` is when, ``took`` the seconds until every CRM shows it."""

    person: str
    system: str
    completes: bool
    began: float = 0.0
    took: float | None = None


class Bench:
    """The CRMs, their people, and the daemon."""

    def __init__(self, folder: Path, server: SandboxServer, interval: float) -> None:
        self._server = server
        self._signing = Ed25519PrivateKey.generate()
        public = self._signing.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (folder / "key.pem").write_bytes(public)
        (folder / "key.pem").chmod(0o600)
        self._location = server.world.highlevel.location_id
        file = folder / "bench.toml"
        file.write_text(ACCOUNT.format(url=server.url, location=self._location, interval=f"{interval:g}"))
        self._out, self._err = folder / "out", folder / "err"
        command = [sys.executable, "-m", "syncer", "sync", "--json", "--listen", "127.0.0.1:0", "-c", str(file)]
        secrets = {f"{system.upper()}_KEY": key for system, key in KEYS.items()} | {"HOOK": SECRET}
        with self._out.open("w") as out, self._err.open("w") as err:
            self._process = subprocess.Popen(command, env=os.environ | secrets, stdout=out, stderr=err)  # noqa: S603
        self._port = 0

    def wait_for_the_first_run(self) -> None:
        """Wait until a run has ended in which nothing more was to be written."""
        end = time.monotonic() + PATIENCE
        while not any(_is_quiet(line) for line in self._out.read_text().splitlines()):
            if time.monotonic() > end or self._process.poll() is not None:
                raise AssertionError(self._err.read_text())
            time.sleep(LOOK)
        found = re.search(r"http://127\.0\.0\.1:(\d+)", self._err.read_text())
        if found is None:
            raise AssertionError(self._err.read_text())
        self._port = int(found[1])

    def do(self, act: Act, number: int, *, tells: bool) -> None:
        """Let the person act; with ``tells`` the CRM delivers its event."""
        task, contact = self._server.do(lambda world: _perform(world, act))
        act.began = time.monotonic()
        if tells:
            self._deliver(act, number, task, contact)

    def look(self, acts: list[Act]) -> None:
        """Note which acts have arrived everywhere."""
        opened = self._server.do(_open_tasks)
        now = time.monotonic()
        for act in acts:
            found = [(system, act.person) in opened for system in KEYS]
            if act.began and act.took is None and (not any(found) if act.completes else all(found)):
                act.took = now - act.began

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)

    def _deliver(self, act: Act, number: int, task: str, contact: str) -> None:
        if act.system == "superfone":
            kind = "TASK_UPDATE" if act.completes else "TASK_CREATE"
            body, headers = _json({"event": kind, "contact_id": int(contact)}), {"Authorization": SECRET}
        else:
            kind = "TaskComplete" if act.completes else "TaskCreate"
            event = {"type": kind, "locationId": self._location, "id": task, "contactId": contact}
            body = _json(event | {"webhookId": f"delivery-{number}"})
            headers = {"X-GHL-Signature": base64.b64encode(self._signing.sign(body)).decode()}
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)) as connection:
            headers["Content-Type"] = "application/json"
            connection.request("POST", f"/events/bench/{act.system}", body, headers)
            if connection.getresponse().status != 202:
                msg = f"an event of {act.system} was not taken"
                raise AssertionError(msg)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _is_quiet(line: str) -> bool:
    report: dict[str, Any] = json.loads(line) if line.endswith("}") else {}
    return report.get("status") == "ok" and not any(sum(report[name].values()) for name in ("created", "completed"))


def _perform(world: DemoWorld, act: Act) -> tuple[str, str]:
    """The ids of the task and of its contact in the CRM."""
    desk = world.desks[act.system]
    if act.completes:
        task = next(task.id for task in desk.tasks() if task.open and task.contact == act.person)
        world.act(act.system, "complete", task=task)
    else:
        task = world.act(act.system, "create", contact=act.person, title="Ring", due="5h")
    return task, next(remote_id for remote_id, name in desk.contacts().items() if name == act.person)


def _open_tasks(world: DemoWorld) -> set[tuple[str, str]]:
    return {(system, task.contact) for system, desk in world.desks.items() for task in desk.tasks() if task.open}


def _populate(world: DemoWorld, acts: list[Act]) -> None:
    """Each person is in all three CRMs; who is to complete a task has one."""
    for number, act in enumerate(acts):
        for system in KEYS:
            email, phone = f"asha{number}@example.com", f"+9198{number:08d}"
            world.act(system, "add", name=act.person, phone=phone, email=email)
        if act.completes:
            world.act("highlevel", "create", contact=act.person, title="Ring", due="5h")


def measure(bench: Bench, acts: list[Act], pauses: list[float], *, tells: bool) -> None:
    """Let everybody act, after these pauses, and wait until all of it has arrived everywhere."""
    left, at = list(acts), time.monotonic() + pauses[0]
    end = time.monotonic() + sum(pauses) + PATIENCE
    while any(act.took is None for act in acts):
        if left and time.monotonic() >= at:
            number = len(acts) - len(left)
            bench.do(left.pop(0), number, tells=tells)
            at += pauses[number + 1] if number + 1 < len(pauses) else 0.0
        bench.look(acts)
        if time.monotonic() > end:
            late = [act for act in acts if act.took is None]
            msg = f"{len(late)} acts never arrived, such as {late[0]}"
            raise AssertionError(msg)
        time.sleep(LOOK)


def tell(words: str, acts: list[Act]) -> None:
    seconds = [act.took for act in acts if act.took is not None]
    half, most = percentile(seconds, 0.5), percentile(seconds, 0.95)
    print(f"{words}: {len(seconds)} acts, p50 {half:.2f} s, p95 {most:.2f} s, {max(seconds):.2f} s at most")


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else ACTS
    interval = float(sys.argv[2]) if len(sys.argv) > 2 else INTERVAL
    rng = random.Random(1)  # noqa: S311 - no secret depends on it
    acts = [Act(f"Asha {place:04}", SYSTEMS[place // 2 % 2], completes=place % 2 == 0) for place in range(2 * number)]
    world = DemoWorld(KEYS)
    _populate(world, acts)
    with tempfile.TemporaryDirectory() as folder, SandboxServer(world) as server:
        bench = Bench(Path(folder), server, interval)
        try:
            bench.wait_for_the_first_run()
            told, untold = acts[:number], acts[number:]
            measure(bench, told, [rng.uniform(*GAP) for _ in told], tells=True)
            tell("with events", told)
            measure(bench, untold, [rng.uniform(0, 4 * interval / number) for _ in untold], tells=False)
            tell(f"without events, a run every {interval:g} s", untold)
        finally:
            bench.end()


if __name__ == "__main__":
    main()
