"""What must be true once people and faults have stopped: everything at rest, or listed with a true reason."""

from __future__ import annotations

from collections import defaultdict

from tests.simulation.oracle import Copy, Oracle, Violation
from tests.simulation.stage import Outcome, Stage
from tests.simulation.story import Story

Listed = set[tuple[str, str]]
"""(system, reason) under which the report lists a task."""


class Ending:
    """The last judgement of one world, by what its oracle knows."""

    def __init__(self, stage: Stage, oracle: Oracle) -> None:
        self._stage = stage
        self._oracle = oracle

    def judge(self, outcome: Outcome) -> None:
        """Hold every task against the report of the last run."""
        if outcome.report is None:
            raise Violation("L7", f"the last run did not end: {outcome}")
        listed: dict[str, Listed] = defaultdict(set)
        for item in (*outcome.report.waiting, *outcome.report.attention):
            if item.task is not None:
                listed[item.task].add((item.system, item.reason.value))
        for name, story in sorted(self._oracle.stories.items()):
            copies = self._oracle.open_copies(name)
            if not self._is_judged(story, copies):
                continue
            listed_here = set().union(*(listed[task] for task in self._task_ids(name)))
            if story.done or (story.cancelled and self._oracle.closes_cancelled):
                if self._oracle.must_be_closed(story):
                    self._all_closed(name, copies, listed_here)
            elif not story.cancelled:
                self._shown_everywhere(name, story, copies, listed_here)

    def quiet(self, writes_before: int, writes_after: int) -> None:
        """L1: nobody acted, so nothing may have been sent."""
        if writes_after != writes_before:
            raise Violation("L1", f"{writes_after - writes_before} writes in a run although nobody had acted")

    def _is_judged(self, story: Story, copies: list[Copy]) -> bool:
        """A task of which nothing is open any more is lost, unless they deleted it, or no run ever saw it."""
        if "L7" in story.excused:
            return False
        return bool(copies) or story.to_put_back or (story.seen and "deleted" not in story.deeds)

    def _task_ids(self, name: str) -> set[str]:
        return {task for task in map(self._oracle.task_id, self._oracle.copies(name)) if task is not None}

    def _all_closed(self, name: str, copies: list[Copy], listed: Listed) -> None:
        for copy in copies:
            if (copy[0], "newer_above") in listed and self._something_above(copy):
                continue
            if (copy[0], "not_completable") in listed and self._is_message(copy):
                continue
            raise Violation("L4", f"{name} was closed by somebody, {copy} is still open; listed: {sorted(listed)}")

    def _is_message(self, copy: Copy) -> bool:
        return any(str(task.id) == copy[1] and task.task_type == "ManualEmail" for task in self._stage.reply.tasks())

    def _something_above(self, copy: Copy) -> bool:
        tasks = self._oracle.tasks("superfone")
        mine = tasks[copy[1]]
        return any(
            task.open
            and task.contact == mine.contact
            and (task.created_at, int(other)) > (mine.created_at, int(copy[1]))
            for other, task in tasks.items()
        )

    def _shown_everywhere(self, name: str, story: Story, copies: list[Copy], listed: Listed) -> None:
        for system in story.systems:
            if any(where == system for where, _ in copies):
                continue
            reasons = {reason for where, reason in listed if where == system}
            if not reasons:
                raise Violation("L8", f"{name} is open, is not in {system}, and stands nowhere with a reason")
            if not reasons <= self._true_reasons(system, story):
                raise Violation("L7", f"{name} is not in {system}, and this is no reason for it: {sorted(reasons)}")
            if story.to_put_back and system == "superfone" and not self._slot(story, theirs=True):
                raise Violation("L6", f"{name} was closed by a race and is not put back: {sorted(reasons)}")

    def _true_reasons(self, system: str, story: Story) -> set[str]:
        true = {"replica_missing"} if "deleted" in story.deeds else set()
        if system == "superfone" and self._slot(story):
            true |= {"slot_taken", "put_back"}
        return true

    def _slot(self, story: Story, *, theirs: bool = False) -> list[str]:
        """What holds the slot of the task's lead, besides what must be closed."""
        return [
            remote_id
            for remote_id, task in self._oracle.tasks("superfone").items()
            if task.open
            and task.exclusive
            and self._oracle.persons["superfone", task.contact] == story.person
            and not self._oracle.must_be_closed(self._oracle.stories[task.name or ""])
            and (not theirs or ("superfone", remote_id) in self._oracle.theirs)
        ]
