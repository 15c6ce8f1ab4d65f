"""The adapter for Reply.io v3.

From Reply's documentation: lists contain what the key's user may see, without bodies, in pages whose order is not
documented. There is no change time, no idempotency key and no search by phone. Completing a task sends nothing, and is
the only change of status that the API allows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, tzinfo
from typing import Any, ClassVar, Final, TypeVar
from urllib.parse import quote

from pydantic import TypeAdapter

from adapters.http.answers import ErrorBody
from adapters.http.client import Answer, Http, Transport
from adapters.reply.abilities import capabilities_of
from adapters.reply.checks import run_checks
from adapters.reply.edits import check_fields, replacement, same_in_reply
from adapters.reply.lists import MOST_PAGES, Lists, TooLong
from adapters.reply.mapping import SYSTEM, contact_creation, creation, to_reading, to_record
from adapters.reply.rows import by_contact, listing_of, task_row
from adapters.reply.settings import ReplySettings
from adapters.reply.team import read_team
from adapters.reply.wire import Contact, WhoAmI, WireTask, number, row_id
from adapters.reply.words import CALL_RESOLUTION, STATUS
from syncer.contract.adapter import Adapter, Capabilities, Check, Identity, TeamMember
from syncer.contract.errors import (
    AdapterError,
    Ambiguous,
    BadAnswer,
    InDoubt,
    Missing,
    Moved,
    NoConnection,
    NotSent,
    Refused,
    Unavailable,
)
from syncer.domain.contact_keys import email_key
from syncer.domain.model import Draft, Edit, Listing, Reading, Record, State, TaskRef

_T = TypeVar("_T")

HTTP_UNAUTHORIZED: Final = 401
_OBJECT: Final = TypeAdapter(dict[str, Any])
_SHOWN: Final = 5
MOST_IDS: Final = 50
"""The most contact ids in an error."""
_PROBLEM: Final[Mapping[str, tuple[type, ...]]] = {
    "title": (str,),
    "detail": (str,),
    "message": (str,),
    "code": (str, int),
    "errors": (list, dict),
}


def own_error(status: int, body: ErrorBody) -> bool:
    """Whether this is a documented error: an empty 401, or else a problem object (RFC 7807) with a text or a code."""
    if body is None:
        return status == HTTP_UNAUTHORIZED
    return any(body.get(name) and isinstance(body[name], kind) for name, kind in _PROBLEM.items())


class ReplyAdapter(Adapter):
    """One Reply user's tasks and contacts. ``region`` is the country of phone numbers without a country code."""

    system: ClassVar[str] = SYSTEM
    settings_model: ClassVar[type[ReplySettings]] = ReplySettings

    def __init__(
        self, settings: ReplySettings, *, region: str, zone: tzinfo = UTC, transport: Transport | None = None
    ) -> None:
        del zone  # Not needed: Reply's dues are instants.
        self.expected_identity: str | None = None
        self._settings = settings
        self._capabilities = capabilities_of(settings)
        self._region = region
        self.wire = self._http = Http(
            system=SYSTEM,
            base_url=settings.base_url,
            headers=settings.auth_header,
            secrets=[settings.api_key.get_secret_value()],
            rates=settings.rate,
            own_error=own_error,
            transport=transport,
        )
        self._lists = Lists(self._http)

    def _record(self, row: Any) -> Record:
        return to_record(Contact.model_validate(row), self._region)

    @property
    def capabilities(self) -> Capabilities:
        """What Reply can do with this connection's settings."""
        return self._capabilities

    async def identity(self) -> Identity:
        """The user of the key. Raises `Unauthorized`, `Unavailable`, `BadAnswer`."""
        try:
            user = (await self._http.read("GET", "/whoami")).parse(WhoAmI).user_id
        # No contact or task is asked for: a 404 here is a wrong address.
        except Missing as error:
            raise BadAnswer(error.words, system=SYSTEM, status=error.status) from error
        return Identity(user, f"Reply user {user}")

    async def list_tasks(self) -> Listing[Reading]:
        """All open tasks that the key's user may see, without bodies.

        Raises `Unavailable`, `Unauthorized`, or `BadAnswer` if the list cannot be read to its end.
        """
        status = STATUS.write("New", self._settings.dialect)
        found = listing_of(await self._lists.tasks({"status": status}), task_row)
        # Do not rely on the server's filter: a closed task that is taken for open would be copied.
        return Listing(tuple(row for row in found.rows if row.state is State.OPEN), found.unreadable)

    async def list_contact_tasks(self, contact: str) -> Listing[Reading]:
        """All tasks of one contact, of every status, without bodies, the largest id first.

        A row does not say whether a finished task has failed; only a read of that task does. Raises `Missing` if there
        is no such contact.
        """
        found = listing_of(await self._lists.tasks({"contactId": number(contact)}), task_row)
        theirs = by_contact(found, [contact])[contact]
        # An unknown contact has an empty list too, so make sure that the contact exists.
        if not theirs.rows:
            await self._http.read("GET", _path("contacts", contact))
        return theirs

    async def list_tasks_of(self, contacts: Collection[str]) -> dict[str, Listing[Reading]]:
        """The tasks of these contacts, of every status, from one list of all tasks.

        Empty if that list takes more than half as many requests as there are contacts: then each contact's list is
        cheaper.
        """
        try:
            # Half, because a list of several pages is read at least twice, see `until_still`.
            rows = await self._lists.tasks({}, most=min(len(contacts) // 2, MOST_PAGES))
        except TooLong:
            return {}
        return by_contact(listing_of(rows, task_row), contacts)

    async def get_task(self, ref: TaskRef) -> Reading:
        """One task with its body. Raises `Missing`; Reply also answers so if the user may not see the task."""
        return _whole(await self._http.read("GET", _path("tasks", ref.remote_id)), ref)

    async def create_task(self, draft: Draft) -> Reading:
        """Create a task for the key's user. Raises `NotSent`, `InDoubt`, `Refused`, `Unauthorized`."""
        request = creation(draft, self._settings.dialect)
        try:
            return _whole(await self._http.write("POST", "/tasks", json=request))
        except Missing as error:
            # The contact is missing: the task does not exist yet.
            raise Refused(error.words, system=SYSTEM, status=error.status) from error

    async def complete_task(self, ref: TaskRef) -> Reading:
        """Record a task as done. Nothing is sent, and the contact stays in its sequence.

        If the task is closed already, it is returned as it is. A recurring task that has moved to its next date is
        returned as open. Raises `NotSent`, `InDoubt`, `Refused`, `Missing`, `Unauthorized`, and `Unavailable` if the
        task had to be read first and could not be.
        """
        # ``finishProspectInSequence`` is never sent: it would take the person out of the sequence.
        request: dict[str, Any] = {}
        if self._settings.call_resolution is not None:
            # Reply takes a resolution for calls only, so the type must be known. Without the setting no read is needed.
            before = await self._before_completing(ref)
            if before.state is not State.OPEN:
                return before
            if before.raw_type == "Call":
                resolution = CALL_RESOLUTION.write(self._settings.call_resolution, self._settings.dialect)
                request["callResolution"] = resolution
        try:
            answer = await self._http.write("POST", _path("tasks", ref.remote_id, "complete"), json=request)
        except Refused as refusal:
            # Reply refuses to complete what is closed. Somebody may have been faster, and then all is well.
            return await self._closed_anyway(ref, refusal)
        after = _whole(answer, ref)
        return after if after.state is not State.OPEN else await self._after_completing(ref)

    async def edit_task(self, ref: TaskRef, edit: Edit) -> Reading:
        """Read the task, and replace it with these fields changed. Raises `Moved` if it has changed."""
        # Reply has no version of a task: what is typed between this read and the replacement is lost. So nothing else
        # may happen in between.
        answer = await self._http.read("GET", _path("tasks", ref.remote_id))
        before, whole = _whole(answer, ref), answer.parse(WireTask)
        check_fields(edit, before)
        moved = any(not same_in_reply(name, value, before.shown(name)) for name, value in edit.expected.items())
        # Reply carries out a scheduled task by itself at its start, which a new due may move.
        if moved or before.state is not State.OPEN or not before.mirrored:
            raise Moved(before)
        # From the raw answer, because the replacement must send back fields that our model does not have.
        request = replacement(answer.parse_as(_OBJECT), whole, edit, self._settings.dialect)
        return _whole(await self._http.write("PUT", _path("tasks", ref.remote_id), json=request), ref)

    async def _after_completing(self, ref: TaskRef) -> Reading:
        """Read the task again after a completion whose answer shows it open: that answer may be out of date."""
        try:
            return await self.get_task(ref)
        except AdapterError as error:
            msg = f"the answer to the completion says that the task is open; reading it again failed: {error.words}"
            raise InDoubt(msg, system=SYSTEM, status=error.status) from error

    async def _before_completing(self, ref: TaskRef) -> Reading:
        """Read the task, to know its type. If that fails, the completion is not sent."""
        try:
            return await self.get_task(ref)
        except NoConnection as error:
            raise NotSent(error.words, system=SYSTEM, status=error.status) from error
        except BadAnswer as error:
            raise Unavailable(error.words, system=SYSTEM, status=error.status) from error

    async def _closed_anyway(self, ref: TaskRef, refusal: Refused) -> Reading:
        """The task after a rejected completion, if it is closed. Else raises the rejection."""
        try:
            now = await self.get_task(ref)
        except (Unavailable, BadAnswer, Refused) as error:
            msg = f"{refusal.words}; reading the task again failed: {error.words}"
            raise InDoubt(msg, system=SYSTEM, status=refusal.status) from error
        if now.state is State.OPEN:
            raise refusal
        return now

    async def list_contacts(self) -> Listing[Record]:
        """All contacts that the key's user may see, even if the list changes while it is read."""
        return listing_of(await self._lists.contacts(), self._record)

    async def get_contact(self, remote_id: str) -> Record:
        """One contact. Raises `Missing`."""
        answer = await self._http.read("GET", _path("contacts", remote_id))
        found = to_record(answer.parse(Contact), self._region)
        # Under the requested id it would give one person's tasks to another.
        if found.remote_id != remote_id:
            msg = f"the answer has contact {found.remote_id} instead of contact {remote_id}"
            raise BadAnswer(msg, system=SYSTEM, status=answer.status)
        return found

    async def find_contacts(self, key: str) -> tuple[Record, ...]:
        """The contacts with this e-mail, which is in lower case.

        Raises `BadAnswer` if one of them cannot be read, `Ambiguous` if all that are found have another e-mail.
        """
        if "@" not in key:
            msg = "Reply has no search by phone"
            raise NotImplementedError(msg)
        rows = await self._lists.contacts(email=key)
        found = listing_of((row for row in rows if _may_have_email(row, key)), self._record)
        # What cannot be read may be the contact: to answer "none" would let it be made again.
        for row in found.unreadable:
            msg = f"{row.detail}; received: {row.received}"
            raise BadAnswer(msg, system=SYSTEM)
        theirs = tuple(row for row in found.rows if key in row.emails)
        if rows and not theirs:
            others = tuple(filter(None, map(row_id, rows)))
            msg = f"Reply finds {_some(others)} by {key}, but they have another e-mail"
            raise Ambiguous(msg, contacts=others[:MOST_IDS], system=SYSTEM)
        return theirs

    async def create_contact(self, record: Record) -> Record:
        """Find the contact with this e-mail, or create it. Raises `Ambiguous` if there are several."""
        # The first e-mail only: a contact in Reply has one, and this is the one that would be sent.
        found = [row for email in record.emails[:1] for row in await self.find_contacts(email)]
        if len(found) > 1:
            several = tuple(row.remote_id for row in found)
            msg = f"{len(found)} contacts have the e-mail of the one to be created: {_some(several)}"
            raise Ambiguous(msg, contacts=several, system=SYSTEM)
        return found[0] if found else await self._create_contact(record)

    async def _create_contact(self, wanted: Record) -> Record:
        try:
            answer = await self._http.write("POST", "/contacts", json=contact_creation(wanted))
        except Missing as error:
            raise Refused(error.words, system=SYSTEM, status=error.status) from error
        made = to_record(answer.parse(Contact), self._region)
        shown = {*made.emails, *made.phones}
        # Who gets another person's contact would get that person's tasks.
        if shown and shown.isdisjoint((*wanted.emails, *wanted.phones)):
            msg = f"it answered with contact {made.remote_id}, which has none of the keys that were sent"
            raise answer.unreadable(msg, system=SYSTEM, status=answer.status)
        # It is not documented which fields the answer repeats. Missing ones are as they were sent.
        return replace(
            made,
            name=made.name or wanted.name,
            phones=made.phones or wanted.phones[:1],
            emails=made.emails or wanted.emails[:1],
        )

    async def check(self) -> list[Check]:
        """Test the key, the tasks, the contacts and the team by harmless reads."""
        return await run_checks(self._http, self._settings.dialect)

    async def list_team(self) -> tuple[TeamMember, ...]:
        return await read_team(self._http)

    async def aclose(self) -> None:
        """Close the connection pool."""
        await self._http.aclose()


def _some(contacts: tuple[str, ...]) -> str:
    """The first of these contacts, as text for users."""
    more = f" and {len(contacts) - _SHOWN} more" if len(contacts) > _SHOWN else ""
    return f"contact {', '.join(contacts[:_SHOWN])}{more}"


def _path(*parts: str) -> str:
    return "/" + "/".join(quote(part, safe="") for part in parts)


def _whole(answer: Answer, ref: TaskRef | None = None) -> Reading:
    """The task in an answer. Raises if it is another task than the requested one."""
    found = to_reading(answer.parse(WireTask), whole=True)
    if ref is not None and found.remote_id != ref.remote_id:
        msg = f"the answer has task {found.remote_id} instead of task {ref.remote_id}"
        raise answer.unreadable(msg, system=SYSTEM, status=answer.status)
    return found


def _may_have_email(row: Any, key: str) -> bool:
    """Whether a row, readable or not, may be a contact with this e-mail. The server's filter may be wrong."""
    email = row.get("email") if isinstance(row, dict) else None
    return not isinstance(email, str) or email_key(email) == key
