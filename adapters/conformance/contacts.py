"""Trials of contacts: found by the declared keys, with keys in one form, listed whole, never made twice."""

from __future__ import annotations

import pytest

from adapters.conformance.bench import Bench
from adapters.conformance.trial import (
    EMAIL,
    NAME,
    PHONE,
    UNKNOWN,
    Trials,
    Trouble,
    error_of,
    makes_contacts,
    must_raise,
    need,
    somebody,
    trial,
)
from adapters.sandbox import Fault
from syncer.contract.errors import Ambiguous, BadAnswer, Missing, Refused, Unavailable
from syncer.domain.model import Record

_KEY = {"email": EMAIL, "phone": PHONE}


def _lists(bench: Bench) -> None:
    if not bench.adapter.capabilities.lists_contacts:
        pytest.skip("there is no list of contacts")


def _shown(bench: Bench) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The phone numbers and the e-mails that a contact with both can have there."""
    return ((PHONE,) if "phone" in bench.keys else (), (EMAIL,) if "email" in bench.keys else ())


def _crowd(bench: Bench) -> set[str]:
    """Contacts for three pages."""
    # The last page is short, and holds a row that is easily lost.
    count = 2 * bench.page + 1
    return {bench.add_contact(f"Asha {n}", f"asha{n}@example.com", f"+9198765{n:05}") for n in range(count)}


class ContactTrials(Trials):
    """Find, list, get, create."""

    @trial
    async def test_a_contact_is_found_by_each_declared_key(self, bench: Bench) -> None:
        contact = somebody(bench)
        for name in bench.adapter.capabilities.contact_keys:
            found = await bench.adapter.find_contacts(_KEY[name])
            need([row.remote_id for row in found] == [contact], f"the contact is not found by its {name}")
            keys = found[0].emails if name == "email" else found[0].phones
            need(_KEY[name] in keys, f"the contact that was found by {name} does not carry it: {keys}")
            need(found[0].system == bench.adapter.system, "a record names the adapter's system")

    @trial
    async def test_nobody_is_found_by_an_unknown_key(self, bench: Bench) -> None:
        somebody(bench)
        for name in bench.adapter.capabilities.contact_keys:
            found = await bench.adapter.find_contacts(UNKNOWN[name])
            need(found == (), f"a {name} that nobody has must find nothing, and found {found}")

    @trial
    async def test_every_contact_is_listed_once(self, bench: Bench) -> None:
        _lists(bench)
        crowd = _crowd(bench)
        listing = await bench.adapter.list_contacts()
        found = [row.remote_id for row in listing.rows]
        need(len(found) == len(set(found)), "a contact is in the list twice")
        need(set(found) == crowd, f"{len(crowd - set(found))} of {len(crowd)} contacts are not in the list")

    @trial
    async def test_a_list_of_contacts_that_breaks_off_is_no_list(self, bench: Bench) -> None:
        _lists(bench)
        _crowd(bench)
        for fault, error in ((Fault.ERROR_BEFORE, Unavailable), (Fault.TRUNCATED, BadAnswer)):
            bench.sandbox.fault = Trouble(fault, spared=1 if bench.page else 0)
            await must_raise(bench.adapter.list_contacts(), error, f"a list of contacts whose second page is {fault}")

    @trial
    async def test_keys_come_in_one_form_and_what_is_no_key_is_left_out(self, bench: Bench) -> None:
        """E.164 and lower case join records of several CRMs; a broken key would join strangers."""
        _lists(bench)
        # As people type them.
        good = bench.add_contact(NAME, "Asha.RAO@Example.COM", "+91 98765-43210")
        # Taken for a key, "12" would join everybody who has it.
        bad = bench.add_contact("Ravi Iyer", "no e-mail", "12")
        rows = {row.remote_id: row for row in (await bench.adapter.list_contacts()).rows}
        phones, emails = _shown(bench)
        need(rows[good].emails == emails, f"e-mails must be in lower case: {rows[good].emails}")
        need(rows[good].phones == phones, f"phone numbers must be in E.164: {rows[good].phones}")
        need(rows[good].name == NAME, f"the name is {NAME!r}, and read as {rows[good].name!r}")
        need(not rows[bad].emails and not rows[bad].phones, f"an invalid key is no key: {rows[bad]}")

    @trial
    async def test_a_contact_is_read_by_its_id(self, bench: Bench) -> None:
        _lists(bench)
        contact = somebody(bench)
        record = await bench.adapter.get_contact(contact)
        wanted = Record(bench.adapter.system, contact, NAME, *_shown(bench))
        need(record == wanted, f"the contact is {wanted}, and read as {record}")
        await must_raise(bench.adapter.get_contact(bench.no_contact), Missing, "a contact that never was")

    @trial
    async def test_a_contact_is_created_with_its_keys(self, bench: Bench) -> None:
        makes_contacts(bench)
        wanted = Record("elsewhere", "x", NAME, (PHONE,), (EMAIL,))
        made = await bench.adapter.create_contact(wanted)
        # A second write might fail after the first one, and leave a contact that nobody knows.
        need(len(bench.writes) == 1, f"creating a contact must be one write, and was {len(bench.writes)}")
        need(made.system == bench.adapter.system, "a record names the adapter's system")
        for name in bench.adapter.capabilities.contact_keys:
            found = await bench.adapter.find_contacts(_KEY[name])
            need([row.remote_id for row in found] == [made.remote_id], f"the new contact is not found by its {name}")

    @trial
    async def test_a_contact_that_is_there_is_not_created_again(self, bench: Bench) -> None:
        makes_contacts(bench)
        contact = somebody(bench)
        again = await bench.adapter.create_contact(Record("elsewhere", "x", NAME, (PHONE,), (EMAIL,)))
        need(again.remote_id == contact, "a contact with these keys is there, and another one was created")

    @trial
    async def test_a_contact_that_is_there_is_never_changed(self, bench: Bench) -> None:
        somebody(bench)
        before = [await bench.adapter.find_contacts(_KEY[name]) for name in bench.adapter.capabilities.contact_keys]
        await error_of(bench.adapter.create_contact(Record("elsewhere", "x", "Somebody Else", (PHONE,), (EMAIL,))))
        after = [await bench.adapter.find_contacts(_KEY[name]) for name in bench.adapter.capabilities.contact_keys]
        need(
            before == after, f"asked to make a contact, the adapter changed one that is there: {before} became {after}"
        )

    @pytest.mark.parametrize("name", sorted(UNKNOWN))
    @trial
    async def test_a_key_of_several_contacts_is_ambiguous(self, bench: Bench, name: str) -> None:
        """Who takes the first one gives a person's tasks to a stranger."""
        makes_contacts(bench)
        if name not in bench.adapter.capabilities.contact_keys:
            pytest.skip(f"no contact is found by its {name}")
        keys = {"email": ("other@example.com", EMAIL), "phone": ("+919876500000", PHONE)}
        for number in (0, 1):
            email, phone = (same if kind == name else keys[kind][number] for kind, same in _KEY.items())
            bench.add_contact(f"Asha {number}", email, phone)
        found = await bench.adapter.find_contacts(_KEY[name])
        if len(found) < 2:
            pytest.skip(f"no two contacts can have one {name} there")
        wanted = Record("elsewhere", "x", NAME, *(((PHONE,), ()) if name == "phone" else ((), (EMAIL,))))
        await must_raise(bench.adapter.create_contact(wanted), Ambiguous, f"a contact whose {name} two others have")

    @trial
    async def test_a_contact_that_cannot_be_made_is_refused(self, bench: Bench) -> None:
        if bench.adapter.capabilities.creates_contacts:
            pytest.skip("contacts can be made there")
        wanted = Record("elsewhere", "x", NAME, (PHONE,), (EMAIL,))
        await must_raise(bench.adapter.create_contact(wanted), Refused, "making a contact, which is not declared,")
        need(not bench.calls, "what is not declared must not be asked of the CRM")

    @trial
    async def test_a_contact_without_keys_is_refused(self, bench: Bench) -> None:
        await must_raise(
            bench.adapter.create_contact(Record("elsewhere", "x", NAME)), Refused, "a contact without keys"
        )
