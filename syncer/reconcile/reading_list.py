"""List what to read next, in order of need (pure).

The engine reads each item at most once a run, and asks for the list again when it knows more. Items that failed when
they were last tried come last, so that they delay nothing else. The order is:

1. The lists of whole CRMs.
2. Copies that a list no longer shows. Then rows with something new, the earliest due first: the task, or all tasks of a
   person who was never read, if that takes one request. Then closed tasks that could not be read for several runs.
3. Contacts of tasks that no list of contacts has shown.
4. One contact's tasks, if something may have happened that somebody waits for, longest unread first.
5. Searches for contacts of people with an open task; then the tasks of contacts that were never read; then searches
   for everybody, if all contacts are watched.
6. Contacts without open tasks, in turn.
7. All tasks of one person, if the caller asks for them.
8. Copies that were gone and may have come back, in turn.
9. Texts that no list shows, a few in each run, in turn.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from syncer.contract.adapter import Capabilities, ListsTasks
from syncer.domain.base import Base, within
from syncer.domain.cursors import BEHIND, CHANGES, GONE, TEXTS, unstored
from syncer.domain.fields import TaskField
from syncer.domain.model import Reading, Record, ReplicaState, State
from syncer.domain.snapshot import Seen
from syncer.reconcile.edits.rows import in_turn, says_something_new, turn_after
from syncer.reconcile.failing import RUNS_UNTIL_ATTENTION
from syncer.reconcile.persons_in_turn import rows_in_turn
from syncer.reconcile.read_items import (
    ALL,
    CONTACTS,
    GONE_IN_TURN,
    NEWCOMERS,
    TASKS,
    TEXTS_IN_TURN,
    Need,
    ReadItem,
    What,
)

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


def reading_list(
    base: Base,
    seen: Mapping[str, Seen],
    capabilities: Mapping[str, Capabilities],
    *,
    now: datetime,
    grace: timedelta = timedelta(0),
    named: Collection[tuple[str, str]] = (),
    persons: Collection[str] = (),
) -> list[ReadItem]:
    """Return everything that could be read now in all CRMs, in order.

    ``grace`` is how long a create of a contact may take to arrive. ``named`` are the (system, contact) that events
    name. ``persons`` are the links of which all tasks are to be read.
    """
    items = [
        item
        for system in capabilities
        for item in items_of(
            system, base, seen, capabilities[system], now=now, grace=grace, named=named, persons=persons
        )
    ]
    return sorted(items, key=lambda item: _rank(base, item))


def items_of(
    system: str,
    base: Base,
    seen: Mapping[str, Seen],
    capabilities: Capabilities,
    *,
    now: datetime,
    grace: timedelta,
    named: Collection[tuple[str, str]] = (),
    persons: Collection[str] = (),
    stages: Collection[int] = ALL,
    edits: Collection[TaskField] = (),
    turns: int = 0,
) -> list[ReadItem]:
    """Return what could be read now in one CRM, in order, limited to these stages.

    ``edits`` are the fields that travel. ``turns`` is how many tasks may be read again only for their texts.
    """
    items: list[ReadItem] = []
    if capabilities.lists_tasks is not ListsTasks.ALL:
        busy = busy_links(base, seen)
        # Whose tasks are open anywhere is read first: a copy of theirs may be missing, or wait to be completed.
        items += _lanes(system, base, busy, named)
        # Finding them takes longer than everything else here, so it is skipped if nobody asks for them.
        items += _lookups(system, base, busy, capabilities, now, grace) if NEWCOMERS & set(stages) else ()
    elif not seen[system].listed:
        items.append(ReadItem(system, What.LIST, "tasks", Need.OPEN))
    else:
        # Each of these walks over all rows, so it is skipped if nobody asks for it.
        items += _vanished(system, base, seen[system]) if (TASKS | GONE_IN_TURN) & set(stages) else ()
        items += _changed(base, seen[system], capabilities, edits) if TASKS & set(stages) else ()
        if TEXTS_IN_TURN & set(stages):
            rows = in_turn(base, seen[system].rows.values(), capabilities, edits, base.cursors.get(TEXTS + system, ""))
            texts = [ReadItem(system, What.TASK, row.remote_id, Need.TURN, row.contact or "") for row in rows]
            # Those that failed take no turn. Some that fail for good would otherwise take all turns of the others.
            items += [item for item in texts if is_failing(base, item)]
            items += [item for item in texts if not is_failing(base, item)][:turns]
        items += _contacts(system, base, seen[system]) if CONTACTS & set(stages) else ()
        items += _left_unread(system, base, seen) if TASKS & set(stages) else ()
    items += _of_persons(system, base, persons, looks_up=capabilities.lists_tasks is not ListsTasks.ALL)
    return sorted((item for item in items if item.stage in stages), key=lambda item: _rank(base, item))


def is_failing(base: Base, item: ReadItem) -> bool:
    """Whether the item could not be read when it was last tried."""
    return item.place in base.failing


def _rank(base: Base, item: ReadItem) -> tuple[bool, int, int]:
    """Sort failing items last. Of these, the one with the fewest failures is first, so that each has its turn."""
    failing = base.failing.get(item.place)
    return (failing is not None, failing.failures if failing else 0, item.stage)


# CRMs that list all tasks ----------------------------------------------------------------------------


def _vanished(system: str, base: Base, seen: Seen) -> Iterator[ReadItem]:
    """Yield open copies that the list no longer shows. Nothing follows from absence, so each is read by itself.

    Those that are gone already follow in turn. There may be many, and nobody waits for them.
    """
    hidden = [copy for copy in base.replicas.values() if copy.system == system and copy.remote_id not in seen.rows]
    for copy in hidden:
        if copy.state is ReplicaState.OPEN:
            yield ReadItem(system, What.TASK, copy.remote_id, Need.COMPLETION, copy.contact)
    # Such a copy may be there again, or turn out to be finished: then its task was done, not deleted.
    gone = [one for one in hidden if one.state is ReplicaState.GONE and base.tasks[one.task].state is State.OPEN]
    last = base.cursors.get(GONE + system, "")
    for copy in sorted(gone, key=lambda copy: turn_after(last, copy.remote_id)):
        yield ReadItem(system, What.TASK, copy.remote_id, Need.GONE, copy.contact)


def _changed(base: Base, seen: Seen, capabilities: Capabilities, edits: Collection[TaskField]) -> list[ReadItem]:
    """Return the rows that say something new, the earliest due first."""
    rows = rows_in_turn(base, (row for row in seen.rows.values() if says_something_new(base, row, capabilities, edits)))
    items = [_item_of(base, row, whole_lists=capabilities.whole_contact_lists) for row in rows]
    return list({item.place: item for item in items}.values())


def _item_of(base: Base, row: Reading, *, whole_lists: bool) -> ReadItem:
    """Return the item that reads this row in full: the task, or all tasks of a contact that was never read."""
    # All tasks of such a contact are needed anyway, and where lists are whole they take one request.
    contact, need = row.contact or "", Need.OPEN if row.key in base.replicas else Need.NEW
    person = ReadItem(row.system, What.PERSON, contact, Need.NEW)
    is_new = need is Need.NEW and (row.system, contact) not in base.visits
    if whole_lists and is_new and not is_failing(base, person):
        return person
    return ReadItem(row.system, What.TASK, row.remote_id, need, contact)


def _left_unread(system: str, base: Base, seen: Mapping[str, Seen]) -> Iterator[ReadItem]:
    """Yield closed tasks that could not be read for several runs, of people with an open task.

    No list of open tasks shows them. Nothing waits for them, but once one can be read, its marker may tell that the
    open task is finished.
    """
    failing = [one for one in base.failing.values() if one.system == system and one.failures >= RUNS_UNTIL_ATTENTION]
    busy = busy_links(base, seen) if failing else ()
    for one in failing:
        contact = one.key if one.what == What.PERSON else one.contact
        shown = one.key in seen[system].rows or (system, one.key) in base.replicas
        if link_of(base, (system, contact)) not in busy:
            continue
        if one.what == What.PERSON:
            yield ReadItem(system, What.PERSON, contact, Need.NEW)
        elif one.what == What.TASK and not shown:
            yield ReadItem(system, What.TASK, one.key, Need.NEW, contact)


def _contacts(system: str, base: Base, seen: Seen) -> Iterator[ReadItem]:
    """Yield the contacts of tasks that no list of contacts has shown yet."""
    wanted = {row.contact for row in seen.readings.values() if row.contact is not None and row.mirrored}
    for contact in sorted(wanted):
        # The list of contacts is read less often the longer it is, so a new contact's task may be seen first.
        if (system, contact) not in base.records:
            yield ReadItem(system, What.CONTACT, contact, Need.NEW)


# CRMs that list one contact's tasks ------------------------------------------------------------------


def _lanes(system: str, base: Base, busy: Collection[str], named: Collection[tuple[str, str]]) -> list[ReadItem]:
    """Return the contacts whose tasks are to be read, within each need those read longest ago first."""
    copies = (copy for copy in base.replicas.values() if copy.system == system and copy.state is ReplicaState.OPEN)
    # The first of these needs counts: an unsettled operation, an open copy, a task that is open elsewhere, an event.
    needs = dict.fromkeys((copy.contact for copy in copies), Need.COMPLETION)
    unsettled = (op for op in base.operations.values() if op.system == system and op.is_unsettled)
    needs |= dict.fromkeys((op.contact for op in unsettled), Need.OPERATION)
    # Where a CRM names what changed, the tasks of a contact that was read since then need no turn.
    told_since = base.cursors.get(CHANGES + system, "").partition(" ")[0]
    for where, contact in base.records:
        if where != system or contact in needs:
            continue
        if link_of(base, (system, contact)) in busy:
            needs[contact] = Need.OPEN
        elif (system, contact) in named:
            needs[contact] = Need.EVENT
        elif (visit := base.visits.get((system, contact))) is None:
            needs[contact] = Need.NEW
        elif not told_since or visit < datetime.fromisoformat(told_since):
            needs[contact] = Need.TURN

    def longest_unread(contact: str) -> tuple[datetime, str]:
        return (base.visits.get((system, contact), _NEVER), contact)

    # One run may not have the time for all urgent contacts. Without this order, the last would never be read.
    return [ReadItem(system, What.LANE, contact, needs[contact]) for contact in sorted(needs, key=longest_unread)]


def _lookups(
    system: str, base: Base, busy: Collection[str], capabilities: Capabilities, now: datetime, grace: timedelta
) -> Iterator[ReadItem]:
    """Yield phone numbers without a contact there: first of people with an open task, then of everybody.

    Those come first that were asked for longest ago. A day may not have the time for all of them.
    """
    known = {phone for record in base.records.values() if record.system == system for phone in record.phones}
    everybody = base.records.values() if capabilities.watches_all_contacts else ()
    done = set(known)
    for need, records in ((Need.OPEN, records_of(base, busy)), (Need.NEW, everybody)):
        wanted = []
        for phone in (phone for record in records if record.system != system for phone in record.phones):
            # Each search is a request, and colleagues have the number of their office in common.
            if phone not in done and lookup_is_due(base, system, phone, now, capabilities.contact_recheck, grace):
                wanted.append(phone)
            done.add(phone)
        wanted.sort(key=lambda phone: base.lookups.get((system, phone), _NEVER))
        yield from (ReadItem(system, What.LOOKUP, phone, need) for phone in wanted)


def lookup_is_due(base: Base, system: str, key: str, now: datetime, recheck: timedelta, grace: timedelta) -> bool:
    """Whether to search for a contact again: after ``recheck``, or if the last search was too early to find the
    contact that we created."""
    asked = base.lookups.get((system, key))
    if asked is None or not within(asked, now, recheck):
        return True
    sent = base.asked_to_make(system, key)
    return sent is not None and sent <= now and asked < sent + grace


# people ----------------------------------------------------------------------------------------------


def _of_persons(system: str, base: Base, persons: Collection[str], *, looks_up: bool) -> Iterator[ReadItem]:
    """Yield everything of these persons, in their order.

    A person without a contact there is searched for once more, not each run.
    """
    for link in dict.fromkeys(persons):
        there = [contact for where, contact in base.contacts_of(link) if where == system]
        for contact in there:
            yield ReadItem(system, What.PERSON, contact, Need.OPEN)
        # Another ledger may have made the contact since the last search. A person who is noted as behind was searched
        # for.
        if looks_up and not there and not base.cursors.get(BEHIND + link):
            phones = dict.fromkeys(phone for record in base.records_of(link) for phone in record.phones)
            yield from (ReadItem(system, What.LOOKUP, phone, Need.TOLD) for phone in phones)


def link_of(base: Base, record: tuple[str, str]) -> str:
    """Return the link of a record, or a link of its own if it has none."""
    return base.links.get(record) or ":".join(record)


def busy_links(base: Base, seen: Mapping[str, Seen]) -> set[str]:
    """Return the links with an open task in the ledger or in a list that was just read, or one that waits for more."""
    open_now = {task.contact for task in base.tasks.values() if task.state is State.OPEN}
    open_now |= {link_of(base, contact) for contact in unstored(base.cursors) if contact in base.records}
    for system, what in seen.items():
        for reading in what.readings.values():
            key = (system, reading.contact or "")
            if reading.state is State.OPEN and key in base.records:
                open_now.add(link_of(base, key))
    return open_now


def records_of(base: Base, links: Collection[str]) -> list[Record]:
    """Return the records of these links."""
    found = [key for key in base.records if link_of(base, key) in links] if links else []
    return [base.records[key] for key in sorted(found)]
