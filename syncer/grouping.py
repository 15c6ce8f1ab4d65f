"""Which tasks of one person, as read in every CRM, are one task (pure): see `syncer.rebuild`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

from syncer.closures import Cause
from syncer.firstsight import unfit
from syncer.identity import CLOCKS_DIFFER_BY, is_by_another, is_pasted, named_by
from syncer.likeness import is_like, same_due, unlikeness
from syncer.merging import Merging, in_order
from syncer.model import Marker, Reading, ReplicaState, State, split_task_id
from syncer.reasons import Reason
from syncer.titles import same_title


@dataclass(slots=True)
class Group:
    """What there is of one task: ``open`` has at most one reading for each CRM, ``closed`` the others by CRM.

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


class PersonsTasks:
    """One person's tasks, sorted into groups: by what the ledger knows and by markers, then by what they look like."""

    def __init__(self, work: Merging, link: str) -> None:
        self._work = work
        self._link = link
        rows_read = work.standing.readings_of(link)
        self._named = {row.marker.place for rows in rows_read.values() for row in rows if row.marker is not None}
        self._readings = {system: [row for row in rows if self._fits(row)] for system, rows in rows_read.items()}
        self._at = {row.place: row for rows in self._readings.values() for row in rows}
        self.groups: dict[str, Group] = {}

    def _fits(self, reading: Reading) -> bool:
        if reading.key in self._work.base.replicas:
            return True
        # That an origin is there, and whether it is closed, its list alone tells.
        told = reading.whole or reading.key in self._named
        return told and (reading.state is not State.OPEN or unfit(self._work, reading) is None)

    # 1 ---------------------------------------------------------------------------------------------

    def group(self) -> None:
        rows_read = [row for rows in self._readings.values() for row in rows]
        markers = {row.key: row.marker for row in rows_read if row.marker and self._is_ours(row, row.marker)}
        named: dict[tuple[str, str], set[str]] = defaultdict(set)
        for marker in markers.values():
            if named_by(self._work.base, marker) is None:
                named[marker.place].add(marker.task)
        for rows in self._readings.values():
            members: dict[str, list[Reading]] = defaultdict(list)
            for row in in_order(rows):
                members[self._task_of(row, markers.get(row.key), named)].append(row)
            for task, found in members.items():
                self._put(task, found)
        for key, marker in markers.items():
            named_task = named_by(self._work.base, marker)
            group = self.groups.get(marker.task if named_task is None else named_task.id)
            if group is not None:
                group.marked = True
                # A copy that is the origin of another task was reopened, so this one had been finished.
                group.unsure = group.unsure or key in named

    def _is_ours(self, row: Reading, marker: Marker) -> bool:
        """Whether the marker tells of a task of this person: others are in texts that somebody copied."""
        base, place = self._work.base, marker.place
        task = named_by(base, marker)
        if task is not None:
            pasted = row.key not in base.replicas and base.restored_at is None and is_pasted(base, row, task)
            return task.contact == self._link and not pasted
        if (replica := base.replicas.get(place)) is not None:
            return base.tasks[replica.task].contact == self._link
        seen = self._work.inputs.seen.get(place[0])
        elsewhere = seen.readings.get(place[1]) if seen is not None else None
        return elsewhere is None or self._work.contact_of(elsewhere) == self._link

    def _task_of(self, row: Reading, marker: Marker | None, named: dict[tuple[str, str], set[str]]) -> str:
        base = self._work.base
        known = base.replicas.get(row.key)
        if row.key in named:
            # It is an origin: the latest task of that place, unless the ledger knows a later one.
            latest = max(named[row.key], key=lambda task: split_task_id(task)[1])
            at_place = known is not None and split_task_id(known.task)[0] == row.place
            if known is None or not at_place or split_task_id(known.task)[1] < split_task_id(latest)[1]:
                return latest
        if known is not None:
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
        if is_like(row, first):
            return True
        if not is_by_another(self._work.base, row) or row.marker is None or row.marker.place == first.key:
            return False
        return not first.whole or (first.marker is not None and first.marker.ledger != row.marker.ledger)

    def _is_pasted_beside(self, task: str, row: Reading, rows: Iterable[Reading]) -> bool:
        """Whether people copied the text of our copy, which is closed, into this one, which is like nothing else of it.

        Of what was finished we make no other copy.
        """
        place, known = split_task_id(task)[0], self._work.base.replicas.get(row.key)
        origin = self._at.get(place)
        closed = [other for other in rows if other.state is not State.OPEN and other.marker is not None]
        if known is not None or row.place == place or row.marker is None or not closed:
            return False
        return not any(is_like(row, other) for other in (*closed, *([origin] if origin is not None else [])))

    def _rank(self, task: str, row: Reading) -> tuple[bool, ...]:
        """The origin comes first, then what the ledger knows, then what is, or is called, as it, then the oldest."""
        known, place = self._work.base.replicas.get(row.key), split_task_id(task)[0]
        origin = self._at.get(place)
        unlike = (False, False) if origin is None else unlikeness(row, origin)
        return (row.place != place, known is None or known.task != task, *unlike)

    # 2 ---------------------------------------------------------------------------------------------

    def match(self) -> None:
        """Give what nothing connects to a group that it looks like; equal candidates keep their order."""
        for system in self._readings:
            in_lanes = not self._work.inputs.capabilities[system].reads_marker
            for row in self._unmatched(system, State.OPEN):
                if in_lanes:
                    self._match_open(row)
                else:
                    self._match_twin(row)
                    self._match_twin_of_unread(row)
            for row in self._unmatched(system) if in_lanes or self._is_behind else ():
                self._match_closed(row, in_lanes=in_lanes)

    def _unmatched(self, system: str, state: State | None = None) -> list[Reading]:
        """What nothing connects to any other CRM: the open tasks, or the closed ones."""
        alone = [group for group in self.groups.values() if group.is_alone]
        rows = [row for group in alone for row in group.readings if row.system == system]
        unknown = [row for row in rows if self._is_free(row)]
        return sorted(
            (row for row in unknown if (row.state is State.OPEN) is (state is State.OPEN)), key=lambda r: r.number
        )

    def _is_free(self, row: Reading) -> bool:
        """Whether the row is unknown, or was taken for a task of its own while nothing else could be read."""
        base = self._work.base
        known = base.replicas.get(row.key)
        if known is None:
            return True
        task = base.tasks[known.task]
        alone = sum(copy.task == task.id for copy in base.replicas.values()) == 1
        return (
            self._is_behind
            and alone
            and not known.made
            and task.state is State.OPEN
            and known.state is ReplicaState.OPEN
        )

    def _join(self, row: Reading, target: Group) -> None:
        """The row belongs to this group; what it was taken for is no task."""
        work, group = self._work, self._group_of(row)
        if row.state is State.OPEN:
            target.open[row.system] = row
        else:
            target.closed[row.system].append(row)
        del self.groups[group.task]
        if (mistaken := work.base.tasks.get(group.task)) is not None:
            work.end_mistaken(mistaken, target.task, row)

    def _match_open(self, row: Reading) -> None:
        """An open task in a lane: a copy that lacks there, a second one of one that does not, or unmatched."""
        group = self._group_of(row)
        standing = self._work.standing
        us, probably = standing.our_user(row.system), standing.probably_us(row.system)
        ours = us is not None and row.created_by == us
        alike = [other for other in self.groups.values() if other is not group and self._is_like(row, other)]
        theirs = probably is not None and row.created_by != probably
        target = self._first([other for other in alike if _lacks_it(row, other, theirs=theirs)], row)
        if target is not None and (target.open or ours):
            self._join(row, target)
        elif any(not other.open for other in alike):
            # What it looks like is finished: it may be our copy, or what somebody made anew.
            group.held = Reason.DONE_OR_REOPENED
        elif self._is_behind and any(_is_second_copy(row, other) for other in alike):
            group.held = Reason.DUPLICATE
        elif self._may_be_ours(row) and (probably is not None or self._lacking(row)):
            group.held = Reason.UNMATCHED
            self._mark_unsure(row)
        elif (us is None or ours) and any(_is_finished_before(row, other) for other in self.groups.values()):
            # Nothing but our own copy of what is finished is so much like it, as a rule.
            group.held = Reason.DONE_OR_REOPENED

    def _match_twin(self, row: Reading) -> None:
        """An open task without a marker: the twin of what is finished by now, if we made no copy of that one here.

        It was there already when we copied that one elsewhere. What people made since is another task.
        """
        fitting = [
            other
            for other in self.groups.values()
            if other.marked and other.closed and other.lacks(row.system) and self._is_like(row, other)
        ]
        copies = [member.created_at for other in fitting for member in other.readings if member.marker is not None]
        if len(fitting) != 1 or row.created_at is None or None in copies:
            return
        later = row.created_at - min(copy for copy in copies if copy is not None)
        if later < -CLOCKS_DIFFER_BY:
            self._join(row, fitting[0])
        elif later <= CLOCKS_DIFFER_BY:
            self._group_of(row).held = Reason.DONE_OR_REOPENED

    def _match_twin_of_unread(self, row: Reading) -> None:
        """An open task that another ledger took for a twin, when it could read an origin that this one cannot."""
        lacking = [other for other in self.groups.values() if other.marked and other.origin is None]
        fitting = [other for other in lacking if other.lacks(row.system) and self._is_like(row, other)]
        rivals = [one for one in self._unmatched(row.system, State.OPEN) if any(self._is_like(one, o) for o in fitting)]
        if len(fitting) == len(rivals) == 1 and row in rivals:
            self._join(row, fitting[0])

    def _match_closed(self, row: Reading, *, in_lanes: bool) -> None:
        """A closed task: a copy, or a twin, of one that is finished elsewhere too, else of one that is open there."""
        fitting = [
            other
            for other in self.groups.values()
            if not other.shows(row.system) and self._is_like(row, other) and (in_lanes or other.marked)
        ]
        finished = [other for other in fitting if not other.open and other.marked]
        if (target := self._first(finished or [other for other in fitting if other.open], row)) is not None:
            self._join(row, target)
        elif in_lanes and self._is_by_us(row):
            if self._work.cause(row) is Cause.PERSON:
                # A lost ledger may have made it of one of these. Nobody knows, so nothing is made again.
                for other in self.groups.values():
                    if other.lacks(row.system) and _looks_like(row, other) and not _is_before(row, other):
                        other.unsure = True
            if self._may_be_ours(row):
                self._mark_unsure(row)

    def _mark_unsure(self, row: Reading) -> None:
        for other in self._lacking(row):
            other.unsure = True

    def _is_by_us(self, row: Reading) -> bool:
        """Whether our user made it, as far as that is known."""
        probably = self._work.standing.probably_us(row.system)
        return probably is None or row.created_by == probably

    def _may_be_ours(self, row: Reading) -> bool:
        """Whether our user made it, as far as that is known, and of a ledger that is behind it may be a copy.

        No marker need tell that: of a task without a due, a lost ledger may have made this one alone.
        """
        standing = self._work.standing
        if not self._is_by_us(row):
            return False
        return self._is_behind or (
            standing.has_forerunner
            and standing.is_never_read(self._link)
            and not any(_looks_like(row, other) for other in self.groups.values() if row not in other.readings)
            and bool(self._lacking(row))
        )

    def _lacking(self, row: Reading) -> list[Group]:
        """What has no copy here, and may have had one: the row may be its copy, with another due or title.

        That it was copied elsewhere tells so; where there is no elsewhere, or it has no due, nothing tells otherwise.
        """

        def may_differ(other: Group) -> bool:
            same = any(same_due(row.due, one.due) for one in other.readings if one.due is not None)
            return other.marked or same or not self._is_copied_elsewhere(other)

        return [
            other
            for other in self.groups.values()
            if not other.shows(row.system)
            and ((bool(other.open) and may_differ(other)) or self._may_be_made_up(row, other))
            and _fits_kind(row, other.readings)
            and not _is_before(row, other)
        ]

    def _may_be_made_up(self, row: Reading, other: Group) -> bool:
        """Whether the other one has no due, and the row's may be what we made up for it."""
        if any(member.due is not None for member in other.readings):
            return False
        if other.open or row.due is None or row.created_at is None:
            return True
        # What is closed may be so for long: only a due that is no later than ours would have been counts.
        return row.due <= row.created_at + self._work.inputs.policy.default_due + CLOCKS_DIFFER_BY

    def _is_copied_elsewhere(self, group: Group) -> bool:
        """Whether a copy of it in another CRM, where this person is known, would carry a marker."""
        shown = {reading.system for reading in group.readings}
        capabilities = self._work.inputs.capabilities
        return any(capabilities[system].reads_marker and system not in shown for system in self._readings)

    def _group_of(self, row: Reading) -> Group:
        return next(group for group in self.groups.values() if row in group.readings)

    def _first(self, groups: list[Group], row: Reading) -> Group | None:
        """A marked group comes first, then one of the row's kind, an open one, one made before the row.

        Of equal ones the lane got the copies in the order of their ids, see `syncer.lane.Wish`.
        """

        def order(one: Group) -> tuple[bool, bool, bool, bool, str]:
            another_kind = not any(row.kind.compatible(reading.kind) for reading in one.readings)
            later = _is_before(row, one, by=timedelta(0))
            return (not one.marked, another_kind, not one.open, later, one.task)

        return min(groups, key=order, default=None)

    @cached_property
    def _is_behind(self) -> bool:
        standing = self._work.standing
        return self._link in standing.behind() or self._link in standing.served_before()

    def _is_like(self, row: Reading, other: Group) -> bool:
        """Whether the row may be our copy of this task, or its twin: of its kind and due, and made after it.

        Without any marker, and without the ledger's word, the order in time is all the evidence. What people gave
        another title is another task, whenever it was made.
        """
        if not _looks_like(row, other):
            return False
        members = other.readings
        if other.marked or other.task in self._work.base.tasks:
            return True
        if self._is_behind:
            return not other.is_alone or members[0].system != row.system
        origin = other.origin or members[0]
        if origin.system == row.system or origin.created_at is None or row.created_at is None:
            return False
        return row.state is State.OPEN and row.created_at > origin.created_at


def _looks_like(row: Reading, other: Group) -> bool:
    """Whether kind, due and title are one."""
    members = other.readings
    alike = any(same_due(row.due, one.due) for one in members)
    alike = alike and all(same_title(row.title, one.title) for one in members)
    return alike and not other.held and _fits_kind(row, members)


def _lacks_it(row: Reading, other: Group, *, theirs: bool) -> bool:
    """Whether the row may be this task's copy there: none is open, and where one is closed, we made this one anew."""
    return row.system not in other.open and not (theirs and other.closed.get(row.system))


def _is_second_copy(row: Reading, other: Group) -> bool:
    """Whether the maker of this one made a copy of that marked task there, too. Who made its origin is not us."""
    there = other.open[row.system]
    return other.marked and there is not other.origin and there.created_by == row.created_by


def _is_before(row: Reading, other: Group, *, by: timedelta = CLOCKS_DIFFER_BY) -> bool:
    """Whether the row was made before what it would be a copy of, as far as the clocks tell."""
    origin = other.origin
    return (
        origin is not None
        and origin.created_at is not None
        and row.created_at is not None
        and row.created_at < origin.created_at - by
    )


def _is_finished_before(row: Reading, other: Group) -> bool:
    """Whether this is a task of the row's kind and due that was made before it elsewhere, and is closed by now."""
    members = [member for member in other.readings if member.due is not None and same_due(row.due, member.due)]
    older = [m for m in members if m.created_at is None or row.created_at is None or m.created_at <= row.created_at]
    elsewhere = not other.open and row.system not in other.closed
    return elsewhere and bool(older) and _fits_kind(row, older)


def _fits_kind(row: Reading, members: Iterable[Reading]) -> bool:
    """Whether the kinds may be one, as far as they are known: a CRM without kinds lets them be guessed."""
    known = [member for member in members if member.kind_known]
    return not known or any(row.kind.compatible(member.kind) for member in known)
