"""The contacts of a simulated HighLevel location: the actions of people, and the calls of the API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from adapters.highlevel.sandbox_store import (
    ContactSearchBody,
    CreateContactBody,
    Refusal,
    SandboxContact,
    SearchHistory,
    is_after,
    make_id,
    same_phone,
)
from adapters.sandbox import Call, Reply, json_reply

PAGE_REACH: Final = 10_000


class Contacts:
    """Contacts and their calls.

    ``contact_lag`` is how far the search lags, ``contact_page_clamp`` the largest page, whatever is requested.
    ``contact_cursors`` adds ``searchAfter`` to rows. With ``cursors_tie`` it has the time only, so that a page that
    ends among several rows of the same time hides the others. ``duplicates_refused`` is a setting of the location:
    creating a contact with an e-mail or number that exists is a 400 that names the existing contact.
    ``missing_status`` is the status for unknown ids (really 400).
    """

    def __init__(self, clock: Callable[[], datetime], location_id: str) -> None:
        self.clock = clock
        self.location_id = location_id
        self.contact_lag = timedelta(0)
        self.contact_page_clamp = 500
        self.contact_cursors = True
        self.cursors_tie = False
        self.missing_status = 400
        self.duplicates_refused = True
        self._contacts: dict[str, SearchHistory[SandboxContact]] = {}

    def add_contact(
        self, first: str = "", last: str = "", email: str = "", phone: str = "", *, also: tuple[str, ...] = ()
    ) -> str:
        """Somebody adds a contact; returns its id. ``also`` are further numbers, which no call returns."""
        now = self.clock()
        contact = SandboxContact(
            make_id(f"{self.location_id}:contact", len(self._contacts)), now, now, first, last, email, phone, also
        )
        self._contacts[contact.id] = SearchHistory(now, contact)
        return contact.id

    def person_edits_contact(self, contact: str, **fields: str) -> None:
        """Somebody changes ``first``, ``last``, ``email`` or ``phone``."""
        self._put_contact(self._contacts[contact].now, **fields)

    def contacts(self) -> list[SandboxContact]:
        """All contacts as they are now, deleted ones included, oldest first."""
        return [history.now for history in self._contacts.values()]

    def _search_contacts(self, body: ContactSearchBody) -> Reply:
        self._own_location(body.location_id)
        if body.page is not None and body.search_after is not None:
            # Documented.
            raise Refusal(422, ["page and searchAfter must not be used together"])
        page = body.page or 1
        # What lies beyond can be read with `searchAfter` only.
        if page * body.page_limit > PAGE_REACH:
            raise Refusal(422, [f"page reaches the first {PAGE_REACH} records only"])
        moment = self.clock() - self.contact_lag
        seen = [contact for history in self._contacts.values() if (contact := history.as_of(moment)) is not None]
        found = [one for one in seen if not one.deleted and _matches(one, body.query)]
        found.sort(key=lambda contact: contact.cursor, reverse=True)
        after = body.search_after
        rest = found if after is None else [one for one in found if is_after(one.cursor[: len(after)], after)]
        size = min(body.page_limit, self.contact_page_clamp)
        page_rows = rest[(page - 1) * size :][:size]
        rows = [
            one.row(self.location_id, self._mark(one.cursor) if self.contact_cursors else None) for one in page_rows
        ]
        return json_reply(200, {"contacts": rows, "total": len(found)})

    def _find_duplicate(self, call: Call) -> Reply:
        if "locationId" not in call.query:
            raise Refusal(422, ["locationId should not be empty"])
        self._own_location(call.query["locationId"])
        found = self._lookup(call.query.get("email", ""), call.query.get("number", ""))
        return json_reply(200, {"contact": found.api(self.location_id) if found else None})

    def _create_contact(self, body: CreateContactBody) -> Reply:
        """Create a contact. If duplicates are not allowed, an existing contact is named and not changed."""
        self._own_location(body.location_id)
        if not body.email and not body.phone:
            # The published document requires only the location. In practice an upsert without both is refused.
            raise Refusal(400, "email or phone is required")
        # A setting of the location. Where duplicates are allowed, this is the documented order.
        found = self._lookup(body.email or "", body.phone or "")
        if found and self.duplicates_refused:
            raise _clash(found, "email" if found.email.lower() == (body.email or "").lower() else "phone")
        names = body.names()
        made = self.add_contact(names.get("first", ""), names.get("last", ""), body.email or "", body.phone or "")
        return json_reply(201, {"contact": self._contacts[made].now.api(self.location_id)})

    def _lookup(self, email: str, phone: str) -> SandboxContact | None:
        """The existing contact: searched by e-mail first, then by phone."""
        known = [contact for contact in self.contacts() if not contact.deleted]
        by_email = [one for one in known if email and one.email.lower() == email.lower()]
        by_phone = [one for one in known if any(same_phone(number, phone) for number in (one.phone, *one.also))]
        return next(iter(by_email + by_phone), None)

    def _contact(self, contact: str) -> SandboxContact:
        history = self._contacts.get(contact)
        if history is None or history.now.deleted:
            raise Refusal(self.missing_status, f"Contact with id {contact} not found")
        return history.now

    def _put_contact(self, contact: SandboxContact, **changes: Any) -> SandboxContact:
        now = self.clock()
        return self._contacts[contact.id].put(now, replace(contact, updated=now, **changes))

    def _mark(self, cursor: list[object]) -> list[object]:
        """A row's ``searchAfter``."""
        return cursor[:1] if self.cursors_tie else cursor

    def _own_location(self, location: str) -> None:
        if location != self.location_id:
            raise Refusal(403, "The token does not have access to this location.")


def _clash(contact: SandboxContact, field: str) -> Refusal:
    meta = {"contactId": contact.id, "matchingField": field, "contactName": contact.name}
    return Refusal(400, "This location does not allow duplicated contacts.", meta=meta)


def _matches(contact: SandboxContact, query: str) -> bool:
    return query.lower() in f"{contact.name} {contact.email} {contact.phone}".lower()
