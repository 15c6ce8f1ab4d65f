"""Play a history on a stage, while the oracle checks the laws."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from unittest.mock import patch

from adapters.sandbox import Fault
from syncer.contract import unforeseen
from syncer.domain.model import Reading
from syncer.engine.run import Options
from syncer.reconcile import unmatched
from syncer.reconcile.merging import in_order
from tests.simulation import slow
from tests.simulation.actions import (
    Act,
    Ail,
    Break,
    Delay,
    Freeze,
    History,
    Jump,
    Kill,
    Lag,
    LoseLedger,
    Make,
    Meet,
    Outage,
    PutAside,
    PutBack,
    Run,
    Rush,
    Strangely,
    Wait,
)
from tests.simulation.contacts import Contacts
from tests.simulation.laws import peace, runs
from tests.simulation.laws.violation import Violation
from tests.simulation.machines import BOTH, MACHINES, OURS
from tests.simulation.memory import GRACE, LEAD_RECHECK, Copy
from tests.simulation.oracle import Oracle
from tests.simulation.outcome import Outcome, told_last
from tests.simulation.people import People
from tests.simulation.stage import SimulationStage
from tests.support.editors import EDITORS

MEETS = "create_missing_contacts = true"
# Longer than the supersede window, so that two actions of people do not look like one.
BETWEEN = 4.0
TRIED_AGAIN = timedelta(minutes=61)
"""An operation that failed in five runs in a row is tried again after an hour."""
PEACE = 3
"""Runs without people and faults after which the laws hold."""
UNLIMITED = Options(allow_creates=10_000, allow_completions=10_000, allow_edits=10_000)


class Play:
    """Plays one history. ``tell`` gets a sentence for each event."""

    def __init__(self, history: History, tell: Callable[[str], None] = lambda _sentence: None) -> None:
        self._history = history
        self._tell = tell
        # The pauses between two attempts of a read are drawn from the module itself.
        random.seed(history.seed)
        settings = dict(history.settings)
        settings |= {system: f"{settings.get(system, '')}\n{MEETS}" for system in history.newcomer}
        self.stage = SimulationStage(history.seed, settings, history.systems)
        self.stage.skew = timedelta(seconds=history.skew)
        self.stage.shorten_pages(history.page, counted=history.counted)
        for system, editor in history.editors:
            sandbox = {"reply": self.stage.reply, "highlevel": self.stage.highlevel}[system]
            sandbox.stores_text = EDITORS[editor]
            if history.seed % 2 == (system == "reply"):
                sandbox.stores_due = _whole_seconds
        self.oracle = Oracle(
            self.stage,
            closes_cancelled="keep" not in settings["sync"],
            closes_deleted='deleted = "close"' in settings["sync"],
            holds="hold" in settings["superfone"],
        )
        self.people = People(history, self.stage, self.oracle, tell)
        self._contacts = Contacts(self.stage, self.oracle, tell)
        self._contacts.populate(history.newcomer or ("superfone",), history.dirty, history.crowd)
        self.oracle.slow = history.crowd > 0
        self.oracle.linked = "linked" in settings["superfone"]
        self._heals: list[Copy] = []
        self._ran = False

    def play(self) -> None:
        """Play the whole history, then the end without people and faults. Raises `Violation`."""
        try:
            for action in self._history.actions:
                self._do(action)
            self._peace()
        finally:
            self.stage.close()

    def _do(self, action: object) -> None:
        match action:
            case Make() | Act():
                self.people.act(action)
                self.stage.wait(BETWEEN)
            case Wait(seconds):
                self._tell(f"{seconds} s pass")
                self.stage.wait(seconds)
            case Lag(seconds):
                self._tell(f"HighLevel's search is {seconds} s late from now on")
                self.stage.highlevel.lag = timedelta(seconds=seconds)
            case LoseLedger():
                self._tell("the ledger is lost")
                self.stage.wait(GRACE.total_seconds())
                self.stage.lose_ledger()
                self.oracle.lost_ledger()
                self.people.name_again()
            case Meet():
                self._contacts.meet(action)
                self.people.name_again()
                self.stage.wait(BETWEEN)
            case Jump(seconds):
                self._tell(f"our clock is {seconds} s off from now on")
                self.stage.our_clock.set_ahead(seconds)
            case Ail():
                self._ail(action)
            case PutAside():
                self._put_aside()
            case PutBack():
                self._put_back(action)
            case Run():
                self._run(action)

    def _put_aside(self) -> None:
        if not self._ran:
            # It is empty, and a copy of it that is put back is a lost ledger.
            return
        self._tell("the ledger is copied")
        self.stage.put_aside()
        self.oracle.put_aside()

    def _put_back(self, action: PutBack) -> None:
        if not self.stage.running and "superfone" in self.stage.on_its_way:
            # If it closes a task that somebody creates meanwhile, only the ledger that sent it could report that.
            self.stage.wait(GRACE.total_seconds())
        if self.stage.put_back(under=action.how == "under"):
            self._tell("the ledger's copy is put back")
            self.oracle.lost_ledger(old=True)
            self.people.name_again()

    def _ail(self, action: Ail) -> None:
        """Let an item fail for good, or until the end."""
        if action.what == "lead":
            items = [("superfone", str(lead.id)) for lead in self.stage.superfone.leads()]
        elif action.what == "bom":
            items = [(system, "") for system in self.stage.sandboxes]
        else:
            tasks = self.oracle.tasks("reply")
            items = [("reply", at) for at in sorted(tasks, key=int) if tasks[at].name and tasks[at].open]
        if not items:
            return
        item = items[action.which % len(items)]
        self._tell(f"from now on {item} is {action.what}" + (", until peace" if action.heals else ", for good"))
        self.stage.network.ailing[item] = action.what
        if item[1]:
            self.oracle.ails(item)
        if action.heals:
            self._heals.append(item)

    def _heal(self) -> None:
        """Correct our clock and the failing items, and let enough time pass for what waits."""
        stories = {item: self.oracle.ailing.pop(item, None) for item in self._heals}
        for item in self._heals:
            self.stage.network.ailing.pop(item, None)
        self.stage.our_clock.set_ahead(0)
        if self.stage.our_clock.was_set_since:
            # The engine can notice the correction only while the true time is behind the wrong one.
            self._run(Run())
        if self._heals:
            # Somebody types `syncer retry` for these items as the report says, but not for duplicates, nor for what may
            # be done or a copy of something: it would become a task of its own.
            for item in self._heals:
                # People may have deleted it.
                story, task = self.oracle.story(item) or stories[item], self.oracle.task_id(item)
                if task and task not in self.oracle.doubles | self.oracle.told:
                    self.stage.retry(task)
                    self.oracle.retried(story)
            self.stage.wait(TRIED_AGAIN.total_seconds())
        if self.oracle.added_at:
            # Numbers may have been searched for while our clock was fast, and nothing told since that it was.
            self.stage.wait((LEAD_RECHECK + self.stage.our_clock.ever_off[1]).total_seconds())

    # runs ------------------------------------------------------------------------------------------

    def _run(self, action: Run) -> None:
        for moment, happening in action.at:
            self.stage.at[moment] = self._happening(happening)
        # Our ledger must be the older one, also if shrinking removed its first runs.
        machine = action.ledger if self._ran else OURS
        self._ran = True
        self._tell("a run starts" + (" twice at once" if action.twice else "") + MACHINES[machine])
        self.oracle.creates = self.oracle.completions = self.oracle.edits = 0
        self.oracle.begins(
            machine,
            disturbed=bool(
                action.at
                or self.oracle.slow
                or self.stage.network.ailing
                or self.stage.network.strange
                or any(self.stage.outages.values())
            ),
        )
        if self.oracle.closed_there is not None:
            self.people.name_again()
        outcomes: tuple[Outcome, ...]
        if machine == BOTH:
            outcomes = self.stage.two_machines()
        else:
            outcomes = self.stage.two_runs() if action.twice else (self.stage.run(ledger=machine),)
        if action.twice and not any(outcome.busy or outcome.killed for outcome in outcomes):
            raise Violation("lease", "two runs of one account at the same time")
        for outcome in outcomes:
            self._tell(f"the run ends: {_describe(outcome)}")
        if len(outcomes) == 1 and not self.stage.guests:
            judge = self.oracle
            runs.limit(judge, outcomes[0], judge.creates, judge.completions, judge.edits)
        for guest in self.stage.guests:
            self._tell(f"the other process's run ended: {_describe(guest)}")
        if machine == BOTH:
            self.oracle.after_run(outcomes[0], beside=outcomes[-1])
        else:
            self.oracle.after_run(next((o for o in outcomes if o.report), outcomes[0]), machine=machine)
        for guest in self.stage.guests:
            self.oracle.after_run(guest, machine=machine % BOTH)
        self.stage.wait(BETWEEN)

    def _happening(self, happening: object) -> Callable[[], Fault | None]:
        def happen() -> Fault | None:
            if isinstance(happening, Kill):
                self._tell("  … the process is killed")
                self.stage.kill()
            if isinstance(happening, Break):
                self._tell(f"  … {happening.fault.value}, if a request is at the door")
                return self.stage.fail(happening.fault)
            if isinstance(happening, Delay):
                self._tell(f"  … the next write is lost to us, and arrives {happening.seconds} s later")
                self.stage.delay(happening.seconds)
                return None
            if isinstance(happening, Outage):
                self._tell(f"  … {happening.system}: {happening.fault.value}, {happening.requests} times")
                self.stage.outages[happening.system] = [happening.fault] * happening.requests
                return None
            if isinstance(happening, Freeze):
                self._tell(f"  … the process stands still for {happening.seconds} s, and another one starts")
                self.stage.freeze(happening.seconds)
                return None
            if isinstance(happening, Strangely):
                self._tell(f"  … the next answer is strange: {happening.what}")
                self.stage.answer_strangely(happening.what)
                return None
            if isinstance(happening, PutBack):
                self._put_back(happening)
                return None
            if isinstance(happening, Rush):
                self.stage.rush = partial(self.people.rush, happening)
                return None
            self._tell("  … meanwhile")
            self.people.act(happening)
            return None

        return happen

    def _peace(self) -> None:
        """The end, without people and faults: after three runs the laws hold, and one more run writes nothing.

        A recurring task that the last of them completed is open again with its next date. Copying that takes one more.
        """
        self._tell("peace")
        self._heal()
        self.stage.wait(self.stage.highlevel.lag.total_seconds() + GRACE.total_seconds())
        outcome = Outcome()
        if self.oracle.slow:
            outcome = self._slow_peace()
        else:
            for number in range(1, 2 * PEACE):
                tasks = len(self.oracle.stories)
                outcome = self._peaceful_run()
                if number >= PEACE and len(self.oracle.stories) == tasks and not self.oracle.takes_longer():
                    break
        peace.judge(self.oracle, outcome)
        before = self.writes()
        last = self.stage.run(options=UNLIMITED)
        self._tell(f"the last run ends: {_describe(last)}")
        peace.l1_no_echo(before, self.writes())

    def _peaceful_run(self) -> Outcome:
        self.oracle.begins(OURS, disturbed=self.oracle.slow)
        outcome = self.stage.run(options=UNLIMITED)
        self._tell(f"the run ends: {_describe(outcome)}")
        self.oracle.after_run(outcome)
        self.stage.wait(self.stage.highlevel.lag.total_seconds() + GRACE.total_seconds())
        return outcome

    def _slow_peace(self) -> Outcome:
        """Run until all leads were read once more and nothing was written, which may not take longer than that must."""
        settings = dict(self._history.settings)
        copies = [at for name in self.oracle.stories for at in self.oracle.copies(name)]
        texts = sum(system == "reply" for system, _ in copies) + len(self.oracle.stories)
        turn = slow.turn(settings, len(self.stage.superfone.leads()), texts)
        most = PEACE + 2 * turn + slow.runs_for(settings, 2 * len(copies))
        silent: list[Outcome] = []
        for _ in range(most):
            before = self.writes()
            outcome = self._peaceful_run()
            silent = [] if self.writes() > before else [*silent, outcome]
            if len(silent) > turn:
                return told_last(silent)
        raise Violation("L7", f"after {most} runs without people and faults, there is still something to write")

    def writes(self) -> int:
        return sum(s.is_write(call) for s in self.stage.sandboxes.values() for call, _ in s.calls)


def _whole_seconds(due: datetime) -> datetime:
    return due.replace(microsecond=0)


def _describe(outcome: Outcome) -> str:
    if outcome.report is None:
        return "killed" if outcome.killed else "turned away"
    report = outcome.report
    done = {"created": dict(report.created), "completed": dict(report.completed), "edited": dict(report.edited)}
    waiting = [f"{item.system} {item.reason.value}" for item in report.waiting]
    told = f"incidents {len(report.incidents)}, overwritten {len(report.overwritten)}"
    return f"exit {int(report.exit)}, {done}, {told}, waiting {waiting}"


def _without(net: str) -> AbstractContextManager[object]:
    """Hide markers from first sight, so that settling alone must avoid duplicates."""
    if net != "markers":
        return nullcontext()
    return patch.object(unmatched, "in_order", _unmarked)


def _unmarked(readings: Iterable[Reading]) -> list[Reading]:
    return [replace(reading, marker=None) for reading in in_order(readings)]


def _raise(error: Exception, _places: list[str], _event: str = "") -> None:
    raise error


def play(history: History, tell: Callable[[str], None] = lambda _sentence: None) -> Violation | None:
    """Return the law that the history breaks, or ``None``. An exception of the engine counts as one."""
    try:
        # An error of ours with one person's tasks, or one row, costs no more than that. That excuses nothing here.
        with _without(history.without), patch.object(unforeseen, "tell", _raise):
            Play(history, tell).play()
    except Violation as violation:
        return violation
    except Exception as error:  # noqa: BLE001 - whatever the engine raises is a finding
        import traceback

        last = "".join(traceback.format_exception(error)[-12:])
        return Violation("crash", f"the engine raised {type(error).__name__}: {error}\n{last}")
    return None
