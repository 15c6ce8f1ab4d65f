"""Whether a task in a lane may be a copy or a twin of a group's task, judged by what both show (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from syncer.domain.model import Reading, State
from syncer.domain.policy import Policy
from syncer.domain.titles import same_title
from syncer.reconcile.grouping import Group
from syncer.reconcile.markers import CLOCKS_DIFFER_BY


def looks_like(policy: Policy, row: Reading, other: Group) -> bool:
    """Whether kind, due date and title agree."""
    members = other.readings
    # A lane may keep only the minutes of what we send.
    alike = any(policy.may_keep(row, one) for one in members)
    alike = alike and all(same_title(row.title, one.title) for one in members)
    return alike and not other.held and fits_kind(row, members)


def lacks_it(row: Reading, other: Group, *, theirs: bool) -> bool:
    """Whether the row may be the copy that this task lacks there.

    No copy is open there. If one is closed, only we can have created a new one, so the row must not be ``theirs``.
    """
    return row.system not in other.open and not (theirs and other.closed.get(row.system))


def has_made_up_due(policy: Policy, row: Reading, other: Group) -> bool:
    """Whether the row has the due date that we would have made up when we copied that task elsewhere."""
    # All copies of a task are made in one run. So the age of a copy that carries a marker tells when we made up the
    # due.
    copied = [member.created_at for member in other.readings if member.marker is not None and member.created_at]
    due, later = row.due, policy.default_due
    return due is not None and any(abs(due - made_at - later) <= CLOCKS_DIFFER_BY for made_at in copied)


def may_be_made_up(policy: Policy, row: Reading, other: Group) -> bool:
    """Whether the other task has no due date, and the row has one that we may have made up for it."""
    if not other.readings or any(member.due is not None for member in other.readings):
        return False
    if other.open or row.due is None or row.created_at is None:
        return True
    # The task may have been closed long ago, so the row counts only if it is due no later than the due date that
    # we would have made up when the row was created.
    return row.due <= row.created_at + policy.default_due + CLOCKS_DIFFER_BY


def unlikeliness(row: Reading, other: Group, *, finished: bool | None) -> tuple[bool, ...]:
    """Return how little the row fits this task, beside others that it fits as well: the least comes first.

    A further copy has the type of the one before. A closed row is more often a further copy of a ``finished`` task than
    the only closed copy of an open one. ``finished`` is ``None`` if that tells nothing.
    """
    types = {before.raw_type for before in other.closed.get(row.system, ())}
    # A task keeps its kind for life, so a copy that we make again has the type of the one before.
    another_type = bool(types) and row.raw_type not in types
    another_kind = not any(row.kind.compatible(reading.kind) for reading in other.readings)
    another_state = finished is not None and finished is (row.state is State.OPEN)
    early, later = is_before_copies(row, other), is_before(row, other, by=timedelta(0))
    ends_it = row.state is not State.OPEN and another_state
    rest = (another_kind, another_state, finished is not None and not other.open, early, later)
    return (another_type, ends_it, other.shows(row.system), not other.marked, *rest)


def is_second_copy(row: Reading, other: Group) -> bool:
    """Whether the creator of this row also created a copy of that marked task there.

    The origin itself does not count: a person or an automation created it, not us.
    """
    there = other.open.get(row.system)
    # The creator of an origin is a person or an automation, and may well create an equal task beside it.
    if there is None or there is other.origin:
        return False
    return other.marked and there.created_by == row.created_by


def is_before(row: Reading, other: Group, *, by: timedelta = CLOCKS_DIFFER_BY) -> bool:
    """Whether the row was created before the origin of that task, so that it cannot be a copy of it.

    The clocks of two CRMs differ by up to ``by``.
    """
    origin = other.origin
    return (
        origin is not None
        and origin.created_at is not None
        and row.created_at is not None
        and row.created_at < origin.created_at - by
    )


def is_before_copies(row: Reading, other: Group) -> bool:
    """Whether the row was created long before every copy of that task that carries a marker.

    All copies of a task are usually created in the same run.
    """
    copies = [member.created_at for member in other.readings if member.marker is not None]
    created = row.created_at
    return bool(copies) and all(one and created and one - created > CLOCKS_DIFFER_BY for one in copies)


def is_finished_before(policy: Policy, row: Reading, other: Group) -> bool:
    """Whether that task has the row's kind, due date and title, was created elsewhere before it, and is closed now."""
    alike = [one for one in other.readings if same_title(row.title, one.title)]
    members = [one for one in alike if one.due is not None and policy.may_keep(row, one)]
    # What people made in the lane first cannot be our copy of a task that came later.
    older = [m for m in members if m.created_at is None or row.created_at is None or m.created_at <= row.created_at]
    elsewhere = not other.open and row.system not in other.closed
    return elsewhere and bool(older) and fits_kind(row, older)


def may_have_outlasted(row: Reading, other: Group) -> bool:
    """Whether the row may be our copy of that task, which we copied and which is finished in all other CRMs.

    Its due date says nothing, because people may have changed it elsewhere. But we make no copy of a finished task, so
    the row must be older than the end of that task.
    """
    ends = [member.updated_at for member in other.readings]
    known = [end for end in ends if end is not None]
    is_older = row.created_at is None or len(known) < len(ends) or row.created_at < max(known) + CLOCKS_DIFFER_BY
    copied = other.marked and not other.open and not other.shows(row.system)
    return copied and bool(ends) and is_older and not is_before_copies(row, other) and fits_kind(row, other.readings)


def fits_kind(row: Reading, members: Iterable[Reading]) -> bool:
    """Whether the kinds may agree. A kind that was guessed from a title decides nothing."""
    known = [member for member in members if member.kind_known]
    return not known or any(row.kind.compatible(member.kind) for member in known)
