"""The judge: knows who really did what, and holds the engine to the laws. Shares no code with it.

Every task that a person makes has a name of its own (``#7``) in its title or text. Whatever the engine makes of
it carries that name along, so that the judge knows a copy by reading it, not by asking the engine.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from adapters.sandbox import Call, Reply
from tests.simulation.sight import Seen, tasks_of
from tests.simulation.stage import Outcome, Stage

MARKER = re.compile(r"syncer:[0-9A-Z]{26}")
GRACE = timedelta(seconds=31)
ZERO = timedelta(0)
SUPERSEDE_WINDOW = timedelta(seconds=2)
UNTOLD = frozenset({"L2", "L3", "L4", "L7"})
"""The laws that nobody can be held to for a task whose copies nothing connects any more."""
Copy = tuple[str, str]
"""(system, remote id)"""


class Violation(AssertionError):
    """A law was broken."""


@dataclass(slots=True)
class Story:
    """What really happened to one task of a person's. ``excused`` lists what no engine could get right any more."""

    person: int
    systems: tuple[str, ...]
    done: bool = False
    cancelled: bool = False
    noticed: bool = False
    twins: int = 0
    excused: set[str] = field(default_factory=set)


class Oracle:
    """Watches the sandboxes. ``closes_cancelled`` is the account's setting."""

    def __init__(self, stage: Stage, *, closes_cancelled: bool = True) -> None:
        self._stage = stage
        self._closes_cancelled = closes_cancelled
        self.stories: dict[str, Story] = {}
        self.persons: dict[Copy, int] = {}
        self.theirs: set[Copy] = set()
        self.known: set[Copy] = set()
        self.known_closed: set[Copy] = set()
        self._read_at: dict[str, datetime] = {}
        self._changed_at: dict[Copy, datetime] = {}
        self._due_incidents: set[Copy] = set()
        self._late_incidents: set[Copy] = set()
        self._before: dict[str, Seen] = {}
        self._unclaimed: set[Copy] = set()
        self._rebuilding = False
        stage.before_write = self._before_write
        stage.after_call = self._after_call

    # what there is ---------------------------------------------------------------------------------

    def tasks(self, system: str) -> dict[str, Seen]:
        """Every task of a CRM by remote id; deleted ones are left out."""
        return tasks_of(self._stage, system)

    def open_copies(self, name: str) -> list[Copy]:
        return [
            (system, remote_id)
            for system in self._stage.sandboxes
            for remote_id, task in self.tasks(system).items()
            if task.open and task.name == name
        ]

    # what people tell ------------------------------------------------------------------------------

    def made(self, name: str, person: int, copy: Copy, systems: tuple[str, ...]) -> None:
        """A person made a task, or a twin of one that has this name already."""
        self.stories.setdefault(name, Story(person, systems)).twins += 1
        self.theirs.add(copy)
        self._forget(copy)
        if copy[0] == "superfone":
            self._looks_superseded(copy)

    def _looks_superseded(self, new: Copy) -> None:
        """What somebody did a moment before somebody made a newer task looks as if that had closed it."""
        tasks = self.tasks("superfone")
        for remote_id, task in tasks.items():
            changed_at = self._changed_at.get(("superfone", remote_id))
            if task.open or not task.exclusive or task.contact != tasks[new[1]].contact or changed_at is None:
                continue
            story = self._story(("superfone", remote_id))
            if story is not None and self._stage.now() - changed_at <= SUPERSEDE_WINDOW:
                story.excused.add("L4")

    def closed(self, copy: Copy, *, cancelled: bool = False) -> None:
        """A person closed a task: done, or cancelled."""
        story = self._story(copy)
        self._changed_at[copy] = self._stage.now()
        if story is None:
            return
        if cancelled:
            story.cancelled = True
        else:
            story.done = True
        if copy in self.known:
            story.noticed = True
        self._part(story, copy)

    def touched(self, copy: Copy, *, excuse: str = "") -> None:
        """A person changed a task: from now on it is theirs."""
        story = self._story(copy)
        self.theirs.add(copy)
        self._changed_at[copy] = self._stage.now()
        if story is None:
            return
        if excuse:
            story.excused.add(excuse)
        if excuse == "edited" and copy in self._unclaimed:
            # Its create may be in doubt, and what it would be known by is gone.
            story.excused |= UNTOLD
        if excuse == "superseded":
            story.excused.discard("put back")
        self._part(story, copy)

    def _part(self, story: Story, copy: Copy) -> None:
        """Twins of which one was changed before all were seen are two tasks, though both keep the name.

        So are, after a lost ledger, all copies of a task.
        """
        copies = self.open_copies(self.tasks(copy[0])[copy[1]].name or "")
        if self._rebuilding or (story.twins > 1 and not self.known.issuperset(copies)):
            story.excused |= UNTOLD

    def may_reopen(self, copy: Copy) -> bool:
        """Whether every run has seen the copy closed, and its task is what it seems."""
        story = self._story(copy)
        return copy in self.known_closed and story is not None and not story.excused >= UNTOLD

    def reopened(self, copy: Copy) -> bool:
        """Whether the reopened copy belongs to a task that was only cancelled, and is kept open elsewhere."""
        story = self._story(copy)
        kept = story is not None and not story.done and story.cancelled and not self._closes_cancelled
        if kept and story is not None:
            story.cancelled = False
            # Done elsewhere before a run has seen that, the reopened one is a task of its own.
            story.twins += 1
            self._forget(copy)
        return kept

    def _forget(self, copy: Copy) -> None:
        """What a run has seen of a copy says nothing of it any more."""
        self.known.discard(copy)
        self.known_closed.discard(copy)
        self._changed_at[copy] = self._stage.now()

    def lost_ledger(self) -> None:
        """What was not yet the same everywhere can't be told any more from what never was."""
        self._rebuilding = True
        self.known.clear()
        self.known_closed.clear()
        self._due_incidents.clear()
        self._late_incidents.clear()
        for name, story in self.stories.items():
            closed_somewhere = story.done or story.cancelled
            whole = {system for system, _ in self.open_copies(name)} == set(story.systems)
            if (
                closed_somewhere
                or not whole
                or story.excused & {"edited", "superseded", "copied", "deleted", "put back"}
            ):
                story.excused |= UNTOLD
        self.theirs |= {(system, remote_id) for system in self._stage.sandboxes for remote_id in self.tasks(system)}

    def nameless(self) -> dict[str, str]:
        """The Superfone tasks, with their names, that nothing but a name could connect to the others now."""
        return {
            remote_id: task.name
            for remote_id, task in self.tasks("superfone").items()
            if task.open and task.name and self.stories[task.name].excused >= UNTOLD
        }

    def _story(self, copy: Copy) -> Story | None:
        task = self.tasks(copy[0]).get(copy[1])
        return self.stories.get(task.name or "") if task else None

    # what the engine does --------------------------------------------------------------------------

    def _before_write(self, system: str, call: Call) -> None:
        if self._stage.lapsed and not self._stage.arriving:
            raise Violation(f"L9: a process wrote though another one had taken its lease: {system} {call.path}")
        self._before = self.tasks(system)

    def _after_call(self, system: str, call: Call, reply: Reply) -> None:
        if not self._stage.sandboxes[system].is_write(call):
            lead = re.search(r"/lead/(\d+)/task$", call.path)
            if lead and reply.status == 200:
                self._read_at[lead[1]] = self._stage.now()
            return
        before, after = self._before, self.tasks(system)
        new = [remote_id for remote_id in after if remote_id not in before]
        closed = [remote_id for remote_id, task in after.items() if not task.open and before.get(remote_id, task).open]
        for remote_id in new:
            self._judge_create(system, remote_id, after[remote_id], before)
        for remote_id in closed:
            self._judge_close(system, remote_id, before[remote_id], by_create=bool(new))

    def _judge_create(self, system: str, remote_id: str, task: Seen, before: dict[str, Seen]) -> None:
        copy = (system, remote_id)
        story = self.stories.get(task.name or "")
        if story is None:
            raise Violation(f"made {copy} out of nothing: {task.text!r}")
        if self.persons[system, task.contact] != story.person:
            raise Violation(f"{task.name} was made for another person: {copy}")
        markers = MARKER.findall(task.text)
        if len(markers) != (0 if system == "superfone" else 1):
            raise Violation(f"{copy} carries {len(markers)} markers: {task.text!r}")
        twins = [other for other, old in before.items() if old.open and old.name == task.name]
        closed_now = {other for other in twins if not self.tasks(system)[other].open}
        if set(twins) - closed_now and "L2" not in story.excused:
            raise Violation(f"L2: {task.name} now has two open copies in {system}: {twins} and {remote_id}")
        self.known.add(copy)
        if system == "superfone":
            self._unclaimed.add(copy)
        if "put back" in story.excused:
            self.theirs.add(copy)

    def _judge_close(self, system: str, remote_id: str, task: Seen, *, by_create: bool) -> None:
        copy = (system, remote_id)
        story = self.stories.get(task.name or "")
        if story is None or self._may_close(story):
            return
        if by_create and copy not in self.theirs:
            return
        if system == "superfone" and self._raced(copy, task):
            # What arrives late may do so after the run has looked: the next one tells it.
            (self._late_incidents if self._stage.arriving else self._due_incidents).add(copy)
            story.excused.add("put back")
            return
        law = "L5, L6" if by_create else "L3"
        raise Violation(f"{law}: {copy} ({task.name}) was closed, and nobody had closed it")

    def _may_close(self, story: Story) -> bool:
        return story.done or (story.cancelled and self._closes_cancelled) or "L3" in story.excused

    def _raced(self, copy: Copy, task: Seen) -> bool:
        """Whether somebody changed something in the lane after it was last read, or the request came late."""
        if self._stage.arriving:
            return True
        read_at = self._read_at.get(task.contact)
        lane = [other for other, old in self.tasks(copy[0]).items() if old.contact == task.contact]
        changes = [self._changed_at[copy[0], other] for other in lane if (copy[0], other) in self._changed_at]
        return read_at is None or max(changes, default=read_at - GRACE) >= read_at

    # after each run --------------------------------------------------------------------------------

    def after_run(self, outcome: Outcome) -> None:
        """The laws that hold at any time."""
        if outcome.report is not None:
            told = {item.task for item in outcome.report.incidents if item.task}
            for copy in self._due_incidents | self._late_incidents:
                if self._task_id(copy) in told:
                    self._due_incidents.discard(copy)
                    self._late_incidents.discard(copy)
            if outcome.undisturbed and self._due_incidents:
                raise Violation(f"L6: closed by a race and not reported: {sorted(self._due_incidents)}")
            self._due_incidents |= self._late_incidents
            self._late_incidents.clear()
        self.at_most_one_open()
        self._unclaimed = {copy for copy in self._unclaimed if self._task_id(copy) is None}
        if outcome.clean and outcome.report is not None:
            self._rebuilding = False
            for system in self._stage.sandboxes:
                seen_until = outcome.report.started_at - (self._stage.highlevel.lag if system == "highlevel" else ZERO)
                for remote_id, task in self.tasks(system).items():
                    if self._changed_at.get((system, remote_id), seen_until) < seen_until:
                        (self.known if task.open else self.known_closed).add((system, remote_id))

    def at_most_one_open(self) -> None:
        count: dict[tuple[str, str], list[str]] = defaultdict(list)
        for system in self._stage.sandboxes:
            for remote_id, task in self.tasks(system).items():
                if task.open and task.name:
                    count[system, task.name].append(remote_id)
        for (system, name), copies in count.items():
            story = self.stories.get(name)
            if len(copies) > 1 and story is not None and "L2" not in story.excused:
                raise Violation(f"L2: {name} has several open copies in {system}: {copies}")

    def _task_id(self, copy: Copy) -> str | None:
        return self._stage.ledger.find(":".join(copy))

    # in the end ------------------------------------------------------------------------------------

    def in_the_end(self, outcome: Outcome) -> None:
        """The laws that hold once people and faults have stopped."""
        if outcome.report is None:
            raise Violation(f"the last run did not end: {outcome}")
        listed: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for item in (*outcome.report.waiting, *outcome.report.attention):
            if item.task is not None:
                listed[item.task].add((item.system, item.reason.value))
        for name, story in sorted(self.stories.items()):
            copies = self.open_copies(name)
            if not copies or "L7" in story.excused:
                continue
            listed_here = set().union(*(listed[task] for task in self._task_ids(name)))
            if story.done or (story.cancelled and self._closes_cancelled):
                if story.noticed and "L4" not in story.excused:
                    self._all_closed(name, copies, listed_here)
            elif not story.cancelled:
                self._shown_everywhere(name, story, copies, listed_here)

    def _task_ids(self, name: str) -> set[str]:
        copies = [
            (system, remote_id)
            for system in self._stage.sandboxes
            for remote_id, task in self.tasks(system).items()
            if task.name == name
        ]
        return {task for task in map(self._task_id, copies) if task is not None}

    def _all_closed(self, name: str, copies: list[Copy], listed: set[tuple[str, str]]) -> None:
        for copy in copies:
            if (copy[0], "newer_above") in listed and self._something_above(copy):
                continue
            if (copy[0], "not_completable") in listed and self._is_message(copy):
                continue
            raise Violation(f"L4: {name} was closed by somebody, but {copy} is still open; listed: {sorted(listed)}")

    def _is_message(self, copy: Copy) -> bool:
        return any(str(task.id) == copy[1] and task.task_type == "ManualEmail" for task in self._stage.reply.tasks())

    def _something_above(self, copy: Copy) -> bool:
        tasks = self.tasks("superfone")
        mine = tasks[copy[1]]
        return any(
            task.open
            and task.contact == mine.contact
            and (task.created_at, int(other)) > (mine.created_at, int(copy[1]))
            for other, task in tasks.items()
        )

    def _shown_everywhere(self, name: str, story: Story, copies: list[Copy], listed: set[tuple[str, str]]) -> None:
        for system in story.systems:
            if any(where == system for where, _ in copies):
                continue
            reasons = {reason for where, reason in listed if where == system}
            if not reasons:
                raise Violation(f"L7, L8: {name} is open, is not in {system}, and stands nowhere with a reason")
            if reasons == {"slot_taken"} and not self._slot_taken(story):
                raise Violation(f"L7: {name} waits for a slot that is free")
            if system == "superfone" and "put back" in story.excused and not self._theirs_in_slot(story):
                raise Violation(f"L6: {name} was closed by a race and is not put back: {sorted(reasons)}")
            if reasons & {"next_run", "in_doubt", "retry_later", "unread", "lane_blocked"}:
                raise Violation(f"L7: {name} has not come to rest in {system}: {sorted(reasons)}")

    def _slot_taken(self, story: Story) -> bool:
        return bool(self._in_slot(story))

    def _theirs_in_slot(self, story: Story) -> bool:
        return any(("superfone", remote_id) in self.theirs for remote_id in self._in_slot(story))

    def _in_slot(self, story: Story) -> list[str]:
        return [
            remote_id
            for remote_id, task in self.tasks("superfone").items()
            if task.open and task.exclusive and self.persons["superfone", task.contact] == story.person
        ]

    def quiet(self, writes_before: int, writes_after: int) -> None:
        """L1: nobody acted, so nothing may have been sent."""
        if writes_after != writes_before:
            raise Violation(f"L1: {writes_after - writes_before} writes in a run although nobody had acted")
