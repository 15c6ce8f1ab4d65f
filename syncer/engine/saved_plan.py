"""A plan in a file: ``syncer plan --out`` saves it, and ``syncer apply`` carries out what is still possible."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError, field_validator

from syncer import files
from syncer.config.problems import dotted
from syncer.contract.adapter import Capabilities
from syncer.domain.fields import TaskField, restored
from syncer.domain.model import Kind, Replica, ReplicaState
from syncer.domain.operations import Action
from syncer.domain.reasons import Item, Reason
from syncer.domain.report import Report, TaskName, as_instant, as_text
from syncer.engine.context import RunContext
from syncer.engine.errors import PlanFileError
from syncer.reconcile.edits.base import shown
from syncer.reconcile.planned import Plan, Planned

FORMAT: Final = 1
_LONGEST: Final = 256 * 1024 * 1024
_SHOWN_PROBLEMS: Final = 5
_ONE_READING: Final = timedelta(minutes=10)
"""How much a made-up due date may differ from the plan: it depends on when the task was first read."""


class _Saved(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class SavedOperation(_Saved):
    """One operation, as it was planned."""

    task: str
    system: str
    action: Action
    kind: Kind
    due: AwareDatetime
    contact: str = ""
    reason: str = ""
    title: str = ""
    remote_id: str | None = None
    changes: dict[TaskField, tuple[str | None, str | None]] = {}
    sources: tuple[str, ...] = ()
    content: str = ""

    @field_validator("changes")
    @classmethod
    def _has_instants(cls, changes: dict[TaskField, tuple[str | None, str | None]]) -> Any:
        for due in changes.get(TaskField.DUE, ()):
            if due is not None and datetime.fromisoformat(due).tzinfo is None:
                msg = "expected an instant with its time zone"
                raise ValueError(msg)
        return changes


def content_of(context: RunContext, planned: Planned) -> str:
    """Return a short hash of what an operation writes, and for whom: whose contact, and in a create all of its texts.

    A plan does not show all of it, and what it does not show must not change unnoticed either.
    """
    task = context.base.tasks[planned.task]
    # Of a contact that is made first only the person is known.
    whose = [planned.contact] if planned.contact is not None else sorted(context.base.contacts_of(task.contact))
    user = context.policy.user_id(planned.system, task.assignee)
    texts = [task.title, task.body, user] if planned.makes_a_task else []
    return sha256(json.dumps([whose, texts]).encode()).hexdigest()[:16]


def _old_values(saved: SavedOperation) -> dict[TaskField, str]:
    """Return what an edit replaces, as far as it was read by then."""
    return {name: old for name, (old, _new) in saved.changes.items() if old is not None}


def _new_values(saved: SavedOperation) -> dict[TaskField, str | None]:
    return {name: new for name, (_old, new) in saved.changes.items()}


class SavedAccount(_Saved):
    """The plan of one account."""

    account: str
    run: str
    made_at: AwareDatetime
    operations: tuple[SavedOperation, ...]

    def select(self, context: RunContext, plan: Plan, done: list[SavedOperation] | None = None) -> tuple[Planned, ...]:
        """Select the operations of a fresh plan that this one names.

        Operations that were done since are added to ``done``. Tasks that changed since are skipped and listed as
        waiting.
        """
        copies = _copies(context)
        # Each operation of the fresh plan is taken once, so that two saved ones do not allow the same one.
        left = {planned.slot: planned for planned in plan.operations}
        chosen = set()
        for saved in self.operations:
            match = next(
                (slot for slot, planned in left.items() if self._is_same(context, saved, planned, copies)), None
            )
            if match is None and _is_done(context, saved):
                (done if done is not None else []).append(saved)
            elif match is None:
                context.waiting.append(_moved(saved))
                context.planned_as[saved.task] = TaskName(saved.title or saved.kind.label, saved.contact)
            else:
                del left[match]
                chosen.add(match)
        return tuple(planned for planned in plan.operations if planned.slot in chosen)

    def _is_same(
        self, context: RunContext, saved: SavedOperation, planned: Planned, copies: dict[str, set[str]]
    ) -> bool:
        if (planned.system, planned.action, planned.kind) != (saved.system, saved.action, saved.kind):
            return False
        # What a person has agreed to is a change of this very copy.
        if planned.action is not Action.CREATE and planned.remote_id != saved.remote_id:
            return False
        if {one.field: as_text(one.new) for one in planned.changes} != _new_values(saved):
            return False
        # A value that people typed there since is another one than the person has seen.
        old = {one.field: as_text(one.old) for one in planned.changes}
        if any(old[name] != value for name, value in _old_values(saved).items()):
            return False
        if content_of(context, planned) != saved.content:
            return False
        # A task that only the plan had seen may have another id now. Its copies show which one is meant.
        same_task = planned.task == saved.task or not copies.get(planned.task, set()).isdisjoint(saved.sources)
        return same_task and self._is_due(context, saved, planned)

    def _is_due(self, context: RunContext, saved: SavedOperation, planned: Planned) -> bool:
        if as_instant(planned.due) == as_instant(saved.due):
            return True
        after_first_sight = saved.due - self.made_at - context.policy.default_due
        # A second less, because the file has whole seconds.
        made_by_us = timedelta(seconds=-1) <= after_first_sight <= _ONE_READING
        return made_by_us and context.base.tasks[planned.task].due_synthetic


class SavedPlan(_Saved):
    """The plans of several accounts in one file."""

    format: Literal[1]
    accounts: tuple[SavedAccount, ...]


def load(path: Path) -> SavedPlan:
    """Read and check a saved plan. Raises `PlanFileError`."""
    try:
        plan = SavedPlan.model_validate_json(files.read_whole(path, limit=_LONGEST))
    except OSError as error:
        msg = f"{path}: the plan cannot be read: {error.strerror}; make one with: syncer plan --out FILE"
        raise PlanFileError(msg) from error
    except ValidationError as error:
        msg = f"{path}: this is no saved plan: {_complaints(error)}; make one with: syncer plan --out FILE"
        raise PlanFileError(msg) from None
    names = [saved.account for saved in plan.accounts]
    if len(set(names)) < len(names):
        msg = f"{path}: the plan names an account twice; make a new one with: syncer plan --out FILE"
        raise PlanFileError(msg)
    return plan


def save(path: Path, reports: Iterable[Report]) -> None:
    """Write the plans in one step, readable only by their owner. Raises `PlanFileError`."""
    content = json.dumps({"format": FORMAT, "accounts": [_as_json(report) for report in reports]}, indent=1)
    try:
        files.write_private(path, f"{content}\n".encode())
    except OSError as error:
        raise _not_saved(path, error) from error


def check_place(path: Path) -> None:
    """Raise `PlanFileError` if no plan can be saved there, or another file is there.

    This is checked before time is spent on a plan.
    """
    if not os.path.isdir(path.absolute().parent):  # noqa: PTH112 - raises nothing
        msg = f"{path}: the plan cannot be saved: the folder {path.absolute().parent} does not exist"
        raise PlanFileError(msg)
    try:
        files.refuse_link(path)
        holds_something = path.exists() and path.stat().st_size > 0
    except OSError as error:
        raise _not_saved(path, error) from error
    if holds_something:
        _refuse_another_file(path)


def _refuse_another_file(path: Path) -> None:
    """An account file, say, whose name was typed by mistake."""
    try:
        load(path)
    except PlanFileError:
        msg = f"{path} is no saved plan; it is not overwritten; name another file"
        raise PlanFileError(msg) from None


def _not_saved(path: Path, error: OSError) -> PlanFileError:
    return PlanFileError(f"{path}: the plan cannot be saved: {error.strerror}")


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "account": report.account,
        "run": report.run,
        "made_at": as_instant(report.started_at),
        "operations": [operation.as_json() for operation in report.operations or ()],
    }


def _complaints(error: ValidationError) -> str:
    problems = [f"{dotted(found['loc']) or 'the file'}: {found['msg']}" for found in error.errors(include_url=False)]
    more = len(problems) - _SHOWN_PROBLEMS
    return "; ".join(problems[:_SHOWN_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")


def _copies(context: RunContext) -> dict[str, set[str]]:
    copies: dict[str, set[str]] = {}
    for replica in context.base.replicas.values():
        copies.setdefault(replica.task, set()).add(f"{replica.system}:{replica.remote_id}")
    return copies


def _is_done(context: RunContext, saved: SavedOperation) -> bool:
    """Whether the result of the operation exists now, whoever brought it about."""
    context.ledger.extend(context.base, tasks=[saved.task])
    copies = [copy for copy in context.base.copies_of(saved.task) if copy.system == saved.system]
    if saved.action is Action.COMPLETE:
        return any(copy.remote_id == saved.remote_id and copy.state is ReplicaState.DONE for copy in copies)
    if saved.action is Action.EDIT:
        # Not by its id: in a lane an edit closes the copy and makes another one.
        can = context.capabilities.get(saved.system)
        return can is not None and any(
            copy.state is ReplicaState.OPEN and _shows_all(copy, saved, can) for copy in copies
        )
    return any(copy.state in (ReplicaState.OPEN, ReplicaState.DONE) for copy in copies)


def _shows_all(copy: Replica, saved: SavedOperation, can: Capabilities) -> bool:
    return all(can.alike(name, shown(copy, name), restored(name, new)) for name, new in _new_values(saved).items())


def _moved(saved: SavedOperation) -> Item:
    what = saved.title or saved.kind.label
    who = f" for {saved.contact}" if saved.contact else ""
    return Item(
        saved.task, saved.system, Reason.MOVED, f"{saved.action.value} {what}{who}, due {as_instant(saved.due)}"
    )
