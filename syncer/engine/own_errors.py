"""An error of ours with one person's tasks stops nobody else's work.

What is pure and raises is done again: in halves, to find out for whom it raises, and then without these persons. What
reads or writes is done for one person at a time, so its error is that person's. Nothing more is written for whoever is
left out, nor stored of what could not be merged, so the next run finds it as this one did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from syncer.contract import unforeseen
from syncer.contract.errors import WrongAccount
from syncer.domain.base import Base, Changes
from syncer.domain.cursors import CHANGES, COMPANY, FORERUNNER
from syncer.domain.model import ReplicaState, State
from syncer.domain.reasons import Item, Reason
from syncer.domain.redact import unexpected
from syncer.domain.snapshot import Seen
from syncer.ledger.errors import Conflict, LedgerError
from syncer.reconcile.left_out import Persons
from syncer.reconcile.markers import is_by_another

if TYPE_CHECKING:
    from syncer.engine.context import RunContext

_T = TypeVar("_T")
_Work = Callable[[Mapping[str, Seen], Collection[str]], _T]
_Group = tuple[str, ...]

MOST: Final = 20
"""For more persons than this, an error is no single person's. Then the run ends with it, and stores nothing."""


def ends_the_run(error: Exception) -> bool:
    """Whether the whole run ends with this error: it is no error of ours with one person's tasks."""
    # What the ledger refuses is a value of one person's. Any other error of the ledger is everybody's.
    return isinstance(error, (LedgerError, MemoryError, WrongAccount)) and not isinstance(error, Conflict)


async def for_everybody(context: RunContext, work: _Work[_T], *, reading: bool = False) -> _T:
    """Do this pure work for everybody, or without the persons for whom it raises. These are left out of the run.

    ``work`` gets what was read, and the persons for whom it does nothing. Its error is raised if it is no single
    person's. While CRMs are still ``reading``, nothing is hidden, and ``work`` itself leaves these persons out.
    """

    try:
        if context.left_out and not reading:
            # More was read since they were left out, and it may connect others with them.
            _add_connected(context)
            _hide(context)
        return work(context.seen, context.left_out)
    except Exception as error:
        if ends_the_run(error):
            raise
        failing = await _failing(context, work)
        if not 0 < len(failing) <= MOST:
            raise
    for group, its_error in failing:
        leave_out(context, group, its_error)
    if not reading:
        _hide(context)
    return work(context.seen, context.left_out)


@contextmanager
def or_leave_out(context: RunContext, *persons: str) -> Iterator[None]:
    """Leave these persons out if this block of reads or operations for them alone raises an error of ours.

    What was sent is stored as sent, so a later run reads whether it was carried out. Nothing is sent twice. An error
    for which too many were left out already is raised: it is no single person's.
    """
    try:
        yield
    except Exception as error:
        if ends_the_run(error) or not persons or context.own_errors >= MOST:
            raise
        leave_out(context, persons, error)


@contextmanager
def or_operation_fails(context: RunContext, person: str) -> Iterator[None]:
    """As `or_leave_out`, for a block that sends or settles: the report then says that an operation failed."""
    with or_leave_out(context, person):
        yield
    if person in context.left_out:
        context.failed += [item for item in left_out_items(context) if item not in context.failed]


def leave_out(context: RunContext, group: Collection[str], error: Exception) -> None:
    """Do nothing more for these persons in this run, and report why.

    What was read of them is hidden by the next `for_everybody`: others may still be reading.
    """
    if context.left_out.keys() >= {*group}:
        return
    unforeseen.tell(error, sorted(place for person in group for place in _places(context, person)))
    context.own_errors += 1
    context.left_out |= dict.fromkeys(group, unexpected(error))
    _add_connected(context)


def may_be_stored(context: RunContext, cursor: str) -> bool:
    """Whether this small value says nothing of whoever is left out, nor that the CRM need not name them again."""
    if not context.left_out:
        return True
    # With its system: the id of a contact may be that of somebody else's in another CRM.
    contacts = {f"{system}:{key}" for person in context.left_out for system, key in context.base.contacts_of(person)}
    about, last = cursor.partition(":")[2], cursor.rpartition(":")[2]
    return not cursor.startswith(CHANGES) and {about, last}.isdisjoint({*context.left_out, *contacts})


def left_out_items(context: RunContext) -> list[Item]:
    """Return the tasks of whoever was left out, as items under attention."""
    if not context.left_out:
        return []
    base, told = context.base, dict[str, list[Item]]()
    for person, words in sorted(context.left_out.items()):
        told[person] = [
            Item(task.id, task.origin, Reason.PROGRAM_ERROR, words)
            for task in sorted(base.tasks_of(person), key=lambda task: task.id)
            if task.state is State.OPEN or any(copy.state is ReplicaState.OPEN for copy in base.copies_of(task.id))
        ]
    persons = Persons(base, context.seen)
    for system, seen in context.seen.items():
        for row in seen.rows.values():
            person = persons.of(system, row.contact, row.remote_id)
            if person in told and row.state is State.OPEN and row.key not in base.replicas:
                words = context.left_out[person]
                told[person].append(Item(None, system, Reason.PROGRAM_ERROR, words, row.remote_id))
    for person, items in told.items():
        for system, contact in _contacts_of(base, person)[:1] if not items else ():
            words = context.left_out[person]
            items.append(Item(None, system, Reason.PROGRAM_ERROR, words, person=(system, contact)))
    return [item for items in told.values() for item in items]


async def _failing(context: RunContext, work: _Work[_T]) -> list[tuple[_Group, Exception]]:
    """Return for whom the work raises, each with the error, and a few more than `MOST` at the most.

    If it raises for nobody alone, this is the one without whom it does not raise. Nobody is returned if it raises
    without them all, too.
    """
    persons = Persons(context.base, context.seen)
    suspects = [group for group in persons.groups if context.left_out.keys().isdisjoint(group)]
    everybody = {person for group in persons.groups for person in group} | context.left_out.keys()

    def error_with(groups: list[_Group]) -> Exception | None:
        others = everybody.difference(*groups)
        try:
            work(persons.without(others), others)
        except Exception as error:
            if ends_the_run(error):
                raise
            return error
        return None

    async def among(groups: list[_Group]) -> list[tuple[_Group, Exception]]:
        # What else this process does, such as keeping the lease, goes on meanwhile.
        await asyncio.sleep(0)
        error = error_with(groups)
        if error is None or len(groups) < 2:
            return [(group, error) for group in groups if error is not None]
        middle = len(groups) // 2
        found = await among(groups[:middle])
        return found if len(found) > MOST else [*found, *await among(groups[middle:])]

    async def beside_others() -> list[tuple[_Group, Exception]]:
        # What is read of others tells something of everybody, such as that there was a ledger before this one.
        error, groups = error_with(suspects), suspects
        while error is not None and len(groups) > 1:
            middle = len(groups) // 2
            for half in (groups[:middle], groups[middle:]):
                await asyncio.sleep(0)
                if error_with([group for group in suspects if group not in {*half}]) is None:
                    groups = half
                    break
            else:
                return []
        return [] if error is None else [(group, error) for group in groups]

    if error_with([]) is not None:
        return []
    return await among(suspects) or await beside_others()


def _add_connected(context: RunContext) -> None:
    """Leave out whom tasks connect with those who are left out, for the same reason."""
    for group in Persons(context.base, context.seen).groups:
        words = next((context.left_out[person] for person in group if person in context.left_out), None)
        if words is not None:
            context.left_out = {**dict.fromkeys(group, words), **context.left_out}
    context.base.behind |= context.left_out.keys()


def _hide(context: RunContext) -> None:
    """Hide what was read of whoever is left out, so that nothing is concluded from it, and nothing written."""
    persons, base = Persons(context.base, context.seen), context.base
    _note_ledgers(context, persons)
    for system, seen in persons.without(context.left_out.keys()).items():
        context.connections[system].seen = seen
    for person in context.left_out:
        for contact in _contacts_of(base, person):
            # Nothing of it is stored, so it was not read.
            context.visits.pop(contact, None)


def _note_ledgers(context: RunContext, persons: Persons) -> None:
    """Note what their markers alone may tell: that other ledgers wrote here. What is hidden tells nothing."""
    rows = [row for row in persons.hidden(context.left_out.keys()) if row.marker is not None]
    told = {
        FORERUNNER: any(row.marker is not None and not context.base.wrote(row.marker) for row in rows),
        COMPANY: any(is_by_another(context.base, row) and row.created_at is not None for row in rows),
    }
    new = {name: "1" for name, is_so in told.items() if is_so and not context.base.cursors.get(name)}
    if new:
        context.record(Changes(cursors=new))


def _contacts_of(base: Base, person: str) -> tuple[tuple[str, str], ...]:
    """Return the contacts of a person, or the one contact that stands for somebody without a link."""
    system, _, contact = person.partition(":")
    alone = ((system, contact),) if (system, contact) in base.records else ()
    return base.contacts_of(person) or alone


def _places(context: RunContext, person: str) -> list[str]:
    return [f"{system}:{contact}" for system, contact in _contacts_of(context.base, person)] or [person]
