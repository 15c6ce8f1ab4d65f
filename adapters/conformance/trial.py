"""What all trials share: how they run, how they fail, and how they let things go wrong."""

from __future__ import annotations

import asyncio
import inspect
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar
from unittest.mock import patch

import pytest
from structlog.testing import capture_logs

from adapters.conformance.bench import Bench
from adapters.conformance.clockwork import now, run_in_virtual_time
from adapters.conformance.order import missing_in
from adapters.sandbox import Call, Fault, Reply, Sandbox
from syncer.contract import unforeseen
from syncer.contract.adapter import Adapter, ListsTasks
from syncer.contract.errors import AdapterError, Missing
from syncer.domain.model import Draft, Kind, Listing, Reading, State, TaskRef
from syncer.domain.task_ids import Marker

P = ParamSpec("P")
Reads = dict[str, Callable[[], Awaitable[object]]]
_Any = TypeVar("_Any", bound="Trials")

NAME: Final = "Asha Rao"
EMAIL: Final = "asha.rao@example.com"
PHONE: Final = "+919876543210"
TITLE: Final = "Call about the visit"
LONG_TITLE: Final = f"{TITLE}, {', '.join(f'and point {n} of the plan' for n in range(1, 25))}"
"""Longer than what most CRMs keep of a title."""
BODY: Final = "Bring the plan\nand the price list"
LAG: Final = 120.0
"""Seconds after which a list that is declared to lag has caught up."""
MARKER: Final = Marker("1k2m9ab3xq", "elsewhere:7")
UNKNOWN: Final = {"email": "nobody@example.com", "phone": "+919000000000"}
"""Keys of nobody."""


class Trials(ABC):
    """A family of trials; each gets a fresh bench."""

    now = staticmethod(now)
    """The clock to give to the sandbox: it stands still, unless somebody waits."""

    @abstractmethod
    def make(self) -> Bench:
        """An adapter in front of an empty sandbox whose clock is ``self.now``; called inside the running loop."""

    async def to_write_next(self) -> str:
        """Return the next method to write and what it has to do, or an empty text if none is missing."""
        bench = self.make()
        kind = type(bench.adapter)
        # Once for each class, because it takes a call of every method.
        if kind not in _missing:
            _missing[kind] = await missing_in(bench)
        return _missing[kind]


_missing: Final[dict[type[Adapter], str]] = {}
"""By class of adapter: what `missing_in` returned."""


def trial(
    test: Callable[Concatenate[_Any, Bench, P], Coroutine[Any, Any, None]],
) -> Callable[Concatenate[_Any, P], None]:
    """Turn an asynchronous test with a bench into a plain test. It also fails if a log line contains a secret."""

    async def main(trials: _Any, *args: P.args, **kwargs: P.kwargs) -> None:
        # Every other failure would only say again that this is missing.
        if missing := await trials.to_write_next():
            pytest.skip(f"first {missing}")
        bench = trials.make()
        # In every trial, because a secret is most often told by an error that nobody thought of.
        # A run leaves out what an adapter does not expect, and goes on. Here that fails the trial, with the traceback.
        with capture_logs() as lines, patch.object(unforeseen, "tell", _fail):
            try:
                await test(trials, bench, *args, **kwargs)
            finally:
                await bench.adapter.aclose()
        told = [line["event"] for line in lines if any(secret in repr(line) for secret in bench.secrets)]
        need(not told, f"a log line tells a secret: {told}")

    @wraps(test)
    def run(trials: _Any, /, *args: P.args, **kwargs: P.kwargs) -> None:
        run_in_virtual_time(main(trials, *args, **kwargs))

    # Without the bench, which pytest would take for the name of a fixture.
    signature = inspect.signature(test)
    shown = [parameter for name, parameter in signature.parameters.items() if name != "bench"]
    run.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
    return run


def _fail(error: Exception, _places: list[str], _event: str = "") -> None:
    raise error


def need(truth: object, words: str) -> None:
    """Fail with these words unless it is true."""
    __tracebackhide__ = True
    if not truth:
        pytest.fail(words)


async def error_of(work: Awaitable[object]) -> AdapterError | None:
    """Return the adapter's error, or ``None`` if it answered. Any other exception is a bug and is not caught."""
    try:
        await work
    except AdapterError as error:
        return error
    return None


async def must_raise(work: Awaitable[object], wanted: type[AdapterError], what: str) -> AdapterError:
    """Return the error. Fail if the work ends in any other way."""
    __tracebackhide__ = True
    error = await error_of(work)
    got = "an answer" if error is None else f"{type(error).__name__}: {error}"
    if not isinstance(error, wanted):
        pytest.fail(f"{what} must raise {wanted.__name__}, and gave {got}")
    return error


async def doubted(
    bench: Bench, name: str, write: Callable[[], Awaitable[Reading]], wanted: type[AdapterError], what: str
) -> None:
    """Fail unless a write whose answer cannot be read raises this error, or returns what really happened.

    Some CRMs answer writes without content. Their adapters read the task to see what happened.
    """
    __tracebackhide__ = True
    before = bench.open_tasks()
    try:
        reading = await write()
    except AdapterError as error:
        if not isinstance(error, wanted):
            pytest.fail(f"{what} must raise {wanted.__name__}, and gave {type(error).__name__}: {error}")
        return
    now = bench.open_tasks()
    made, closed = now - before, before - now
    # What really happened is in the sandbox: an adapter that invents an answer is found out.
    it, is_open = {reading.remote_id}, reading.state is State.OPEN
    fine = is_open and made == it if name == "create_task" else closed == (set() if is_open else it)
    need(fine, f"{what} must raise {wanted.__name__}, or tell what is true, and gave {reading}")


def makes_contacts(bench: Bench) -> None:
    """Skip the test where no contact can be made."""
    if not bench.adapter.capabilities.creates_contacts:
        pytest.skip("no contact can be made there")


async def must_not_exist(work: Callable[[], Awaitable[object]], what: str) -> None:
    """Fail unless the call raises `NotImplementedError`."""
    __tracebackhide__ = True
    try:
        await work()
    except NotImplementedError:
        return
    except AdapterError as error:
        pytest.fail(f"{what} is not declared: it must raise NotImplementedError, and raised {type(error).__name__}")
    pytest.fail(f"{what} is not declared: it must raise NotImplementedError, and answered")


@dataclass(slots=True)
class Trouble:
    """A fault of the calls that ``hits`` accepts: of ``times`` of them (``None``: all) after the first ``spared``."""

    fault: Fault
    hits: Callable[[Call], bool] = lambda _call: True
    spared: int = 0
    times: int | None = None
    met: int = 0

    def __call__(self, call: Call) -> Fault | None:
        if not self.hits(call):
            return None
        self.met += 1
        late = self.times is not None and self.met > self.spared + self.times
        return None if late or self.met <= self.spared else self.fault


@contextmanager
def answering(
    sandbox: Sandbox, change: Callable[[Reply], Reply], hits: Callable[[Call], bool] = lambda _call: True
) -> Iterator[None]:
    """Change the sandbox's answers to the calls that ``hits`` accepts. The calls are carried out."""
    handle = sandbox.handle
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sandbox, "handle", lambda call: change(handle(call)) if hits(call) else handle(call))
        yield


@contextmanager
def refusing(sandbox: Sandbox, answer: Reply, hits: Callable[[Call], bool] = lambda _call: True) -> Iterator[None]:
    """Give this answer to the calls that ``hits`` accepts. The calls are not carried out."""
    handle = sandbox.handle
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sandbox, "handle", lambda call: answer if hits(call) else handle(call))
        yield


def instead(answer: Reply) -> Callable[[Reply], Reply]:
    """A change for `answering`: every answer becomes this one."""
    return lambda _reply: answer


def with_field(name: str, value: object, *, once: bool = False) -> Callable[[Reply], Reply]:
    """A change for `answering`: in each success, all fields of that name (or only the first one) get this value."""

    def changed(node: Any, left: list[None]) -> Any:
        if isinstance(node, list):
            return [changed(item, left) for item in node]
        if not isinstance(node, dict):
            return node
        here = name in node and (not once or bool(left))
        if here and left:
            # Only the first row: the others show that one bad row spoils no other.
            left.pop()
        return {key: value if here and key == name else changed(item, left) for key, item in node.items()}

    def change(reply: Reply) -> Reply:
        if reply.status >= 300 or not reply.body:
            return reply
        return replace(reply, body=json.dumps(changed(json.loads(reply.body), [None])).encode())

    return change


class SetsField:
    """A change like `with_field`, which remembers whether any answer had the field."""

    def __init__(self, name: str, value: object) -> None:
        self._change = with_field(name, value)
        self.was_there = False

    def __call__(self, reply: Reply) -> Reply:
        changed = self._change(reply)
        self.was_there = self.was_there or changed.body != reply.body
        return changed


def in_hours(hours: float) -> datetime:
    """An instant so many hours from now. It is not a whole minute."""
    # With seconds, or an adapter that cuts them off would pass.
    return (now() + timedelta(hours=hours)).replace(second=17, microsecond=0)


def draft(contact: str, kind: Kind, **changes: Any) -> Draft:
    """A task that is due in five hours."""
    fields: dict[str, Any] = {
        "marker": MARKER,
        "contact": contact,
        "kind": kind,
        "title": TITLE,
        "body": BODY,
        "due": in_hours(5),
        "now": now(),
    }
    return Draft(**{**fields, **changes})


def a_kind(bench: Bench) -> Kind:
    """A kind that can be created there, an exclusive one if there is any."""
    creates = bench.adapter.capabilities.creates
    # A kind whose creation closes others is the hardest to get right, so most trials use it.
    return min(creates & bench.adapter.capabilities.exclusive or creates)


def ref(bench: Bench, task: str, contact: str) -> TaskRef:
    """The address of a task."""
    return TaskRef(bench.adapter.system, task, contact)


def somebody(bench: Bench) -> str:
    """A contact with both keys, the e-mail not in lower case."""
    return bench.add_contact(NAME, EMAIL.title(), PHONE)


def some_tasks(bench: Bench, contact: str, count: int = 3) -> list[str]:
    """Open tasks of one contact, oldest first."""
    return [bench.add_task(contact, a_kind(bench), in_hours(5 + n), f"{TITLE} {n}") for n in range(count)]


async def a_moment() -> None:
    """Let some time pass, so that what comes next is newer."""
    await asyncio.sleep(5)


async def the_list(bench: Bench, contact: str) -> Listing[Reading]:
    """The list of tasks that the engine reads: the account's, once it has caught up, else the contact's."""
    if bench.adapter.capabilities.listing_lags:
        await asyncio.sleep(LAG)
    if bench.adapter.capabilities.lists_tasks is ListsTasks.ALL:
        return await bench.adapter.list_tasks()
    return await bench.adapter.list_contact_tasks(contact)


async def read_back(bench: Bench, task: str, contact: str) -> Reading:
    """Read one task with everything that can be read of it. Raises `Missing` if it does not exist."""
    if bench.adapter.capabilities.gets_task:
        return await bench.adapter.get_task(ref(bench, task, contact))
    listing = await bench.adapter.list_contact_tasks(contact)
    found = [row for row in listing.rows if row.remote_id == task]
    if not found:
        msg = f"task {task} is not in the list of its contact"
        raise Missing(msg)
    return found[0]


def reads_of(bench: Bench, contact: str, task: str) -> Reads:
    """Every read that the adapter declares, by name."""
    adapter, declared = bench.adapter, bench.adapter.capabilities
    reads: Reads = {"list_contact_tasks": lambda: adapter.list_contact_tasks(contact)}
    if declared.lists_tasks is ListsTasks.ALL:
        reads["list_tasks"] = adapter.list_tasks
    if declared.gets_task:
        reads["get_task"] = lambda: adapter.get_task(ref(bench, task, contact))
    if "email" in declared.contact_keys:
        reads["find_contacts (e-mail)"] = lambda: adapter.find_contacts(EMAIL)
    if "phone" in declared.contact_keys:
        reads["find_contacts (phone)"] = lambda: adapter.find_contacts(PHONE)
    if declared.lists_contacts:
        reads["list_contacts"] = adapter.list_contacts
        reads["get_contact"] = lambda: adapter.get_contact(contact)
    return reads


def writes_of(bench: Bench, contact: str, task: str) -> dict[str, Callable[[], Awaitable[Reading]]]:
    """The two writes that every adapter has."""
    adapter: Adapter = bench.adapter
    return {
        "create_task": lambda: adapter.create_task(draft(contact, a_kind(bench))),
        "complete_task": lambda: adapter.complete_task(ref(bench, task, contact)),
    }


def hand(work: Callable[[], None], what: str) -> None:
    """Let a person do something, or skip the test if nobody can do it in this CRM."""
    try:
        work()
    except NotImplementedError:
        pytest.skip(f"nobody can {what} in this CRM")
