"""Play a history on a stage, under the oracle's eyes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from unittest.mock import patch

from adapters.sandbox import Fault
from syncer import firstsight
from syncer.merging import in_order
from syncer.model import Reading
from tests.simulation.ending import Ending
from tests.simulation.history import (
    PERSONS,
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
from tests.simulation.oracle import GRACE, Copy, Oracle, Violation
from tests.simulation.stage import Outcome, Stage

SUPERFONE_TYPES = ("FOLLOW_UP_CALL", "FIRST_CALL", "CALLBACK_REQUEST", "SITE_VISIT", "REMINDER", "BOOKING")
REPLY_TYPES = ("Call", "Call", "Meeting", "ToDo", "ManualEmail")
HIGHLEVEL_TITLES = ("Ring", "Ring", "Remind")
MEETS = "create_missing_contacts = true"
LAST = PERSONS - 1
"""The person whom not every CRM knows."""
TWINS = {"superfone": "FOLLOW_UP_CALL", "reply": "Call", "highlevel": "Ring"}
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
        self._superseded_is_done = 'superseded = "complete"' in settings["superfone"]
        self.ending = Ending(self.stage, self.oracle)
        self._names = 0
        self._dues: set[datetime] = set()
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
                self.people(action)
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
                self._name_again()
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
                self.stage.rush = partial(self._rush, happening)
                return None
            self._tell("  … meanwhile")
            self.people(happening)
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

    # people ----------------------------------------------------------------------------------------

    def people(self, deed: object) -> None:
        """What a person does."""
        if isinstance(deed, Make):
            self._make(deed)
        elif isinstance(deed, Act):
            self._act(deed)

    def _make(self, deed: Make) -> None:
        person = deed.person
        if self.oracle.contact_of(deed.system, person) is None:
            return
        name, due = self._new_name(), self._new_due(deed.minutes)
        kind = _choose(deed.system, deed.kind)
        copies = [(deed.system, person, name)]
        if deed.twin_in is not None:
            kind = TWINS[deed.system]
            twin = ((person + 1) % LAST, f"{name}!") if deed.lookalike else (person, name)
            copies.append((deed.twin_in, *twin))
        for system, whose, called in copies:
            contact = self.oracle.contact_of(system, whose)
            if contact is not None:
                word = kind if system == deed.system else TWINS[system]
                copy = (system, self._create(system, contact, word, called, due))
                self._tell(f"somebody makes {called} ({word}) for person {whose} in {system}: {copy[1]}")
                self.oracle.made(called, whose, copy, self._route(whose, word))

    def _rush(self, rush: Rush, lead: str) -> None:
        self._tell("  … at that very moment")
        self._make(Make("superfone", self.oracle.persons["superfone", lead], rush.kind, rush.minutes))

    def _route(self, person: int, word: str) -> tuple[str, ...]:
        if word == "ManualEmail":
            return ("reply", "highlevel")
        met = person < LAST or self._history.newcomer
        return ("superfone", "reply", "highlevel") if met else ("reply", "highlevel")

    def _create(self, system: str, contact: str, word: str, name: str, due: datetime) -> str:
        title = f"Task {name}"
        if system == "superfone":
            if word != "REMINDER":
                self._supersede(contact)
            return str(self.stage.superfone.person_creates(int(contact), word, due, title=title))
        if system == "reply":
            return self.stage.reply.person_creates(contact, word, due, body=title)
        return self.stage.highlevel.person_creates(contact, f"{word} {title}" if word == "Remind" else title, due=due)

    def _supersede(self, lead: str) -> None:
        """Their new task closes what is in the slot, which makes it done only where the account says so."""
        for remote_id, task in self.oracle.tasks("superfone").items():
            if task.open and task.exclusive and task.contact == lead:
                self._tell(f"  which supersedes {task.name} ({remote_id})")
                if self._superseded_is_done:
                    self.oracle.closed(("superfone", remote_id))
                else:
                    self.oracle.touched(("superfone", remote_id), "superseded")

    def _act(self, deed: Act) -> None:
        tasks = self.oracle.tasks(deed.system)
        wanted_open = deed.what != "reopen"
        choice = sorted(remote_id for remote_id, task in tasks.items() if task.open is wanted_open and task.name)
        if not choice:
            return
        copy = (deed.system, choice[deed.which % len(choice)])
        self._tell(f"somebody: {deed.what} {tasks[copy[1]].name} in {copy[0]}: {copy[1]}")
        getattr(self, f"_{deed.what}")(copy, deed)
        self._name_again()

    def _name_again(self) -> None:
        for remote_id, name in self.oracle.nameless().items():
            if self.stage.superfone.task(int(remote_id)).title is None:
                self.stage.superfone.person_retitles(int(remote_id), f"Task {name}")
                self.oracle.touched(("superfone", remote_id), "edited")

    def _complete(self, copy: Copy, _deed: Act) -> None:
        self.oracle.closed(copy)
        system, remote_id = copy
        if system == "superfone":
            self.stage.superfone.person_completes(int(remote_id))
        elif system == "reply":
            self.stage.reply.person_completes(remote_id)
        else:
            self.stage.highlevel.person_completes(remote_id)

    def _cancel(self, copy: Copy, _deed: Act) -> None:
        if copy[0] == "reply":
            self.oracle.closed(copy, cancelled=True)
            self.stage.reply.person_cancels(copy[1])

    def _delete(self, copy: Copy, _deed: Act) -> None:
        if copy[0] == "superfone":
            return
        self.oracle.touched(copy, "deleted")
        if copy[0] == "reply":
            self.stage.reply.person_deletes(copy[1])
        elif copy[0] == "highlevel":
            self.stage.highlevel.person_deletes(copy[1])

    def _reschedule(self, copy: Copy, deed: Act) -> None:
        due = self._new_due(deed.minutes)
        self.oracle.touched(copy, "edited")
        if copy[0] == "superfone":
            self.stage.superfone.person_reschedules(int(copy[1]), due)
        elif copy[0] == "reply":
            self.stage.reply.person_reschedules(copy[1], due)
        else:
            self.stage.highlevel.person_reschedules(copy[1], due)
        self.oracle.rescheduled(copy)

    def _copy(self, copy: Copy, deed: Act) -> None:
        """Duplicate a HighLevel task with its text, marker and all, under a new name."""
        if copy[0] != "highlevel":
            return
        old = self.stage.highlevel.task(copy[1])
        person = self.oracle.persons["highlevel", old.contact or ""]
        name = self._new_name()
        new = self.stage.highlevel.person_creates(
            old.contact, f"Task {name}", due=self._new_due(deed.minutes), body=old.body
        )
        self._tell(f"  as {name}: {new}")
        self.oracle.made(name, person, ("highlevel", new), self._route(person, "Ring"))
        self.oracle.touched(("highlevel", new), "copied")

    def _reopen(self, copy: Copy, _deed: Act) -> None:
        """Reopen a task, which everybody has seen closed, under a new name: it is another task from now on.

        What was cancelled there and kept open elsewhere is the same task again.
        """
        if copy[0] == "superfone" or not self.oracle.may_reopen(copy):
            return
        if self.oracle.reopened(copy):
            (self.stage.reply if copy[0] == "reply" else self.stage.highlevel).person_reopens(copy[1])
            return
        name = self._new_name()
        if copy[0] == "highlevel":
            task = self.stage.highlevel.task(copy[1])
            person = self.oracle.persons["highlevel", task.contact or ""]
            self.stage.highlevel.person_reopens(copy[1])
            self.stage.highlevel.person_retitles(copy[1], f"Task {name}")
            word = "Ring"
        else:
            found = next(task for task in self.stage.reply.tasks() if str(task.id) == copy[1])
            person, word = self.oracle.persons["reply", str(found.contact_id)], found.task_type
            self.stage.reply.person_reopens(copy[1])
            self.stage.reply.person_edits_body(copy[1], f"Task {name}")
        self._tell(f"  as {name}")
        self.oracle.made(name, person, copy, self._route(person, word))
        # Its text still carries the marker of the task that it was.
        self.oracle.touched(copy, "copied")

    def _new_name(self) -> str:
        self._names += 1
        return f"#{self._names}"

    def _new_due(self, minutes: int) -> datetime:
        """A due that no other task has, to the quarter of an hour."""
        due = (self.stage.now() + timedelta(minutes=minutes)).replace(second=0, microsecond=0)
        while due in self._dues:
            due += timedelta(minutes=3)
        self._dues |= {due + timedelta(minutes=offset) for offset in (-2, -1, 0, 1, 2)}
        return due


def _choose(system: str, number: int) -> str:
    words = {"superfone": SUPERFONE_TYPES, "reply": REPLY_TYPES, "highlevel": HIGHLEVEL_TITLES}[system]
    return words[number % len(words)]


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
