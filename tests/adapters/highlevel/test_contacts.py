"""HighLevel's contacts: listed, read, found by a key, created."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from adapters.highlevel.adapter import HighLevelAdapter
from adapters.highlevel.sandbox import HighLevelSandbox
from adapters.sandbox import Call, Reply
from syncer.contract.adapter import Listed
from syncer.contract.errors import Ambiguous, BadAnswer, InDoubt, Missing, Refused, Unavailable
from syncer.domain.model import Record
from tests.support.highlevel_kit import (  # noqa: F401 - fixtures
    HighLevelClock,
    a_clock,
    a_contact,
    a_sandbox,
    answers,
    asking,
    bodies,
    ids,
    using,
)


class TestContacts:
    @pytest.mark.parametrize("cursors", [True, False])
    @pytest.mark.parametrize("clamp", [500, 100])
    @pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1203])
    def test_every_page_is_read(self, sandbox: HighLevelSandbox, cursors: bool, clamp: int, count: int) -> None:
        sandbox.contact_cursors, sandbox.contact_page_clamp = cursors, clamp
        made = [sandbox.add_contact(f"A{number}", email=f"a{number}@example.com") for number in range(count)]
        assert ids(asking(sandbox, lambda adapter: adapter.list_contacts())) == sorted(made)
        assert all(("page" in body) != ("searchAfter" in body) for body in bodies(sandbox))
        once = -(-count // clamp) + 1
        assert len(sandbox.calls) == (once if cursors or not count else 2 * once)

    @pytest.mark.parametrize("clamp", [500, 100])
    def test_a_cursor_of_a_time_alone_hides_nobody(self, sandbox: HighLevelSandbox, clamp: int) -> None:
        sandbox.cursors_tie, sandbox.contact_page_clamp = True, clamp
        made = [sandbox.add_contact(f"A{number}") for number in range(730)]
        assert ids(asking(sandbox, lambda adapter: adapter.list_contacts())) == sorted(made)

    def test_how_far_the_list_is_read_can_be_shown(self, sandbox: HighLevelSandbox) -> None:
        for number in range(5):
            sandbox.add_contact(f"Asha{number}", "Rao", f"a{number}@example.com", f"+91987654321{number}")
        sandbox.contact_page_clamp = 2
        told: list[Listed | None] = []

        async def listing(adapter: HighLevelAdapter) -> Listed | None:
            sandbox.before = lambda _call: told.append(adapter.listed)
            await adapter.list_contacts()
            return adapter.listed

        assert asking(sandbox, listing) is None
        assert [found if found is None else (found.rows, found.total) for found in told[:3]] == [None, (2, 5), (4, 5)]

    @pytest.mark.parametrize("total", [3, 99])
    def test_fewer_contacts_than_are_counted_are_no_list(self, total: int) -> None:
        pages = [{"contacts": [{"id": "C1"}, {"id": "C2"}], "total": total}, {"contacts": [], "total": total}] * 9
        with pytest.raises(BadAnswer, match=f"counts {total} contacts, but its list has only 2"):
            using(answers(*pages), lambda adapter: adapter.list_contacts())

    @pytest.mark.parametrize("total", [0, 1, 2, None, -1, "many", True])
    def test_a_count_that_says_nothing_else(self, total: object) -> None:
        pages = [{"contacts": [{"id": "C1"}, {"id": "C2"}], "total": total}, {"contacts": [], "total": total}] * 9
        assert ids(using(answers(*pages), lambda adapter: adapter.list_contacts())) == ["C1", "C2"]

    def test_a_contact_that_is_added_meanwhile_is_read(self, sandbox: HighLevelSandbox, clock: HighLevelClock) -> None:
        made = [sandbox.add_contact("Asha")]

        def somebody_adds(_call: Call, _reply: Reply) -> None:
            if len(made) == 1:
                clock.tick()
                made.append(sandbox.add_contact("Ravi"))

        sandbox.after = somebody_adds
        assert ids(asking(sandbox, lambda adapter: adapter.list_contacts())) == sorted(made)

    def test_keys_are_normalised(self, sandbox: HighLevelSandbox) -> None:
        sandbox.add_contact("Asha", "Rao", "Asha@Example.com", "098765 43210")
        listing = asking(sandbox, lambda adapter: adapter.list_contacts())
        assert [(row.name, row.emails, row.phones) for row in listing.rows] == [
            ("Asha Rao", ("asha@example.com",), ("+919876543210",))
        ]

    def test_the_search_lags_and_the_single_read_does_not(
        self, sandbox: HighLevelSandbox, clock: HighLevelClock
    ) -> None:
        sandbox.contact_lag = timedelta(seconds=5)
        contact = sandbox.add_contact("Asha", email="asha@example.com")
        assert asking(sandbox, lambda adapter: adapter.list_contacts()).rows == ()
        assert asking(sandbox, lambda adapter: adapter.get_contact(contact)).name == "Asha"
        clock.tick(5)
        assert ids(asking(sandbox, lambda adapter: adapter.list_contacts())) == [contact]

    @pytest.mark.parametrize("status", [400, 404])
    def test_an_unknown_contact_is_missing(self, sandbox: HighLevelSandbox, contact: str, status: int) -> None:
        sandbox.missing_status = status
        sandbox.person_deletes_contact(contact)
        with pytest.raises(Missing):
            asking(sandbox, lambda adapter: adapter.get_contact(contact))

    def test_a_contact_that_is_shown_as_deleted_is_missing(self) -> None:
        with pytest.raises(Missing, match="deleted"):
            using(answers({"contact": {"id": "C1", "deleted": True}}), lambda adapter: adapter.get_contact("C1"))

    def test_another_contact_than_the_requested_one_is_a_bad_answer(self) -> None:
        """Two contacts were merged, and the CRM answers for the old id with the one that is left."""
        merged = answers({"contact": {"id": "C2", "phone": "+919876543210"}})
        with pytest.raises(BadAnswer, match="asked for contact C1, the answer has contact C2"):
            using(merged, lambda adapter: adapter.get_contact("C1"))

    def test_names_are_spelt_in_several_ways(self) -> None:
        rows = [
            {"id": "C1", "firstName": "Asha", "lastName": None, "contactName": "asha"},
            {"id": "C2", "firstName": None, "contactName": "Asha Rao", "fullNameLowerCase": "asha rao"},
            {"id": "C3", "name": "Asha Rao"},
            {"id": "C4", "firstNameLowerCase": "asha", "lastNameLowerCase": "rao"},
            {"id": "C5", "deleted": True},
            {"id": "C6", "phone": 7, "email": [], "additionalEmails": "none", "firstName": {}},
        ]
        listing = using(answers({"contacts": rows}, {"contacts": []}), lambda adapter: adapter.list_contacts())
        assert [row.name for row in listing.rows] == ["Asha", "Asha Rao", "Asha Rao", "asha rao", ""]

    def test_further_emails_count(self) -> None:
        contact = {"id": "C1", "email": "no mail", "additionalEmails": ["A@example.com", {"email": "b@example.com"}, 3]}
        record = using(answers({"contact": contact}), lambda adapter: adapter.get_contact("C1"))
        assert record.emails == ("a@example.com", "b@example.com")


class TestFindContacts:
    def test_by_email_and_by_phone(self, sandbox: HighLevelSandbox, contact: str) -> None:
        by_email = asking(sandbox, lambda adapter: adapter.find_contacts("asha@example.com"))
        by_phone = asking(sandbox, lambda adapter: adapter.find_contacts("+919876543210"))
        assert [record.remote_id for record in by_email + by_phone] == [contact, contact]
        assert [dict(call.query).keys() - {"locationId"} for call, _ in sandbox.calls] == [{"email"}, {"number"}]

    def test_the_plus_is_escaped(self) -> None:
        seen: list[bytes] = []

        def answer(request: httpx.Request) -> httpx.Response:
            seen.append(request.url.query)
            return httpx.Response(200, json={})

        using(httpx.MockTransport(answer), lambda adapter: adapter.find_contacts("+919876543210"))
        assert seen[0].endswith(b"number=%2B919876543210")

    @pytest.mark.parametrize("answer", [{}, {"contact": None}, {"contact": {"id": "C1", "deleted": True}}])
    def test_nobody(self, answer: object) -> None:
        assert using(answers(answer), lambda adapter: adapter.find_contacts("a@example.com")) == ()

    def test_nobody_as_an_error(self) -> None:
        transport = answers({"message": "Contact not found"}, status=400)
        assert using(transport, lambda adapter: adapter.find_contacts("a@example.com")) == ()

    @pytest.mark.parametrize("key", ["a@example.com", "+919876500000"])
    def test_somebody_who_does_not_show_that_key_is_ambiguous(self, key: str) -> None:
        transport = answers({"contact": {"id": "C1", "email": "b@example.com", "phone": "+919876543210"}})
        with pytest.raises(Ambiguous, match="C1") as caught:
            using(transport, lambda adapter: adapter.find_contacts(key))
        assert caught.value.contacts == ("C1",)


class TestCreateContact:
    RECORD = Record("reply", "41", "Asha Rao", ("+919876543210",), ("asha@example.com",))

    def test_a_new_one(self, sandbox: HighLevelSandbox) -> None:
        made = asking(sandbox, lambda adapter: adapter.create_contact(self.RECORD))
        assert (made.system, made.name) == ("highlevel", "Asha Rao")
        assert (made.phones, made.emails) == (self.RECORD.phones, self.RECORD.emails)
        assert sorted(bodies(sandbox)[0]) == ["email", "locationId", "name", "phone"]

    @pytest.mark.parametrize("name", ["Asha Rao", "Somebody Else", ""])
    def test_one_that_is_there_is_not_changed(self, sandbox: HighLevelSandbox, contact: str, name: str) -> None:
        before = sandbox.contacts()
        record = replace(self.RECORD, name=name, emails=())
        found = asking(sandbox, lambda adapter: adapter.create_contact(record))
        assert (found.remote_id, found.name) == (contact, "Asha Rao")
        assert sandbox.contacts() == before

    def test_one_that_has_the_number_as_a_second_one_is_ambiguous(self, sandbox: HighLevelSandbox) -> None:
        ravi = sandbox.add_contact("Ravi", "Iyer", "ravi@example.com", "+919876500000", also=("+919876543210",))
        before = sandbox.contacts()
        with pytest.raises(Ambiguous, match=ravi) as caught:
            asking(sandbox, lambda adapter: adapter.create_contact(self.RECORD))
        assert caught.value.contacts == (ravi,)
        with pytest.raises(Ambiguous):
            asking(sandbox, lambda adapter: adapter.find_contacts("+919876543210"))
        assert sandbox.contacts() == before

    def test_where_duplicates_are_allowed_one_more_is_made(self, sandbox: HighLevelSandbox, contact: str) -> None:
        sandbox.duplicates_refused = False
        assert asking(sandbox, lambda adapter: adapter.create_contact(self.RECORD)).remote_id != contact

    def test_a_refusal_that_names_nobody_we_can_read(self) -> None:
        clash = httpx.Response(400, json={"message": "no duplicated contacts", "meta": {"contactId": "C1"}})
        gone = httpx.Response(400, json={"message": "Contact with id C1 not found"})
        with pytest.raises(Refused, match="no duplicated contacts"):
            using(answers(clash, gone), lambda adapter: adapter.create_contact(self.RECORD))

    def test_without_keys_nothing_is_sent(self, sandbox: HighLevelSandbox) -> None:
        with pytest.raises(Refused, match="needs an e-mail"):
            asking(sandbox, lambda adapter: adapter.create_contact(Record("reply", "41", "Asha")))
        assert sandbox.calls == []

    def test_an_answer_about_somebody_else_is_in_doubt(self) -> None:
        transport = answers({"contact": {"id": "C1", "email": "b@example.com"}})
        with pytest.raises(InDoubt, match="none of the keys"):
            using(transport, lambda adapter: adapter.create_contact(self.RECORD))

    def test_an_unreadable_success_is_in_doubt(self) -> None:
        with pytest.raises(InDoubt):
            using(answers({"new": True}), lambda adapter: adapter.create_contact(self.RECORD))

    def test_one_that_was_made_though_it_was_refused_is_found(self) -> None:
        """According to a public issue, a contact was there although the answer was a 422."""
        refused = httpx.Response(422, json={"message": ["it could not be processed"]})
        there = httpx.Response(200, json={"contact": {"id": "C1", "email": "asha@example.com"}})
        assert using(answers(refused, there), lambda adapter: adapter.create_contact(self.RECORD)).remote_id == "C1"

    def test_whether_one_was_made_though_it_was_refused_may_be_unknown(self) -> None:
        transport = answers(httpx.Response(422, json={"message": ["no"]}), httpx.Response(502, text="no"))
        with pytest.raises(Unavailable):
            using(transport, lambda adapter: adapter.create_contact(self.RECORD))

    def test_other_refusals(self) -> None:
        transport = answers({"message": ["email must be an email"]}, status=422)
        with pytest.raises(Refused, match="email must be an email"):
            using(transport, lambda adapter: adapter.create_contact(self.RECORD))
