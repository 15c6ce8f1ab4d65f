"""The simulated CRMs on loopback: for `syncer sandbox`, for the demo, and for tests over real sockets.

One port serves all three, each under its own path, and the doors through which people act in them.
"""

from __future__ import annotations

import asyncio
import json
import random
import shlex
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Final, Self, TypeVar

import uvicorn
from rich.console import Console
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from adapters.sandbox import Fault, application
from syncer.demo.crowd import populate, sentence, somebody_acts
from syncer.demo.desks import LABELS, VERBS, NotPossible
from syncer.demo.screen import program, say, tell
from syncer.demo.world import DemoWorld, Journal, JournalError
from syncer.domain.report import Exit

HOST: Final = "127.0.0.1"
PORTS: Final = range(8765, 8775)
"""Tried first, so that an account file stays right when the sandbox is started again."""
_SECRETS: Final = {
    "superfone": ("api_key", "SUPERFONE_API_KEY"),
    "reply": ("api_key", "REPLY_API_KEY"),
    "highlevel": ("token", "HIGHLEVEL_TOKEN"),
}
_REST: Final = (8.0, 25.0)
"""Between two things that people do, in seconds."""
_STOPPED_BY: Final = {signal.SIGINT: Exit.SIGINT, signal.SIGTERM: Exit.SIGTERM}
_T = TypeVar("_T")


class SandboxServer:
    """Serves a world in its own thread, as a context manager. Raises `OSError` if the port is in use.

    ``port`` 0 takes a free one. ``also`` is done beside the serving, in the same thread, and ended with it.
    """

    def __init__(
        self, world: DemoWorld, port: int = 0, also: Callable[[], Coroutine[Any, Any, None]] | None = None
    ) -> None:
        self.world = world
        self._also = also
        self._socket = _listen(port)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{HOST}:{self.port}"
        config = uvicorn.Config(
            door(world), log_level="critical", access_log=False, lifespan="off", http="h11", ws="none"
        )
        self._server = uvicorn.Server(config)
        # Made here and not in the thread, because `do` needs it at once.
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="sandbox", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join()

    def do(self, work: Callable[[DemoWorld], _T]) -> _T:
        """Run an action on the world in the server's thread, between two requests."""

        async def now() -> _T:
            return work(self.world)

        # A sandbox is not safe for threads, so everything that happens to it happens in the server's loop.
        return asyncio.run_coroutine_threadsafe(now(), self._loop).result()

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve_all())

    async def _serve_all(self) -> None:
        beside = asyncio.create_task(self._also()) if self._also else None
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            if beside is not None:
                beside.cancel()
                with suppress(asyncio.CancelledError):
                    await beside


def _listen(port: int) -> socket.socket:
    """A socket that accepts connections at once, so that nobody has to wait for the server to be ready."""
    # With the protocol's name, asyncio switches off Nagle's algorithm. Otherwise every answer would be delayed.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def free_port() -> int:
    """The first of the usual ports that is free, else any free one."""
    for port in (*PORTS, 0):
        with suppress(OSError), _listen(port) as listener:
            return int(listener.getsockname()[1])
    msg = "no port is free"
    raise OSError(msg)


def door(world: DemoWorld) -> Starlette:
    """One application: each CRM under its name, and the actions of people under ``/people``."""
    crms = [Mount(f"/{system}", application(sandbox)) for system, sandbox in world.sandboxes.items()]
    return Starlette(
        routes=[
            *crms,
            Route("/", partial(_show, world)),
            Route("/people", partial(_show_json, world)),
            Route("/people/{system}/{verb}", partial(_act, world), methods=["POST"]),
            Route("/faults/{system}", partial(_break, world), methods=["POST"]),
        ]
    )


async def _show(world: DemoWorld, _request: Request) -> Response:
    return PlainTextResponse("\n".join(_overview(world)) + "\n")


async def _show_json(world: DemoWorld, _request: Request) -> Response:
    return JSONResponse(
        {
            system: {"contacts": desk.contacts(), "tasks": [task.as_json() for task in desk.tasks()]}
            for system, desk in world.desks.items()
        }
    )


async def _act(world: DemoWorld, request: Request) -> Response:
    system, verb = request.path_params["system"], request.path_params["verb"]
    if system not in world.desks or verb not in VERBS:
        return _refuse(f"POST /people/{{{'|'.join(world.desks)}}}/{{{'|'.join(VERBS)}}}", 404)
    fields = _fields(await request.body())
    if fields is None:
        return _refuse('the body must be a JSON object such as {"task": "1003"}')
    try:
        # What is deleted can be named only before it is gone.
        before = world.desks[system].task(str(fields["task"])) if verb == "delete" and "task" in fields else None
        done = world.act(system, verb, **fields)
    except NotPossible as error:
        return _refuse(str(error))
    if verb == "add":
        return JSONResponse({"contact": done})
    task = before or world.desks[system].task(done)
    return JSONResponse({"task": done, "did": f"In {LABELS[system]}: {sentence(verb, task)}."})


async def _break(world: DemoWorld, request: Request) -> Response:
    system = request.path_params["system"]
    fields = _fields(await request.body()) or {}
    if system not in world.desks or fields.get("fault") not in set(Fault):
        return _refuse(f'POST /faults/{{{"|".join(world.desks)}}} with {{"fault": "{"|".join(Fault)}"}}')
    world.break_next(system, Fault(fields["fault"]))
    return JSONResponse({"next_write": fields["fault"]})


def _fields(body: bytes) -> dict[str, Any] | None:
    try:
        fields = json.loads(body)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None


def _refuse(words: str, status: int = 400) -> Response:
    return JSONResponse({"message": words}, status)


def _overview(world: DemoWorld) -> Iterator[str]:
    for system, desk in world.desks.items():
        tasks = [task for task in desk.tasks() if task.open]
        yield f"{LABELS[system]}: {len(tasks)} open tasks of {len(desk.contacts())} contacts"
        for task in tasks:
            yield f"  {task.id:<20}  {task.type:<16}  {task.due:<17}  {task.contact}: {task.title}".rstrip()


# `syncer sandbox` ------------------------------------------------------------------------------------


def serve(seed: int, faults: bool, console: Console, port: int = 0) -> int:  # noqa: FBT001 - the command's own shape
    """Serve the three CRMs until a signal says to stop; the exit status.

    In a folder of the demo its story goes on, at its port; elsewhere a new world is made of the seed.
    """
    try:
        journal = Journal.find(Path.cwd())
        world = _world(seed, journal)
        rng = random.Random(seed)  # noqa: S311 - no secret depends on it
        also = partial(_live, world, rng, console) if faults else None
        if faults:
            world.storm(seed, lambda: _somebody(world, rng, console))
        # The demo's account file names the port of its journal.
        port = port or (journal.setup.port if journal else free_port())
        server = SandboxServer(world, port, also)
    except JournalError as error:
        return _complain(console, str(error), Exit.WRONG)
    except OSError as error:
        words = f"cannot listen on {HOST}:{port}: {error.strerror}; choose another port with --port"
        return _complain(console, words, Exit.WRONG)
    with _stop_signals() as stopped, server:
        _introduce(console, server, journal, faults=faults)
        stopped.wait()
    return int(stopped.status)


def _world(seed: int, journal: Journal | None) -> DemoWorld:
    if journal is not None:
        return DemoWorld(journal.setup.keys, journal=journal)
    world = DemoWorld({system: f"{system}-key-{seed}" for system in LABELS})
    populate(world, seed)
    return world


async def _live(world: DemoWorld, rng: random.Random, console: Console) -> None:
    while True:
        await asyncio.sleep(rng.uniform(*_REST))
        _somebody(world, rng, console)


def _somebody(world: DemoWorld, rng: random.Random, console: Console) -> None:
    say(console, f"  {world.now().astimezone():%H:%M:%S}  {somebody_acts(world, rng)}")


class _Stopped:
    """Set by the first signal. ``status`` is the exit status."""

    def __init__(self) -> None:
        self.status = Exit.DONE
        self._event = threading.Event()

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        self.status = _STOPPED_BY[signal.Signals(number)]
        self._event.set()

    def wait(self) -> None:
        self._event.wait()


@contextmanager
def _stop_signals() -> Iterator[_Stopped]:
    stopped = _Stopped()
    before = {number: signal.signal(number, stopped) for number in _STOPPED_BY}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _complain(console: Console, words: str, status: Exit) -> int:
    say(console, words)
    return int(status)


def _introduce(console: Console, server: SandboxServer, journal: Journal | None, *, faults: bool) -> None:
    say(console, f"Superfone, Reply.io and HighLevel, simulated, at {server.url} until you press Ctrl+C.")
    for system, label in LABELS.items():
        say(console, f"  {label:<9}  {server.url}/{system:<9}  key {server.world.keys[system]}")
    if faults:
        say(console, "About one request in twelve fails, and people act now and then.")
    say(console)
    if journal is None:
        _account_file(console, server)
    else:
        _goes_on(console, server, journal)
    say(console)
    _doors(console, server)


def _goes_on(console: Console, server: SandboxServer, journal: Journal) -> None:
    say(console, "The demo continues where it ended. In another terminal:")
    say(console, f"  cd {shlex.quote(str(journal.path.parent))}")
    syncer = program(journal.path.parent)
    for command in ("plan", "sync --once", "status", "sync"):
        say(console, f"  {syncer} {command}")
    if server.port != journal.setup.port:
        say(console, f"config.toml names port {journal.setup.port}: change it to {server.port} first.")


def _account_file(console: Console, server: SandboxServer) -> None:
    """Print how to set up an account for these CRMs: by questions, or by a file."""
    syncer, location = program(Path.cwd()), server.world.highlevel.location_id
    say(console, "To set up an account for it, type this in another terminal:")
    say(console, f"  {syncer} init \\")
    addresses = [f"    --base-url {system}={server.url}/{system}" for system in LABELS]
    say(console, " \\\n".join(addresses))
    tell(console, f"It asks for the keys above, and for HighLevel's location_id: {location}")
    app = server.world.highlevel.oauth
    tell(console, f"For OAuth: {app.client_id}, {app.client_secret} and {app.refresh_token}.")
    say(console)
    say(console, "Or answer no questions, put this into config.toml,")
    say(console)
    say(console, '  [account]\n  name = "sandbox"\n')
    for system, (key, variable) in _SECRETS.items():
        say(console, f'  [{system}]\n  {key} = "env:{variable}"\n  base_url = "{server.url}/{system}"')
        say(console, f'  location_id = "{location}"' if system == "highlevel" else "")
    say(console)
    say(console, "and type")
    for system, (_, variable) in _SECRETS.items():
        say(console, f"  export {variable}={server.world.keys[system]}")
    say(console)
    say(console, "After either:")
    for command in ("check", "plan", "sync --once", "status"):
        say(console, f"  {syncer} {command}")
    say(console, "When the sandbox stops, its data is lost. Then remove the ledger too: the file that ends in .db.")


def _doors(console: Console, server: SandboxServer) -> None:
    """Print examples that can be copied: they use existing people and tasks."""
    url = server.url
    say(console, "Act as one of the people:")
    say(console, f"  curl {url}/")
    contact = next(iter(server.world.desks["highlevel"].contacts().values()))
    new = json.dumps({"contact": contact, "title": "Call about the quote", "due": "5h"})
    say(console, f"  curl {url}/people/highlevel/create -d {shlex.quote(new)}")
    task = next((task.id for task in server.world.desks["reply"].tasks() if task.open), "1003")
    say(console, f"  curl {url}/people/reply/edit -d {shlex.quote(json.dumps({'task': task, 'due': '2d'}))}")
    say(console, f"  curl {url}/people/reply/complete -d {shlex.quote(json.dumps({'task': task}))}")
    tell(console, f"The actions in superfone, reply and highlevel are {', '.join(VERBS)}.")
    fault = json.dumps({"fault": Fault.LOST_ANSWER.value})
    say(console, f"Lose the answer to the next write: curl {url}/faults/superfone -d {shlex.quote(fault)}")
