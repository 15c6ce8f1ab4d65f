"""What people do to contacts: add, correct, duplicate, merge and delete them, and move a number to another person."""

from __future__ import annotations

from collections.abc import Callable

from tests.simulation.actions import SYSTEMS, Meet
from tests.simulation.oracle import Oracle
from tests.simulation.sight import contacts_of
from tests.simulation.slow import CROWD
from tests.simulation.stage import SimulationStage

NAMES = ("Asha", "Ravi", "Meera")
PERSONS = range(len(NAMES))
LAST = 2
"""The person whom not every CRM knows."""
OFFICE = "+912226543210"
DIRTY: tuple[tuple[tuple[int, str, str, str], ...], ...] = (
    ((3, "highlevel", "", "0000000000"), (4, "reply", "kiran@example.com", "0000000000")),
    ((3, "highlevel", "", "+910000000000"), (4, "reply", "kiran@example.com", "+910000000000")),
    ((3, "highlevel", "", "1234567890"), (4, "reply", "kiran@example.com", "1234567890")),
    ((3, "highlevel", "", f"{OFFICE} ext. 12"), (4, "reply", "kiran@example.com", f"{OFFICE} ext. 34")),
    ((3, "highlevel", "devi@example.com", OFFICE), (4, "reply", "kiran@example.com", OFFICE)),
    ((3, "superfone", "devi@example.com", OFFICE), (4, "reply", "kiran@example.com", OFFICE)),
    ((3, "highlevel", "", "447911123456"), (3, "reply", "devi@example.com", "+447911123456")),
    ((3, "highlevel", "", "98765 43219"), (3, "reply", "devi@example.com", "+919876543219")),
)
"""(person, CRM, e-mail, number): two strangers who share an invalid key, or one person with two notations."""


class Contacts:
    """The people who maintain the contacts of the three CRMs."""

    def __init__(self, stage: SimulationStage, oracle: Oracle, tell: Callable[[str], None]) -> None:
        self._stage = stage
        self._oracle = oracle
        self._tell = tell
        self._numbers = 0

    def populate(self, unknown_to: tuple[str, ...], dirty: int | None, crowd: int) -> None:
        """Create the persons in all CRMs, the last one not in ``unknown_to``, a pair with dirty keys, and a crowd.

        A lead whose number no other CRM shows cannot be found, so it is left out.
        """
        for person, name in enumerate(NAMES):
            phone, email = _number(person), f"{name.lower()}@example.com"
            self._oracle.phones[phone] = person
            for system in ("reply", "highlevel", "superfone"):
                if person < LAST or system not in unknown_to:
                    self._enter(system, person, name, email, phone)
        pair = DIRTY[dirty] if dirty is not None else ()
        if "superfone" in (where := {system for _, system, _, _ in pair}) and not where <= self._stage.sandboxes.keys():
            pair = ()
        for person, system, email, phone in pair:
            self._enter(system, person, ("Devi", "Kiran")[person - 3], email, phone)
        for number in range(crowd):
            phone, email = f"+91987651{number:04}", f"guest{number}@example.com"
            self._oracle.phones[phone] = CROWD + number
            for system in SYSTEMS:
                self._enter(system, CROWD + number, f"Guest{number}", email, phone)

    def _enter(self, system: str, person: int, name: str, email: str, phone: str) -> None:
        if system not in self._stage.sandboxes:
            return
        if system == "reply":
            contact = self._stage.reply.add_contact(name, email, phone)
        elif system == "highlevel":
            contact = self._stage.highlevel.add_contact(name, "Rao", email, phone)
        else:
            contact = str(self._stage.superfone.add_lead(name, [phone], [email]))
        self._oracle.persons[system, contact] = person

    def meet(self, deed: Meet) -> None:
        """Do what one of them does."""
        contact = self._oracle.contact_of(deed.system, deed.person)
        if (contact is None) is not (deed.what == "add") or deed.system not in self._stage.sandboxes:
            return
        self._tell(f"somebody: {deed.what} person {deed.person} in {deed.system}")
        getattr(self, f"_{deed.what}")(deed, contact)
        self._look_again()

    def _add(self, deed: Meet, _contact: None) -> None:
        name = NAMES[deed.person]
        self._enter(deed.system, deed.person, name, f"{name.lower()}@example.com", _number(deed.person))
        self._oracle.met(deed.person, deed.system)

    def _correct(self, deed: Meet, contact: str) -> None:
        """Give another number. Only if a third CRM has the old one, too, the records are still one person."""
        if len(self._stage.sandboxes) == len(SYSTEMS) and self._is_known_without(deed.system, contact, deed.person):
            self._give(deed.system, contact, self._new_number(deed.person))

    def _double(self, deed: Meet, contact: str) -> None:
        if self._doubles(deed.person):
            return
        old = next(one for one in self._stage.highlevel.contacts() if one.id == contact)
        second = self._stage.highlevel.add_contact(old.first, old.last, old.email, old.phone)
        self._oracle.persons["highlevel", second] = deed.person
        self._oracle.doubled(deed.person)

    def _merge(self, deed: Meet, contact: str) -> None:
        """HighLevel keeps the first contact, and moves the tasks of the other one to it."""
        for second in self._doubles(deed.person):
            for task in self._stage.highlevel.tasks():
                if task.contact == second and not task.deleted:
                    self._stage.highlevel.person_moves(task.id, contact)
                    self._oracle.moved(("highlevel", task.id))
            self._stage.highlevel.person_deletes_contact(second)
            del self._oracle.persons["highlevel", second]

    def _doubles(self, person: int) -> list[str]:
        return self._oracle.contacts_of("highlevel", person)[1:]

    def _delete(self, deed: Meet, contact: str) -> None:
        self._oracle.contact_gone(deed.system, contact)
        if deed.system == "superfone":
            self._stage.superfone.person_deletes_lead(contact)
        else:
            self._stage.highlevel.person_deletes_contact(contact)
        del self._oracle.persons[deed.system, contact]

    def _move(self, deed: Meet, contact: str) -> None:
        """Give the number to the other one of the first two persons, and a new number to its owner."""
        other = self._oracle.contact_of(deed.system, 1 - deed.person)
        if other is None or not self._is_known_without(deed.system, other, 1 - deed.person):
            return
        number = next(one.phone for one in self._stage.highlevel.contacts() if one.id == contact)
        self._give(deed.system, contact, self._new_number(deed.person))
        self._give(deed.system, other, number)

    def _look_again(self) -> None:
        """Note which persons are unclear: those with two contacts, and two of whom one has the other's number.

        The latter contradict themselves if they can be found in Superfone, where a call reaches whoever has the number.
        """
        oracle, shown = self._oracle, self._shown()
        moved = {
            (oracle.persons[key], had)
            for key, number in shown.items()
            for had in PERSONS
            if key[0] == "highlevel" and number == _number(had) and oracle.persons.get(key) not in {None, had}
        }
        with_lead = {one for one in PERSONS if oracle.contact_of("superfone", one)}
        leads = {one for one in with_lead if _number(one) in shown.values()}
        oracle.hidden = with_lead - leads
        oracle.unsure = {person for person in PERSONS if self._doubles(person)}
        oracle.contradicted = set()
        for has, had in moved:
            oracle.unsure |= {has, had}
            oracle.contradicted |= {has, had} if {has, had} <= leads else {had} & leads
        for one in [*oracle.contradicted]:
            there = oracle.contacts_of("highlevel", one)
            # A person with two contacts may be linked to neither of them. And if the one that gave its number away is
            # deleted, the other one still agrees with the lead, and whoever has the number, too, is a newcomer.
            if len(there) != 1 or shown.get(("highlevel", there[0])) == _number(one):
                oracle.contradicted.discard(one)
        for read in oracle.read_contradicted:
            read &= oracle.contradicted

    def _shown(self) -> dict[tuple[str, str], str]:
        """Return the numbers in the lists of contacts. Leads are found by them."""
        found: dict[tuple[str, str], str] = {}
        for system in {"reply", "highlevel"} & self._stage.sandboxes.keys():
            found |= {(system, at): phone for at, phone in contacts_of(self._stage, system).items()}
        return found

    def _is_known_without(self, system: str, contact: str, person: int) -> bool:
        """Whether another contact shows the lead's number. Without one, the lead cannot be found."""
        others = (phone for key, phone in self._shown().items() if key != (system, contact))
        return _number(person) in others

    def _give(self, system: str, contact: str, number: str) -> None:
        if system == "highlevel":
            self._stage.highlevel.person_edits_contact(contact, phone=number)
        else:
            next(one for one in self._stage.reply.contacts() if str(one.id) == contact).fields["phone"] = number

    def _new_number(self, person: int) -> str:
        self._numbers += 1
        number = f"+9198765430{self._numbers:02}"
        self._oracle.phones[number] = person
        return number


def _number(person: int) -> str:
    """Return a person's first number. In Superfone it never changes."""
    return f"+91987654321{person}"
