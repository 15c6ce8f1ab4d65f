"""Decide about open tasks that no replica belongs to: by marker, else as a twin, else as a new task (pure).

Persons for whom something was written that this ledger does not know are left to `syncer.reconcile.rebuild`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from syncer.domain.model import Reading, State, Task
from syncer.domain.operations import Action, OpState
from syncer.domain.reasons import Item, Reason
from syncer.domain.task_ids import next_task_id
from syncer.reconcile.edits.travel import put_behind
from syncer.reconcile.edits.without_base import origin_is_read, settle_first
from syncer.reconcile.likeness import is_like, unlikeness
from syncer.reconcile.markers import (
    CLOCKS_DIFFER_BY,
    is_alone,
    is_by_another,
    is_copy_of_another,
    is_pasted,
    may_be_unknown,
    named_by,
)
from syncer.reconcile.merging import Merging, in_order, replica_of
from syncer.reconcile.moved_unseen import may_be_moved
from syncer.reconcile.twins import may_be_twins, twins_among


def look_at_unknown(work: Merging, leave: Collection[str]) -> None:
    """Store every unknown open task, except those of the persons in ``leave``. Markers are used before twins."""
    _FirstSight(work, leave).look()


def twin_of(work: Merging, reading: Reading) -> Task | None:
    """Return the only open task that this one is a twin of. This one was closed when first seen."""
    # While its lane was in doubt, its twin elsewhere was taken for a new task. A task that is to be put back is another
    # one: of two that our writes closed, each comes back.
    open_tasks = [task for task in open_tasks_of(work, reading) if not task.put_back]
    twins = [task for task in open_tasks if may_be_twins(work, reading, task)]
    return twins[0] if len(twins) == 1 else None


def second_copy_of(work: Merging, reading: Reading, *, made: bool = False) -> Task | None:
    """Return the task whose copy, open in the same CRM, has the type and the due date of this one.

    Our user created this one. In a CRM that keeps no markers it may be what a second ledger made at the same moment.
    ``made`` is true if only a copy counts that we made.
    """
    if not work.standing.us.made_unmarked(reading):
        return None
    for task in open_tasks_of(work, reading):
        copy = work.open_replica(task.id, reading.system)
        if copy is None or copy.key == reading.key or (made and not copy.made):
            continue
        if copy.raw_type == reading.raw_type and work.inputs.policy.same_due(copy, reading):
            return task
    return None


def is_second_after_all(work: Merging, reading: Reading, task: Task) -> bool:
    """Whether this task turns out to be a second copy of another one, beside the copy that we made.

    It was first seen before our user was known, and nothing was made of it yet. What people create in a lane has a
    title, and what a ledger creates there has none.
    """
    alone = len(work.base.copies_of(task.id)) == 1 and not work.base.operations_of(task.id)
    return alone and not (task.held or reading.title) and second_copy_of(work, reading, made=True) is not None


def unfit(work: Merging, reading: Reading) -> Reason | None:
    """Return why an unknown open task cannot be stored yet, or ``None``."""
    # Scheduled tasks of Reply run by themselves. Nobody has to do them.
    if not reading.mirrored:
        return Reason.SCHEDULED
    if reading.contact is None:
        return Reason.WITHOUT_CONTACT
    # As a task of its own it would be copied to the other CRMs before settling can tell whose it is.
    if work.is_doubtful(reading.system, reading.contact) or _may_be_in_doubt(work, reading):
        return Reason.IN_DOUBT
    return Reason.CONTACT_UNREAD if work.contact_of(reading) is None else None


def _may_be_in_doubt(work: Merging, reading: Reading) -> bool:
    """Whether a create in doubt may have made this task, and its marker is damaged. Settling will tell.

    If another task with that due date could not be read for several runs, nothing waits for it any longer.
    """
    seen = work.inputs.seen[reading.system]
    dues = work.inputs.policy.dues_of(reading.system)
    untold = seen.dues_untold(reading.contact, work.base.replicas)
    # The create may have made what cannot be read, for as long as that is so. What can be read must not wait for it
    # (L11).
    given_up = reading.contact not in seen.unread and any(dues.same(due, reading.due) for due in untold)
    return not (given_up or reading.marker) and any(
        doubt.action is Action.CREATE and dues.same(doubt.due, reading.due)
        for doubt in work.base.unsettled(reading.system, reading.contact or "")
    )


class _FirstSight:
    """First sight: the decisions about unmatched tasks in one merge."""

    def __init__(self, work: Merging, leave: Collection[str]) -> None:
        self._work = work
        self._policy = work.inputs.policy
        self._leave = leave

    def look(self) -> None:
        unmarked: dict[str, list[Reading]] = {}
        for system in self._work.systems:
            unmarked[system] = [
                reading
                for reading in sorted(self._unknown_open(system), key=self._unlikeness)
                if not (self._is_origin(reading) or self._place_by_marker(reading) or self._place_by_user(reading))
            ]
        # A marker is certain and a twin only likely, so the markers of all CRMs come first. What our user made in a
        # lane comes last: it may be the copy of a task that is first seen now, too.
        for rows in unmarked.values():
            self._meet([row for row in rows if not self._work.standing.us.made_unmarked(row)])
        for rows in unmarked.values():
            by_us = [row for row in rows if self._work.standing.us.made_unmarked(row)]
            self._meet([row for row in by_us if not self._place_by_user(row)])

    def _meet(self, readings: list[Reading]) -> None:
        """Join readings of one CRM as twins, or begin their tasks, which are candidates for the next CRM."""
        twins = twins_among(self._work, readings)
        for reading in readings:
            # Twins are found for all rows before any task begins, so that the order of the rows decides nothing.
            twin = twins.get(reading.remote_id)
            if twin is None:
                self._begin(reading)
            else:
                adopt(self._work, reading, self._work.base.tasks[twin], "the same task, seen in another CRM")

    def _begin(self, reading: Reading) -> None:
        """Begin a task of its own, unless it may belong to something that was not read yet.

        If another ledger wrote here, a task of our user in a lane may be a copy, and an unread copy may be finished.
        A task that cannot be read may be the copy of a task without a due date.
        """
        work, person = self._work, self._work.contact_of(reading) or ""
        held = Reason.OTHER_CONTACT if may_be_moved(work, reading) else self._held(reading)
        anothers = work.standing.has_forerunner and work.standing.is_unexplained(reading)
        # Without another ledger, a task of our user is a person's who works with our key, and waits for nothing.
        may_be_copy = anothers and not held and not work.standing.is_read(person)
        may_be_finished = work.standing.is_never_read(person) and work.standing.may_have_finished_unread(person)
        if may_be_copy or may_be_finished:
            work.leave(reading)
        elif self._may_have_an_unread_copy(reading, person):
            # It waits alone: without a due date it is no copy of ours.
            work.wait_until_read(reading.key, reading.contact, None)
        else:
            work.begin(reading, held=held)

    def _may_have_an_unread_copy(self, reading: Reading, person: str) -> bool:
        """Whether a lost ledger may have made a copy of this task that cannot be read now.

        A task with a due date is matched by it, and a task that is newer than this ledger has no such copy. The
        only marker of the lost ledger may be in that copy.
        """
        work, made_at = self._work, self._work.base.ledger_made_at
        if reading.due is not None or made_at is None:
            return False
        if reading.created_at is not None and reading.created_at > made_at + CLOCKS_DIFFER_BY:
            return False
        return any(
            self._may_be_made_up(due, reading, system)
            for system, contact in work.standing.contacts_of(person)
            if system in work.systems and system != reading.system
            for due in work.inputs.seen[system].dues_untold(contact, work.base.replicas)
        )

    def _may_be_made_up(self, due: datetime, undated: Reading, system: str) -> bool:
        """Whether a ledger that copied this task would have made up this due date for it.

        A made-up due date is `default_due` after the ledger first saw the task, so between its creation and now.
        """
        clocks = max(CLOCKS_DIFFER_BY, self._policy.dues_of(system).reach)
        seen_at = due - self._policy.default_due
        earliest = undated.created_at or seen_at
        return earliest - clocks <= seen_at <= self._work.inputs.now + clocks

    def _unknown_open(self, system: str) -> list[Reading]:
        """Return the unknown open tasks that can be stored, oldest first. The others are listed with their reason."""
        found = []
        for reading in in_order(self._work.inputs.seen[system].readings.values()):
            if reading.state is not State.OPEN or reading.key in self._work.base.replicas:
                continue
            reason = unfit(self._work, reading)
            if reason is Reason.WITHOUT_CONTACT and self._place_without_contact(reading):
                continue
            if reason is not None:
                self._work.waiting.append(Item(None, system, reason, self._name(reading), reading.remote_id))
            elif self._work.contact_of(reading) in self._leave:
                self._work.leave(reading)
            # The text of other rows was not read yet, and may end with a marker. They are looked at once it was.
            elif reading.whole:
                found.append(reading)
        return found

    def _name(self, reading: Reading) -> str:
        return f"{self._policy.crm(reading.system)} task {reading.remote_id}"

    # origins ---------------------------------------------------------------------------------------

    def _is_origin(self, reading: Reading) -> bool:
        """Join the reading to its task if the ledger knows only the copies, because the origin could not be read.

        If the task is closed now, the origin is held: somebody may have reopened it since.
        """
        work = self._work
        task = work.base.tasks.get(reading.place)
        # If the place has a later task, this row is that one, or the one after it.
        if task is None or task.contact != work.contact_of(reading) or next_task_id(task.id) in work.base.tasks:
            return False
        if task.state is not State.OPEN:
            work.begin(reading, held=Reason.DONE_OR_REOPENED)
            return True
        if not work.has_room(task.id, reading.system):
            return False
        work.put_task(with_origin(task, reading))
        adopt(work, reading, work.base.tasks[task.id], "read where it was first seen")
        return True

    # markers ---------------------------------------------------------------------------------------

    def _unlikeness(self, reading: Reading) -> tuple[bool, bool, bool]:
        """Return how much the reading differs from the task that its marker names.

        People copy a text together with its marker. The reading that differs least is the more likely copy of ours.
        """
        task = None if reading.marker is None else named_by(self._work.base, reading.marker)
        return unlikeness(self._policy, reading, task)

    def _place_by_marker(self, reading: Reading) -> bool:
        """Join the reading by its marker, or hold it as a duplicate. A marker that people copied is ignored."""
        work = self._work
        task = None if reading.marker is None else named_by(work.base, reading.marker)
        if task is None or task.contact != work.contact_of(reading):
            return False
        # A second row with the marker is either a second copy, or a text that people pasted. A second copy looks like
        # the first, unless another ledger made it and people changed one of the two.
        shown = work.open_replica(task.id, reading.system)
        if shown is not None:
            seen = work.inputs.seen[reading.system]
            if not (
                is_like(self._policy, reading, shown)
                or is_copy_of_another(work.base, self._policy, reading, shown, seen)
            ):
                return False
            work.begin(reading, held=Reason.DUPLICATE)
            return True
        # As long as our create is in doubt this may be its result, even if people have changed it since.
        if not work.is_creating(task.id, reading.system) and is_pasted(work.base, self._policy, reading, task):
            return self._hold_if_we_may_have_made_it(reading, task)
        adopt(work, reading, task, "recognised by its marker", made=True)
        work.is_created(task.id, reading.system, reading.remote_id)
        return True

    def _place_without_contact(self, reading: Reading) -> bool:
        """Join the reading by its marker if we may have made it, for a contact that was deleted since."""
        work, base = self._work, self._work.base
        task = None if reading.marker is None else named_by(base, reading.marker)
        create = None if task is None else base.latest((task.id, reading.system, Action.CREATE))
        if task is None or create is None or create.state is OpState.DONE or base.copies(task.id, reading.system):
            return False
        if not create.is_unsettled and is_pasted(base, self._policy, reading, task):
            return False
        adopt(work, replace(reading, contact=create.contact), task, "recognised by its marker", made=True)
        work.is_created(task.id, reading.system, reading.remote_id)
        return True

    def _hold_if_we_may_have_made_it(self, reading: Reading, task: Task) -> bool:
        """Hold the reading if it may be an unknown copy of a finished task. Returns whether it is held.

        We made it, and nobody could read it when the task was finished, or changed; or people copied a text with its
        marker. Nothing tells which.
        """
        work, base = self._work, self._work.base
        if task.state is State.OPEN:
            return False
        if base.copies(task.id, reading.system):
            # Two ledgers that write at the same time may each have made one. A copied text is in two tasks.
            held = is_by_another(base, reading) and is_alone(work.inputs.seen[reading.system], reading)
        else:
            held = may_be_unknown(base, reading, task)
        if held:
            work.begin(reading, held=Reason.DONE_OR_REOPENED)
        return held

    def _place_by_user(self, reading: Reading) -> bool:
        """Join a task of our user to the task that lacks a copy here, in a CRM that keeps no markers.

        Another ledger made it. Of several tasks with its kind and due date, the one with the first id is taken.
        """
        work = self._work
        if not work.standing.us.made_unmarked(reading):
            return False
        lacking = [
            task
            for task in open_tasks_of(work, reading)
            if not task.held
            and work.has_room(task.id, reading.system)
            and reading.kind.compatible(task.kind)
            and self._is_due_with(reading, task)
        ]
        # The order of ids is the one in which every ledger fills a lane, so this ledger takes the same task as the
        # other one.
        if lacking:
            task = min(lacking, key=lambda task: task.id)
            adopt(work, reading, task, "made by our user, of its kind and due")
            put_behind(work, work.base.tasks[task.id], work.base.replicas[reading.key])
        return bool(lacking)

    def _is_due_with(self, reading: Reading, task: Task) -> bool:
        """Whether the reading has the due date of the task, now or until this run, or of one of its copies.

        People may have changed it since the other ledger made its copy.
        """
        copies = [self._work.open_replica(task.id, system) for system in self._work.systems]
        known = (task, self._work.before.tasks.get(task.id), *copies)
        return any(self._policy.same_due(reading, one) for one in known if one is not None)

    def _held(self, reading: Reading) -> str:
        """Return the reason to hold a task of our user, or an empty text.

        It is a second copy, or it may be another ledger's copy of some task.
        """
        work = self._work
        if not work.standing.us.made_unmarked(reading):
            return ""
        if second_copy_of(work, reading) is not None:
            return Reason.DUPLICATE
        # A person may work with our API key. Their task is a new one, unless there is a sign that it is a copy.
        return Reason.UNMATCHED if work.may_have_company or self._was_here_lately(reading) else ""

    def _was_here_lately(self, reading: Reading) -> bool:
        """Whether a task with this person, kind and due date was first seen within a day, even if it is closed now."""
        person, dues = self._work.contact_of(reading), self._policy.dues_of(reading.system)
        return any(
            kind.compatible(reading.kind) and dues.same(due, reading.due)
            for _, kind, _, due in self._work.base.recent_of(person or "")
        )


def with_origin(task: Task, origin: Reading) -> Task:
    """Return the task with what its origin tells: the kind, and that it is no longer unmatched.

    Only copies of it were known before.
    """
    held = "" if task.held == Reason.UNMATCHED else task.held
    return replace(task, held=held, kind=origin.kind if origin.kind_known else task.kind)


def open_tasks_of(work: Merging, reading: Reading) -> list[Task]:
    """The open tasks of the reading's person."""
    contact = work.contact_of(reading)
    return [task for task in work.base.tasks_of(contact or "") if task.state is State.OPEN]


def adopt(work: Merging, reading: Reading, task: Task, why: str, *, made: bool = False) -> None:
    """Make the reading a replica of the task."""
    # A twin in Superfone was seen first and has no title there. A copy of ours is no source: we made its title up.
    if not made and task.title is None and reading.title is not None:
        work.put_task(replace(task, title=reading.title, body=reading.body or task.body))
    if not made and reading.system == task.origin:
        work.follow_origin(work.base.tasks[task.id], reading, reading.title, anew=True)
    if not made:
        _sharpen(work, reading, work.base.tasks[task.id])
    replica = replica_of(reading, task.id, made=made)
    work.put_replica(replica)
    if made:
        creates = work.base.operations_in((task.id, reading.system, Action.CREATE))
        # What a create in doubt sent is the base of this copy. Whatever else it shows was typed by people.
        sent = next((one.changes for one in creates if one.is_unsettled), ())
        settle_first(work, task.id, replica, reading, sent)
    elif reading.system == task.origin:
        origin_is_read(work, task.id)
    work.is_back(task.id, reading.system)
    work.event("adopted", "us", why, task.id, reading)


def _sharpen(work: Merging, reading: Reading, task: Task) -> None:
    """Take the twin's due date if the task's is only a day, and the twin's has a time on that day."""
    dues = work.inputs.policy.dues_of(task.origin)
    if reading.due is not None and dues.is_day(task.due) and dues.same(reading.due, task.due):
        work.put_task(replace(task, due=reading.due))
