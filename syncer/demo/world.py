"""Three simulated CRMs with people in them, and a journal from which they can be restored.

The state of a sandbox depends only on what happened to it and when. So the journal lists the actions of people and the
writes that were carried out. If it is replayed, the tasks and their ids are the same.
"""

from __future__ import annotations

import os
import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import TypeAdapter, ValidationError

from adapters.highlevel.sandbox import VERSION, HighLevelSandbox
from adapters.reply.sandbox import ReplySandbox
from adapters.sandbox import Call, Fault, Reply, Sandbox
from adapters.superfone.sandbox import SuperfoneSandbox
from syncer.contract.settings import StrictModel
from syncer.demo.desks import Desk, HighLevelDesk, ReplyDesk, SuperfoneDesk, checked

JOURNAL: Final = "sandbox.jsonl"
FAULTS: Final = (
    Fault.LOST_ANSWER,
    Fault.LOST_REQUEST,
    Fault.ERROR_BEFORE,
    Fault.ERROR_AFTER,
    Fault.THROTTLED,
    Fault.GARBAGE,
    Fault.TRUNCATED,
)
_FAULT_RATE: Final = 0.08
_INTERRUPTION_RATE: Final = 0.1
_LAG: Final = timedelta(seconds=3)
_CALLS_KEPT: Final = 1000


def utc_now() -> datetime:
    """The system's clock."""
    return datetime.now(UTC)


class Setup(StrictModel):
    """The journal's first line: what is needed to create the same sandbox again."""

    format: Literal[1] = 1
    port: int
    keys: dict[str, str]


class DemoAct(StrictModel):
    """An action of a person in a CRM."""

    at: datetime
    system: str
    verb: str
    fields: dict[str, str | None]


class Written(StrictModel):
    """A request that changed something."""

    at: datetime
    system: str
    method: str
    path: str
    query: dict[str, str]
    body: str


_ENTRY: Final[TypeAdapter[DemoAct | Written]] = TypeAdapter(DemoAct | Written)


class JournalError(Exception):
    """The journal cannot be read. The text says where."""


class Journal:
    """The journal file: a line with the `Setup`, then one line for each event."""

    def __init__(self, path: Path, setup: Setup) -> None:
        self.path = path
        self.setup = setup

    @classmethod
    def begin(cls, path: Path, setup: Setup) -> Journal:
        """Create the file, for its owner only, because it contains the keys. Raises `FileExistsError`."""
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
            file.write(setup.model_dump_json() + "\n")
        return cls(path, setup)

    @classmethod
    def find(cls, folder: Path) -> Journal | None:
        """The folder's journal, if there is one. Raises `JournalError` if the file is something else."""
        path = folder / JOURNAL
        try:
            with path.open(encoding="utf-8") as file:
                return cls(path, Setup.model_validate_json(file.readline()))
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            msg = f"{path} is not a sandbox's journal"
            raise JournalError(msg) from error

    def entries(self) -> Iterator[DemoAct | Written]:
        """All events in order. An incomplete last line is removed."""
        text = self.path.read_bytes()
        # A process that is killed while it writes a line has not answered the request that the line tells of.
        whole = text[: text.rfind(b"\n") + 1]
        if whole != text:
            self.path.write_bytes(whole)
        for number, line in enumerate(whole.splitlines()[1:], 2):
            try:
                yield _ENTRY.validate_json(line)
            except ValidationError as error:
                msg = f"line {number} of {self.path} is damaged; start again with: syncer demo"
                raise JournalError(msg) from error

    def append(self, entry: DemoAct | Written) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(entry.model_dump_json() + "\n")


class DemoWorld:
    """The three CRMs. ``clock`` is theirs. During one event it does not move."""

    def __init__(
        self, keys: Mapping[str, str], *, clock: Callable[[], datetime] = utc_now, journal: Journal | None = None
    ) -> None:
        self._clock = clock
        self._moment: datetime | None = None
        self._journal: Journal | None = None
        self._interrupt: Callable[[], None] = lambda: None
        self.keys = dict(keys)
        self.superfone = SuperfoneSandbox(self.now, api_key=keys["superfone"])
        self.reply = ReplySandbox(self.now, api_key=keys["reply"])
        self.highlevel = HighLevelSandbox(self.now, token=keys["highlevel"])
        desks: tuple[Desk, ...] = (
            SuperfoneDesk(self.superfone),
            ReplyDesk(self.reply),
            HighLevelDesk(self.highlevel),
        )
        self.desks = {desk.system: desk for desk in desks}
        self._next_faults: dict[str, deque[Fault]] = {system: deque() for system in self.desks}
        for system, sandbox in self.sandboxes.items():
            sandbox.before = partial(self._arrived, sandbox)
            sandbox.after = partial(self._answered, sandbox)
            sandbox.fault = partial(self._planned_fault, system)
        if journal is not None:
            self._replay(journal)
        # Only now, or the replay would write everything into the journal once more.
        self._journal = journal

    @property
    def sandboxes(self) -> dict[str, Sandbox]:
        return {system: desk.sandbox for system, desk in self.desks.items()}

    def now(self) -> datetime:
        return self._moment or self._clock()

    # what people do --------------------------------------------------------------------------------

    def act(self, system: str, verb: str, **fields: Any) -> str:
        """A person acts in a CRM. Returns the id of the task or contact. Raises `NotPossible`, `KeyError`."""
        # One instant for the whole event, so that a replay at that instant gives the same ids and times.
        self._moment = self._clock()
        try:
            desk = self.desks[system]
            asked = desk.understand(verb, fields, self._moment)
            done = desk.perform(verb, asked)
            if self._journal is not None:
                self._journal.append(DemoAct(at=self._moment, system=system, verb=verb, fields=asked.model_dump()))
            return done
        finally:
            self._moment = None

    # what the network does -------------------------------------------------------------------------

    def break_next(self, system: str, fault: Fault) -> None:
        """Use this fault for the next write to a CRM."""
        self._next_faults[system].append(fault)

    def storm(self, seed: int, interrupt: Callable[[], None]) -> None:
        """From now on, about one call in twelve fails, searches lag, and people act between two requests."""
        rng = random.Random(seed)  # noqa: S311 - no secret depends on it

        def interrupt_now_and_then() -> None:
            if rng.random() < _INTERRUPTION_RATE:
                interrupt()

        def fault(system: str, call: Call) -> Fault | None:
            planned = self._planned_fault(system, call)
            if planned is not None or rng.random() >= _FAULT_RATE:
                return planned
            return rng.choice(FAULTS)

        self._interrupt = interrupt_now_and_then
        self.highlevel.lag = _LAG
        # Seconds instead of a real Reply's, or a demo would mostly wait.
        self.reply.retry_after = 2
        for system, sandbox in self.sandboxes.items():
            sandbox.fault = partial(fault, system)

    def _planned_fault(self, system: str, call: Call) -> Fault | None:
        faults = self._next_faults[system]
        return faults.popleft() if faults and self.sandboxes[system].is_write(call) else None

    def _arrived(self, sandbox: Sandbox, call: Call) -> None:
        if sandbox.is_write(call):
            # Before the clock stops for this call: others act at a time of their own.
            self._interrupt()
        self._moment = self._clock()

    def _answered(self, sandbox: Sandbox, call: Call, reply: Reply) -> None:
        if self._journal is not None and sandbox.is_write(call) and reply.status < 400:
            self._journal.append(
                Written(
                    at=self.now(),
                    system=sandbox.system,
                    method=call.method,
                    path=call.path,
                    query=dict(call.query),
                    body=call.body.decode(),
                )
            )
        self._moment = None
        # A sandbox may run for days, and would keep every call.
        del sandbox.calls[:-_CALLS_KEPT]

    # what has happened before ----------------------------------------------------------------------

    def _replay(self, journal: Journal) -> None:
        for entry in journal.entries():
            self._moment = entry.at
            if isinstance(entry, DemoAct):
                self.desks[entry.system].perform(entry.verb, checked(entry.verb, entry.fields))
            else:
                headers = _HEADERS[entry.system](self.keys[entry.system])
                call = Call(entry.method, entry.path, entry.query, headers, entry.body.encode())
                # Not by `exchange`, which would let a fault hit what has happened already.
                self.sandboxes[entry.system].handle(call)
        self._moment = None


_HEADERS: Final[Mapping[str, Callable[[str], dict[str, str]]]] = {
    "superfone": lambda key: {"x-api-key": key},
    "reply": lambda key: {"x-api-key": key},
    "highlevel": lambda key: {"authorization": f"Bearer {key}", "version": VERSION},
}
