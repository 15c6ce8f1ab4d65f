"""Compare what the ledger knows of each person with what was read of them (pure).

A ledger may be new, an old copy, or one of two. Then it is not trusted, but rebuilt person by person. Nothing is
created for a person until all their tasks were read in every CRM, including closed tasks and markers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Final

from syncer.contract.adapter import Capabilities, ListsTasks
from syncer.domain.base import EVERYBODY, Base
from syncer.domain.cursors import BEHIND, FORERUNNER, unstored
from syncer.domain.model import Reading, State, Task
from syncer.domain.policy import Policy
from syncer.domain.snapshot import ConnectionState, Seen, with_times
from syncer.reconcile.failing import wrote_what_is_given_up
from syncer.reconcile.likeness import DueTogether
from syncer.reconcile.markers import CLOCKS_DIFFER_BY, is_by_another, is_pasted, named_by
from syncer.reconcile.our_user import OurUser

MADE_UP: Final = "made up"
"""The rows without a due, whose copies have one that we made up."""


class Standing:
    """What the ledger knows of each person, compared with what was read of them.

    Methods with a ``person`` look only at that link if one is given. The result for one person never depends on the
    tasks of others.
    """

    def __init__(
        self, base: Base, seen: Mapping[str, Seen], capabilities: Mapping[str, Capabilities], policy: Policy
    ) -> None:
        self._base = base
        self._seen = seen
        self._capabilities = capabilities
        self._policy = policy
        self._systems = [system for system in policy.systems if system in seen]

    @cached_property
    def us(self) -> OurUser:
        """Which user of each CRM is us."""
        return OurUser(self._base, self._seen, self._capabilities, self._policy, may_lack_writes=self.may_lack_writes)

    def told(self, person: str | None = None) -> set[str]:
        """Return the persons (links) for whom a marker shows, or showed, a write that the ledger does not know."""
        cursors = self._base.cursors
        # A marker may not be read again in this run. Earlier runs stored for whom one told of a write.
        names = [name for name in cursors if name.startswith(BEHIND)] if person is None else [BEHIND + person]
        known = {name.removeprefix(BEHIND) for name in names if cursors.get(name)}
        told = {link for row in self.rows_of(person) if self._tells(row) and (link := self._link(row))}
        return known | told | self._finished_unseen(person)

    def _finished_unseen(self, person: str | None) -> set[str]:
        """Return persons whose lane is read for the first time and shows a finished task that looks like an open one.

        The open task has no copy in the lane, and a lost ledger may have made the finished one. So nothing is created
        before all tasks of the person were read.
        """
        # In a CRM with markers, a finished copy names its task itself. In a lane only its look can tell.
        rows = [row for row in self.rows_of(person) if row.system in self._in_lanes and row.state is State.DONE]
        unknown = [row for row in rows if row.key not in self._base.replicas]
        first_read = {link: row for row in unknown if (link := self._link(row)) and self.is_never_read(link)}
        if not first_read:
            return set()
        # An example: a lost ledger made the copy of a call in Superfone, and people finished it there. This ledger has
        # read the lead only now, and knows the call from Reply, where it is open. A new copy would bring back a call
        # that is done.
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
        """Return the persons for whom nothing may be created yet: after a restored backup, everybody not read since."""
        behind = self.told(person) | self.waiting(person)
        # An old copy of the ledger cannot know for whom something was written since, so it counts nobody as known.
        if self._base.restored_at is None:
            return behind
        linked = self._contacts if person is None else [link for link in (person,) if link in self._contacts]
        return behind | {link for link in linked if not self._was_read_since_restored(link)}

    def waiting(self, person: str | None = None) -> set[str]:
        """Return the persons who wait for a CRM with markers that was never read in full.

        Only a marker there may show which of their tasks are copies. This concerns

        - persons who are new to the ledger and have a task without a due date, because nothing else could match it
        - persons whose lane shows an unknown task that may be a copy, see `_may_be_a_copy`
        """
        unread = {
            system for system in self._seen if self._capabilities[system].reads_marker and self._is_unread(system)
        }
        if not unread:
            return set()
        unknown = [row for row in self.rows_of(person) if row.key not in self._base.replicas]
        # A row's own CRM is no reason to wait: a copy of the row would be in another one.
        open_now = [row for row in unknown if row.state is State.OPEN and unread - {row.system}]
        undated = {self._link(row) for row in open_now if row.due is None}
        looks = DueTogether(self._policy)
        for row in (row for row in unknown if row.system not in self._in_lanes):
            looks.add((row.state is State.OPEN, self._link(row), row.kind.family), row)
            if row.due is None and row.state is not State.OPEN:
                # A copy of it has the due that was made up when it was created.
                looks.add((MADE_UP, self._link(row), row.kind.family), row)
        signs = {self._link(row) for row in unknown if row.system in self._in_lanes and self._may_be_a_copy(row, looks)}
        return {link for link in (undated & self.new(person)) | signs if link is not None}

    def _may_be_a_copy(self, row: Reading, looks: DueTogether) -> bool:
        """Whether a row in a lane may be our copy: by its creator, or by its look.

        By its look it may be if one elsewhere is like it, and one of the two is open and the other is closed.
        """
        # Two open rows that are alike become twins at first sight, marker or not. If one of the two is closed, the open
        # one would be taken for a new task, and copied although it was done.
        link, family = self._link(row), row.kind.family
        made_up = self._is_made_up(row) and looks.has((MADE_UP, link, family), replace(row, due=None))
        if made_up or looks.has((row.state is not State.OPEN, link, family), row):
            return True
        return row.state is State.OPEN and self.us.may_be(row.system, row.created_by)

    def _is_made_up(self, row: Reading) -> bool:
        """Whether we may have made up the due of this open row when we created it."""
        if row.due is None or row.created_at is None or row.state is not State.OPEN:
            return False
        return abs(row.due - row.created_at - self._policy.default_due) <= CLOCKS_DIFFER_BY

    def _is_unread(self, system: str) -> bool:
        """Whether the tasks of this CRM were never read in full, in this run or an earlier one."""
        seen = self._seen[system]
        now = seen.listed and not seen.unread and seen.state is ConnectionState.OK
        return not now and (system, EVERYBODY) not in self._base.visits

    def new(self, person: str | None = None) -> set[str]:
        """Return the persons with an unknown open task that may be another ledger's copy.

        Either this ledger has never read all tasks of the person, or our own user created the task and no marker
        names its origin.
        """
        with_news = {
            link
            for reading in self.rows_of(person)
            if reading.state is State.OPEN and reading.key not in self._base.replicas and (link := self._link(reading))
        }
        # A copy may be finished by now, and lists show open tasks only. So an open row is not believed to be new before
        # the closed tasks were read, too.
        never_read = {link for link in with_news if self.is_never_read(link)}
        unexplained = [row for row in self.rows_of(person) if self.is_unexplained(row)]
        return never_read | {link for row in unexplained if (link := self._link(row))}

    def is_never_read(self, link: str) -> bool:
        """Whether this ledger had not read all tasks of this person before this run."""
        return any(key not in self._base.visits for key in self._contacts.get(link, ()))

    def is_unexplained(self, reading: Reading) -> bool:
        """Whether our user created this open task, this ledger did not, and the CRM keeps no markers to explain it."""
        unknown = reading.state is State.OPEN and reading.key not in self._base.replicas
        return unknown and self.us.made_unmarked(reading)

    def persons_to_read(self) -> list[str]:
        """Return the persons whose tasks are to be read in full in this run, in a stable order.

        After a backup was restored everybody is behind, but only persons with an open task need to be read now. The
        same holds for persons whose tasks in a CRM were never read: a lost ledger's copy there may be finished.
        """
        # Everything of everybody would take hours with Reply's limit of requests, and most people have nothing open.
        busy = {task.contact for task in self._base.tasks.values()}
        busy |= {self._base.links[contact] for contact in unstored(self._base.cursors) if contact in self._base.links}
        busy |= {link for reading in self._readings() if reading.state is State.OPEN and (link := self._link(reading))}
        return sorted(((self.behind() | self._unvisited()) & busy) | self.new())

    def _unvisited(self) -> set[str]:
        """Return the persons with a contact whose closed tasks were never read, in a CRM with markers that answers."""
        # In lanes, whoever was never read is on the reading list anyway. A CRM that does not answer cannot be read now.
        answers = {name for name, seen in self._seen.items() if seen.state is ConnectionState.OK} - self._in_lanes
        unvisited = (key for key in self._base.links if key[0] in answers and key not in self._base.visits)
        return {self._base.links[key] for key in unvisited}

    def named_places(self) -> set[tuple[str, str]]:
        """Return the places of the origins that markers name."""
        return {row.marker.place for row in self._readings() if row.marker is not None}

    def is_read(self, link: str) -> bool:
        """Whether all tasks of this person, including closed ones, were read in every CRM in this run.

        An operation in doubt makes the answer false: it may have written something that was not read yet. It is an
        exception if what it wrote could not be read for several runs, so that this delays nothing but itself.
        """
        mine = dict(self._contacts.get(link, ()))
        unsettled = [
            operation for contact in self._contacts.get(link, ()) for operation in self._base.unsettled(*contact)
        ]
        return all(self._is_read_in(system, link, mine.get(system)) for system in self._capabilities) and all(
            wrote_what_is_given_up(self._base, operation, self._seen[operation.system], self._policy)
            for operation in unsettled
        )

    def may_have_finished_unread(self, link: str) -> bool:
        """Whether a lost ledger may have made copies for this person that are finished and were not read yet.

        A CRM that does not answer at all does not count, so that nobody waits for it.
        """
        return self.has_forerunner and any(
            seen.state is ConnectionState.OK and seen.listed and contact not in seen.persons
            for system, contact in self._contacts.get(link, ())
            if self._capabilities[system].lists_tasks is ListsTasks.ALL and (seen := self._seen.get(system)) is not None
        )

    def readings_of(self, link: str) -> dict[str, list[Reading]]:
        """Return all tasks of this person as they were read in full, open and closed, by system."""
        found: dict[str, dict[str, Reading]] = {}
        for system, contact in self._contacts.get(link, ()):
            seen = self._seen.get(system)
            if seen is None:
                continue
            rows = self._read_in_full(system, seen).get(contact, ())
            whole = (with_times(row, seen.readings.get(row.remote_id)) for row in rows)
            # People may give a task to another contact of the person meanwhile, so both may show it.
            # Times and titles are completed here because they decide about copies that carry no marker. Without a
            # title, a row would look like whatever is due with it.
            found.setdefault(system, {}).update((row.remote_id, self._with_title(row)) for row in whole)
        return {system: list(rows.values()) for system, rows in found.items()}

    def _with_title(self, row: Reading) -> Reading:
        """Return the row with the title that the ledger knows, if the list did not show one."""
        known = self._base.replicas.get(row.key)
        return replace(row, title=known.title) if row.title is None and known is not None else row

    def contacts_of(self, link: str) -> list[tuple[str, str]]:
        """Return the person's contacts in connected CRMs, as (system, contact id)."""
        return list(self._contacts.get(link, ()))

    @property
    def may_lack_writes(self) -> bool:
        """Whether another ledger wrote here, or this one is a restored backup, so that it may not know every write."""
        return self.has_forerunner or self._base.restored_at is not None

    @cached_property
    def has_forerunner(self) -> bool:
        """Whether a lost or another ledger wrote here: its markers were read, in this run or an earlier one."""
        if self._base.cursors.get(FORERUNNER):
            return True
        return any(row.marker is not None and not self._base.wrote(row.marker) for row in self._readings())

    def _is_read_in(self, system: str, link: str, contact: str | None) -> bool:
        seen = self._seen.get(system)
        if seen is None:
            return False
        if contact is None and self._capabilities[system].lists_tasks is ListsTasks.PER_CONTACT:
            # No contact is linked there. Each phone number was searched for, or belongs to a contact that is another
            # person's or ambiguous, so there is nothing more to read, even if the CRM does not answer now.
            there = self._phones_there[system]
            return all((system, phone) in self._base.lookups or phone in there for phone in self._phones_of(link))
        if seen.state is not ConnectionState.OK:
            return False
        return seen.listed if contact is None else contact in self._read_in_full(system, seen)

    def _read_in_full(self, system: str, seen: Seen) -> dict[str, tuple[Reading, ...]]:
        """Return the tasks that were read in full, by contact.

        In a CRM that lists all tasks, ``lanes`` holds what was read to settle an operation in doubt. These rows may
        lack texts, so they do not count.
        """
        return seen.lanes if self._capabilities[system].lists_tasks is ListsTasks.PER_CONTACT else seen.persons

    @cached_property
    def _phones_there(self) -> dict[str, set[str]]:
        """By system: the known phone numbers of its contacts."""
        found = defaultdict[str, set[str]](set)
        for record in self._base.records.values():
            found[record.system].update(record.phones)
        return found

    def _phones_of(self, link: str) -> Iterator[str]:
        for key in self._contacts.get(link, ()):
            record = self._base.records.get(key)
            yield from record.phones if record is not None else ()

    def _was_read_since_restored(self, link: str) -> bool:
        visits = [self._base.visits.get(key) for key in self._contacts[link]]
        return all(visit is not None and not self.is_too_early(visit) for visit in visits)

    def is_too_early(self, at: datetime) -> bool:
        """Whether a request may arrive after this time that was sent before a backup was restored."""
        restored = self._base.restored_at
        return restored is not None and at < restored + self._policy.doubt_grace

    def _tells(self, reading: Reading) -> bool:
        """Whether this reading shows that something was written that the ledger does not know."""
        base, marker = self._base, reading.marker
        # What the ledger knows is explained, even if people pasted another marker into it.
        if marker is None or reading.key in base.replicas:
            return False
        task = named_by(base, marker)
        if task is None:
            # An open one may hide further copies that are closed. A closed one must not hold up its person for good:
            # its marker may name another person's task, and then the rebuild never uses it.
            return reading.state is State.OPEN or self._is_news(reading, marker.place)
        if reading.state is State.OPEN:
            return self._has_company(reading, task)
        # A closed copy that the ledger did not know may mean that its task was done. Only the rebuild may conclude
        # that, because it sees all copies of the task. For another person it concludes nothing.
        same = task.contact == self._link(reading)
        return task.state is State.OPEN and same and not is_pasted(base, self._policy, reading, task)

    def _is_news(self, finished: Reading, place: tuple[str, str]) -> bool:
        """Whether a finished task whose marker is unknown may tell something new.

        Not all tasks of the person were read since, or its origin is open and unknown. Otherwise the rebuild has seen
        the task and has not used it, because its marker names another person's task.
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
        """Whether the task at this place may be this person's. People copy texts, and markers with them."""
        if (replica := self._base.replicas.get(place)) is not None:
            return self._base.tasks[replica.task].contact == person
        seen = self._seen.get(place[0])
        there = seen.readings.get(place[1]) if seen is not None else None
        # No list shows an origin that is finished. If the marker were not believed then, its copy would become a new
        # task.
        return there is None or self._link(there) == person

    def _has_company(self, reading: Reading, task: Task) -> bool:
        """Whether another ledger made this copy of a task of ours. It may have made others that are closed now."""
        is_open = task.state is State.OPEN
        return is_open and is_by_another(self._base, reading) and not is_pasted(self._base, self._policy, reading, task)

    def _readings(self) -> Iterable[Reading]:
        return (row for system in self._systems for row in self._seen[system].every_reading())

    def rows_of(self, person: str | None) -> Iterable[Reading]:
        """Return what was read of one person, or of everybody."""
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
