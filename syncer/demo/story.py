"""The demo's story: what people do in which CRM. The results are read from the run's report and from the CRMs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from types import TracebackType
from typing import Final, Self

from rich.console import Console

from adapters.sandbox import Fault
from syncer.config.loader import build_adapters
from syncer.config.schema import Account
from syncer.demo.crowd import sentence
from syncer.demo.desks import LABELS, DeskTask
from syncer.demo.screen import ScreenRow, name_of, rows_of, say, show_report, show_rows, tell
from syncer.demo.server import SandboxServer
from syncer.demo.world import DemoWorld, utc_now
from syncer.domain.history import event_in_words
from syncer.domain.model import ReplicaState
from syncer.domain.reasons import Item
from syncer.domain.report import Exit, Report
from syncer.engine.opening import AccountInHand
from syncer.engine.run import run
from syncer.ledger import Ledger

ASHA, BILAL, CHITRA = "Asha Rao", "Bilal Khan", "Chitra Nair"
_PHONES: Final = {ASHA: "+919876543210", BILAL: "+919876543211", CHITRA: "+919876543212"}
_HOURS_TOLD: Final = timedelta(hours=4)
_STEP: Final = timedelta(minutes=7)


class StoryStopped(Exception):
    """Something went wrong. The text says what."""


class StoryClock:
    """A clock that starts some hours ago and jumps towards the present, so that the story takes seconds."""

    def __init__(self) -> None:
        self._behind = _HOURS_TOLD

    def __call__(self) -> datetime:
        return utc_now() - self._behind

    def jump(self) -> None:
        # Never ahead of the real clock, by which the folder is used after the story.
        self._behind = max(timedelta(0), self._behind - _STEP)

    def catch_up(self) -> None:
        self._behind = timedelta(0)


class Engine:
    """Runs of one account, one after another. Connections and ledger stay open, as in the daemon."""

    def __init__(self, account: Account, clock: StoryClock) -> None:
        self._account = account
        self._clock = clock
        self._runner = asyncio.Runner()
        self._adapters = build_adapters(account)
        self.ledger = Ledger.open(account.ledger_url, name=account.name, clock=clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for adapter in self._adapters.values():
            self._runner.run(adapter.aclose())
        self._runner.close()
        self.ledger.close()

    def run(self) -> Report:
        """One run, as `syncer sync --once`."""
        return self._runner.run(run(AccountInHand(self._account, self._adapters, self.ledger, clock=self._clock)))


class DemoStory:
    """Plays the story: people act in the server, the engine runs over HTTP, and the screen shows the result."""

    def __init__(self, server: SandboxServer, engine: Engine, clock: StoryClock, console: Console) -> None:
        self._server = server
        self._engine = engine
        self._ledger = engine.ledger
        self._clock = clock
        self._console = console
        self._scenes = 0
        self._rows: dict[str, ScreenRow] = {}
        self._waiting: Collection[Item] = ()

    def tell(self) -> None:
        """Play all scenes. Raises `StoryStopped`."""
        for name, phone in _PHONES.items():
            for system in LABELS:
                email = f"{name.partition(' ')[0].lower()}@example.com"
                self._server.do(_adding(system, name, phone, email))
        quote = self._made_once()
        self._moved_once(quote)
        self._done_once(quote)
        self._three_for_one_place()
        self._somebody_takes_the_place()
        self._a_reminder_on_top()
        self._a_lost_answer()
        self._nobody_acts()

    def examples(self) -> tuple[str, str]:
        """Two task ids in HighLevel for the final examples: one that waits somewhere, one that is open everywhere."""
        waiting = {item.task for item in self._waiting}
        copies = {
            view.task.id in waiting: replica.remote_id
            for view in reversed(self._ledger.tasks())
            for replica in view.replicas
            if replica.system == "highlevel" and replica.state is ReplicaState.OPEN
        }
        if len(copies) < 2:
            msg = "no task is left for the examples"
            raise StoryStopped(msg)
        return copies[True], copies[False]

    # scenes ----------------------------------------------------------------------------------------

    def _made_once(self) -> str:
        self._scene("Created once, copied everywhere", f"{ASHA} has the same phone number in all three CRMs.")
        quote = self._they("highlevel", "create", contact=ASHA, title="Call about the quote", due="14h")
        self._sync()
        return quote

    def _moved_once(self, quote: str) -> None:
        self._scene(
            "Moved once, moved everywhere",
            "A new due or title travels to the other CRMs. Superfone cannot change a task, so syncer creates its own "
            "task there again.",
        )
        call = self._copy(f"highlevel:{quote}", "reply")
        self._they("reply", "edit", task=call, due="30h")
        self._sync()
        dues = {shown.due for shown in self._shown() if shown.contact == ASHA and shown.open}
        tell(self._console, f"Due in all three CRMs: {', '.join(sorted(dues))}.", indent=2)

    def _done_once(self, quote: str) -> None:
        self._scene("Completed once, completed everywhere", "Whoever completes it first completes it for all.")
        self._they("reply", "complete", task=self._copy(f"highlevel:{quote}", "reply"))
        self._sync()

    def _three_for_one_place(self) -> None:
        self._scene(
            "Three tasks for one lead",
            "In Superfone a lead can have one open task (reminders do not count), and creating another closes it. So "
            "syncer creates one at a time: first the one that is due first.",
        )
        self._they("highlevel", "create", contact=BILAL, title="Send the offer", due="20h")
        self._they("highlevel", "create", contact=BILAL, title="Ask about the budget", due="16h")
        self._they("reply", "create", contact=BILAL, title="Agree on a day", type="Call", due="24h")
        self._sync()
        self._they("superfone", "complete", task=self._open("superfone", BILAL).id)
        self._sync()

    def _somebody_takes_the_place(self) -> None:
        self._scene(
            "A newer task in Superfone",
            "A task that a person creates in Superfone closes syncer's copy there. That task is not done, so it stays "
            "open in the other CRMs.",
        )
        self._they("superfone", "create", contact=BILAL, title="Wants a call back", type="CALLBACK_REQUEST", due="15h")
        self._sync()

    def _a_reminder_on_top(self) -> None:
        self._scene(
            "A reminder on top",
            "Superfone's API always completes a lead's newest open task. So an older task has to wait, or else the "
            "wrong one would be closed.",
        )
        visit = self._they("reply", "create", contact=CHITRA, title="Show the flat", type="Meeting", due="40h")
        self._sync()
        reminder = self._they(
            "superfone", "create", contact=CHITRA, title="Bring the floor plan", type="REMINDER", due="38h"
        )
        self._they("highlevel", "complete", task=self._copy(f"reply:{visit}", "highlevel"))
        self._sync()
        self._they("superfone", "complete", task=reminder)
        self._sync()

    def _a_lost_answer(self) -> None:
        self._scene(
            "A lost answer",
            "The next write to Superfone is carried out, but the connection breaks before the answer. Sending it again "
            "would create a second task, so syncer reads the lead first.",
        )
        task = self._they("highlevel", "create", contact=ASHA, title="Send the contract", due="26h")
        # Counted in the CRM and not by the engine: the point is that no second request arrives.
        arrived = self._writes("superfone")
        self._server.do(lambda world: world.break_next("superfone", Fault.LOST_ANSWER))
        report = self._sync()
        self._history(f"highlevel:{task}", report.run)
        here = [shown for shown in self._shown() if shown.system == "superfone" and shown.contact == ASHA]
        tell(
            self._console,
            f"Writes that reached Superfone: {self._writes('superfone') - arrived}. "
            f"{ASHA}'s open tasks there: {sum(shown.open for shown in here)}.",
            indent=2,
        )

    def _nobody_acts(self) -> None:
        # The commands that people type after the story use the real clock.
        self._clock.catch_up()
        self._scene("Nobody acts", "What syncer writes must not make it write again.")
        self._sync()

    # how it is told --------------------------------------------------------------------------------

    def _scene(self, title: str, facts: str) -> None:
        self._scenes += 1
        say(self._console)
        say(self._console, f"{self._scenes}. {title}", "bold")
        tell(self._console, facts, "dim", 2)

    def _they(self, system: str, verb: str, **fields: str) -> str:
        """Somebody acts, and the screen shows it. Returns the task's id in that CRM."""
        self._clock.jump()

        def act(world: DemoWorld) -> DeskTask:
            return world.desks[system].task(world.act(system, verb, **fields))

        shown = self._server.do(act)
        due = f", due in {fields['due'].replace('h', ' hours')}" if "due" in fields else ""
        tell(self._console, f"In {LABELS[system]}: {sentence(verb, shown)}{due}.", indent=2)
        return shown.id

    def _sync(self) -> Report:
        """Run the engine once, and show the result."""
        self._clock.jump()
        report = self._engine.run()
        shown, views = self._shown(), self._ledger.tasks()
        by_key = {(task.system, task.id): task for task in shown}
        names = {view.task.id: name_of(view, by_key) for view in views}
        show_report(self._console, report, names, known=self._waiting)
        self._waiting = report.waiting
        # The people's next act builds on this run, and would make no sense after a failure.
        if report.exit is not Exit.DONE:
            troubles = [f"{LABELS[system]}: {c.message}" for system, c in report.connections.items() if c.message]
            raise StoryStopped("; ".join(troubles) or f"the run ended as {report.status}")
        rows = dict(zip((view.task.id for view in views), rows_of(views, shown, report.waiting), strict=True))
        # What was done in an earlier scene would fill the screen.
        news = [row for task, row in rows.items() if not row.settled or row != self._rows.get(task)]
        self._rows = rows
        show_rows(self._console, news)
        return report

    def _history(self, reference: str, run_id: str) -> None:
        """Show what this run did to a task in Superfone, from the ledger's history."""
        for event in self._ledger.history(self._ledger.find(reference) or ""):
            if event.run == run_id and event.system == "superfone":
                tell(self._console, event_in_words(event, LABELS.__getitem__), "dim", 4)

    # what is there ---------------------------------------------------------------------------------

    def _shown(self) -> list[DeskTask]:
        return self._server.do(lambda world: [task for desk in world.desks.values() for task in desk.tasks()])

    def _writes(self, system: str) -> int:
        def count(world: DemoWorld) -> int:
            sandbox = world.sandboxes[system]
            return sum(sandbox.is_write(call) for call, _ in sandbox.calls)

        return self._server.do(count)

    def _copy(self, reference: str, system: str) -> str:
        """The id of a task's open copy in another CRM. Raises `StoryStopped` if there is none."""
        wanted = self._ledger.find(reference)
        for replica in (
            replica for view in self._ledger.tasks() if view.task.id == wanted for replica in view.replicas
        ):
            if replica.system == system and replica.state is ReplicaState.OPEN:
                return replica.remote_id
        msg = f"{reference} has no open copy in {LABELS[system]}"
        raise StoryStopped(msg)

    def _open(self, system: str, contact: str) -> DeskTask:
        """A contact's open task in one CRM. Raises `StoryStopped` if there is none."""
        for shown in self._shown():
            if shown.system == system and shown.contact == contact and shown.open:
                return shown
        msg = f"{contact} has no open task in {LABELS[system]}"
        raise StoryStopped(msg)


def _adding(system: str, name: str, phone: str, email: str) -> Callable[[DemoWorld], str]:
    return lambda world: world.act(system, "add", name=name, phone=phone, email=email)
