"""Convert tasks and contacts between HighLevel's form and the canonical one (pure)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from pydantic import ValidationError

from adapters.highlevel.wire import SYSTEM, CreatedTask, WireContact, row_id
from adapters.http.client import excerpt
from adapters.instants import hinted_instant, write_instant
from adapters.text import plain_text
from syncer.contract.unforeseen import not_understood
from syncer.domain.contact_keys import email_key, phone_key
from syncer.domain.fields import TaskField
from syncer.domain.model import Draft, Edit, Kind, Reading, Record, State, Unreadable
from syncer.domain.redact import redact
from syncer.domain.task_ids import split_marker

T = TypeVar("T")


def task_reading(task: CreatedTask, *, kind: Kind, contact: str | None, whole: bool) -> Reading:
    """The canonical form of a task. ``contact`` is used if the task itself does not name its contact."""
    # Whether a text is kept as it was sent, or as HTML, is not documented.
    body, marker = split_marker(None if task.body is None else plain_text(task.body))
    return Reading(
        system=SYSTEM,
        remote_id=task.id,
        # People can move a task to another contact.
        contact=task.contact or contact,
        state=State.DONE if task.completed else State.OPEN,
        kind=kind,
        raw_type="",
        title=task.title,
        body=body,
        marker=marker,
        due=task.due,
        assignee=task.assignee,
        # Guessed from the title, so it can change when somebody changes the title.
        kind_known=False,
        whole=whole,
        created_at=task.added,
        updated_at=task.updated,
    )


def task_body(draft: Draft) -> dict[str, object]:
    """A draft as the body of a create. The marker is the last line of the text.

    ``title``, ``dueDate`` and ``completed`` are required. Unknown fields are rejected, so neither the contact nor an id
    of ours can be sent.
    """
    # A marker that somebody copied with the text would name another task.
    text, _marker = split_marker(draft.body)
    body: dict[str, object] = {
        "title": draft.title,
        "body": f"{text}\n{draft.marker.line}" if text else draft.marker.line,
        "dueDate": write_instant(draft.due),
        "completed": False,
    }
    return body | ({"assignedTo": draft.assignee} if draft.assignee else {})


def task_changes(edit: Edit, before: Reading) -> dict[str, object]:
    """The changed fields as the body of an update. A text keeps its marker, or gets the one of the edit."""
    changes: dict[str, object] = {}
    for field, value in edit.wanted.items():
        if field is TaskField.DUE and isinstance(value, datetime):
            changes["dueDate"] = write_instant(value)
        elif field is TaskField.BODY:
            # The body is replaced as a whole. A copy that lost its marker would look like a new task of somebody's.
            text, _marker = split_marker(str(value or ""))
            marker = before.marker or edit.marker
            changes["body"] = "\n".join(part for part in (text, marker.line if marker else None) if part)
        else:
            changes["title" if field is TaskField.TITLE else "assignedTo"] = value
    return changes


def with_required(changes: Mapping[str, object], before: Reading) -> dict[str, object]:
    """The changes, with the title and the due that were read. Some versions of HighLevel require both."""
    # Without milliseconds of zero, which older clients say were rejected in a due.
    asked = {"title": before.title, "dueDate": write_instant(before.due) if before.due else None}
    return {name: value for name, value in asked.items() if value is not None} | dict(changes)


def contact_record(contact: WireContact, *, region: str) -> Record:
    """The canonical form of a contact, with normalised keys. Invalid keys are left out."""
    emails = [email_key(text) for text in (contact.email, *contact.more_emails)]
    phone = phone_key(contact.phone, region)
    return Record(
        system=SYSTEM,
        remote_id=contact.id,
        name=contact.name,
        phones=(phone,) if phone else (),
        emails=tuple(dict.fromkeys(email for email in emails if email)),
    )


def contact_body(record: Record, *, location_id: str) -> dict[str, object]:
    """A record as the body of a create. One key, e-mail or phone, is enough."""
    fields = {
        "locationId": location_id,
        "name": record.name,
        # The call takes one of each.
        "email": next(iter(record.emails), ""),
        "phone": next(iter(record.phones), ""),
    }
    return {name: value for name, value in fields.items() if value}


def understood(raw: Any, read: Callable[[Any], T | None], contact: str | None = None) -> T | Unreadable | None:
    """The row as read, or what is wrong with it; ``None`` for what is left out."""
    try:
        return read(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the row"
        return unreadable_row(raw, redact(f"{where}: {first['msg']}"), contact)
    except Exception as error:  # noqa: BLE001 - one row that we cannot handle must not cost the others
        return unreadable_row(raw, not_understood(error, f"{SYSTEM}: row {row_id(raw)}"), contact)


def unreadable_row(raw: object, detail: str, contact: str | None) -> Unreadable:
    """A row that could not be understood, with what is wrong. ``contact`` is used if the row does not name one."""
    received = excerpt(json.dumps(raw).encode())
    named = raw.get("contactId") if isinstance(raw, dict) else None
    whose = named if isinstance(named, str) and named else contact
    due = hinted_instant(raw.get("dueDate")) if isinstance(raw, dict) else None
    return Unreadable(SYSTEM, row_id(raw), detail, received, whose, due)
