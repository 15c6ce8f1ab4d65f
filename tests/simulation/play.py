"""Play a history on a stage, under the oracle's eyes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import timedelta
from functools import partial
from unittest.mock import patch

from adapters.sandbox import Fault
from syncer import firstsight
from syncer.merging import in_order
from syncer.model import Reading
from tests.simulation.ending import Ending
from tests.simulation.history import (
    Act,
    Break,
    Delay,
    Freeze,
    History,
    Kill,
    Lag,
    LoseLedger,
    Make,
    Outage,
    Run,
    Rush,
    Wait,
)
from tests.simulation.oracle import GRACE, Oracle, Violation
from tests.simulation.people import LAST, People
from tests.simulation.stage import Outcome, Stage

MEETS = "create_missing_contacts = true"
# Nobody does two things to one lead within the window in which a closure counts as caused by a creation.
BETWEEN = 4.0


class Play:
    """One history being played. ``tell`` is given a sentence for everything that happens."""

    def __init__(self, history: History, tell: Callable[[str], None] = lambda _sentence: None) -> None:
        self._history = history
        self._tell = tell
        settings = dict(history.settings)
        settings |= {system: f"{settings.get(system, '')}\n{MEETS}" for system in history.newcomer}
        self.stage = Stage(history.seed, settings)
        self.stage.skew = timedelta(seconds=history.skew)
        self.stage.shorten_pages(history.page, counted=history.counted)
        self.oracle = Oracle(
            self.stage,
            closes_cancelled="keep" not in settings["sync"],
            holds="hold" in settings["superfone"],
        )
        self.ending = Ending(self.stage, self.oracle)
        self.people = People(history, self.stage, self.oracle, tell)
        self._populate()

    def _populate(self) -> None:
        """Persons in all three CRMs, except the last one, whom Superfone does not know, or those who make them."""
        stage, persons = self.stage, self.oracle.persons
        unknown_to = self._history.newcomer or ("superfone",)
        for person, name in enumerate(("Asha", "Ravi", "Meera")):
            phone, email = f"+91987654321{person}", f"{name.lower()}@example.com"
            self.oracle.phones[phone] = person
            if person < LAST or "reply" not in unknown_to:
                persons["reply", stage.reply.add_contact(name, email, phone)] = person
            if person < LAST or "highlevel" not in unknown_to:
                persons["highlevel", stage.highlevel.add_contact(name, "Rao", email, phone)] = person
            if person < LAST or "superfone" not in unknown_to:
                persons["superfone", str(stage.superfone.add_lead(name, [phone], [email]))] = person

    def play(self) -> None:
        """All of it, then peace; raises `Violation`."""
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
                self.oracle.lost_ledger()
                self.people.name_again()
                self.stage.lose_ledger()
            case Run():
                self._run(action)

    # runs ------------------------------------------------------------------------------------------

    def _run(self, action: Run) -> None:
        for moment, happening in action.at:
            self.stage.at[moment] = self._happening(happening)
        self._tell("a run starts" + (" twice at once" if action.twice else ""))
        outcomes = self.stage.two_runs() if action.twice else (self.stage.run(),)
        if action.twice and not any(outcome.busy or outcome.killed for outcome in outcomes):
            raise Violation("lease", "two runs of one account at the same time")
        for outcome in outcomes:
            self._tell(f"the run ends: {_describe(outcome)}")
        for guest in self.stage.guests:
            self._tell(f"the other process's run ended: {_describe(guest)}")
        self.oracle.after_run(next((o for o in outcomes if o.report), outcomes[0]))
        for guest in self.stage.guests:
            self.oracle.after_run(guest)
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
            if isinstance(happening, Rush):
                self.stage.rush = partial(self.people.rush, happening)
                return None
            self._tell("  … meanwhile")
            self.people.act(happening)
            return None

        return happen

    def _peace(self) -> None:
        """People and faults stop: three runs later everything is at rest, and one more run writes nothing."""
        self._tell("peace")
        self.stage.wait(self.stage.highlevel.lag.total_seconds() + GRACE.total_seconds())
        outcome = Outcome()
        for _ in range(3):
            outcome = self.stage.run()
            self._tell(f"the run ends: {_describe(outcome)}")
            self.oracle.after_run(outcome)
            self.stage.wait(self.stage.highlevel.lag.total_seconds() + GRACE.total_seconds())
        self.ending.judge(outcome)
        before = self.writes()
        last = self.stage.run()
        self._tell(f"the last run ends: {_describe(last)}")
        self.ending.quiet(before, self.writes())

    def writes(self) -> int:
        return sum(s.is_write(call) for s in self.stage.sandboxes.values() for call, _ in s.calls)


def _describe(outcome: Outcome) -> str:
    if outcome.report is None:
        return "killed" if outcome.killed else "turned away"
    report = outcome.report
    done = {"created": dict(report.created), "completed": dict(report.completed)}
    waiting = [f"{item.system} {item.reason.value}" for item in report.waiting]
    return f"exit {int(report.exit)}, {done}, incidents {len(report.incidents)}, waiting {waiting}"


def _without(net: str) -> AbstractContextManager[object]:
    """Take away the net that catches doubles at first sight by their marker; settling doubts must be enough."""
    if net != "markers":
        return nullcontext()
    return patch.object(firstsight, "in_order", _unmarked)


def _unmarked(readings: Iterable[Reading]) -> list[Reading]:
    return [replace(reading, marker=None) for reading in in_order(readings)]


def play(history: History, tell: Callable[[str], None] = lambda _sentence: None) -> Violation | None:
    """The law that the history breaks, if any; a bug of the engine counts as one."""
    try:
        with _without(history.without):
            Play(history, tell).play()
    except Violation as violation:
        return violation
    except Exception as error:  # noqa: BLE001 - whatever the engine raises is a finding
        import traceback

        last = "".join(traceback.format_exception(error)[-12:])
        return Violation("crash", f"the engine raised {type(error).__name__}: {error}\n{last}")
    return None
