"""Find the task that an ID on the command line means, or say what to type instead."""

from __future__ import annotations

from datetime import tzinfo
from typing import Final

from syncer.cli.errors import UsageError
from syncer.cli.screens import moment
from syncer.ledger import Answers, TaskView

_SHOWN: Final = 10


class Reference:
    """An ID as it was typed: a task's id, the place of a copy, or the beginning of an id, which may be ambiguous."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._several: list[str] = []

    def find(self, ledger: Answers, zone: tzinfo) -> str | None:
        """Return the task's id in this ledger, or ``None``."""
        task = ledger.find(self._text)
        if task is None:
            self._several += [in_one_line(view, zone) for view in ledger.beginning_with(self._text)]
        return task

    def error(self) -> UsageError:
        """Return the error: no account has this task, or several tasks fit, which are listed."""
        if not self._several:
            return UsageError(
                f"there is no task {self._text}; an ID is the id of a task, such as superfone:4567, or of one of its "
                "copies, or the beginning of a task's id; to list all tasks, type: syncer tasks"
            )
        more = len(self._several) - _SHOWN
        lines = [*self._several[:_SHOWN], *([f"{more} more; to list all, type: syncer tasks"] if more > 0 else [])]
        return UsageError(
            "\n".join((f"{self._text} fits {len(self._several)} tasks; type more of the ID of one of them:", *lines))
        )


def in_one_line(view: TaskView, zone: tzinfo) -> str:
    """Return a task's id, title, person and due date."""
    task = view.task
    parts = (task.full_name, view.contact, moment(task.due, zone))
    return f"{task.id}  {', '.join(part for part in parts if part)}"
