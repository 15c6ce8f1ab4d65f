"""What becomes of open tasks that no replica knows: by marker, else as a twin, else new (pure)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from syncer.merging import Merging, in_order, replica_of
from syncer.model import Reading, Replica, State, Task
from syncer.reasons import Item, Reason
from syncer.state import UNSETTLED, Action
from syncer.titles import same_title

REBUILD_WINDOW = timedelta(seconds=60)
SURE = 0


def look_at_unknown(work: Merging) -> None:
    """Give every unknown open task its place; markers of all CRMs come before any twin."""
    _FirstSight(work).look()


def twin_of(work: Merging, reading: Reading) -> Task | None:
    """The one open task that this one, closed before it was ever seen, is a twin of; each task has only one here."""
    sight = _FirstSight(work)
    open_tasks = [task for task in sight.open_tasks(reading) if not task.put_back]
    twins = [task for task in open_tasks if sight.may_be_twins(reading, task)]
    return twins[0] if len(twins) == 1 else None


class _FirstSight:
    """First sight, in one merge."""

    def __init__(self, work: Merging) -> None:
        self._work = work
        self._policy = work.inputs.policy
        self._doubts = [
            operation
            for operation in work.base.operations.values()
            if operation.state in UNSETTLED and operation.action is Action.CREATE
        ]

    def look(self) -> None:
        found = {system: self._unknown_open(system) for system in self._work.systems}
        unknown: dict[str, list[Reading]] = {}
        for system, readings in found.items():
            ranks = self._ranks(readings, found)
            self._leave_undecided(readings, ranks)
            adopted: dict[str | None, str] = {}
            for reading in sorted(readings, key=lambda reading: ranks[reading.remote_id]):
                if reading.marker not in adopted and self._adopt_marked(reading):
                    adopted[reading.marker] = reading.remote_id
            taken = set(adopted.values())
            unknown[system] = [reading for reading in readings if reading.remote_id not in taken]
        for readings in unknown.values():
            twins = self._twins(readings)
            for reading in readings:
                twin = twins.get(reading.remote_id)
                if twin is None:
                    self._work.begin(reading)
                else:
                    task = self._work.base.tasks[twin]
                    self._adopt(reading, task, "adopted as the same task, seen in another CRM")

    def _unknown_open(self, system: str) -> list[Reading]:
        """Unknown open tasks that can become replicas, oldest first; the others are listed with their reason."""
        found = []
        for reading in in_order(self._work.inputs.seen[system].readings.values()):
            if reading.state is not State.OPEN or reading.key in self._work.base.replicas:
                continue
            reason = self._unfit(reading)
            if reason is not None:
                self._work.waiting.append(Item(None, system, reason, f"{system} task {reading.remote_id}"))
            elif self._may_be_shown_elsewhere(reading):
                self._leave(reading, f"{system} task {reading.remote_id}")
            elif reading.whole:
                found.append(reading)
        return found

    def _unfit(self, reading: Reading) -> Reason | None:
        if not reading.mirrored:
            return Reason.SCHEDULED
        if reading.contact is None:
            return Reason.WITHOUT_CONTACT
        if self._work.is_doubtful(reading.system, reading.contact) or self._may_be_in_doubt(reading):
            return Reason.IN_DOUBT
        return Reason.CONTACT_UNREAD if self._work.contact_of(reading) is None else None

    def _may_be_shown_elsewhere(self, reading: Reading) -> bool:
        """Whether a copy of it from before the ledger was lost may be unread, and only that could connect them all.

        Without a due nothing else tells whether a task in a CRM that keeps no markers is its copy.
        """
        work = self._work
        person = work.contact_of(reading)
        return reading.due is None and any(
            work.was_never_read(system, person)
            for system in self._policy.systems
            if system != reading.system and work.inputs.capabilities[system].reads_marker
        )

    def _may_be_in_doubt(self, reading: Reading) -> bool:
        """Whether it may be what a create in doubt has made, its marker damaged: settling tells, or the next run."""
        return reading.marker is None and any(
            (doubt.system, doubt.contact) == (reading.system, reading.contact) and doubt.is_due(reading.due)
            for doubt in self._doubts
        )

    # markers ---------------------------------------------------------------------------------------

    def _ranks(self, readings: list[Reading], everywhere: Mapping[str, list[Reading]]) -> dict[str, int]:
        """By remote id: of several tasks with one marker, all but one of them copied by people, the likeliest is least.

        Those like the marker's own task come first (`SURE`), then those like any task without a marker, then those of
        which nothing is known; last come those like a task that carries another marker: they are its copies.
        """
        times = Counter(reading.marker for reading in readings if reading.marker is not None)

        def rank(reading: Reading) -> int:
            if times[reading.marker or ""] <= 1:
                return SURE
            elsewhere = (other for system, others in everywhere.items() if system != reading.system for other in others)
            like = {other.marker for other in elsewhere if self._alike(reading, other)}
            if reading.marker in like or self._is_like(reading, self._work.base.tasks.get(reading.marker or "")):
                return SURE
            if like - {None}:
                return 3
            return 1 if like or any(self._copied(reading, task) for task in self.open_tasks(reading)) else 2

        return {reading.remote_id: rank(reading) for reading in readings}

    def _leave_undecided(self, readings: list[Reading], ranks: Mapping[str, int]) -> None:
        """Take out those with one unknown marker of which none is surely ours, as long as its origin may be unread.

        What is like a task without a marker may be so because a CRM that keeps none has a copy of the duplicate.
        """
        told = {reading.marker for reading in readings if ranks[reading.remote_id] == SURE}
        for reading in list(readings):
            if reading.marker in told or reading.marker in self._work.base.tasks:
                continue
            person = self._work.contact_of(reading)
            others = [system for system in self._policy.systems if system != reading.system]
            if any(self._work.is_unread(system, person) for system in others):
                self._leave(reading, f"{reading.system} task {reading.remote_id} and another carry one marker")
                readings.remove(reading)

    def _leave(self, reading: Reading, words: str) -> None:
        """Until it is known what this is, nothing is made for its contact there, which might be it."""
        self._work.waiting.append(Item(None, reading.system, Reason.UNREAD, words))
        self._work.undecided.add((reading.system, reading.contact or ""))

    def _is_like(self, reading: Reading, known: Task | Replica | None) -> bool:
        if known is None or not _near(reading.due, known.due, self._rebuild_window):
            return False
        return same_title(reading.title, known.title)

    def _alike(self, one: Reading, other: Reading) -> bool:
        same_person = self._work.contact_of(one) == self._work.contact_of(other)
        return same_person and _near(one.due, other.due, self._rebuild_window) and same_title(one.title, other.title)

    def _adopt_marked(self, reading: Reading) -> bool:
        """Join by our marker; any marker that does not fit is a copy that somebody made, and is ignored."""
        if reading.marker is None:
            return False
        work = self._work
        task = work.base.tasks.get(reading.marker)
        if task is None:
            self._rebuild(reading, reading.marker)
            return True
        alive = task.state is State.OPEN or work.is_creating(task.id, reading.system)
        shown = work.open_replica(task.id, reading.system) is not None
        if not alive or shown or task.contact != work.contact_of(reading):
            return False
        if self._is_another(reading, task) or self._is_pasted(reading, task):
            return False
        self._adopt(reading, task, "recognised by its marker", made=True)
        work.is_created(task.id, reading.system, reading.remote_id)
        return True

    def _is_another(self, reading: Reading, task: Task) -> bool:
        """Whether the task's copy here was another one, now gone, and this is none of ours that came late.

        People duplicate a task with its text and delete the one that we made.
        """
        if self._work.is_creating(task.id, reading.system):
            return False
        had = self._work.base.copies(task.id, reading.system)
        known: tuple[Task | Replica, ...] = (task, *had)
        return bool(had) and not any(self._is_like(reading, one) for one in known)

    def _is_pasted(self, reading: Reading, task: Task) -> bool:
        """Whether nothing but a marker that this ledger never wrote says that they are one task.

        Where it has just been lost, that is enough: people move tasks, and their copies stay where they were.
        """
        if self._work.base.empty or not self._work.awaits_origin(task):
            return False
        guessed = self._has_guessed_kind(task) or not reading.kind_known
        kinds_fit = guessed or reading.kind.compatible(task.kind)
        return not (kinds_fit and self._is_like(reading, task))

    def _rebuild(self, reading: Reading, task_id: str) -> None:
        """A marker whose task no ledger knows: written before the ledger was lost, or pasted from anywhere.

        What it was made from may have been seen before this CRM could be read again.
        """
        origins = [task for task in self.open_tasks(reading) if self._copied(reading, task)]
        if len(origins) == 1:
            self._adopt(reading, origins[0], "a copy made before the ledger was lost", made=True)
        else:
            self._work.begin(reading, task_id=task_id, made=True)

    def _copied(self, reading: Reading, task: Task) -> bool:
        if self._work.awaits_origin(task) or not self._work.has_room(task.id, reading.system):
            return False
        kinds_fit = reading.kind.compatible(task.kind) or not reading.kind_known
        return kinds_fit and self._is_like(reading, task)

    # twins -----------------------------------------------------------------------------------------

    def _twins(self, readings: list[Reading]) -> dict[str, str]:
        """Pairs of a reading and an open task that are each other's only candidate: remote id → task id."""
        of_reading: dict[str, list[str]] = defaultdict(list)
        of_task: dict[str, list[str]] = defaultdict(list)
        by_contact: dict[str, list[Task]] = defaultdict(list)
        for task in self._work.base.tasks.values():
            if task.state is State.OPEN:
                by_contact[task.contact].append(task)
        for tasks in by_contact.values():
            tasks.sort(key=lambda task: (task.due, task.id))
        for reading in readings:
            for task in _around(by_contact[self._work.contact_of(reading) or ""], reading, self._rebuild_window):
                if self.may_be_twins(reading, task):
                    of_reading[reading.remote_id].append(task.id)
                    of_task[task.id].append(reading.remote_id)
        pairs = {
            remote_id: tasks[0] for remote_id, tasks in of_reading.items() if len(tasks) == len(of_task[tasks[0]]) == 1
        }
        taken = set(pairs.values())
        for reading in readings:
            candidates = () if reading.remote_id in pairs else of_reading.get(reading.remote_id, ())
            free = [task for task in candidates if task not in taken and self._is_rebuilt(reading, task)]
            task_id = min(free, key=lambda task: self._apart(reading, task), default=None)
            if task_id is not None:
                pairs[reading.remote_id] = task_id
                taken.add(task_id)
        return pairs

    def _apart(self, reading: Reading, task: str) -> timedelta:
        return abs(self._work.base.tasks[task].due - reading.due) if reading.due is not None else timedelta(0)

    def _is_rebuilt(self, reading: Reading, task: str) -> bool:
        """Whether the task has a copy of ours that was there before its contact was ever read here.

        It has if the ledger was lost. What fits several such tasks is a copy, or the origin, of one of them: of the one
        that is due nearest, as far as anybody can tell.
        """
        work = self._work
        first = work.base.empty or reading.contact in work.inputs.seen[reading.system].first_read
        return first and work.made_somewhere(task)

    def may_be_twins(self, reading: Reading, task: Task) -> bool:
        """Whether they look like one task, of which this CRM shows nothing else."""
        work = self._work
        if not work.has_room(task.id, reading.system):
            return False
        awaits_origin = work.awaits_origin(task)
        rebuilt = awaits_origin or self._is_rebuilt(reading, task.id)
        window = self._rebuild_window if rebuilt else self._policy.twin_window
        guessed = awaits_origin and self._has_guessed_kind(task)
        kinds_fit = reading.kind.compatible(task.kind) or guessed
        near = self._is_undated_origin(reading, task) or _near(reading.due, task.due, window)
        return near and kinds_fit and same_title(reading.title, task.title)

    def _is_undated_origin(self, reading: Reading, task: Task) -> bool:
        """Whether copies of ours, with the due that we made up, may be of this task, which has none."""
        if reading.due is not None or reading.title is None:
            return False
        copies = self._work.rebuilt_from(task.id)
        titles = [task.title] if copies else []
        titles += [copy.title for copy in copies]
        return any(title is not None and same_title(reading.title, title) for title in titles)

    @property
    def _rebuild_window(self) -> timedelta:
        return max(self._policy.twin_window, REBUILD_WINDOW)

    def open_tasks(self, reading: Reading) -> list[Task]:
        """Those of the same person."""
        contact = self._work.contact_of(reading)
        tasks = self._work.base.tasks.values()
        return [task for task in tasks if task.state is State.OPEN and task.contact == contact]

    def _has_guessed_kind(self, task: Task) -> bool:
        """Whether its kind may have been guessed from a title: its origin has no types, or is no longer asked."""
        origin = self._work.inputs.capabilities.get(task.origin)
        return origin is None or not origin.has_kinds

    def _adopt(self, reading: Reading, task: Task, why: str, *, made: bool = False) -> None:
        work = self._work
        if not made and work.awaits_origin(task):
            kind = reading.kind if reading.kind_known or self._has_guessed_kind(task) else task.kind
            task = replace(task, kind=kind, origin=reading.system, due_synthetic=reading.due is None)
            work.put_task(task)
        if not made and task.title is None and reading.title is not None:
            work.put_task(replace(task, title=reading.title, body=reading.body or task.body))
        if not made and reading.system == task.origin:
            work.follow_origin(work.base.tasks[task.id], reading, reading.title)
        work.put_replica(replica_of(reading, task.id, made=made))
        work.is_back(task.id, reading.system)
        work.event("adopted", "us", why, task.id, reading)


def _around(tasks: list[Task], reading: Reading, window: timedelta) -> list[Task]:
    """Of tasks in order of their due, those near the reading's, so that many tasks are not all compared with all."""
    due = reading.due
    if due is None:
        return tasks
    first = bisect_left(tasks, -window, key=lambda task: task.due - due)
    return tasks[first : bisect_right(tasks, window, key=lambda task: task.due - due)]


def _near(due: datetime | None, other: datetime | None, window: timedelta) -> bool:
    return window > timedelta(0) and due is not None and other is not None and abs(due - other) <= window
