"""What a plan consists of: operations in the order in which they are sent, and what is not done (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from syncer.domain.fields import Change
from syncer.domain.model import Kind
from syncer.domain.operations import Action
from syncer.domain.reasons import Item

ORDER: Final = (Action.COMPLETE, Action.EDIT, Action.CREATE)
"""The order in which operations are sent. A completion must not wait for the hundreds of creates of a first sync."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One planned operation. ``contact`` is the contact's id in that system, ``None`` if it is to be created first.

    If ``lane`` is true, the contact's lane is read and planned again just before. ``changes`` are the changes of an
    edit; in a lane, an edit creates the task again and replaces ``remote_id``.
    """

    task: str
    system: str
    action: Action
    kind: Kind
    contact: str | None
    due: datetime
    reason: str
    remote_id: str | None = None
    lane: bool = False
    changes: tuple[Change, ...] = ()

    @property
    def order(self) -> tuple[int, datetime, str, str]:
        """Completions, edits, creates, each by due date."""
        return (ORDER.index(self.action), self.due, self.task, self.system)

    @property
    def makes_a_task(self) -> bool:
        """Whether its request creates a task there. An edit in a lane does."""
        return self.action is Action.CREATE or (self.action is Action.EDIT and self.lane)

    @property
    def slot(self) -> tuple[str, str, Action]:
        return (self.task, self.system, self.action)


@dataclass(frozen=True, slots=True)
class Plan:
    """The operations in the order in which they are sent, and what is not done, each with its reason."""

    operations: tuple[Planned, ...]
    waiting: tuple[Item, ...]
    attention: tuple[Item, ...]
