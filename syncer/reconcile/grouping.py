"""Which tasks of one person are one task, as the ledger and the markers tell (pure): see `syncer.reconcile.rebuild`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable
from dataclasses import dataclass, field

from syncer.domain.model import Marker, Reading, ReplicaState, State, split_task_id
from syncer.domain.reasons import Reason
from syncer.reconcile.likeness import is_like, unlikeness
from syncer.reconcile.markers import is_by_another, is_pasted, named_by
from syncer.reconcile.merging import Merging, in_order
from syncer.reconcile.unmatched import unfit


@dataclass(slots=True)
class Group:
    """What there is of one task, if anything: ``open`` has at most one reading for each CRM, ``closed`` the others.

    ``marked`` says that a marker named it: we made copies of it. ``unsure`` says that another task may be, or
    have been, its copy, which a CRM that keeps no markers does not tell.
    """

    task: str
    open: dict[str, Reading] = field(default_factory=dict)
    closed: dict[str, list[Reading]] = field(default_factory=lambda: defaultdict(list))
    held: str = ""
    marked: bool = False
    unsure: bool = False

    @property
    def origin(self) -> Reading | None:
        """The open reading at the place where the task was first seen."""
        return next((reading for reading in self.open.values() if reading.place == split_task_id(self.task)[0]), None)

    @property
    def is_alone(self) -> bool:
        """Whether nothing tells more of it than the one reading."""
        return len(self.readings) == 1 and not (self.marked or self.unsure or self.held)

    def shows(self, system: str) -> bool:
        """Whether something of it is there, open or closed."""
        return system in self.open or bool(self.closed.get(system))

    def lacks(self, system: str) -> bool:
        """Whether it is open elsewhere, and nothing of it is there."""
        return bool(self.open) and not self.shows(system)

    @property
    def readings(self) -> list[Reading]:
        return [*self.open.values(), *(reading for rows in self.closed.values() for reading in rows)]


class Grouping:
    """One person's tasks, in groups by what the ledger and the markers tell; ``readings`` are theirs by CRM."""

    def __init__(self, work: Merging, link: str) -> None:
        self._work = work
        self._policy = work.inputs.policy
        self._link = link
        rows_read = work.standing.readings_of(link)
        self._named = {row.marker.place for rows in rows_read.values() for row in rows if row.marker is not None}
        self.readings = {system: [row for row in rows if self._fits(row)] for system, rows in rows_read.items()}
        self._at = {row.place: row for rows in self.readings.values() for row in rows}
        self.groups: dict[str, Group] = {}

    def _fits(self, reading: Reading) -> bool:
        if reading.key in self._work.base.replicas:
            return True
        # Its list alone tells that an origin is there, and of what is closed its kind and due: all that a lane shows.
        closed = reading.state is not State.OPEN
        told = reading.whole or reading.key in self._named or (closed and reading.mirrored)
        return told and (closed or unfit(self._work, reading) is None)

    def group(self) -> dict[str, Group]:
        """The groups by task id."""
        base = self._work.base
        rows_read = [row for rows in self.readings.values() for row in rows]
        markers = {row.key: row.marker for row in rows_read if row.marker and self._is_ours(row, row.marker)}
        named: dict[tuple[str, str], set[str]] = defaultdict(set)
        for marker in markers.values():
            if named_by(base, marker) is None:
                named[marker.place].add(marker.task)
        for rows in self.readings.values():
            members: dict[str, list[Reading]] = defaultdict(list)
            for row in in_order(rows):
                members[self._task_of(row, markers.get(row.key), named)].append(row)
            for task, found in members.items():
                self._put(task, found)
        for key, marker in markers.items():
            named_task = named_by(base, marker)
            group = self.groups.get(marker.task if named_task is None else named_task.id)
            if group is not None:
                group.marked = True
                self._mark_unsure(group, key, named)
        for row in rows_read:
            known = base.replicas.get(row.key)
            if known is not None and known.made and row.key in named and base.tasks[known.task].state is State.OPEN:
                # A list shows no marker of what is known, and nothing else of the task may be left.
                self._mark_unsure(self.groups.setdefault(known.task, Group(known.task)), row.key, named)
        return self.groups

    @staticmethod
    def _mark_unsure(group: Group, copy: tuple[str, str], named: Container[tuple[str, str]]) -> None:
        """A copy that is the origin of another task was reopened, so the one that it is a copy of had been finished.

        Where another copy is open beside it, people copied the text of that one.
        """
        group.unsure = group.unsure or (copy in named and copy[0] not in group.open)

    def _is_ours(self, row: Reading, marker: Marker) -> bool:
        """Whether the marker tells of a task of this person: others are in texts that somebody copied."""
        base, place = self._work.base, marker.place
        task = named_by(base, marker)
        if task is not None:
            known = row.key in base.replicas or base.restored_at is not None
            return task.contact == self._link and (known or not is_pasted(base, self._policy, row, task))
        return self._work.standing.is_of(self._link, place)

    def _task_of(self, row: Reading, marker: Marker | None, named: dict[tuple[str, str], set[str]]) -> str:
        base = self._work.base
        known = base.replicas.get(row.key)
        if row.key in named:
            # It is an origin: the latest task of that place, unless the ledger knows a later one.
            latest = max(named[row.key], key=lambda task: split_task_id(task)[1])
            at_place = known is not None and split_task_id(known.task)[0] == row.place
            if known is None or not at_place or split_task_id(known.task)[1] < split_task_id(latest)[1]:
                return latest
        if known is not None and not (row.state is not State.OPEN and self._work.is_mistaken(known, row)):
            closed = known.state is not ReplicaState.OPEN and base.tasks[known.task].state is not State.OPEN
            return self._work.fresh_id(row) if closed and row.state is State.OPEN else known.task
        if marker is not None:
            task = named_by(base, marker)
            return marker.task if task is None else task.id
        return self._work.fresh_id(row) if row.state is State.OPEN else row.place

    def _put(self, task: str, rows: list[Reading]) -> None:
        """The rows that one CRM shows of one task: one open at most, others are duplicates or other tasks."""
        group = self.groups.setdefault(task, Group(task))
        opens = [row for row in rows if row.state is State.OPEN]
        if opens and all(self._is_pasted_beside(task, row, rows) for row in opens):
            for row in opens:
                own = self._work.fresh_id(row)
                self.groups[own] = Group(own, {row.system: row})
        elif opens:
            first = min(opens, key=lambda row: self._rank(task, row))
            group.open[first.system] = first
            for row in opens:
                if row is not first:
                    own = self._work.fresh_id(row)
                    held = Reason.DUPLICATE if self._is_second(row, first) else ""
                    self.groups[own] = Group(own, {row.system: row}, held=held)
        for row in rows:
            if row.state is not State.OPEN:
                group.closed[row.system].append(row)

    def _is_second(self, row: Reading, first: Reading) -> bool:
        """Whether it is a second copy, not a task that people made of a copy and its text.

        Each of two ledgers makes one copy. People may have changed it since.
        """
        if is_like(self._policy, row, first):
            return True
        if not is_by_another(self._work.base, row) or row.marker is None or row.marker.place == first.key:
            return False
        return not first.whole or (first.marker is not None and first.marker.ledger != row.marker.ledger)

    def _is_pasted_beside(self, task: str, row: Reading, rows: Iterable[Reading]) -> bool:
        """Whether people copied the text of our copy, which is closed, into this one, which is like nothing else of it.

        Of what was finished we make no other copy. Where the origin was changed since, what is less like it is pasted.
        """
        place, known = split_task_id(task)[0], self._work.base.replicas.get(row.key)
        origin = self._at.get(place)
        closed = [other for other in rows if other.state is not State.OPEN and other.marker is not None]
        if known is not None or row.place == place or row.marker is None or not closed:
            return False
        if origin is not None:
            unlike = min(unlikeness(self._policy, other, origin) for other in closed)
            if unlikeness(self._policy, row, origin) < unlike:
                return False
        return not any(is_like(self._policy, row, other) for other in closed)

    def _rank(self, task: str, row: Reading) -> tuple[bool, ...]:
        """The origin comes first, then what the ledger knows, then what is, or is called, as it, then the oldest."""
        known, place = self._work.base.replicas.get(row.key), split_task_id(task)[0]
        origin = self._at.get(place)
        unlike = (False, False) if origin is None else unlikeness(self._policy, row, origin)
        return (row.place != place, known is None or known.task != task, *unlike)
