"""Group the tasks of one person by what the ledger and the markers tell (pure). See `syncer.reconcile.rebuild`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace

from syncer.domain.model import Reading, Replica, ReplicaState, State
from syncer.domain.operations import Action, OpState
from syncer.domain.reasons import Reason
from syncer.domain.task_ids import Marker, split_task_id
from syncer.reconcile.likeness import is_like, unlikeness
from syncer.reconcile.markers import is_by_another, is_held_as_second, is_pasted, named_by
from syncer.reconcile.merging import Merging, in_order
from syncer.reconcile.other_contact import elsewhere
from syncer.reconcile.unmatched import unfit


@dataclass(slots=True)
class Group:
    """All readings of one task. ``open`` has at most one reading for each CRM, and ``closed`` has the closed ones.

    ``marked`` is true if a marker names the task, so that we have copied it. ``unsure`` is true if another task may be
    its copy, which nothing shows in a CRM that keeps no markers.
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
        """Whether the group is one reading that nothing connects to another."""
        return len(self.readings) == 1 and not (self.marked or self.unsure or self.held)

    def shows(self, system: str) -> bool:
        """Whether the group has a reading in this CRM, open or closed."""
        return system in self.open or bool(self.closed.get(system))

    def lacks(self, system: str) -> bool:
        """Whether the task is open in another CRM and has no reading in this one."""
        return bool(self.open) and not self.shows(system)

    @property
    def readings(self) -> list[Reading]:
        return [*self.open.values(), *(reading for rows in self.closed.values() for reading in rows)]


class Grouping:
    """The tasks of one person in ``groups`` by task id. ``readings`` are all of them by CRM."""

    def __init__(self, work: Merging, link: str) -> None:
        self._work = work
        self._policy = work.inputs.policy
        self._link = link
        rows_read = work.standing.readings_of(link)
        # All rows count, also those that do not fit: a marker that was read names a place whatever else its row lacks.
        self._named = {row.marker.place for rows in rows_read.values() for row in rows if row.marker is not None}
        self.readings = {system: [row for row in rows if self._fits(row)] for system, rows in rows_read.items()}
        self._at = {row.place: row for rows in self.readings.values() for row in rows}
        self.groups: dict[str, Group] = {}
        self._unclear: set[str] = set()

    def _fits(self, reading: Reading) -> bool:
        base = self._work.base
        if (known := base.replicas.get(reading.key)) is not None:
            # What people gave to another contact is another person's task until it has left that, and finishes nothing.
            return elsewhere(base, base.tasks[known.task], reading) is None
        # Most rows must be read in full, for their marker. The list is enough for an origin, which only has to exist,
        # and for a closed row, of which only kind and due date are compared.
        closed = reading.state is not State.OPEN
        named = reading.key in self._named
        told = reading.whole or named or (closed and reading.mirrored)
        # What its CRM carries out by itself is copied no more, but a lost ledger may have copied it before.
        fitting = (None, Reason.SCHEDULED) if named else (None,)
        return told and (closed or unfit(self._work, reading) in fitting)

    def group(self) -> dict[str, Group]:
        """Return the groups by task id."""
        base = self._work.base
        rows_read = [row for rows in self.readings.values() for row in rows]
        markers = {row.key: row.marker for row in rows_read if row.marker and self._is_ours(row, row.marker)}
        # A task that the ledger knows has its place already. A place is learned only from a marker of an unknown one.
        # Each reopening begins a new task there, and an earlier one was finished before, so the latest one counts.
        unknown = [marker for marker in markers.values() if named_by(base, marker) is None]
        latest = {marker.place: marker.task for marker in sorted(unknown, key=lambda one: _number(one.task))}
        for rows in self.readings.values():
            members: dict[str, list[Reading]] = defaultdict(list)
            for row in in_order(rows):
                members[self._task_of(row, markers.get(row.key), latest)].append(row)
            for task, found in members.items():
                self._put(task, found)
        # An unclear task is judged only now, because the rows of another CRM may have given it a reading.
        self._leave_unclear()
        for key, marker in markers.items():
            named_task = named_by(base, marker)
            group = self.groups.get(marker.task if named_task is None else named_task.id)
            if group is not None:
                group.marked = True
                self._mark_unsure(group, key, latest)
        for row in rows_read:
            known = base.replicas.get(row.key)
            if known is not None and known.made and row.key in latest and base.tasks[known.task].state is State.OPEN:
                # Known rows are not read again for their marker, and this may be the only row left of its task.
                self._mark_unsure(self.groups.setdefault(known.task, Group(known.task)), row.key, latest)
        return self.groups

    @staticmethod
    def _mark_unsure(group: Group, copy: tuple[str, str], origins: Container[tuple[str, str]]) -> None:
        """Mark the group as unsure if one of its copies is the origin of another task.

        That copy was finished and then reopened, which began the other task. So this task may be finished, too. If
        the CRM shows another open copy, people only copied its text, and nothing follows.
        """
        group.unsure = group.unsure or (copy in origins and copy[0] not in group.open)

    def _is_ours(self, row: Reading, marker: Marker) -> bool:
        """Whether the marker names a task of this person. People also copy texts, and markers with them."""
        base, place = self._work.base, marker.place
        task = named_by(base, marker)
        if task is not None:
            known = row.key in base.replicas or base.restored_at is not None
            return task.contact == self._link and (known or not is_pasted(base, self._policy, row, task))
        return self._work.standing.is_of(self._link, place)

    def _task_of(self, row: Reading, marker: Marker | None, latest: Mapping[tuple[str, str], str]) -> str:
        """Return the id of the task that the row belongs to: as an origin, by the ledger, by its marker, else new.

        ``latest`` are the tasks that markers name, by their place.
        """
        base = self._work.base
        known = base.replicas.get(row.key)
        if (named := latest.get(row.key)) is not None:
            # The row is an origin.
            at_place = known is not None and split_task_id(known.task)[0] == row.place
            if known is None or not at_place or _number(known.task) < _number(named):
                return named
        # A row of somebody else, which an answer named as ours, is taken away from our task once it is closed: it must
        # not finish it.
        if known is not None and not (row.state is not State.OPEN and self._work.is_mistaken(known, row)):
            # What was closed and is open again was reopened, and is the next task of its place.
            closed = known.state is not ReplicaState.OPEN and base.tasks[known.task].state is not State.OPEN
            return self._work.fresh_id(row) if closed and row.state is State.OPEN else self._latest(row, known, latest)
        if marker is not None:
            task = named_by(base, marker)
            return marker.task if task is None else task.id
        return self._work.fresh_id(row) if row.state is State.OPEN else row.place

    def _latest(self, row: Reading, known: Replica, latest: Mapping[tuple[str, str], str]) -> str:
        """Return the task of a copy that the ledger knows: it may be a later one of the same place.

        A new ledger takes what is open at a place for the first task there, and makes copies of it, before it can read
        the marker that names it as the second. Where no marker tells them apart, the due does.
        """
        origin = self._at.get(split_task_id(known.task)[0])
        if origin is None or not known.made or row.marker is not None:
            return known.task
        named = latest.get(origin.key, known.task)
        # An old copy of a ledger made its copies for the first one, before the second began.
        anew = self._work.base.restored_at is None and _number(named) > _number(known.task)
        return named if anew and self._policy.dues_of(row.system).same(row.due, origin.due) else known.task

    def _put(self, task: str, rows: list[Reading]) -> None:
        """Put the rows that one CRM shows of one task into its group.

        At most one open row belongs to it. Each of the others becomes a duplicate or a task of its own.
        """
        group = self.groups.setdefault(task, Group(task))
        opens = [row for row in rows if row.state is State.OPEN]
        likeliest = self._likeliest(task, opens)
        # People finished our copy, and use its text for another task. That one is theirs, and this task has no open
        # copy here.
        if opens and all(self._is_pasted_beside(task, row, rows) for row in opens):
            for row in opens:
                self._set_apart(row)
        # Whichever of them were taken for the copy, it might be completed, and the other one would be copied
        # everywhere.
        elif self._is_unclear(likeliest):
            self._unclear.add(task)
            for row in opens:
                self._set_apart(row, Reason.DONE_OR_REOPENED)
        # Of several that fit equally the oldest is taken: a ledger makes its copy first, and people paste from that.
        elif opens:
            first = likeliest[0]
            group.open[first.system] = first
            for row in opens:
                if row is not first:
                    self._set_apart(row, Reason.DUPLICATE if self._is_second(row, first) else "")
        for row in rows:
            if row.state is not State.OPEN:
                group.closed[row.system].append(row)

    def _set_apart(self, row: Reading, held: str = "") -> None:
        """Make the row a task of its own, and hold that if there is a reason to."""
        own = self._work.fresh_id(row)
        self.groups[own] = Group(own, {row.system: row}, held=held)

    def _likeliest(self, task: str, opens: list[Reading]) -> list[Reading]:
        """Return the open rows that fit the task best, in their order."""
        ranks = [self._rank(task, row) for row in opens]
        best = min(ranks, default=())
        return [row for row, rank in zip(opens, ranks, strict=True) if rank == best]

    def _is_unclear(self, likeliest: list[Reading]) -> bool:
        """Whether nothing tells which of these open rows is the copy: two that differ fit the task equally.

        People copied the text of one into the other, so the older one is the copy, if both times are known.
        """
        # Equal rows may be exchanged without harm. Of two that differ, the wrong one would be closed with the task.
        differ = any(not is_like(self._policy, row, likeliest[0]) for row in likeliest[1:])
        return differ and any(row.created_at is None for row in likeliest)

    def _leave_unclear(self) -> None:
        """Mark the tasks of which one of several rows is the copy as unsure, so that they get no further copy."""
        for task in self._unclear:
            if self.groups[task].readings:
                self.groups[task].unsure = True
            else:
                del self.groups[task]

    def _is_second(self, row: Reading, first: Reading) -> bool:
        """Whether the row is a second copy, and not a task that people made by copying a text.

        A second copy looks like the first, or each of the two was made by another ledger and people changed one since.
        A ledger makes one copy, so if there is one that looks like the first, no other row is a second copy.
        """
        if is_like(self._policy, row, first):
            return True
        if not is_by_another(self._work.base, row) or row.marker is None or row.marker.place == first.key:
            return False
        # Another ledger made one copy, and people made a task of their own from its text, with its marker.
        if self._is_beside_a_second(row, first):
            return False
        # Two ledgers made a copy each, or the marker of the first one was not read.
        return not first.whole or (first.marker is not None and first.marker.ledger != row.marker.ledger)

    def _is_beside_a_second(self, row: Reading, first: Reading) -> bool:
        """Whether another row is the copy of the row's ledger, open or finished.

        It has the same marker, and it looks like the first or is held as a duplicate. The marker of a task that the
        ledger knows may not have been read. Then each task that looks like the first must have a held copy.
        """
        others = [other for other in self.readings[row.system] if other is not row and other is not first]
        alike = [other for other in others if is_like(self._policy, other, first)]
        held = [other for other in others if is_held_as_second(self._work.base, other)]
        if any(other.marker == row.marker for other in (*alike, *held)):
            return True
        unmarked = [other for other in held if other.marker is None and other in alike]
        return bool(unmarked) and len(unmarked) > len(alike) - len(unmarked)

    def _is_pasted_beside(self, task: str, row: Reading, rows: Iterable[Reading]) -> bool:
        """Whether this open row is a task into which people copied the text of our closed copy, with its marker.

        We make no second copy of a finished task, so a row that differs from all closed copies is not ours. But if the
        origin was changed since, a row that agrees with it better than the closed copies do is a copy.
        A marker that no closed copy has cannot come from one: it is that of another ledger's own copy.
        """
        place, known = split_task_id(task)[0], self._work.base.replicas.get(row.key)
        origin = self._at.get(place)
        closed = [other for other in rows if other.state is not State.OPEN and other.marker == row.marker]
        closed = [other for other in closed if not _is_older(row, other)]
        closed += self._reopened(task, row)
        if known is not None or row.place == place or row.marker is None or not closed:
            return False
        if origin is not None:
            # The origin was put off, and our copy with it. The closed row is another task, into which people pasted the
            # text.
            unlike = min(unlikeness(self._policy, other, origin) for other in closed)
            if unlikeness(self._policy, row, origin) < unlike:
                return False
        return not any(is_like(self._policy, row, other) for other in closed)

    def _reopened(self, task: str, row: Reading) -> list[Reading]:
        """Return the copies of a finished task in the CRM of this row that people have reopened, as they were before.

        They are tasks of their own by now, but they still carry the marker, and people may paste it from them, too.
        """
        base, known = self._work.base, self._work.base.tasks.get(task)
        if known is None or known.state is State.OPEN:
            return []
        creates = base.operations_in((task, row.system, Action.CREATE))
        made = {create.remote_id for create in creates if create.state is OpState.DONE}
        made |= {copy.remote_id for copy in base.copies(task, row.system)}
        return [
            replace(other, title=known.title, due=known.due)
            for other in self.readings[row.system]
            if other is not row and other.state is State.OPEN and other.remote_id in made and other.marker == row.marker
        ]

    def _rank(self, task: str, row: Reading) -> tuple[bool, ...]:
        """Order the open rows: the origin, then the row that the ledger knows, then by likeness to the origin."""
        known, place = self._work.base.replicas.get(row.key), split_task_id(task)[0]
        unlike = unlikeness(self._policy, row, self._at.get(place))
        return (row.place != place, known is None or known.task != task, *unlike)


def _number(task: str) -> int:
    """Return which task of its place this one is: each reopening begins the next one."""
    return split_task_id(task)[1]


def _is_older(row: Reading, other: Reading) -> bool:
    """Whether the row was made before the other one, so that it was not pasted from it. Both times must be known."""
    return row.created_at is not None and other.created_at is not None and row.created_at < other.created_at
