"""Run for a few persons for whom a CRM reported an event. The steps are those of a whole run, on less data.

    hints ─► persons ─► each one's tasks, in every CRM ─► merge ─► plan ─► guard ─► apply

Nothing in an event is trusted: it only says which person to read. A person for whom the ledger is not complete is left
to the next whole run: one who is unknown, may exist twice, was not read in full yet, or has a write in doubt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from syncer.contract.errors import Missing
from syncer.domain.base import Base, Changes
from syncer.domain.contact_keys import phone_key
from syncer.domain.cursors import BEHIND, BY_SHIFT, STOPPED
from syncer.domain.model import Reading, State, TaskRef
from syncer.domain.report import delays_by_system
from syncer.domain.snapshot import Seen
from syncer.engine import opening
from syncer.engine.apply import apply_plan
from syncer.engine.connection import HANGS, Connection, is_scarce, tasks_of
from syncer.engine.context import RunContext, for_each
from syncer.engine.linking import link
from syncer.engine.observe_contacts import find
from syncer.engine.observe_items import lists_all
from syncer.engine.observe_persons import read_person
from syncer.engine.opening import AccountInHand
from syncer.engine.own_errors import or_leave_out
from syncer.engine.second_ledger import is_younger
from syncer.engine.settle import settle_doubts
from syncer.engine.what_was_read import WhatWasRead, take_in
from syncer.ledger.hints import CONTACT, PHONE, Hint
from syncer.ledger.marks import PART
from syncer.reconcile.edits.rows import says_something_new
from syncer.reconcile.guard import Limits, PartEdits, exceeds
from syncer.reconcile.left_out import check_copies
from syncer.reconcile.merge import Merged, merge
from syncer.reconcile.plan import make_plan
from syncer.reconcile.planned import Planned
from syncer.reconcile.read_items import Need, ReadItem, What
from syncer.reconcile.standing import Standing

PERSONS: Final = 20
"""The most persons of one such run, so that it does not delay whole runs."""


@dataclass(slots=True)
class Part:
    """The result. ``report`` is what was done. ``unknown`` are the hints that need a whole run.

    ``unresolved`` are tasks and numbers whose contact could not be found yet. ``unread`` are numbers for which the CRM
    could not be asked, and contacts whose tasks could not be read where no list shows them.
    """

    report: dict[str, Any] = field(default_factory=dict)
    unknown: list[Hint] = field(default_factory=list)
    unresolved: list[Hint] = field(default_factory=list)
    unread: list[Hint] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Looked:
    """One person: what was read, and the operations that this makes possible."""

    read: WhatWasRead
    operations: list[Planned]


async def run_part(account: AccountInHand, hints: Collection[Hint], limits: Limits) -> Part:
    """Run for the persons that these hints name. Raises what `syncer.engine.run.run` raises."""
    part = Part()
    async with opening.leased(account, part=True) as context:
        # What interrupted runs could not report is left to the next whole run.
        context.incidents.clear()
        context.overwritten.clear()
        await opening.verify_identities(context)
        await settle_doubts(context)
        link(context)
        await _find_by_phone(context, hints, part, account.settings.region)
        contacts = await _contacts(context, hints, part)
        persons = _persons(context, contacts, part)
        looked, edits = [], PartEdits(context.base)
        for person, hint in persons.items():
            one = None
            # An error of ours with their tasks is left to the whole run, which reports it.
            with or_leave_out(context, person):
                one = await _look_at(context, person, edits)
            if one is None:
                _leave(context, person)
                part.unknown.append(hint)
            else:
                looked.append(one)
        part.unread += [hint for key, hint in contacts.items() if _is_unread(context, *key)]
        operations = _together(context, looked)
        # If a limit stopped the last whole run, nothing is written until people have looked at it.
        held = context.base.cursors.get(STOPPED, "")
        stopped = bool(held) or exceeds(operations, limits) is not None
        if not stopped and edits.cursors:
            # Before they are taken over: a run that ends here counts them twice rather than never.
            context.record(Changes(cursors=edits.cursors))
        for one in looked:
            context.store(one.read.if_stopped(shifted=held == BY_SHIFT) if stopped else one.read.learned)
        if not stopped and operations and not is_younger(context):
            await apply_plan(context, operations)
        part.report = _report(account, context)
        account.ledger.finish_run(context.run, account.clock(), PART, part.report, token=context.token)
    return part


def _together(context: RunContext, looked: Iterable[_Looked]) -> list[Planned]:
    """Return the operations of all persons in their order, with one create at most in each CRM that is full."""
    tried: set[str] = set()
    operations = []
    for planned in sorted((planned for one in looked for planned in one.operations), key=lambda one: one.order):
        if planned.makes_a_task and context.base.is_full(planned.system):
            if planned.system in tried:
                continue
            tried.add(planned.system)
        operations.append(planned)
    return operations


async def _contacts(context: RunContext, hints: Iterable[Hint], part: Part) -> dict[tuple[str, str], Hint]:
    """Return the (system, contact) of each hint. A task without a contact is searched for in its CRM's task list."""
    found: dict[tuple[str, str], Hint] = {}
    listed: set[str] = set()
    for hint in hints:
        if hint.system not in context.connections or hint.what == PHONE:
            continue
        if hint.what == CONTACT:
            found[hint.system, hint.key] = hint
        elif (contact := await _contact_of(context, hint, listed)) is not None:
            found[hint.system, contact] = hint
        elif is_scarce(context.connections[hint.system].adapter.wire):
            part.unknown.append(hint)
        else:
            # A list that lags may not show a new task yet, so its event is kept and looked at again.
            part.unresolved.append(hint)
    return found


async def _find_by_phone(context: RunContext, hints: Iterable[Hint], part: Part, region: str) -> None:
    """Search for the contacts of numbers that no known contact has there. A whole run then reads their tasks."""
    base = context.base
    # No whole run reads a lead that only an event has named, so what cannot be asked for now is kept.
    with context.learning():
        for hint in hints:
            phone = phone_key(hint.key, region) if hint.what == PHONE else None
            connection = context.connections.get(hint.system)
            if connection is None or phone is None:
                continue
            if any(record.system == hint.system for record in base.records_with(phone)):
                continue
            before = connection.answers
            # Each number that is asked of a silent CRM would take a time-out.
            silent = not connection.usable or connection.spent or (connection.failures and not before)
            if silent:
                part.unread.append(hint)
                continue
            found = await connection.attempt(find(context, connection, phone), f"the contact {phone}")
            if found is None:
                (part.unresolved if connection.answers > before else part.unread).append(hint)
            elif found:
                context.learned.records |= {record.key: record for record in found}
                part.unknown.append(hint)


async def _contact_of(context: RunContext, hint: Hint, listed: set[str]) -> str | None:
    key = (hint.system, hint.key)
    context.ledger.extend(context.base, replicas=[key])
    if key in context.base.replicas:
        return context.base.replicas[key].contact
    connection = context.connections[hint.system]
    # One list for all hints of tasks, also if it is empty or could not be read.
    if hint.system not in listed and connection.usable and not is_scarce(connection.adapter.wire):
        listed.add(hint.system)
        listing = await connection.attempt(connection.adapter.list_tasks(), "the tasks")
        connection.seen.rows = {row.remote_id: row for row in listing.rows} if listing is not None else {}
    row = connection.seen.rows.get(hint.key)
    return None if row is None else row.contact


def _persons(context: RunContext, contacts: dict[tuple[str, str], Hint], part: Part) -> dict[str, Hint]:
    """Return the persons of these contacts that the ledger alone can tell. The others need a whole run."""
    persons: dict[str, Hint] = {}
    for key, hint in contacts.items():
        person = context.base.links.get(key)
        if person is None or not _is_settled(context, person):
            part.unknown.append(hint)
        else:
            persons[person] = hint
    return persons


def _is_unread(context: RunContext, system: str, contact: str) -> bool:
    """Whether the contact's tasks could not be read, and the next whole run may not read them either."""
    connection = context.connections[system]
    if lists_all(connection) or contact in connection.seen.lanes or (system, contact) not in context.base.links:
        return False
    return not connection.usable or connection.spent or tasks_of(contact) in connection.failures


def _is_settled(context: RunContext, person: str) -> bool:
    """Whether the ledger knows everything that was written for this person, and no operation is in doubt.

    Of a person who may exist twice, the other contact may show a copy.
    """
    base = context.base
    # A rebuild needs the markers of closed tasks, too, and this run does not read those.
    if person in base.behind or base.cursors.get(BEHIND + person):
        return False
    contacts = base.contacts_of(person)
    if any(record in contacts for doubt in context.ambiguous for record in doubt.records):
        return False
    # What was sent to a CRM that is no longer in the account file stays in doubt for as long.
    return not any(base.unsettled(*contact) for contact in contacts if contact[0] in context.connections)


async def _look_at(context: RunContext, person: str, edits: PartEdits) -> _Looked | None:
    """Read, merge and plan one person; ``None`` if only a whole run can. The caller stores it, after the guard."""
    contacts = context.base.contacts_of(person)
    # A snapshot for each person: that another one's tasks were read says nothing of this one's.
    seen = {system: Seen(connection.seen.state) for system, connection in context.connections.items()}

    async def read(key: tuple[str, str]) -> None:
        system, contact = key
        if system in seen and context.connections[system].usable:
            await _read(context, context.connections[system], contact, seen[system])

    began = asyncio.get_running_loop().time()
    await for_each(contacts, read)
    if asyncio.get_running_loop().time() - began >= HANGS:
        # Everybody after this person would wait as long for a CRM that answers nothing.
        for connection in context.connections.values():
            connection.stop_if_silent()
    for system, one in seen.items():
        mine = [contact for where, contact in contacts if where == system]
        # The merge gets only this person's base, and for that these are all tasks.
        one.listed = bool(mine) and all(contact in one.lanes for contact in mine)
    if not await _read_closed(context, person, contacts, seen):
        return None
    merged = _merge(context, person, contacts, seen)
    # Of two changes the later one wins. A contact's list may not show when that was, and the list of all tasks does.
    if merged.overwritten or not edits.take(merged.edited):
        return None
    read_now = take_in(context, merged, replace(merged.changes, visits=dict(context.visits)))
    base, lanes = _narrowed(context.base, person, contacts, seen), {system: one.lanes for system, one in seen.items()}
    plan = make_plan(base, seen, context.capabilities, context.policy, context.ambiguities, now=context.clock())
    # Of other contacts nothing was read, so nothing may be written for them. A copy that is not listed may be gone, and
    # only a whole run asks for it.
    operations = [
        planned
        for planned in plan.operations
        if planned.contact in lanes[planned.system]
        and (planned.remote_id is None or planned.remote_id in seen[planned.system].readings)
    ]
    return _Looked(read_now, operations)


async def _read_closed(
    context: RunContext, person: str, contacts: Collection[tuple[str, str]], seen: dict[str, Seen]
) -> bool:
    """Read the closed tasks, too, of a person who was never read in full. Returns whether nothing is missing.

    Copies that a lost ledger made may be finished. Without them an open task seems to have none, and is copied again.
    """
    mine = [(context.connections[system], contact) for system, contact in contacts if system in seen]
    if all((connection.system, contact) in context.base.visits for connection, contact in mine):
        return True
    rows = [row for one in seen.values() for row in one.readings.values()]
    context.named = {row.marker.place for row in rows if row.marker is not None}
    for connection, contact in mine:
        if not lists_all(connection) or not connection.usable:
            continue
        await read_person(context, connection, ReadItem(connection.system, What.PERSON, contact, Need.NEW))
        read = connection.seen.persons.get(contact)
        if read is not None:
            one = seen[connection.system]
            one.persons[contact] = read
            one.readings.update((row.remote_id, row) for row in read if row.whole)
    base = _narrowed(context.base, person, contacts, seen)
    return Standing(base, seen, context.capabilities, context.policy).is_read(person)


def _leave(context: RunContext, person: str) -> None:
    """Leave a person to the next whole run, as if nothing had been read."""
    for key in context.base.contacts_of(person):
        context.visits.pop(key, None)


async def _read(context: RunContext, connection: Connection, contact: str, seen: Seen) -> None:
    """Read one contact's tasks, with the texts of tasks that are new or show something new."""
    read_at = context.clock()
    try:
        listing = await connection.read_contact(contact)
    except Missing:
        # Only a whole run can check whether a missing contact was deleted or merged.
        return
    if listing is None:
        return
    context.extend(listing.rows)
    rows = {row.remote_id: row for row in listing.rows}
    for row in listing.rows:
        if not row.mirrored or row.whole or not _is_news(context, connection, row):
            continue
        try:
            whole = await connection.attempt(
                connection.adapter.get_task(TaskRef(row.system, row.remote_id, contact)), f"task {row.remote_id}"
            )
        except Missing:
            del rows[row.remote_id]
            continue
        if whole is None:
            # A task without its text could be a copy of any task, so nothing is created for this contact.
            connection.seen.unread.add(contact)
            del rows[row.remote_id]
        else:
            rows[row.remote_id] = whole
    seen.readings.update(rows)
    seen.lanes[contact] = tuple(rows.values())
    seen.unread |= connection.seen.unread
    # For the writes that follow, which start from what the connection has seen.
    connection.seen.lanes[contact] = seen.lanes[contact]
    connection.seen.readings.update(rows)
    if lists_all(connection):
        # Whoever is read in full must not be listed again for that.
        connection.listed_at_once[contact] = listing
    else:
        context.visits[connection.system, contact] = read_at


def _is_news(context: RunContext, connection: Connection, row: Reading) -> bool:
    """Whether the row must be read by itself before anything is concluded from it."""
    if row.key not in context.base.replicas:
        return row.state is State.OPEN
    return says_something_new(context.base, row, connection.adapter.capabilities, context.policy.edits)


def _narrowed(base: Base, person: str, contacts: Collection[tuple[str, str]], seen: dict[str, Seen]) -> Base:
    rows = [row for one in seen.values() for row in one.readings.values()]
    places = [*(row.key for row in rows), *(row.marker.place for row in rows if row.marker)]
    named = {base.replicas[key].task for key in places if key in base.replicas}
    return base.narrowed(person, [*named, *(row.marker.task for row in rows if row.marker)], contacts)


def _merge(context: RunContext, person: str, contacts: Collection[tuple[str, str]], seen: dict[str, Seen]) -> Merged:
    merged = merge(
        _narrowed(context.base, person, contacts, seen),
        seen,
        context.capabilities,
        context.policy,
        now=context.clock(),
        run=context.run,
        new_id=context.new_id,
    )
    check_copies(merged.base, merged.changes)
    return merged


def _report(account: AccountInHand, context: RunContext) -> dict[str, Any]:
    return {
        "created": dict(context.created),
        "completed": dict(context.completed),
        "edited": dict(context.edited),
        "delays": delays_by_system(context.delays),
        "hit": bool(context.incidents),
        # Nobody sees this report, so the next whole run reports it.
        "untold": bool(context.incidents or context.overwritten),
        "duration_s": (account.clock() - context.started_at).total_seconds(),
    }
