"""`syncer demo`: a story in three simulated CRMs, and a folder to continue with."""

from __future__ import annotations

import json
import os
import secrets
import shlex
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Final

from rich.console import Console

from syncer.config import log
from syncer.config.loader import load_account
from syncer.demo.desks import LABELS
from syncer.demo.screen import program, say, tell
from syncer.demo.server import SandboxServer, free_port
from syncer.demo.story import DemoStory, Engine, StoryClock, StoryStopped
from syncer.demo.world import JOURNAL, DemoWorld, Journal, Setup
from syncer.domain.report import Exit

FOLDER: Final = Path("syncer-demo")
CONFIG: Final = "config.toml"
_ACCOUNT: Final = """\
# The demo's account: three CRMs that `syncer sandbox`, typed in this folder, simulates at port {port}.
# config.example.toml, which comes with syncer, explains every key.

[account]
name = "demo"

[sync]
interval = "5s"
doubt_grace = "5s"

[superfone]
api_key = "file:superfone.key"
base_url = "{url}/superfone"
rate = "100/s"

[reply]
api_key = "file:reply.key"
base_url = "{url}/reply"
rate = "100/s"

[highlevel]
token = "file:highlevel.key"
location_id = "{location}"
base_url = "{url}/highlevel"
rate = "100/s"
"""


class NoFolder(Exception):
    """The demo's folder cannot be used. The text says why."""


def run_demo(folder: Path | None, console: Console) -> int:
    """Show the story and leave its folder. Returns the exit status."""
    try:
        home = make_folder(folder)
        # A lost answer is part of the story, so its warning is not shown.
        log.configure("error", json=False)
        server = _open_world(home, clock := StoryClock())
        tell(console, _introduction(home))
        with server, Engine(load_account(home / CONFIG), clock) as engine:
            story = DemoStory(server, engine, clock, console)
            story.tell()
            examples = story.examples()
    except NoFolder as error:
        say(console, str(error))
        return int(Exit.WRONG)
    except StoryStopped as error:
        say(console, f"The demo stops here: {error}")
        return int(Exit.PARTIAL)
    _how_to_go_on(console, home, server.url, *examples)
    return int(Exit.DONE)


def make_folder(wanted: Path | None) -> Path:
    """Create an empty folder. If it has a demo already, add the next number to its name. Raises `NoFolder`."""
    first = wanted or FOLDER
    if first.name in {"", ".."}:
        first = first.resolve()
    for number in count(1):
        folder = first if number == 1 else first.with_name(f"{first.name}-{number}")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not any(folder.iterdir()):
                return folder
        except OSError as error:
            msg = f"the folder {folder} cannot be made: {error.strerror}; name another one with --folder"
            raise NoFolder(msg) from error
        if not (folder / JOURNAL).exists():
            msg = f"the folder {folder} is not empty and has no demo; name another one with --folder"
            raise NoFolder(msg)
    raise AssertionError


def _open_world(home: Path, clock: StoryClock) -> SandboxServer:
    """Write the account file, its secrets and the journal, for their owner only, and open the server's port."""
    setup = Setup(port=free_port(), keys={system: f"{system}-{secrets.token_hex(12)}" for system in LABELS})
    world = DemoWorld(setup.keys, clock=clock, journal=Journal.begin(home / JOURNAL, setup))
    server = SandboxServer(world, setup.port)
    for system, key in setup.keys.items():
        # With a line's end, as an editor would write it.
        _write(home / f"{system}.key", key + "\n")
    location = world.highlevel.location_id
    _write(home / CONFIG, _ACCOUNT.format(port=server.port, url=server.url, location=location))
    return server


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def _introduction(home: Path) -> str:
    return (
        "Three CRMs, simulated on this machine, with one list of tasks. The people are invented. The sync is real: it "
        f"uses HTTP and the account file {home / CONFIG}."
    )


def _how_to_go_on(console: Console, home: Path, url: str, waiting: str, everywhere: str) -> None:
    """Commands that can be copied and typed in this order."""
    syncer, body = program(home), shlex.quote(json.dumps({"task": everywhere}))
    inside = f"cd {shlex.quote(str(home.absolute()))}"
    _commands(
        console,
        "Look at the result; nothing needs to run for this:",
        (
            f"cd {shlex.quote(str(home))}",
            f"{syncer} status",
            f"{syncer} tasks",
            f"{syncer} explain highlevel:{waiting}",
        ),
    )
    _commands(console, "Start the three CRMs again, until you press Ctrl+C:", (f"{syncer} sandbox",))
    _commands(
        console,
        "Then, in a second terminal, act as one of the people, and sync:",
        (
            inside,
            f"curl {url}/",
            f"curl {url}/people/highlevel/complete -d {body}",
            f"{syncer} plan",
            f"{syncer} sync --once",
        ),
    )
    say(console)
    say(console, f"All files are in {home.absolute()}. Remove the folder when you no longer need it.", "dim")


def _commands(console: Console, what: str, commands: Iterable[str]) -> None:
    say(console)
    say(console, what, "bold")
    for command in commands:
        say(console, f"  {command}")
