"""A task with its copies in all CRMs, and what they show, for scenarios about edits."""

from __future__ import annotations

from datetime import datetime, timedelta

from adapters.reply.sandbox_store import SandboxTask as ReplyTask
from tests.support.scenario import Stage

USERS = """
[[users]]
name = "Asha"
superfone = 678
reply = 41
highlevel = "userAsha"
[[users]]
name = "Ravi"
superfone = 679
reply = 42
highlevel = "userRavi"
"""


def everywhere(world: Stage, title: str = "Ring", body: str = "Bring the plan") -> tuple[str, ReplyTask, int]:
    """A task of HighLevel's with its two copies: (its id, Reply's task, Superfone's id)."""
    _, _, person = world.everywhere()
    task = world.highlevel.person_creates(person, title, world.due(), body)
    world.good()
    [copy] = world.reply_open()
    return task, copy, world.superfone_open()[0].id


def dues(world: Stage) -> set[datetime]:
    highlevel = {datetime.fromisoformat(task.due or "") for task in world.highlevel_open()}
    return highlevel | {task.due_to for task in world.reply_open()} | {task.due for task in world.superfone_open()}


def edits(world: Stage) -> list[str]:
    return sorted(write for write in world.written() if write.endswith("edit"))


def body_of(task: ReplyTask) -> list[str]:
    return [line for line in str(task.template["body"]).split("\n") if not line.startswith("syncer:")]


def shift_dues(world: Stage) -> None:
    """From now on HighLevel returns every due date in another way, until ``del world.highlevel.handle``."""

    def shift(rows: list[dict[str, str]]) -> None:
        for row in rows:
            due = datetime.fromisoformat(row["dueDate"]) + timedelta(hours=5, minutes=30)
            row["dueDate"] = due.isoformat()

    for name in ("tasks", "tasks of contact"):
        world.mangle("highlevel", name, lambda answer: shift(answer["tasks"]))
    world.mangle("highlevel", "task", lambda answer: shift([answer["task"]]))
