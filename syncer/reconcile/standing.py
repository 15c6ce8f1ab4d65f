"""What the ledger knows of each person, against what was read of them (pure).

A ledger can be empty, an old copy, or one of two. It is then not believed, but brought up to date, person by person:
nothing is made for somebody until all their tasks were read in every CRM, closed ones and their markers included.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property

from syncer.contract.adapter import Capabilities, ListsTasks
from syncer.domain.base import EVERYBODY, Base
from syncer.domain.cursors import BEHIND, FORERUNNER, OUR_USER
from syncer.domain.model import Reading, State, Task
from syncer.domain.policy import Policy
from syncer.domain.snapshot import ConnectionState, Seen
from syncer.reconcile.failing import is_given_up
from syncer.reconcile.likeness import DueTogether, is_like
from syncer.reconcile.markers import is_by_another, is_pasted, named_by
from syncer.reconcile.reading_list import What


class Standing:
    """What the ledger knows of each person, against what was read of them.

    Whoever is asked for may be one ``person`` (link) alone: what is found of one depends on nobody else's tasks.
    """

    def __init__(
        self, base: Base, seen: Mapping[str, Seen], capabilities: Mapping[str, Capabilities], policy: Policy
    ) -> None:
        self._base = base
        self._seen = seen
        self._capabilities = capabilities
        self._policy = policy
        self._systems = [system for system in policy.systems if system in seen]

    def told(self, person: str | None = None) -> set[str]:
        """The persons (links) of whom a marker says, or said, that the ledger does not know all that was written."""
        cursors = self._base.cursors
        names = [name for name in cursors if name.startswith(BEHIND)] if person is None else [BEHIND + person]
        known = {name.removeprefix(BEHIND) for name in names if cursors.get(name)}
        told = {link for row in self._rows(person) if self._tells(row) and (link := self._link(row))}
        return known | told | self._finished_unseen(person)

    def _finished_unseen(self, person: str | None) -> set[str]:
        """Persons whose lane is read for the first time, and has a finished task like an open one that lacks there.

        A lost ledger may have made it: nobody knows, so nothing is made again before all of theirs is read.
        """
        rows = [row for row in self._rows(person) if row.system in self._in_lanes and row.state is State.DONE]
        unknown = [row for row in rows if row.key not in self._base.replicas]
        first_read = {link: row for row in unknown if (link := self._link(row)) and self.is_never_read(link)}
        if not first_read:
            return set()
        lacking = DueTogether(self._policy)
        for task in (task for link in first_read for task in self._base.tasks_of(link) if task.state is State.OPEN):
            for system in self._in_lanes:
                if not self._base.copies(task.id, system):
                    lacking.add((system, task.contact, task.kind.family), task)
        return {
            link
            for row in unknown
            if (link := self._link(row)) and lacking.has((row.system, link, row.kind.family), row)
        }

    @cached_property
    def _in_lanes(self) -> set[str]:
        """The CRMs that keep no markers."""
        return {system for system in self._systems if not self._capabilities[system].reads_marker}

    def behind(self, person: str | None = None) -> set[str]:
        """Those, and after an old copy was put back everybody who was not read since."""
        behind = self.told(person) | self._waiting(person)
        if self._base.restored_at is None:
            return behind
        linked = self._contacts if person is None else [link for link in (person,) if link in self._contacts]
        return behind | {link for link in linked if not self._was_read_since_restored(link)}

    def _waiting(self, person: str | None) -> set[str]:
        """Persons of whom a CRM that was never read may have the copy whose marker tells what others show.

        So it is with whoever is new here and has a task without a due, which nothing else could connect, and as long as
        the lane shows something unknown of our user, or of somebody whom a forerunner does not show to be another, or
        something that looks like an unknown task elsewhere, where one of the two is open and the other is closed.
        """
        unread = {
            system for system in self._seen if self._capabilities[system].reads_marker and self._is_unread(system)
        }
        if not unread:
            return set()
        unknown = [row for row in self._rows(person) if row.key not in self._base.replicas]
        open_now = [row for row in unknown if row.state is State.OPEN and unread - {row.system}]
        undated = {self._link(row) for row in open_now if row.due is None}
        elsewhere = [row for row in unknown if row.system not in self._in_lanes]
        looks = DueTogether(self._policy)
        for row in elsewhere:
            looks.add((row.state is State.OPEN, self._link(row), row.kind.family), row)
        lane_rows = [row for row in unknown if row.system in self._in_lanes]
        signs = {self._link(row) for row in lane_rows if self._may_be_a_copy(row, looks)}
        return {link for link in (undated & self.new(person)) | signs if link is not None}

    def _may_be_a_copy(self, row: Reading, looks: DueTogether) -> bool:
        """Whether a lane's row may be our copy: by its maker, or by its look, of which one here is in another state."""
        if looks.has((row.state is not State.OPEN, self._link(row), row.kind.family), row):
            return True
        us = self.probably_us(row.system)
        by_us = row.created_by == us if us else self._may_be_a_forerunners(row)
        return row.state is State.OPEN and row.created_by is not None and by_us

    def _may_be_a_forerunners(self, row: Reading) -> bool:
        """Whether a lost ledger may have made it: one wrote here, and of its maker no marker tells an origin."""
        return self.has_forerunner and row.created_by not in self._makers_of_origins

    def _is_unread(self, system: str) -> bool:
        """Whether its tasks were never all read, nor are now."""
        seen = self._seen[system]
        now = seen.listed and not seen.unread and seen.state is ConnectionState.OK
        return not now and (system, EVERYBODY) not in self._base.visits

    def new(self, person: str | None = None) -> set[str]:
        """The persons with an unknown open task whose tasks this ledger has never read in full.

        Or with one that our own user made, where no marker says of what: another ledger may have made it.
        """
        with_news = {
            link
            for reading in self._rows(person)
            if reading.state is State.OPEN and reading.key not in self._base.replicas and (link := self._link(reading))
        }
        never_read = {link for link in with_news if self.is_never_read(link)}
        unexplained = [row for row in self._rows(person) if self.is_unexplained(row)]
        return never_read | {link for row in unexplained if (link := self._link(row))}

    def is_never_read(self, link: str) -> bool:
        """Whether this ledger has not read all tasks of this person yet, before this run."""
        return any(key not in self._base.visits for key in self._contacts.get(link, ()))

    def is_unexplained(self, reading: Reading) -> bool:
        """Whether our own user made this open task, this ledger did not, and no marker can tell."""
        us = self.our_user(reading.system)
        return (
            reading.state is State.OPEN
            and us is not None
            and reading.created_by == us
            and reading.key not in self._base.replicas
            and not self._capabilities[reading.system].reads_marker
        )

    def persons_to_read(self) -> list[str]:
        """The persons whose tasks are to be read in full in this run, in a stable order.

        After an old copy was put back, everybody is behind; only those with an open task are of interest now.
        """
        busy = {task.contact for task in self._base.tasks.values()}
        busy |= {link for reading in self._readings() if reading.state is State.OPEN and (link := self._link(reading))}
        return sorted((self.behind() & busy) | self.new())

    def named_places(self) -> set[tuple[str, str]]:
        """The places of the origins that markers name."""
        return {row.marker.place for row in self._readings() if row.marker is not None}

    def is_read(self, link: str) -> bool:
        """Whether all tasks of this person were read in this run, in every CRM, closed ones included.

        A completion in doubt whose task cannot be read for several runs holds up only itself.
        """
        mine = dict(self._contacts.get(link, ()))
        unsettled = [
            operation for contact in self._contacts.get(link, ()) for operation in self._base.unsettled(*contact)
        ]
        return all(self._is_read_in(system, link, mine.get(system)) for system in self._capabilities) and all(
            operation.remote_id is not None
            and is_given_up(self._base, (operation.system, What.TASK.value, operation.remote_id), failed_now=True)
            for operation in unsettled
        )

    def may_have_finished_unread(self, link: str) -> bool:
        """Whether a lost ledger's copies of this person's tasks may be finished, where that could not be read yet.

        A CRM that does not answer at all keeps nobody waiting, nor does one item once it has failed for several runs.
        """
        return self.has_forerunner and any(
            seen.state is ConnectionState.OK and seen.listed and contact not in seen.persons
            for system, contact in self._contacts.get(link, ())
            if self._capabilities[system].lists_tasks is ListsTasks.ALL and (seen := self._seen.get(system)) is not None
        )

    def readings_of(self, link: str) -> dict[str, list[Reading]]:
        """All tasks of this person as read in full, open and closed, by system."""
        found: dict[str, list[Reading]] = {}
        for system, contact in self._contacts.get(link, ()):
            seen = self._seen.get(system)
            if seen is None:
                continue
            rows = self._read_in_full(system, seen).get(contact, ())
            whole = (with_times(row, seen.readings.get(row.remote_id)) for row in rows)
            found.setdefault(system, []).extend(self._with_title(row) for row in whole)
        return found

    def _with_title(self, row: Reading) -> Reading:
        """The row of a list, which may lack the title, with the one that the ledger knows."""
        known = self._base.replicas.get(row.key)
        return replace(row, title=known.title) if row.title is None and known is not None else row

    def contacts_of(self, link: str) -> list[tuple[str, str]]:
        """The person's (system, contact id), where the system is connected."""
        return list(self._contacts.get(link, ()))

    def our_user(self, system: str) -> str | None:
        """The user that this CRM names as the maker of what we make there, if known."""
        return self._base.cursors.get(OUR_USER + system)

    def probably_us(self, system: str) -> str | None:
        """Our user where it is known, else the one who made the lane's copies of what markers tell of.

        Good enough to leave something alone, not to write something.
        """
        return self.our_user(system) or self._makers_of_copies.get(system)

    def may_be_us(self, system: str, user: str | None) -> bool:
        """Whether this is our user, as far as that is known; else whether nothing tells that it is a person."""
        if (us := self.probably_us(system)) is not None:
            return user == us
        return self.may_lack_writes and user is not None and user not in self._makers_of_origins

    @property
    def may_lack_writes(self) -> bool:
        """Whether something was written that this ledger may not know: by another one, or since it was copied."""
        return self.has_forerunner or self._base.restored_at is not None

    @cached_property
    def has_forerunner(self) -> bool:
        """Whether a ledger that was lost, or is another one, wrote here: markers were read, now or before, not ours."""
        if self._base.cursors.get(FORERUNNER):
            return True
        ours = {self._base.ledger_id, *self._base.former_ids}
        return any(row.marker is not None and row.marker.ledger not in ours for row in self._readings())

    @cached_property
    def _makers_of_origins(self) -> set[str | None]:
        """Who made what markers name: people."""
        places = self.named_places()
        return {row.created_by for row in self._readings() if row.key in places}

    @cached_property
    def _makers_of_copies(self) -> dict[str, str]:
        """By system: who alone made the tasks that look like our copies, and none that a marker names as an origin."""
        marked = [row for row in self._readings() if row.marker is not None]
        places = {row.marker.place for row in marked if row.marker is not None}
        wanted: dict[str | None, list[Reading]] = defaultdict(list)
        for row in marked:
            if row.due is not None:
                wanted[self._link(row)].append(row)

        def looks_like_ours(row: Reading) -> bool:
            return row.key not in places and any(is_like(self._policy, row, one) for one in wanted[self._link(row)])

        found: dict[str, str] = {}
        for system in self._systems:
            rows = [row for lane in self._seen[system].lanes.values() for row in lane if row.created_by is not None]
            makers = {row.created_by for row in rows if looks_like_ours(row)}
            makers -= {row.created_by for row in rows if row.key in places}
            if len(makers) == 1:
                found[system] = makers.pop() or ""
        return found

    def _is_read_in(self, system: str, link: str, contact: str | None) -> bool:
        seen = self._seen.get(system)
        if seen is None or seen.state is not ConnectionState.OK:
            return False
        if contact is not None:
            return contact in self._read_in_full(system, seen)
        if self._capabilities[system].lists_tasks is ListsTasks.PER_CONTACT:
            # A contact that has the number, and is not joined to this person, is another one's or in doubt.
            there = self._phones_there[system]
            return all((system, phone) in self._base.lookups or phone in there for phone in self._phones_of(link))
        return seen.listed

    def _read_in_full(self, system: str, seen: Seen) -> dict[str, tuple[Reading, ...]]:
        """By contact: where a CRM lists all tasks, what was read of one contact to settle a doubt may lack texts."""
        return seen.lanes if self._capabilities[system].lists_tasks is ListsTasks.PER_CONTACT else seen.persons

    @cached_property
    def _phones_there(self) -> dict[str, set[str]]:
        """By CRM: the numbers of its contacts, as far as they are known."""
        found = defaultdict[str, set[str]](set)
        for record in self._base.records.values():
            found[record.system].update(record.phones)
        return found

    def _phones_of(self, link: str) -> Iterator[str]:
        for key in self._contacts.get(link, ()):
            record = self._base.records.get(key)
            yield from record.phones if record is not None else ()

    def _was_read_since_restored(self, link: str) -> bool:
        restored = self._base.restored_at
        visits = [self._base.visits.get(key) for key in self._contacts[link]]
        return all(visit is not None and restored is not None and visit >= restored for visit in visits)

    def _tells(self, reading: Reading) -> bool:
        """Whether this reading says that something was written which the ledger does not know."""
        base, marker = self._base, reading.marker
        if marker is None or reading.key in base.replicas:
            return False
        task = named_by(base, marker)
        if task is None:
            return reading.state is State.OPEN or self._is_news(reading, marker.place)
        if reading.state is State.OPEN:
            return self._has_company(reading, task)
        return task.state is State.OPEN and not is_pasted(base, self._policy, reading, task)

    def _is_news(self, finished: Reading, place: tuple[str, str]) -> bool:
        """Whether a finished task with an unknown marker may be new: all of its person was not read since, or its
        origin is open and unknown. What was read stays unknown where it is another person's.
        """
        link = self._link(finished)
        if link is None:
            return False
        since = self._base.restored_at is None or self._was_read_since_restored(link)
        seen = self._seen.get(place[0])
        origin = seen.readings.get(place[1]) if seen is not None else None
        is_open = origin is not None and origin.state is State.OPEN and place not in self._base.replicas
        return is_open or self.is_never_read(link) or not since

    def is_of(self, person: str | None, place: tuple[str, str]) -> bool:
        """Whether the task that a marker names by this place may be this person's: others are in copied texts."""
        if (replica := self._base.replicas.get(place)) is not None:
            return self._base.tasks[replica.task].contact == person
        seen = self._seen.get(place[0])
        there = seen.readings.get(place[1]) if seen is not None else None
        return there is None or self._link(there) == person

    def _has_company(self, reading: Reading, task: Task) -> bool:
        """Whether another ledger made this copy beside this one: it may have made others, which are closed by now."""
        is_open = task.state is State.OPEN
        return is_open and is_by_another(self._base, reading) and not is_pasted(self._base, self._policy, reading, task)

    def _readings(self) -> Iterable[Reading]:
        for system in self._systems:
            seen = self._seen[system]
            yield from seen.readings.values()
            for rows in seen.persons.values():
                yield from rows

    def _rows(self, person: str | None) -> Iterable[Reading]:
        """What was read of one person, or of all."""
        if person is None:
            return self._readings()
        return (row for key in self._base.contacts_of(person) for row in self._rows_of_contact.get(key, ()))

    @cached_property
    def _rows_of_contact(self) -> dict[tuple[str, str], list[Reading]]:
        rows: dict[tuple[str, str], list[Reading]] = {}
        for row in self._readings():
            rows.setdefault((row.system, row.contact or ""), []).append(row)
        return rows

    def _link(self, reading: Reading) -> str | None:
        return self._base.links.get((reading.system, reading.contact or ""))

    @cached_property
    def _contacts(self) -> dict[str, list[tuple[str, str]]]:
        contacts: dict[str, list[tuple[str, str]]] = {}
        for key, link in self._base.links.items():
            if key[0] in self._capabilities:
                contacts.setdefault(link, []).append(key)
        return contacts


def with_times(row: Reading, listed: Reading | None) -> Reading:
    """The row of a contact's own list, with the time of its creation where only the list of all tasks tells it."""
    if listed is None or row.created_at is not None:
        return row
    return replace(row, created_at=listed.created_at, updated_at=listed.updated_at)
