"""Which tasks of one person may be one task, though neither the ledger nor a marker tells (pure): see
`syncer.reconcile.rebuild`.

Superfone keeps no markers. There kind, due and title, the order in time, and who made it are all the evidence: what is
surely a copy is joined, what may be one is held.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property

from syncer.domain.model import Reading, ReplicaState, State, next_task_id, split_task_id
from syncer.domain.reasons import Reason
from syncer.reconcile.closures import Cause, made_after
from syncer.reconcile.grouping import Group
from syncer.reconcile.lane_copies import (
    fits_kind,
    has_made_up_due,
    is_before,
    is_finished_before,
    is_second_copy,
    lacks_it,
    looks_like,
)
from syncer.reconcile.markers import CLOCKS_DIFFER_BY, is_by_another
from syncer.reconcile.merging import Merging


class Matching:
    """One person's ``groups`` by task id, which are changed, and their ``readings`` by CRM."""

    def __init__(
        self, work: Merging, link: str, groups: dict[str, Group], readings: Mapping[str, list[Reading]]
    ) -> None:
        self._work = work
        self._policy = work.inputs.policy
        self._link = link
        self._readings = readings
        self.groups = groups

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
        self._match_twins_of_another()

    def _unmatched(self, system: str, state: State | None = None) -> list[Reading]:
        """What nothing connects to any other CRM: the open tasks, or the closed ones."""
        alone = [group for group in self.groups.values() if group.is_alone]
        rows = [row for group in alone for row in group.readings if row.system == system]
        unknown = [row for row in rows if self._is_free(row)]
        return sorted(
            (row for row in unknown if (row.state is State.OPEN) is (state is State.OPEN)), key=lambda r: r.number
        )

    def _is_free(self, row: Reading) -> bool:
        """Whether the row is unknown, or was taken for a task of its own while nothing else could be read.

        What is unknown and was not read whole may have a marker, or another title: it joins nothing by itself.
        """
        base = self._work.base
        known = base.replicas.get(row.key)
        if known is None:
            return row.whole
        task = base.tasks[known.task]
        alone = len(base.copies_of(task.id)) == 1
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
        ours = self._is_surely_by_us(row)
        alike = [other for other in self.groups.values() if other is not group and self._is_like(row, other)]
        theirs = probably is not None and row.created_by != probably
        target = self._first([other for other in alike if lacks_it(row, other, theirs=theirs)], row)
        if target is not None and self._is_contested(row, target):
            group.held = Reason.UNMATCHED
            self._mark_unsure(row)
        elif target is not None and (target.open or ours):
            self._join(row, target)
        elif any(not other.open for other in alike):
            # What it looks like is finished: it may be our copy, or what somebody made anew.
            group.held = Reason.DONE_OR_REOPENED
        elif self._is_behind and any(is_second_copy(row, other) for other in alike):
            group.held = Reason.DUPLICATE
        elif self._may_be_ours(row) and (probably is not None or self._lacking(row)):
            group.held = Reason.UNMATCHED
            self._mark_unsure(row)
        elif (us is None or ours) and self._is_finished_elsewhere(row):
            # Nothing but our own copy of what is finished is so much like it, as a rule.
            group.held = Reason.DONE_OR_REOPENED

    def _is_finished_elsewhere(self, row: Reading) -> bool:
        return any(is_finished_before(self._policy, row, other) for other in self.groups.values())

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

    def _match_twins_of_another(self) -> None:
        """A task that another ledger copied: the twin of one of ours, of which that one saw another origin first."""
        pairs = [(one, other) for one in self.groups.values() for other in self.groups.values()]
        pairs = [(one, other) for one, other in pairs if self._is_twin_of_another(one, other)]
        for one, other in pairs:
            if sum(one is pair[0] or other is pair[1] for pair in pairs) > 1:
                continue
            del self.groups[one.task]
            for row in one.readings:
                if row.state is not State.OPEN:
                    other.closed[row.system].append(row)
                elif row.system not in other.open:
                    other.open[row.system] = row
                else:
                    own = self._work.fresh_id(row)
                    self.groups[own] = Group(own, {row.system: row}, held=Reason.DUPLICATE)

    def _is_twin_of_another(self, one: Group, other: Group) -> bool:
        """Whether first sight would have joined them; where both are, each ledger has made a copy of its own."""
        base, origin, ours = self._work.base, one.origin, self._work.base.tasks.get(other.task)
        if origin is None or ours is None or ours.state is not State.OPEN or one.task in base.tasks:
            return False
        doubled = [row for row in one.open.values() if row.system in other.open]
        return (
            not (one.held or ours.held or other.shows(origin.system))
            and looks_like(self._policy, origin, other)
            and any(is_by_another(base, row) for row in one.readings)
            and all(is_by_another(base, row) for row in doubled)
            and all((copy := base.replicas.get(other.open[row.system].key)) and copy.made for row in doubled)
        )

    def _match_closed(self, row: Reading, *, in_lanes: bool) -> None:
        """A closed task: a copy, or a twin, of one that is finished elsewhere too, else of one that is open there."""
        fitting = [
            other
            for other in self.groups.values()
            if self._has_room(row, other) and self._is_like(row, other) and (in_lanes or other.marked)
        ]
        target = self._first([other for other in fitting if other.open or other.marked], row)
        if target is not None and in_lanes and self._is_contested(row, target):
            self._mark_unsure(row)
        elif target is not None and self._may_be_of_another(row, target):
            for other in fitting:
                other.unsure = other.unsure or (bool(other.open) and not self._is_finished(other))
        elif target is not None and (target.marked or not in_lanes or self._is_surely_by_us(row)):
            self._join(row, target)
        elif in_lanes and self._is_by_us(row):
            if self._is_by_a_person(row):
                # A lost ledger may have made it of one of these. Nobody knows, so nothing is made again.
                for other in self.groups.values():
                    if other.lacks(row.system) and looks_like(self._policy, row, other) and not is_before(row, other):
                        other.unsure = True
            if target is None and self._may_be_ours(row):
                self._mark_unsure(row)

    def _may_be_of_another(self, row: Reading, target: Group) -> bool:
        """Whether the row would finish the target, and may be of another task instead, of which no marker is left.

        That one is finished elsewhere: an origin whose only copy somebody reopened, or an earlier task of a place.
        """
        if self._is_finished(target) or not self._is_by_a_person(row):
            return False
        alike = [
            other
            for other in self.groups.values()
            if looks_like(self._policy, row, other) and row not in other.readings
        ]
        return any(self._is_nameless(row, other) or self._had_an_unknown_one(other) for other in alike)

    def _is_nameless(self, row: Reading, other: Group) -> bool:
        """Whether this is finished, no marker names it, and the row may be all that there is of it there."""
        return not (other.marked or other.open) and self._is_finished(other) and self._has_room(row, other)

    def _had_an_unknown_one(self, later: Group) -> bool:
        """Whether its place had an earlier task, which was finished, and which this ledger does not know."""
        earlier = split_task_id(later.task)[0]
        while earlier != later.task:
            if earlier not in self._work.base.tasks:
                return True
            earlier = next_task_id(earlier)
        return False

    def _is_contested(self, row: Reading, target: Group) -> bool:
        """Whether the row may as well be our copy of a task without a due, of which it has the due that we made up.

        People put off the other copies since, and what we copied nowhere else was made to be due just then.
        """
        if target.marked or not self._may_be_ours(row):
            return False
        others = (other for other in self._lacking(row) if other is not target and other.marked)
        return any(has_made_up_due(self._policy, row, other) for other in others)

    def _mark_unsure(self, row: Reading) -> None:
        for other in self._lacking(row):
            other.unsure = True

    def _is_by_us(self, row: Reading) -> bool:
        """Whether our user made it, as far as that is known."""
        probably = self._work.standing.probably_us(row.system)
        return probably is None or row.created_by == probably

    def _has_room(self, row: Reading, other: Group) -> bool:
        """Whether nothing there is its copy, or only such as a creation closed, after which we made this one."""
        return row.system not in other.open and all(
            not self._is_by_a_person(before) and not made_after(before, row)
            for before in other.closed.get(row.system, ())
        )

    def _is_finished(self, other: Group) -> bool:
        """Whether somebody finished one of its copies."""
        closed = [row for rows in other.closed.values() for row in rows]
        return any(row.state is State.DONE and self._is_by_a_person(row) for row in closed)

    def _is_by_a_person(self, closed: Reading) -> bool:
        """Whether somebody closed it, as far as the ledger, which saw it, or else the lane tells."""
        known = self._work.base.replicas.get(closed.key)
        superseded = known is not None and known.state is ReplicaState.SUPERSEDED
        return not superseded and self._work.cause(closed) is Cause.PERSON

    def _is_surely_by_us(self, row: Reading) -> bool:
        us = self._work.standing.our_user(row.system)
        return us is not None and row.created_by == us

    def _may_be_ours(self, row: Reading) -> bool:
        """Whether our user made it, as far as that is known: of a ledger that is behind, it may be a copy."""
        return self._is_behind and self._is_by_us(row)

    def _lacking(self, row: Reading) -> list[Group]:
        """What has no copy here, and may have had one: the row may be its copy, with another due or title.

        That it was copied elsewhere tells so; where there is no elsewhere, or it has no due, nothing tells otherwise.
        """

        def may_differ(other: Group) -> bool:
            same = any(self._policy.same_due(row, one) for one in other.readings if one.due is not None)
            return other.marked or same or not self._is_copied_elsewhere(other)

        return [
            other
            for other in self.groups.values()
            if not other.shows(row.system)
            and ((bool(other.open) and may_differ(other)) or self._may_be_made_up(row, other))
            and fits_kind(row, other.readings)
            and not is_before(row, other)
        ]

    def _may_be_made_up(self, row: Reading, other: Group) -> bool:
        """Whether the other one has no due, and the row's may be what we made up for it."""
        if not other.readings or any(member.due is not None for member in other.readings):
            return False
        if other.open or row.due is None or row.created_at is None:
            return True
        # What is closed may be so for long: only a due that is no later than ours would have been counts.
        return row.due <= row.created_at + self._policy.default_due + CLOCKS_DIFFER_BY

    def _is_copied_elsewhere(self, group: Group) -> bool:
        """Whether a copy of it in another CRM, where this person is known, would carry a marker."""
        shown = {reading.system for reading in group.readings}
        capabilities = self._work.inputs.capabilities
        return any(capabilities[system].reads_marker and system not in shown for system in self._readings)

    def _group_of(self, row: Reading) -> Group:
        return next(group for group in self.groups.values() if row in group.readings)

    def _first(self, groups: list[Group], row: Reading) -> Group | None:
        """Nothing of it there comes first, then marked, of the row's kind, as far as the row, open, and made before it.

        As far is what is finished elsewhere, too, or nowhere. A closed row is rather one more copy of what is finished
        than all that finishes another one. Of equal ones the lane got the copies in the order of their ids, see
        `syncer.reconcile.lane.Wish`.
        """

        def order(one: Group) -> tuple[bool, bool, bool, bool, bool, bool, bool, str]:
            another_kind = not any(row.kind.compatible(reading.kind) for reading in one.readings)
            another_state = self._is_finished(one) is (row.state is State.OPEN)
            later = is_before(row, one, by=timedelta(0))
            shows = one.shows(row.system)
            ends_it = row.state is not State.OPEN and another_state
            return (ends_it, shows, not one.marked, another_kind, another_state, not one.open, later, one.task)

        return min(groups, key=order, default=None)

    @cached_property
    def _is_behind(self) -> bool:
        """Whether something may have been written for this person that the ledger does not know."""
        standing, link = self._work.standing, self._link
        return link in standing.behind(link) or (standing.has_forerunner and standing.is_never_read(link))

    def _is_like(self, row: Reading, other: Group) -> bool:
        """Whether the row may be our copy of this task, or its twin: of its kind and due, and not made before it.

        Without any marker, and without the ledger's word, the order in time is all the evidence, as far as the clocks
        tell. What people gave another title is another task, whenever it was made.
        """
        if not looks_like(self._policy, row, other):
            return False
        members = other.readings
        if other.marked or other.task in self._work.base.tasks:
            return True
        if self._is_behind:
            return not other.is_alone or members[0].system != row.system
        origin = other.origin or members[0]
        if origin.system == row.system or origin.created_at is None or row.created_at is None:
            return False
        # We would have made the copy of the kind that the origin has for us, so any other one is a person's.
        compatible = row.kind.compatible(origin.kind)
        return compatible and row.state is State.OPEN and row.created_at > origin.created_at - CLOCKS_DIFFER_BY
