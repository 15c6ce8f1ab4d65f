"""Convert tasks and contacts between Reply's form and the canonical one (pure).

Reply has no title. We write the title, the body and the marker as plain text, each beginning on a new line. It is not
documented whether Reply stores plain text or HTML, so both are read.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from adapters.reply.wire import Contact, WireTask, instant, number
from adapters.reply.words import LINKEDIN_TYPE, TASK_TYPE, Dialect
from adapters.text import body_text, plain_text, title_text
from syncer.contract.errors import Refused
from syncer.domain.contact_keys import email_key, phone_key
from syncer.domain.fields import words_of
from syncer.domain.model import Draft, Kind, Reading, Record, State
from syncer.domain.task_ids import MARKER_PREFIX, MARKER_TOKEN, Marker, split_marker

SYSTEM: Final = "reply"

KINDS: Final = {
    "ToDo": Kind.TODO,
    "Call": Kind.FOLLOW_UP_CALL,
    "Meeting": Kind.SITE_VISIT,
    "LinkedIn": Kind.LINKEDIN,
    "ManualEmail": Kind.EMAIL,
    "Sms": Kind.SMS,
    "WhatsApp": Kind.WHATSAPP,
}
TYPES: Final = {
    Kind.FOLLOW_UP_CALL: "Call",
    Kind.FIRST_CALL: "Call",
    Kind.CALLBACK: "Call",
    Kind.SITE_VISIT: "Meeting",
    Kind.BOOKING: "Meeting",
    Kind.REMINDER: "ToDo",
    Kind.TODO: "ToDo",
    Kind.EMAIL: "ManualEmail",
    Kind.SMS: "Sms",
    Kind.WHATSAPP: "WhatsApp",
    Kind.LINKEDIN: "LinkedIn",
}
EARLIEST_START: Final = datetime(2015, 1, 1, tzinfo=UTC)
"""Reply takes no earlier ``startAt``."""
# Reply refuses a due that is not after the start.
_START_BEFORE_DUE: Final = timedelta(minutes=1)

_WORD_JOINER: Final = "\u2060"
NO_TITLE: Final = _WORD_JOINER
"""The first line of a text without a title. It is invisible; without it the first line of the body would be the title,
and Reply takes no empty text."""
# Reply fills in what stands in double braces. Text from another CRM may have such braces by chance.
_BRACES: Final = re.compile(r"(?<=\{)(?=[{%#])|(?<=[}%#])(?=\})")
_APART: Final = re.compile(rf"(?<=\{{){_WORD_JOINER}(?=[{{%#])|(?<=[}}%#]){_WORD_JOINER}(?=\}})")
_OUR_LAST_LINE: Final = re.compile(rf"\n{MARKER_PREFIX}({MARKER_TOKEN})\s*+\Z")


def neutral(text: str) -> str:
    """The text without templates: an invisible word joiner is put into ``{{``, ``{%``, ``{#`` and their ends."""
    return _BRACES.sub(_WORD_JOINER, text)


def _as_typed(text: str) -> str:
    """The text before `neutral`. Other CRMs, and the one it came from, have no use for the word joiners."""
    return _APART.sub("", text)


def write_text(title: str, body: str | None, marker: str, *, label: str) -> str:
    """A task's ``template.body``: a line with the title (or the label), the body if there is one, the marker line."""
    head = cleaned(title).replace("\n", " ") or label
    tail = cleaned(body or "")
    return "\n".join(part for part in (neutral(head), neutral(tail), marker) if part)


def is_as_written(text: str) -> bool:
    """Whether a text ends as we write it. Then no editor has converted it to HTML, and it is read literally."""
    return _OUR_LAST_LINE.search(text) is not None


def read_text(text: str | None) -> tuple[str | None, str | None, Marker | None]:
    """Split a ``template.body`` into ``(title, body, marker)``, each ``None`` if there is none.

    A text that ends as we write it is read literally. HTML of an editor is converted to lines first.
    """
    if text is None:
        return None, None, None
    plain = body_text(text)
    ours = _OUR_LAST_LINE.search(plain)
    rest, marker = split_marker(plain[: ours.start()] if ours else plain_text(text, unescape=True))
    # The marker as it stands there. Converting the rest could change it.
    if ours:
        marker = Marker.read(ours[1])
    title, _, body = _as_typed(rest or "").partition("\n")
    return title_text(title) if words_of(title) else None, body.strip() or None, marker


def cleaned(text: str) -> str:
    """The text without any marker, so that the copy is not taken for the task that the text was copied from."""
    rest, marker = split_marker(body_text(text))
    if marker is None or split_marker(rest)[1] is None:
        return rest or ""
    # The text around a removed marker may form another marker. Break the prefix instead of removing them one by one.
    return (rest or "").replace(MARKER_PREFIX, f"{MARKER_PREFIX}{_WORD_JOINER}")


def to_reading(task: WireTask, *, whole: bool) -> Reading:
    """The canonical form of a task. ``whole`` is false for a list row, which has no body."""
    title, body, marker = read_text(task.template.body if task.template else None)
    return Reading(
        system=SYSTEM,
        remote_id=task.id,
        contact=task.contact.id if task.contact else task.contact_id,
        state=state(task),
        kind=KINDS.get(task.task_type, Kind.TODO),
        raw_type=task.task_type,
        title=title,
        body=body,
        marker=marker,
        due=task.due_to,
        assignee=task.assigned_user_id,
        sequence=is_of_sequence(task),
        # Reply carries out a scheduled task by itself, at its start: nobody has to do it elsewhere.
        mirrored=not task.is_scheduled,
        whole=whole,
        created_at=task.created_at,
    )


def is_of_sequence(task: WireTask) -> bool:
    """Whether the task belongs to a sequence of messages."""
    # A row of a list has the id alone. The source is only in a task that was read by itself.
    return task.sequence_id is not None or task.creation_source == "Sequence"


def state(task: WireTask) -> State:
    """New is open. Finished is done, unless the execution failed. Every other status is cancelled."""
    if task.status == "New":
        return State.OPEN
    # As done, a message that failed or a step that the sequence dropped would close work that nobody did (L3).
    return State.DONE if task.status == "Finished" and not task.is_failed else State.CANCELLED


def creation(draft: Draft, dialect: Dialect) -> dict[str, Any]:
    """The request that creates a task. Raises `Refused` for a due that Reply does not take."""
    task_type = TYPES[draft.kind]
    request: dict[str, Any] = {
        "taskType": TASK_TYPE.write(task_type, dialect),
        "startAt": instant(start(draft.due, draft.now)),
        "dueTo": instant(draft.due),
        "template": {"body": write_text(draft.title, draft.body, draft.marker.line, label=draft.kind.label)},
        "contactId": number(draft.contact),
    }
    if task_type == "LinkedIn":
        # Only LinkedIn tasks have it. Our model does not know which of the four is meant.
        request["linkedInTaskType"] = LINKEDIN_TYPE.write("Message", dialect)
    return request


def start(due: datetime, now: datetime) -> datetime:
    """The start of a task, which Reply requires: now, or a minute before the due if the due has passed.

    A start of now shows the task at once, as the other CRMs do. Raises `Refused` if the due is not after
    `EARLIEST_START`.
    """
    if due <= EARLIEST_START:
        msg = f"Reply takes no task that is due before {EARLIEST_START:%Y-%m-%d}"
        raise Refused(msg, system=SYSTEM)
    return max(min(now, due - _START_BEFORE_DUE), EARLIEST_START)


def to_record(contact: Contact, region: str) -> Record:
    """The canonical form of a contact, with normalised keys. Reply has one e-mail and one phone number."""
    phone = phone_key(contact.phone, region)
    email = email_key(contact.email)
    return Record(
        system=SYSTEM,
        remote_id=contact.id,
        name=" ".join(filter(None, map(title_text, (contact.first_name, contact.last_name)))),
        phones=(phone,) if phone else (),
        emails=(email,) if email else (),
    )


def contact_creation(wanted: Record) -> dict[str, str]:
    """The request that creates a contact. ``firstName`` is required; without a name it is taken from a key."""
    email = wanted.emails[0] if wanted.emails else ""
    phone = wanted.phones[0] if wanted.phones else ""
    first, _, last = wanted.name.strip().partition(" ")
    fields = {
        # Reply's own integration insists on a first name.
        "firstName": first or email.partition("@")[0] or phone,
        "lastName": last.strip(),
        "email": email,
        "phone": phone,
    }
    return {name: value for name, value in fields.items() if value}
