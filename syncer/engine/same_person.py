"""Check just before a create whether its contact is still the same person."""

from __future__ import annotations

from collections.abc import Iterable

from syncer.contract.errors import Missing
from syncer.domain.base import Changes
from syncer.domain.model import Record
from syncer.engine.connection import Connection
from syncer.engine.context import RunContext
from syncer.engine.linking import link
from syncer.engine.observe_contacts import find, see_who_has, take_away, tell
from syncer.reconcile.contact_linking import Ambiguity
from syncer.reconcile.planned import Planned


async def still_one_person(context: RunContext, connection: Connection, contact: str) -> bool:
    """Whether the contact and the other contacts of its person are still one person.

    Contacts that were read in this run are not read again. A CRM that lists contacts is asked for the contact itself,
    because a long list is not read in every run. A CRM without such a list is asked who has the phone number that
    links the contact, because it never reports by itself that a number moved to somebody else.

    If the contact itself cannot be read, the answer is false. A contact of another CRM that cannot be read changes
    nothing. Contradictions are reported by the linking that follows.
    """
    key = (connection.system, contact)
    link_id = context.base.links.get(key)
    if link_id is None:
        return True
    changed = False
    for record in context.records_of(link_id):
        of = context.connections.get(record.system)
        if of is None or record.key in context.confirmed or (record.key != key and (of.spent or not of.usable)):
            continue
        if of.adapter.capabilities.lists_contacts:
            now = await _as_it_is(context, of, record, own=record.key == key)
        elif record.key == key:
            now = await _as_its_number_says(context, of, record, link_id)
        else:
            continue
        # Better a task later than one for a stranger. The next run asks again.
        if now is None and record.key == key:
            return False
        changed = changed or now not in (None, record)
    if changed:
        link(context)
    return not contradicted(context, link_id)


def contradicted(context: RunContext, link_id: str) -> bool:
    """Whether the records of this link contradict each other, as far as this run knows, or could not be compared."""
    return link_id in context.left_out or any(doubt.link == link_id for doubt in context.ambiguities)


def unconfirmed(context: RunContext, operations: Iterable[Planned]) -> set[str]:
    """Return the contacts that are searched for once more by phone number before a create."""
    return {
        planned.contact
        for planned in operations
        if planned.makes_a_task
        and planned.contact is not None
        and not context.capabilities[planned.system].lists_contacts
        and (planned.system, planned.contact) not in context.confirmed
    }


async def _as_it_is(context: RunContext, connection: Connection, record: Record, *, own: bool) -> Record | None:
    """Read the contact and store it. If it is gone, and it is the create's ``own`` one, it is unlinked."""
    try:
        now = await connection.attempt(connection.adapter.get_contact(record.remote_id), f"contact {record.remote_id}")
    except Missing:
        if not own:
            return record
        # The CRM would refuse the create for as long as this contact is the person's. The next run says that the person
        # has none there, or makes one.
        take_away(context, record)
        return None
    if now is not None:
        context.confirmed.add(record.key)
        if now != record:
            context.record(Changes(records={now.key: now}))
    return now


async def _as_its_number_says(
    context: RunContext, connection: Connection, record: Record, link_id: str
) -> Record | None:
    """Read the contact by the phone number that links it with its person. Without such a number it stays as it was."""
    others = [other for other in context.records_of(link_id) if other.system != record.system]
    theirs = {phone for other in others for phone in other.phones}
    # A number that only this record shows has joined nobody to it, whoever has that number by now.
    phone = next((phone for phone in record.phones if phone in theirs), None)
    if phone is None:
        return record
    found = await connection.attempt(find(context, connection, phone), f"the contact {phone}")
    if found is None:
        return None
    if not found:
        # A search that finds nobody proves little, but it is reason enough to create nothing.
        who = (record.key, *(other.key for other in others if phone in other.phones))
        tell(context, Ambiguity(tuple(sorted(who)), (phone,), link_id))
    see_who_has(context, connection, phone, found)
    return context.base.records[record.key]
