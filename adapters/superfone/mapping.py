"""Convert tasks and leads between Superfone's form and the canonical one (pure)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Final

from pydantic import JsonValue

from adapters.http.client import excerpt
from adapters.instants import write_instant
from adapters.superfone.types import KINDS, REMINDER, SYSTEM
from adapters.superfone.wire import WireLead, WireTask, row_id
from syncer.domain.contact_keys import email_key, phone_key
from syncer.domain.model import Draft, Kind, Reading, Record, Unreadable
from syncer.domain.task_ids import split_marker

NOTIFY_MARGIN: Final = timedelta(minutes=1)


def create_body(draft: Draft, raw_type: str) -> dict[str, str]:
    """The body of a create.

    Superfone has no title field, so title and text become ``customer_note``. ``notify_at`` must be in the future and
    not after ``due_date``, else it is left out.
    """
    body = {"type": raw_type, "due_date": write_instant(draft.due)}
    # No call returns the note, so a marker would be useless, and people would see it.
    text, _marker = split_marker(draft.body)
    note = "\n".join(part.strip() for part in (draft.title, text) if part and part.strip())
    if note:
        body["customer_note"] = note
    # The margin is for Superfone's clock, which may be ahead of ours.
    if draft.notify_at is not None and draft.now + NOTIFY_MARGIN < draft.notify_at <= draft.due:
        body["notify_at"] = write_instant(draft.notify_at)
    return body


def contact_body(record: Record, phone: str) -> dict[str, object]:
    """The body that creates a lead. Empty names and e-mails are left out."""
    first, _, last = record.name.strip().partition(" ")
    optional = {"first_name": first, "last_name": last.strip(), "email": list(record.emails)}
    return {
        "customer_phone": phone,
        # Without it, Superfone answers that there is no such customer.
        "create_customer_if_customer_phone_not_found": True,
        **{name: value for name, value in optional.items() if value},
    }


def read_task(task: WireTask, lead: str) -> Reading:
    """The canonical form of a task. An unknown type is a to-do, and does not count as a reminder."""
    raw_type = task.type.strip().upper()
    return Reading(
        system=SYSTEM,
        remote_id=task.id,
        # The lead that was asked for: not every answer names it, and `belongs_to` has compared it where one does.
        contact=lead,
        state=task.task_status,
        kind=KINDS.get(raw_type, Kind.TODO),
        raw_type=task.type,
        title=task.title,
        due=task.due_date,
        assignee=task.assignee_user_id,
        notify_at=task.notify_at,
        # Superfone has types that its pages do not list. A create may close such a task, so it counts as in the slot.
        exclusive=raw_type != REMINDER,
        created_at=task.created_at,
        updated_at=task.updated_at,
        created_by=task.created_by,
        updated_by=task.updated_by,
    )


def read_lead(lead: WireLead, region: str) -> Record:
    """The canonical form of a lead: normalised keys, the primary number first."""
    names = " ".join(part for part in (lead.first_name, lead.last_name) if part)
    phones = (phone_key(phone, region) for phone in lead.phones)
    emails = (email_key(email) for email in lead.email)
    return Record(
        system=SYSTEM,
        remote_id=lead.id,
        name=names or lead.business_name or "",
        phones=tuple(dict.fromkeys(phone for phone in phones if phone)),
        emails=tuple(dict.fromkeys(email for email in emails if email)),
    )


def unreadable(row: JsonValue, detail: str, lead: str) -> Unreadable:
    """A row of the lead's list that could not be understood, with its id if that could be read."""
    return Unreadable(SYSTEM, row_id(row), detail, excerpt(json.dumps(row).encode()), lead)
