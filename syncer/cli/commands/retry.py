"""``syncer retry``: let rejected, failing, missing or held items be tried again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from syncer.cli.references import Reference
from syncer.cli.screens import TaskNames
from syncer.cli.session import Session, for_each_account
from syncer.config.registry import label_of
from syncer.config.schema import Account
from syncer.domain.base import Base
from syncer.domain.model import ReplicaState
from syncer.domain.report import Exit
from syncer.ledger import Ledger


def retry(session: Session, reference: str | None) -> int:
    """Free one task, or everything that is held back."""
    meant = None if reference is None else Reference(reference)
    found: list[str] = []

    def work(account: Account) -> Exit:
        with Ledger.open(account.ledger_url, name=account.name) as ledger:
            task = None if meant is None else meant.find(ledger, account.zone)
            # With several account files, the task may be in another one's ledger.
            if meant is not None and task is None:
                return Exit.DONE
            found.append(account.name)
            # Compared with what is there afterwards, so that people see what was really freed.
            before = _load(ledger, task)
            number = ledger.free(task)
            freed = list(_freed(before, _load(ledger, task)))
        _answer(session, account, number, freed, TaskNames.in_base(before, account.zone))
        return Exit.DONE

    status = for_each_account(session, work)
    if status == Exit.DONE and meant is not None and not found:
        return session.fail(None, meant.error())
    return status


def _load(ledger: Ledger, task: str | None) -> Base:
    base = ledger.load()
    if task is not None:
        ledger.extend(base, tasks=[task])
    return base


def _freed(before: Base, after: Base) -> Iterator[dict[str, Any]]:
    """Yield what will be tried again: operations, missing copies, held tasks, and creates in a full CRM."""
    for key, operation in before.operations.items():
        if key in after.operations and after.operations[key] != operation:
            yield {"task": operation.task, "system": operation.system, "what": operation.action.value}
    for replica_key, replica in before.replicas.items():
        if replica.state is ReplicaState.GONE and replica_key not in after.replicas:
            yield {"task": replica.task, "system": replica.system, "what": "missing copy"}
    for task_id, task in before.tasks.items():
        if task.held and task_id in after.tasks and not after.tasks[task_id].held:
            yield {"task": task_id, "system": task.origin, "what": task.held}
    for name in before.cursors.keys() - after.cursors.keys():
        yield {"task": None, "system": name.rpartition(":")[2], "what": "all creates"}


def _answer(session: Session, account: Account, number: int, freed: list[dict[str, Any]], names: TaskNames) -> None:
    if session.json:
        session.answer({"account": account.name, "number": number, "freed": freed})
        return
    words = f"{number} freed; the next run tries again" if number else "nothing has to be freed"
    session.screen.say(f"{account.name}: {words}", "bold")
    for one in freed:
        about = f" of {names(one['task'])} ({one['task']})" if one["task"] else ""
        session.screen.say(f"{label_of(one['system'])}: {one['what']}{about}", indent=2)
