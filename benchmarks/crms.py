"""The three simulated CRMs in a process of their own, so that their own cost is in no figure."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from adapters.highlevel.sandbox import HighLevelSandbox
from adapters.reply.sandbox import ReplySandbox
from adapters.sandbox import Call, Reply, Sandbox, application
from adapters.superfone.sandbox import SuperfoneSandbox

HOST: Final = "127.0.0.1"
LISTS: Final = ("/tasks/search", "/tasks/filter", "/contacts/search", "/contacts", "/whoami")
"""The paths of lists. As long as nobody acts, a page is the same every time."""


@contextmanager
def crms(tasks: int, *, settled: bool = False) -> Iterator[str]:
    """Serve the CRMs on loopback with this many tasks. Yields the address; each CRM is at its name below it.

    Each person is in all three CRMs and has one task, created in each CRM in turn. If ``settled``, every task is in
    both Reply and HighLevel.
    """
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(theirs, tasks, settled), daemon=True)
    process.start()
    try:
        yield f"http://{HOST}:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection, tasks: int, settled: bool) -> None:  # noqa: FBT001 - what a process is started with has no names
    logging.disable(logging.CRITICAL)
    sandboxes = _filled(tasks, settled=settled)
    if settled:
        for sandbox in sandboxes.values():
            _remember_lists(sandbox)
    app = Starlette(routes=[Mount(f"/{name}", application(sandbox)) for name, sandbox in sandboxes.items()])
    config = uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off", ws="none")
    # Only with the protocol's number asyncio switches off Nagle's algorithm.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind((HOST, 0))
    listener.listen()
    pipe.send(listener.getsockname()[1])
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


def _filled(tasks: int, *, settled: bool) -> Mapping[str, Sandbox]:
    def now() -> datetime:
        return datetime.now(UTC)

    superfone, reply, highlevel = SuperfoneSandbox(now), ReplySandbox(now), HighLevelSandbox(now)
    morning = now().replace(microsecond=0)
    for number in range(tasks):
        name, email, phone = f"Asha{number}", f"asha{number}@example.com", f"+9198{number:08d}"
        lead = superfone.add_lead(name, [phone], [email])
        contact, other = reply.add_contact(name, email, phone), highlevel.add_contact(name, "Rao", email, phone)
        due = morning + timedelta(hours=5 + number % 100)
        if settled or number % 3 == 1:
            reply.person_creates(contact, "Call", due, f"Ring {number}")
        if settled or number % 3 == 2:
            highlevel.person_creates(other, f"Ring {number}", due)
        if not settled and number % 3 == 0:
            superfone.person_creates(lead, "FOLLOW_UP_CALL", due)
    return {"superfone": superfone, "reply": reply, "highlevel": highlevel}


def _remember_lists(sandbox: Sandbox) -> None:
    """Answer an equal request with the stored page, because creating one takes longer the more tasks there are."""
    honest, known = sandbox.handle, dict[tuple[str, bytes], Reply]()

    def handle(call: Call) -> Reply:
        if not call.path.endswith(LISTS):
            return honest(call)
        wanted = (f"{call.path}?{sorted(call.query.items())}", call.body)
        if wanted not in known:
            known[wanted] = honest(call)
        return known[wanted]

    sandbox.handle = handle  # type: ignore[method-assign]
