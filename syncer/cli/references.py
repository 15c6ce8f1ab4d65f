"""The task that an ID on the command line means, or what to type instead."""

from __future__ import annotations

from datetime import tzinfo
from typing import Final

from syncer.cli.errors import UsageError
from syncer.cli.screens import moment
from syncer.ledger import Answers, TaskView

_SHOWN: Final = 10


class Reference:
    """An ID as it was typed: whole, a copy's place, or a beginning that may fit several tasks."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._several: list[str] = []

    def find(self, ledger: Answers, zone: tzinfo) -> str | None:
        """The task's own id in this ledger."""
        task = ledger.find(self._text)
        if task is None:
            self._several += [in_one_line(view, zone) for view in ledger.beginning_with(self._text)]
        return task

    def error(self) -> UsageError:
        """No account has this task, or several tasks could be meant, which are listed."""
        if not self._several:
            return UsageError(
                f"no task is known as {self._text}; `syncer tasks` lists them: an ID is a task's own, such as "
                "superfone:4567, that of one of its copies, or the beginning of a task's own"
            )
        more = len(self._several) - _SHOWN
        lines = [*self._several[:_SHOWN], *([f"{more} more; see: syncer tasks"] if more > 0 else [])]
        return UsageError(
            "\n".join((f"{self._text} fits {len(self._several)} tasks; type more of the ID of one of them:", *lines))
        )


def in_one_line(view: TaskView, zone: tzinfo) -> str:
    """A task by its id and by what people know it by."""
    task = view.task
    parts = (task.full_name, view.contact, moment(task.due, zone))
    return f"{task.id}  {', '.join(part for part in parts if part)}"
