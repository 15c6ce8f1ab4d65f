"""Create missing contacts, if the account asks for it. Each is searched for by its keys first."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from syncer.contract.errors import (
    Ambiguous,
    BadAnswer,
    BudgetSpent,
    Forbidden,
    Full,
    InDoubt,
    Missing,
    NoConnection,
    NotSent,
    Refused,
    Unauthorized,
    Unavailable,
)
from syncer.domain.base import Changes
from syncer.domain.cursors import NEWCOMER
from syncer.domain.model import Record
from syncer.domain.operations import OpState
from syncer.domain.reasons import Item, Reason
from syncer.engine.connection import Connection
from syncer.engine.context import Locks, RunContext, to_the_end
from syncer.engine.linking import link
from syncer.engine.observe_contacts import find, tell
from syncer.engine.same_person import contradicted
from syncer.engine.writes import Requests
from syncer.reconcile.contact_linking import Ambiguity
from syncer.reconcile.planned import Planned


class NewContacts:
    """The contacts that one run creates."""

    def __init__(self, context: RunContext, requests: Requests, contact_lock: Locks) -> None:
        self._context = context
        self._requests = requests
        self._errors = requests.errors
        self._contact_lock = contact_lock
        self._refused: dict[tuple[str, tuple[str, ...]], Refused] = {}
        self._forbidden: dict[str, Forbidden] = {}

    async def with_contact(self, planned: Planned) -> Planned | tuple[str, str]:
        """Return the operation with its contact, or unchanged if there is none yet.

        In a CRM with lanes the result is the lane, ``(system, contact)``.
        """
        connection = self._context.connections[planned.system]
        # Several tasks of one person are applied at once. The second of them must find the contact that the first one
        # creates.
        async with self._contact_lock((planned.system, self._context.base.tasks[planned.task].contact)):
            if not self._requests.may_create(planned.system):
                return planned
            contact = await to_the_end(self._contact_of(connection, planned))
        if contact is not None and connection.adapter.capabilities.lane is not None:
            return (planned.system, contact)
        return replace(planned, contact=contact)

    async def _contact_of(self, connection: Connection, planned: Planned) -> str | None:
        """Find or create the contact, link it to the task's person, and return its id."""
        if (known := self._linked_contact(connection, planned)) is not None:
            return known
        try:
            return await self._find_or_create(connection, planned)
        except (BudgetSpent, NoConnection, NotSent) as error:
            self._errors.stop_for(connection, error)
        except Ambiguous as error:
            self._cannot_tell(planned, error)
        except Full as error:
            self._errors.hold(self._requests.operation(planned, ""), error)
        except (Refused, Missing) as error:
            self._errors.park(self._requests.operation(planned, ""), error)
        except (InDoubt, BadAnswer, Unavailable, Forbidden) as error:
            # The next attempt searches first, when this request can no longer arrive late.
            self._errors.settle_as(self._requests.operation(planned, ""), OpState.FAILED, error, count=True)
            self._context.failed.append(Item(planned.task, planned.system, Reason.RETRY_LATER, error.words))
        except Unauthorized as error:
            self._errors.stop_for(connection, error)
        return None

    def _linked_contact(self, connection: Connection, planned: Planned) -> str | None:
        """Return the contact that is linked to the task's person there now."""
        known = self._context.records_of(self._context.base.tasks[planned.task].contact)
        return next((record.remote_id for record in known if record.system == connection.system), None)

    def _cannot_tell(self, planned: Planned, error: Ambiguous) -> None:
        """Park an ambiguous contact. It is tried again when the task or the contact changes, or after an hour."""
        operation = replace(self._requests.operation(planned, ""), reason=Reason.AMBIGUOUS_CONTACT.value)
        self._errors.settle_as(operation, OpState.PARKED, error, count=False)

    async def _find_or_create(self, connection: Connection, planned: Planned) -> str | None:
        """Find or create the contact. Returns ``None`` if it is ambiguous, or if an earlier request may still arrive.

        So no contact is created twice.
        """
        context, system = self._context, connection.system
        link_id = context.base.tasks[planned.task].contact
        known = context.records_of(link_id)
        phones = tuple(dict.fromkeys(phone for record in known for phone in record.phones))
        emails = tuple(dict.fromkeys(email for record in known for email in record.emails))
        by = connection.adapter.capabilities.contact_keys
        keys = (*(emails if "email" in by else ()), *(phones if "phone" in by else ()))
        there = await self._find(connection, keys)
        if there is None or there:
            return self._join(connection, planned, there or ())
        name = next((record.name for record in known if record.name), "")
        made = await self._create(connection, Record(system, "", name, phones, emails))
        if made is None:
            return None
        # The CRM gave us a contact that is known and belongs to another person.
        if context.base.links.get(made.key, link_id) != link_id:
            return self._join(connection, planned, (made,))
        context.record(Changes(records={made.key: made}, links={made.key: link_id}))
        context.confirmed.add(made.key)
        return made.remote_id

    async def _create(self, connection: Connection, record: Record) -> Record | None:
        context, system, keys = self._context, connection.system, (*record.phones, *record.emails)
        if (refused := self._refused.get((system, keys))) is not None:
            # The person has several tasks. It would be refused again, or made twice if it was made all the same.
            raise refused
        if system in self._forbidden:
            # The key may make no contacts: one request in each run finds out when it may.
            raise self._forbidden[system]
        now, grace = context.clock(), context.policy.doubt_grace
        if context.base.may_arrive(system, keys, now, grace):
            return None
        names = [f"{NEWCOMER}{system}:{key}" for key in keys]
        # Stored before the request: if the process dies without the answer, no run creates a second contact while this
        # one may still appear.
        context.record(Changes(cursors=dict.fromkeys(names, now.isoformat())))
        try:
            return await connection.adapter.create_contact(record)
        except (Refused, Forbidden) as error:
            if isinstance(error, Forbidden):
                self._forbidden[system] = error
            else:
                self._refused[system, keys] = error
            # The CRM has answered, so nothing can arrive later.
            context.record(Changes(cursors=dict.fromkeys(names, (now - grace).isoformat())))
            raise

    async def _find(self, connection: Connection, keys: Iterable[str]) -> tuple[Record, ...] | None:
        """Return the contacts with these keys, or ``None`` if the CRM cannot tell. One clear key is enough."""
        there: dict[str, Record] = {}
        for key in keys:
            found = await find(self._context, connection, key)
            if found is None:
                return None
            there |= {record.remote_id: record for record in found}
            if len(found) == 1:
                break
        return tuple(there.values())

    def _join(self, connection: Connection, planned: Planned, found: Collection[Record]) -> str | None:
        """Link the contacts that were found by the usual rules. Ambiguous ones are reported."""
        context = self._context
        if found:
            context.record(Changes(records={record.key: record for record in found}))
            link(context)
        contact = self._linked_contact(connection, planned)
        link_id = context.base.tasks[planned.task].contact
        told = {record for doubt in context.ambiguities for record in doubt.records}
        # The key is somebody else's, perhaps only since the contacts were read. Without this, the task would wait and
        # nobody would know why.
        if found and contact is None and told.isdisjoint(record.key for record in found):
            mine = context.records_of(link_id)
            keys = {key for record in mine for key in (*record.phones, *record.emails)}
            shared = sorted(keys.intersection(key for record in found for key in (*record.phones, *record.emails)))
            tell(context, Ambiguity(tuple(sorted(record.key for record in (*mine, *found))), tuple(shared)))
        return None if contradicted(context, link_id) else contact
