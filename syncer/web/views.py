"""The values that the pages show, made from the ledger and the board. There is no HTML here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

from syncer.config.registry import label_of
from syncer.contract.settings import Rate
from syncer.domain.alarms import Alarm
from syncer.domain.fields import TaskField
from syncer.domain.history import COPY_STATES, OPEN_QUESTIONS, deed_of, lost_in_words, more_of
from syncer.domain.model import Task
from syncer.domain.operations import UNSETTLED, OpState
from syncer.domain.reasons import Reason
from syncer.domain.redact import redact
from syncer.domain.times import moment_at, span
from syncer.domain.titles import short
from syncer.ledger import RunLine, TaskStory, TaskView
from syncer.web.board import AccountState

SHOWN: Final = 5
"""The most items of one reason on an account's page. A page of its own shows all."""
_SPAN_WORDS: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Health:
    """The state of an account: a class of the style sheet (``look``) and a few words."""

    look: str
    words: str


@dataclass(frozen=True, slots=True)
class Line:
    """One item that waits or needs a person. ``retry`` is true if a button lets it be tried again."""

    task: str | None
    title: str
    person: str
    system: str
    detail: str
    retry: bool

    @property
    def brief(self) -> str:
        """The task and its person, as far as they are known, else the CRM."""
        return ", ".join(part for part in (self.title, self.person) if part) or self.system


@dataclass(frozen=True, slots=True)
class ReasonGroup:
    """The items with the same reason. ``number`` counts all of them; ``lines`` are some."""

    reason: str
    heading: str
    sentence: str
    number: int
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class SystemView:
    """One CRM of an account. ``lag`` is the time since it was last read completely."""

    name: str
    label: str
    state: str
    look: str
    open: int
    requests: int
    lag: str
    message: str
    budgets: list[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a task's timeline. ``look`` is ``us``, ``them`` or ``bad``."""

    at: datetime
    look: str
    system: str
    deed: str
    remote_id: str
    detail: str


@dataclass(frozen=True, slots=True)
class AccountStanding:
    """The state of an account, from its ledger and the board."""

    state: AccountState
    health: Health
    last: RunLine | None
    lag: str
    open: int
    systems: list[SystemView] = field(default_factory=list)
    waiting: list[dict[str, Any]] = field(default_factory=list)
    attention: list[dict[str, Any]] = field(default_factory=list)
    alarms: tuple[Alarm, ...] = ()


def about(length: timedelta) -> str:
    """Return a length of time in whole minutes, so that a page without news changes once a minute at most."""
    return "under 1 min" if length < _SPAN_WORDS else span(timedelta(seconds=length.total_seconds() // 60 * 60))


def standing_of(
    state: AccountState, last: RunLine | None, in_step: Mapping[str, datetime], open_tasks: int, now: datetime
) -> AccountStanding:
    """Return the state of an account. ``last`` has its whole report; ``in_step`` is that of `Picture`."""
    report = last.report if last else {}
    since = {system: in_step.get(system) for system in state.account.connections}
    known = [at for at in since.values() if at is not None]
    # The CRM that is furthest behind counts: a change there has not reached the others.
    lag = about(now - min(known)) if known and len(known) == len(since) else "not known yet"
    return AccountStanding(
        state=state,
        health=health_of(state, last),
        last=last,
        lag=lag,
        open=open_tasks,
        systems=[_system(state, report, system, at, now) for system, at in since.items()],
        waiting=report.get("waiting", []),
        attention=[*report.get("incidents", []), *report.get("attention", [])],
        alarms=state.alarms,
    )


def health_of(state: AccountState, last: RunLine | None) -> Health:
    """Return the state in a few words: the worst that is true."""
    # What this process knows of the account is old then, so nothing else may be said.
    if state.elsewhere:
        return Health("idle", "Served by another process")
    if state.alarms:
        return Health("bad", state.alarms[0].heading)
    if state.trouble:
        return Health("bad", "The last run failed")
    if last is None:
        return Health("idle", "The first run is in progress" if state.running else "No run has ended yet")
    # Before what needs attention: until somebody allows that run, nothing at all is written.
    if last.status == "stopped":
        return Health("bad", "The last run was stopped by a limit")
    if last.report.get("attention") or last.report.get("incidents"):
        return Health("warn", "Something needs attention")
    if last.status == "partial":
        return Health("warn", "Not everything worked in the last run")
    return Health("good", "All is well")


def _system(
    state: AccountState, report: Mapping[str, Any], system: str, since: datetime | None, now: datetime
) -> SystemView:
    found = report.get("connections", {}).get(system, {})
    word = found.get("state", "")
    looks = {"ok": "good", "idle": "idle", "unavailable": "bad", "unauthorized": "bad"}
    words = {"ok": "works", "idle": "not needed in the last run", "unavailable": "cannot be reached"}
    words |= {"unauthorized": "rejects the key", "": "not read yet"}
    # By the names that the adapter's client gives to its rates.
    rates = {f"{rate.seconds:g}s": rate for rate in state.account.connections[system].rate}
    used = state.budgets.get(system, {})
    return SystemView(
        name=system,
        label=label_of(system),
        state=words.get(word, word),
        look=looks.get(word, "idle"),
        open=found.get("open", 0),
        requests=found.get("reads", 0) + found.get("writes", 0),
        lag="not read in the last day" if since is None else about(now - since),
        message=redact(found.get("message", "")),
        budgets=[(_rate_words(rates[window]), share) for window, share in used.items() if window in rates],
    )


def _rate_words(rate: Rate) -> str:
    units = {1: "a second", 60: "a minute", 3600: "an hour", 86400: "a day"}
    unit = units.get(int(rate.seconds))
    return f"{rate.requests:,} {unit}" if unit else f"{rate.requests:,} in {span(timedelta(seconds=rate.seconds))}"


def groups_of(items: Iterable[Mapping[str, Any]], shown: int = SHOWN) -> list[ReasonGroup]:
    """Group items by reason, in the order of the report, with at most ``shown`` lines each."""
    by_reason: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for item in items:
        by_reason[item["reason"]].append(item)
    return [_group(reason, found, shown) for reason, found in by_reason.items()]


def _group(reason: str, items: Sequence[Mapping[str, Any]], shown: int) -> ReasonGroup:
    sentence = Reason(reason).sentence if reason in set(Reason) else ""
    heading = reason.replace("_", " ").capitalize()
    return ReasonGroup(reason, heading, sentence, len(items), lines_of(items[:shown]))


def lines_of(items: Iterable[Mapping[str, Any]]) -> list[Line]:
    """Return items of a report for people."""
    return [_line_of(item) for item in items]


def overwritten_of(runs: Iterable[RunLine], zone: tzinfo, now: datetime) -> list[Line]:
    """Return the values that people typed and that another change replaced. A task's own page shows them whole."""
    return [_overwritten(one, zone, now) for run in runs for one in run.report.get("overwritten", ())]


def _overwritten(one: Mapping[str, Any], zone: tzinfo, now: datetime) -> Line:
    value = short(one["value"])
    if one["field"] == TaskField.DUE and value:
        value = moment_at(datetime.fromisoformat(value), zone, now)
    detail = lost_in_words(one["field"], value, one["by"], label_of)
    system = label_of(one["system"])
    return Line(one["task"], short(one["title"]), one["contact"], system, redact(detail), retry=False)


def _line_of(item: Mapping[str, Any]) -> Line:
    # A newer version may have stored a reason that this one does not know.
    known = item["reason"] in set(Reason)
    sentence = Reason(item["reason"]).sentence if known else ""
    return Line(
        task=item["task"],
        title=short(item.get("title") or ""),
        person=item.get("contact") or "",
        system=label_of(item["system"]),
        # The sentence stands above the group already.
        detail=item["detail"].removesuffix(sentence).strip(),
        retry=known and item["task"] is not None and Reason(item["reason"]).can_be_freed,
    )


def steps_of(story: TaskStory) -> list[Step]:
    """Return a task's history, oldest first."""
    bad = {"incident", "failed", "parked", "in_doubt", "gone"}
    return [
        Step(
            at=event.at,
            look="bad" if event.what in bad else event.who,
            system=label_of(event.system) if event.system else "",
            deed=deed_of(event),
            remote_id=event.remote_id or "",
            detail=redact(more_of(event, label_of)),
        )
        for event in story.events
    ]


def questions_of(story: TaskStory) -> list[tuple[str, str, str]]:
    """Return the unfinished operations of a task: (CRM, sentence, the CRM's own words)."""
    wanted = (*UNSETTLED, OpState.FAILED, OpState.PARKED)
    return [
        (label_of(operation.system), OPEN_QUESTIONS[operation.state], redact(operation.words))
        for operation in story.operations
        if operation.state in wanted
    ]


def copies_of(view: TaskView) -> list[tuple[str, str, str, str]]:
    """Return a task's copies: (CRM, state in a word, id, ``ours`` or ``theirs``)."""
    return [
        (label_of(copy.system), COPY_STATES[copy.state], copy.remote_id, "ours" if copy.made else "theirs")
        for copy in view.replicas
    ]


def title_of(task: Task) -> str:
    """Return the title of a task for people."""
    return task.full_name
