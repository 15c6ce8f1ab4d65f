"""``syncer explain``: show the history of one task."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from syncer.cli.commands.tasks import as_json
from syncer.cli.last_run import BrokenRun, broken_off
from syncer.cli.references import Reference
from syncer.cli.screens import Screen, TaskNames, ago, local, moment
from syncer.cli.session import Session, for_each_account
from syncer.config.registry import label_of
from syncer.config.schema import Account
from syncer.domain.events import Event
from syncer.domain.history import COPY_STATES, OPEN_QUESTIONS, event_in_words
from syncer.domain.model import Task
from syncer.domain.operations import Operation
from syncer.domain.reasons import Reason
from syncer.domain.report import Exit, as_instant
from syncer.ledger import Answers, TaskView, look


@dataclass(frozen=True, slots=True)
class _Story:
    """One task, its events, its unfinished operations, and what the last report says about it."""

    task: Task
    view: TaskView
    name: str
    events: list[Event]
    questions: list[Operation]
    items: list[dict[str, Any]]
    broken_off: BrokenRun | None


def explain(session: Session, reference: str) -> int:
    """Show this task's history, whichever account has it."""
    meant, found = Reference(reference), list[str]()

    def work(account: Account) -> Exit:
        with look(account.ledger_url, account.name) as ledger:
            task_id = meant.find(ledger, account.zone)
            story = None if task_id is None else _read(ledger, account, task_id)
        if story is not None:
            # With several account files, the task is in the ledger of one of them.
            found.append(account.name)
            if session.json:
                session.answer(_as_json(account, story))
            else:
                _tell(session.screen, account, story)
        return Exit.DONE

    status = for_each_account(session, work, looking=True)
    if status == Exit.DONE and not found:
        return session.fail(None, meant.error())
    return status


def _read(ledger: Answers, account: Account, task_id: str) -> _Story:
    [view] = ledger.views_of([task_id])
    runs = ledger.runs()
    # A run that is still in progress has not told yet what waits.
    last = next((run for run in runs if run.finished_at is not None and "waiting" in run.report), None)
    sections = [*last.report["waiting"], *last.report["attention"], *last.report["incidents"]] if last else []
    return _Story(
        view.task,
        view,
        TaskNames.of([view], account.zone)(task_id),
        ledger.history(task_id),
        ledger.open_operations(task_id),
        [item for item in sections if item["task"] == task_id],
        broken_off(runs),
    )


def _as_json(account: Account, story: _Story) -> dict[str, Any]:
    return {
        "account": account.name,
        **as_json(story.view),
        "now": story.items,
        "broken_off": story.broken_off.as_json() if story.broken_off else None,
        "history": [
            {
                "at": as_instant(event.at),
                "who": event.who,
                "what": event.what,
                "system": event.system,
                "remote_id": event.remote_id,
                "detail": event.detail,
                "run": event.run,
            }
            for event in story.events
        ],
    }


def _tell(screen: Screen, account: Account, story: _Story) -> None:
    task = story.task
    screen.say(f"{account.name}: {story.name}", "bold")
    screen.say(f"{task.id}: {task.kind.label}, {task.state.value}, created in {label_of(task.origin)}", indent=2)
    if task.due_synthetic:
        screen.say(
            f"no due date was set in {label_of(task.origin)}; this one is assumed, and is not written back there",
            indent=2,
        )
    for copy in story.view.replicas:
        by = "created by syncer" if copy.made else "created by people"
        screen.say(f"{label_of(copy.system)} {copy.remote_id}: {COPY_STATES[copy.state]}, {by}", indent=2)
    screen.say(f"History ({account.timezone})", "bold")
    for event in story.events:
        words = local(event_in_words(event, label_of), account.zone)
        screen.say(f"{moment(event.at, account.zone, seconds=True)}: {words}", indent=2)
    if not story.events:
        screen.say("no events", indent=2)
    _tell_what_is_open(screen, story, account.zone)


def _tell_what_is_open(screen: Screen, story: _Story, zone: tzinfo) -> None:
    if story.questions or story.items or story.broken_off:
        screen.say("Now", "bold")
    if story.broken_off:
        broken = story.broken_off
        words = "what it did last with this task may be missing here; the next run finds out"
        screen.say(f"the last run, begun {ago(broken.started_at)}, broke off: {broken.message}; {words}", indent=2)
    for item in story.items:
        # A newer version may have stored a reason that this one does not know.
        sentence = Reason(item["reason"]).sentence if item["reason"] in set(Reason) else ""
        # A report gives an item without a detail the sentence of its reason, which would be said twice here.
        words = local(item["detail"].removesuffix(sentence).strip(), zone)
        detail = f" ({words})" if words else ""
        screen.say(f"{label_of(item['system'])}: {item['reason']}: {sentence}{detail}", indent=2)
    for operation in story.questions:
        words = f" ({operation.words})" if operation.words else ""
        screen.say(
            f"{label_of(operation.system)}: {operation.action}: {OPEN_QUESTIONS[operation.state]}{words}", indent=2
        )
