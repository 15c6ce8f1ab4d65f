"""The real command line against the three sandboxes on sockets."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from adapters.highlevel.sandbox import HighLevelSandbox
from adapters.reply.sandbox import ReplySandbox
from adapters.sandbox import Call, Sandbox, application
from adapters.superfone.sandbox import SuperfoneSandbox

ROOT = Path(__file__).parents[2]
SECRETS = {"SF_KEY": "superfone-key", "RE_KEY": "reply-key", "HL_KEY": "highlevel-token"}
PATIENCE = 120.0
"""Seconds after which something hangs, on a machine however busy: no test that passes is timed by it."""

ACCOUNT = """
[account]
name = "{name}"
timezone = "Asia/Kolkata"
[sync]
interval = "1s"
{sync}
[superfone]
api_key = "env:SF_KEY"
base_url = "{url}/superfone"
rate = "1000/s"
[reply]
api_key = "env:RE_KEY"
base_url = "{url}/reply"
rate = "1000/s"
[highlevel]
token = "env:HL_KEY"
location_id = "ve9EPM428h8vShlRW1KT"
base_url = "{url}/highlevel"
rate = "1000/s"
"""


def until(true: Callable[[], object], *, seconds: float = PATIENCE) -> None:
    """Wait for another process to do something."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


class Command:
    """One command under way, or ended."""

    def __init__(self, out: Path) -> None:
        self._out = out

    def _read(self, name: str) -> str:
        file = Path(f"{self._out}.{name}")
        return file.read_text() if file.exists() else ""

    @property
    def stdout(self) -> str:
        return self._read("stdout")

    @property
    def stderr(self) -> str:
        return self._read("stderr")

    @property
    def status(self) -> int:
        """The exit status, once it has one."""
        until(lambda: self._read("status"))
        return int(self._read("status"))

    @property
    def ended(self) -> bool:
        return bool(self._read("status"))

    @property
    def answers(self) -> list[dict[str, Any]]:
        """The JSON objects of standard output."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def answer(self) -> dict[str, Any]:
        """The only one."""
        (only,) = self.answers
        return only

    def send(self, number: signal.Signals) -> None:
        until(lambda: self._read("pid"))
        os.kill(int(self._read("pid")), number)


def runs(command: Command) -> int:
    """How many runs a daemon has told of, one line each."""
    return len(command.stdout.splitlines())


class Zygote:
    """Starts commands quickly; see `tests.support.cli_zygote`."""

    def __init__(self) -> None:
        command = [sys.executable, "-W", "error", "-m", "tests.support.cli_zygote"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, text=True)  # noqa: S603
        self._numbers = count(1)

    def start(self, folder: Path, env: dict[str, str], *args: str, answers: str = "") -> Command:
        out = folder / f".command-{next(self._numbers)}"
        Path(f"{out}.stdin").write_text(answers)
        order = {"args": args, "folder": str(folder), "env": env, "out": str(out)}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return Command(out)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(PATIENCE) == 0


class Served:
    """Three CRMs behind two ports of loopback, an account file for them, and commands in its folder."""

    def __init__(self, folder: Path, zygote: Zygote) -> None:
        self.folder = folder
        self.superfone = SuperfoneSandbox(self.now)
        self.reply = ReplySandbox(self.now)
        self.highlevel = HighLevelSandbox(self.now)
        self.env = {**SECRETS, "PATH": os.environ["PATH"], "HOME": str(folder)}
        self._zygote = zygote
        self._server = uvicorn.Server(
            uvicorn.Config(
                Starlette(routes=[Mount(f"/{box.system}", application(box)) for box in self.sandboxes]),
                log_level="error",
                lifespan="off",
                ws="none",
            )
        )
        doors = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": doors})
        self._thread.start()
        until(lambda: self._server.started)
        self.url, self.other_url = (f"http://127.0.0.1:{door.getsockname()[1]}" for door in doors)
        self.configure()

    @property
    def sandboxes(self) -> tuple[SuperfoneSandbox, ReplySandbox, HighLevelSandbox]:
        return (self.superfone, self.reply, self.highlevel)

    def now(self) -> datetime:
        return datetime.now(UTC)

    def configure(
        self, name: str = "acme", *, sync: str = "", file: str = "config.toml", elsewhere: bool = False
    ) -> None:
        """Write an account file; behind the other port, the same CRMs look like another remote account."""
        url = self.other_url if elsewhere else self.url
        (self.folder / file).write_text(ACCOUNT.format(name=name, url=url, sync=sync))

    def person(self, name: str = "Asha", phone: str = "+919876543210") -> tuple[int, str, str]:
        """Somebody who is in all three CRMs: the ids there."""
        email = f"{name.lower()}@example.com"
        return (
            self.superfone.add_lead(name, [phone], [email]),
            self.reply.add_contact(name, email, phone),
            self.highlevel.add_contact(name, "Rao", email, phone),
        )

    def task(self, contact: str, title: str = "Call Asha", *, hours: float = 5.0) -> str:
        """Somebody makes a task in HighLevel."""
        due = (self.now() + timedelta(hours=hours)).replace(microsecond=0)
        return self.highlevel.person_creates(contact, title, due, "About the flat")

    def start(self, *args: str, answers: str = "", **env: str) -> Command:
        return self._zygote.start(self.folder, self.env | env, *args, answers=answers)

    def do(self, *args: str, answers: str = "", **env: str) -> Command:
        """A command, and its end."""
        command = self.start(*args, answers=answers, **env)
        until(lambda: command.ended)
        return command

    def writes(self) -> int:
        """How many writes have arrived."""
        return sum(box.is_write(call) for box in self.sandboxes for call, _ in list(box.calls))

    def hold_first_write(self) -> Hold:
        """The first write that arrives anywhere waits until it is let go."""
        return Hold(self)

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(PATIENCE)


class Hold:
    """One write that is under way for as long as the test likes."""

    def __init__(self, served: Served) -> None:
        self.arrived = threading.Event()
        self._go_on = threading.Event()
        for box in served.sandboxes:
            box.before = partial(self._wait, box)

    def _wait(self, box: Sandbox, call: Call) -> None:
        if box.is_write(call) and not self.arrived.is_set():
            self.arrived.set()
            assert self._go_on.wait(PATIENCE)

    def __enter__(self) -> Hold:
        return self

    def __exit__(self, *_: object) -> None:
        self._go_on.set()


def start_zygote() -> Iterator[Zygote]:
    one = Zygote()
    yield one
    one.close()


def serve(tmp_path: Path, zygote: Zygote) -> Iterator[Served]:
    one = Served(tmp_path, zygote)
    yield one
    one.close()
