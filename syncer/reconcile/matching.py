"""Match tasks of one person that neither the ledger nor a marker connects (pure). See `syncer.reconcile.rebuild`.

Superfone keeps no markers. There the evidence is the kind, the due date, the title, the order in time and the creator.
A row that is certainly a copy joins its group. A row that may be a copy is held, and nothing is written for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from syncer.domain.model import Reading, ReplicaState, State
from syncer.domain.reasons import Reason
from syncer.reconcile.closures import made_after
from syncer.reconcile.evidence import Evidence
from syncer.reconcile.grouping import Group
from syncer.reconcile.lane_copies import (
    fits_kind,
    has_made_up_due,
    is_before,
    is_finished_before,
    is_second_copy,
    lacks_it,
    looks_like,
    may_be_made_up,
    may_have_outlasted,
    unlikeliness,
)
from syncer.reconcile.markers import CLOCKS_DIFFER_BY
from syncer.reconcile.merging import Merging
from syncer.reconcile.twins_of_another import join_twins_of_another


class Matching:
    """The matching of one person. ``groups`` are by task id and are changed in place; ``readings`` are by CRM."""

    def __init__(
        self, work: Merging, link: str, groups: dict[str, Group], readings: Mapping[str, list[Reading]]
    ) -> None:
        self._work = work
        self._policy = work.inputs.policy
        self._readings = readings
        self._claimed: set[str] = set()
        self._evidence = Evidence(work, link)
        self.groups = groups

    def match(self) -> None:
        """Join each unmatched row to the group that it looks like. Equal candidates are taken in their order."""
        for system in self._readings:
            in_lanes = not self._work.inputs.capabilities[system].reads_marker
            for row in self._unmatched(system, State.OPEN):
                if in_lanes:
                    self._match_open(row)
                else:
                    self._match_twin(row)
                    self._match_twin_of_unread(row)
            # Open rows come first: a group that an open row has joined needs no closed one.
            for row in self._unmatched(system) if in_lanes or self._evidence.is_behind else ():
                self._match_closed(row, in_lanes=in_lanes)
        join_twins_of_another(self._work, self.groups)

    def _unmatched(self, system: str, state: State | None = None) -> list[Reading]:
        """Return the rows of one CRM that nothing connects to another CRM: open ones, or closed ones."""
        alone = [group for group in self.groups.values() if group.is_alone]
        rows = [row for group in alone for row in group.readings if row.system == system]
        unknown = [row for row in rows if self._is_free(row)]
        return sorted(
            (row for row in unknown if (row.state is State.OPEN) is (state is State.OPEN)), key=lambda r: r.number
        )

    def _is_free(self, row: Reading) -> bool:
        """Whether the row may still be matched.

        It is unknown to the ledger; or it became a task of its own while the other CRMs could not be read. An unknown
        row that was not read in full is not matched, because it may have a marker or another title.
        """
        base = self._work.base
        known = base.replicas.get(row.key)
        if known is None:
            return row.whole
        task = base.tasks[known.task]
        alone = len(base.copies_of(task.id)) == 1
        return (
            self._evidence.is_behind
            and alone
            and not known.made
            and task.state is State.OPEN
            and known.state is ReplicaState.OPEN
        )

    def _join(self, row: Reading, target: Group) -> None:
        """Move the row to this group. A task that the ledger made from the row alone is ended."""
        work, group = self._work, self._group_of(row)
        if row.state is State.OPEN:
            target.open[row.system] = row
        else:
            target.closed[row.system].append(row)
        del self.groups[group.task]
        if (mistaken := work.base.tasks.get(group.task)) is not None:
            work.end_mistaken(mistaken, target.task, row)

    def _match_open(self, row: Reading) -> None:
        """Match an open task in a lane: it joins a group, is held with a reason, or stays a task of its own.

        The first that is true decides. The row looks like

        - a task that lacks a copy there: it is the copy, or is held if it may as well be another one's
        - a finished task without a copy there: held
        - a task that has its copy already: a duplicate, or held if that task is finished
        - none of them, and our user may have made it: held, because people may have moved what it is a copy of
        """
        group = self._group_of(row)
        standing = self._work.standing
        us, probably = standing.us.known(row.system), standing.us.probable(row.system)
        ours = self._evidence.is_surely_by_us(row)
        alike = [other for other in self.groups.values() if other is not group and self._is_like(row, other)]
        theirs = probably is not None and row.created_by != probably
        target = self._target([other for other in alike if lacks_it(row, other, theirs=theirs)], row)
        # If the row fits two tasks, neither gets it: closing the wrong one later would be a false completion.
        if target is not None and self._is_contested(row, target):
            group.held = Reason.UNMATCHED
            self._mark_unsure(row)
        # To join a group without an open row is to complete the row, so it must certainly be ours.
        elif target is not None and (target.open or ours):
            self._join(row, target)
        # A finished task lacks one copy, so it explains one row. A second one is a task of its own.
        elif self._claim([other for other in alike if not other.open and not other.shows(row.system)]):
            # The task that it looks like is finished. This may be our copy of it, or a new task of a person.
            group.held = Reason.DONE_OR_REOPENED
        # A reminder in a lane cannot be moved. So our copy of a task that was moved elsewhere keeps its old due, and
        # may look like a second copy of another task.
        elif any(self._is_one_too_many(row, other) for other in alike) and not (
            self._evidence.may_be_ours(row) and self._lacking(row)
        ):
            group.held = Reason.DONE_OR_REOPENED if any(not other.open for other in alike) else Reason.DUPLICATE
        # As a new task, our own copy would be copied to every CRM once more.
        elif self._evidence.may_be_ours(row) and (
            probably is not None or self._lacking(row) or self._is_left_over(row)
        ):
            group.held = Reason.UNMATCHED
            self._mark_unsure(row)
        elif (us is None or ours) and self._is_finished_elsewhere(row):
            # A task that agrees so closely with a finished one is usually our own copy of it.
            group.held = Reason.DONE_OR_REOPENED

    def _claim(self, finished: list[Group]) -> bool:
        """Take a row for the missing copy of one of these tasks. Returns whether one was free."""
        free = [other.task for other in finished if other.task not in self._claimed]
        self._claimed.update(free[:1])
        return bool(free)

    def _is_one_too_many(self, row: Reading, other: Group) -> bool:
        """Whether the task that this row looks like has a copy there already.

        So the row may also be the copy of another task: a task in a lane keeps the due date of before.
        """
        return not other.open or (self._evidence.is_behind and is_second_copy(row, other))

    def _is_finished_elsewhere(self, row: Reading) -> bool:
        return any(is_finished_before(self._policy, row, other) for other in self.groups.values())

    def _match_twin(self, row: Reading) -> None:
        """Match an open task without a marker to a finished task as its twin, if we made no copy of that one here.

        A twin existed before we copied that task elsewhere. A task that people created later is another one.
        """
        fitting = [
            other
            for other in self.groups.values()
            if other.marked and other.closed and other.lacks(row.system) and self._is_like(row, other)
        ]
        if len(fitting) != 1:
            return
        copies = [member.created_at for member in fitting[0].readings if member.marker is not None]
        times = [copy for copy in copies if copy is not None]
        later = row.created_at - min(times) if row.created_at is not None and len(times) == len(copies) > 0 else None
        # An example: two people write the same call down in Superfone and in HighLevel. It is one task, and gets a copy
        # in Reply. Somebody finishes that copy, and the ledger is lost. The twin in HighLevel has no marker, but it was
        # there before our copy, so it is finished, too. What somebody wrote down later is another call.
        if later is not None and later < -CLOCKS_DIFFER_BY:
            self._join(row, fitting[0])
        # The clocks of two CRMs may differ by as much, or one of them does not tell when the task was created. So the
        # order of the two is unknown. As a new task, a twin that is done would be copied everywhere.
        elif later is None or later <= CLOCKS_DIFFER_BY:
            self._group_of(row).held = Reason.DONE_OR_REOPENED

    def _match_twin_of_unread(self, row: Reading) -> None:
        """Match an open task to its open twin, if first sight cannot do that.

        Another ledger joined them while it could read an origin that we cannot. Or the row became a task of its own
        while we could not read its twin and our copies.
        """
        known = row.key in self._work.base.replicas and self._policy.twin_window > timedelta(0)
        lacking = [other for other in self.groups.values() if other.marked and (other.origin is None or known)]
        # An example: the origin is in a lane that this ledger cannot read. Its copy with a marker is in Reply, and in
        # HighLevel is a twin that the other ledger joined to it.
        fitting = [other for other in lacking if other.lacks(row.system) and self._is_like(row, other)]
        # Two rows that fit one group, or one row that fits two, tell nothing.
        rivals = [one for one in self._unmatched(row.system, State.OPEN) if any(self._is_like(one, o) for o in fitting)]
        if len(fitting) == len(rivals) == 1 and row in rivals:
            self._join(row, fitting[0])

    def _match_closed(self, row: Reading, *, in_lanes: bool) -> None:
        """Match a closed task: to a group that is finished elsewhere too, else to one that is open elsewhere."""
        fitting = [
            other
            for other in self.groups.values()
            if self._evidence.has_room(row, other) and self._is_like(row, other) and (in_lanes or other.marked)
        ]
        # What is closed, unknown and without a marker is history. Nothing depends on what belongs to it.
        target = self._first(
            [one for one in fitting if one.open or one.marked or self._evidence.is_known_as_open(one)], row
        )
        if target is not None and in_lanes and self._is_contested(row, target):
            self._mark_unsure(row)
        elif target is not None and self._may_be_of_another(row, target, fitting):
            for other in fitting:
                other.unsure = other.unsure or (bool(other.open) and not self._evidence.is_finished(other))
        # A closed row may finish the task that it joins. If no marker says that we copied the task, our user must have
        # made the row for certain.
        elif target is not None and (target.marked or not in_lanes or self._evidence.is_surely_by_us(row)):
            self._join(row, target)
        elif in_lanes and self._evidence.is_by_us(row):
            if self._evidence.is_by_a_person(row):
                # It may be a lost ledger's copy of any of these tasks. Nothing tells which, so none is copied again.
                for other in self.groups.values():
                    if other.lacks(row.system) and looks_like(self._policy, row, other) and not is_before(row, other):
                        other.unsure = True
            if target is None and self._evidence.may_be_ours(row) and not self._evidence.is_replaced(row):
                self._mark_unsure(row)

    def _may_be_of_another(self, row: Reading, target: Group, fitting: list[Group]) -> bool:
        """Whether a person closed the row, and nothing tells whether that finished the target or another task.

        It would be a further copy of a finished target, and may as well be that of an open task with its kind. Or it
        would finish the target, and may be the copy of a finished task that no marker names any more: its only copy was
        reopened, or its origin was, which began a new task.
        """
        if not self._evidence.is_by_a_person(row):
            return False
        if self._evidence.is_finished(target):
            others = [one for one in fitting if one.open and any(row.kind is member.kind for member in one.readings)]
            unfinished = any(not (self._evidence.is_finished(one) or is_before(row, one)) for one in others)
            return target.shows(row.system) and unfinished
        alike = [one for one in self.groups.values() if looks_like(self._policy, row, one) and row not in one.readings]
        return any(self._is_nameless(row, one) or self._evidence.had_an_unknown_one(one) for one in alike)

    def _is_nameless(self, row: Reading, other: Group) -> bool:
        """Whether this group is finished, no marker names it, and the row may be its only copy there."""
        return (
            not (other.marked or other.open)
            and self._evidence.is_finished(other)
            and self._evidence.has_room(row, other)
        )

    def _is_contested(self, row: Reading, target: Group) -> bool:
        """Whether the row may equally be our copy of another task, one without a due date.

        The row then has the due date that we made up for that task, and the target only happens to have it, too.
        """
        if target.marked or not self._evidence.may_be_ours(row):
            return False
        # If the row were joined to the target, its completion would close the target and leave the other task open.
        others = (other for other in self._lacking(row) if other is not target and other.marked)
        return any(has_made_up_due(self._policy, row, other) for other in others)

    def _is_left_over(self, row: Reading) -> bool:
        """Whether a lost ledger may have made the row for a task that is finished everywhere else."""
        may_be_us = self._work.standing.us.may_be(row.system, row.created_by)
        return may_be_us and any(may_have_outlasted(row, other) for other in self.groups.values())

    def _mark_unsure(self, row: Reading) -> None:
        """Mark every task that the row may be a copy of, so that none gets a second copy."""
        for other in self._lacking(row):
            other.unsure = True

    def _lacking(self, row: Reading) -> list[Group]:
        """Return the groups that lack a copy here and whose copy the row may be, with another due date or title.

        A copy elsewhere, which carries a marker, shows that we copied the task. Where there is no other CRM to show
        it, or the task has no due date, the row may be its copy as well.
        """

        def may_differ(other: Group) -> bool:
            # A copy in a lane keeps its due when people put the task off elsewhere.
            same = any(self._policy.same_due(row, one) for one in other.readings if one.due is not None)
            return other.marked or same or not self._is_copied_elsewhere(other)

        return [
            other
            for other in self.groups.values()
            if not (other.shows(row.system) or self._evidence.is_second(other))
            and ((bool(other.open) and may_differ(other)) or may_be_made_up(self._policy, row, other))
            and fits_kind(row, other.readings)
            and not is_before(row, other)
        ]

    def _is_copied_elsewhere(self, group: Group) -> bool:
        """Whether this person is known in another CRM that keeps markers and does not show the task.

        Where no such CRM exists, a missing marker does not show that the task was never copied.
        """
        shown = {reading.system for reading in group.readings}
        capabilities = self._work.inputs.capabilities
        return any(capabilities[system].reads_marker and system not in shown for system in self._readings)

    def _group_of(self, row: Reading) -> Group:
        return next(group for group in self.groups.values() if row in group.readings)

    def _target(self, lacking: list[Group], row: Reading) -> Group | None:
        """Return the one of these tasks that lack a copy there whose copy the open row probably is, or ``None``.

        If there is an open row for each of them, the rows are paired with them in their order, and it does not matter
        which task is finished elsewhere. Else each older copy that is finished had a place in that order. A place with
        an earlier, unknown task is no help, because a finished copy may be that one's.
        """
        # An example: reply:1 and reply:2 are due together. The lane gets their copies in this order, one after the
        # other was finished or, for reminders, beside each other. The ledger is lost. Two open rows are the copies of
        # both, and belong to them in this order. Of a finished row and an open one, reply:1 has the finished one.
        free = [one for one in lacking if one.task not in self._claimed]
        rows = [one for state in (State.OPEN, None) for one in self._unmatched(row.system, state)]
        equal = [one for one in rows if one.raw_type == row.raw_type and self._policy.same_due(one, row)]
        by_one = {one.created_by for one in equal} == {row.created_by}
        if by_one and len(equal) == len(free) and all(one.state is State.OPEN for one in equal):
            likeliest = self._likeliest(free, row, told=False)
            return next(iter(likeliest), None)
        likeliest = self._likeliest(lacking, row)
        if not likeliest or any(map(self._evidence.had_an_unknown_one, likeliest)):
            return next(iter(likeliest), None)
        # A lane gets the copies of equal tasks in the order of their ids. So the copies that are finished by now belong
        # to the first of these tasks.
        finished = [one for one in equal if one.state is not State.OPEN and made_after(row, one)]
        taken = sum(self._evidence.is_by_us(one) and self._evidence.is_by_a_person(one) for one in finished)
        return likeliest[min(taken, len(likeliest) - 1)]

    def _first(self, groups: list[Group], row: Reading) -> Group | None:
        """Return the group that the row most probably belongs to, or ``None``."""
        return next(iter(self._likeliest(groups, row)), None)

    def _likeliest(self, groups: list[Group], row: Reading, *, told: bool = True) -> list[Group]:
        """Return the groups that the row most probably belongs to. ``told`` is false if their states tell nothing.

        They are in the order of their ids, because a lane gets its copies in that order (`syncer.reconcile.lane.Wish`).
        A single row that the ledger does not know comes last: first sight may still join it to the others as a twin.
        """
        finished = {one.task: self._evidence.is_finished(one) if told else None for one in groups}
        ranks = {
            one.task: (self._is_nearly_due(row, one), *unlikeliness(row, one, finished=finished[one.task]))
            for one in groups
        }
        best = min(ranks.values(), default=())
        known = self._work.base.tasks
        likeliest = [one for one in groups if ranks[one.task] == best]
        return sorted(likeliest, key=lambda one: (one.is_alone and one.task not in known, one.task))

    def _is_nearly_due(self, row: Reading, other: Group) -> bool:
        """Whether the row has the due of no member of the group, only its minute."""
        return not any(self._policy.same_due(row, member) for member in other.readings)

    def _is_like(self, row: Reading, other: Group) -> bool:
        """Whether the row may be our copy of this task or its twin.

        Kind, due date and title agree. If neither a marker nor the ledger knows the task, the row must also be newer
        than its origin: on a new ledger, two tasks that people made at the same time stay two.
        """
        if not looks_like(self._policy, row, other) or self._evidence.is_second(other):
            return False
        members = other.readings
        if other.marked or other.task in self._work.base.tasks:
            return True
        if self._evidence.is_behind:
            # A single row in the same CRM is another task: our copy is never in the CRM of its origin.
            return not other.is_alone or members[0].system != row.system
        origin = other.origin or members[0]
        if origin.system == row.system or origin.created_at is None or row.created_at is None:
            return False
        # We would have made the copy of the kind that the origin has for us, so any other one is a person's.
        compatible = row.kind.compatible(origin.kind)
        return compatible and row.state is State.OPEN and row.created_at > origin.created_at
