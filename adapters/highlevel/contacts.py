"""The calls about one contact: read it, find it by a key, create it. The list of contacts is read by the adapter."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError

from adapters.highlevel.mapping import contact_body, contact_record
from adapters.highlevel.paths import path_of
from adapters.highlevel.wire import SYSTEM, ContactAnswer, DuplicateRefusal, MaybeContactAnswer
from adapters.http.client import Http
from syncer.contract.errors import AdapterError, Ambiguous, BadAnswer, InDoubt, Missing, Refused
from syncer.domain.model import Record


class ContactCalls:
    """The contacts of one location. ``region`` is the country of phone numbers without a country code."""

    def __init__(self, http: Http, location: str, region: str) -> None:
        self._http = http
        self._location = location
        self._region = region

    async def get(self, remote_id: str) -> Record:
        """One contact. Raises `Missing` if it is deleted or unknown."""
        answer = await self._http.read("GET", path_of(remote_id))
        contact = answer.parse(ContactAnswer).contact
        # How a contact that was merged into another one is answered is not documented.
        if contact.id != remote_id:
            msg = f"asked for contact {remote_id}, the answer has contact {contact.id}"
            raise BadAnswer(msg, system=SYSTEM, status=answer.status)
        if contact.deleted:
            msg = f"contact {remote_id} is deleted"
            raise Missing(msg, system=SYSTEM, status=answer.status)
        return contact_record(contact, region=self._region)

    async def find(self, key: str) -> tuple[Record, ...]:
        """The contact that HighLevel finds by this key; at most one.

        HighLevel also finds a contact by its further numbers, but returns only the first one. So `Ambiguous` is raised
        if the contact does not show the key.
        """
        name = "number" if key.startswith("+") else "email"
        params = {"locationId": self._location, name: key}
        try:
            answer = await self._http.read("GET", "/contacts/search/duplicate", params=params)
        except Missing:
            return ()
        contact = answer.parse(MaybeContactAnswer).contact
        if contact is None or contact.deleted:
            return ()
        return (_shows(contact_record(contact, region=self._region), (key,), key),)

    async def create(self, record: Record) -> Record:
        """Create the contact. If HighLevel rejects that and the contact is there all the same, return it unchanged.

        *upsert* is not used, because it overwrites the name and the keys of an existing contact. Raises `Refused` for a
        record without keys, `Ambiguous` if the existing contact shows none of the keys, and `InDoubt` if the answer is
        about another contact.
        """
        body = contact_body(record, location_id=self._location)
        sent = [str(key) for key in (body.get("email"), body.get("phone")) if key]
        if not sent:
            msg = "HighLevel needs an e-mail or a phone number to create a contact"
            raise Refused(msg, system=SYSTEM)
        try:
            answer = await self._http.write("POST", "/contacts/", json=body)
        # By `RULES` a 400 that says "not found" is `Missing`, though none was asked for here.
        except (Missing, Refused) as error:
            return await self._adopt(error, record, sent)
        made = contact_record(answer.parse(ContactAnswer).contact, region=self._region)
        if set(sent).isdisjoint((*made.emails, *made.phones)):
            msg = f"HighLevel answered with contact {made.remote_id}, which has none of the keys that were sent"
            raise InDoubt(msg, system=SYSTEM, status=answer.status)
        return made

    async def _adopt(self, error: AdapterError, record: Record, sent: Iterable[str]) -> Record:
        """The contact that a rejection names, or that has a key that was ``sent``. Else raises the rejection."""
        refusal = Refused(error.words, system=SYSTEM, status=error.status)
        try:
            twin = DuplicateRefusal.model_validate_json(error.content).meta.contact
        except ValidationError:
            # According to a public issue, a contact may have been created although the answer is a 422.
            for key in sent:
                for found in await self.find(key):
                    return found
            raise refusal from error
        try:
            found = await self.get(twin)
        except Missing:
            raise refusal from error
        return _shows(found, (*record.emails, *record.phones), "one of these keys")


def _shows(record: Record, keys: tuple[str, ...], what: str) -> Record:
    """The record, if it has one of the keys. Else raises `Ambiguous`."""
    if not set(keys).isdisjoint((*record.emails, *record.phones)):
        return record
    msg = f"HighLevel finds contact {record.remote_id} by {what}, but does not show it there; is it a further number?"
    raise Ambiguous(msg, contacts=(record.remote_id,), system=SYSTEM)
