"""The snapshot of a run: what was read from each CRM, before anything is concluded from it (pure).

A snapshot has no absences. If a task is missing in a list, the observer reads that task by itself, and only the
answer to that read counts.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from syncer.domain.model import Reading, Unreadable
from syncer.domain.table import as_table
from syncer.domain.task_ids import Marker


class ConnectionState(StrEnum):
    """The state of a connection in this run. ``IDLE`` is used in reports only: nothing was requested."""

    OK = "ok"
    IDLE = "idle"
    UNAVAILABLE = "unavailable"
    UNAUTHORIZED = "unauthorized"
    OFF = "off"


def _by_tasks(_contact: str, rows: tuple[Reading, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row.remote_id for row in rows))


def _by_contact(_remote_id: str, row: Reading) -> tuple[str, ...]:
    return () if row.contact is None else (row.contact,)


def _by_origin(_remote_id: str, row: Reading) -> tuple[tuple[str, str], ...]:
    return () if row.marker is None else (row.marker.place,)


class Untold(NamedTuple):
    """What its list tells of a task that cannot be read: the key is (system, remote id)."""

    key: tuple[str, str]
    contact: str
    due: datetime


def untold_of(rows: Iterable[Reading | Unreadable]) -> set[Untold]:
    """Return what lists tell of these tasks that cannot be read, as far as they tell the contact and the due date."""
    return {
        Untold((row.system, row.remote_id or ""), row.contact, row.due)
        for row in rows
        if row.contact is not None and row.due is not None
    }


@dataclass(slots=True)
class Seen:
    """The snapshot of one CRM.

    state       of the connection; ``message`` is the CRM's own text
    readings    tasks that were read, by remote id
    missing     remote ids of replicas whose own read said that they do not exist
    listed      whether the list of all open tasks was read to its end; ``rows`` is that list, by remote id
    lanes       the full list of one contact's tasks, newest first, by contact id
    persons     all open and closed tasks of a contact, by contact id, if all of them were read
    unread      contacts with an unknown task that could not be read. Nothing is created for them, because that task
                may be a copy. Tasks that could not be read for several runs do not count any more
    untold      the tasks that do not count any more. Such a task holds up only tasks with its due
    unreadable  answers that could not be understood
    unreached   requests without an answer
    """

    state: ConnectionState = ConnectionState.OK
    message: str = ""
    readings: dict[str, Reading] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    listed: bool = False
    # Apart from `readings`: a list may lag, so a row that says something new is not believed before the task itself was
    # read.
    rows: dict[str, Reading] = field(default_factory=dict)
    lanes: dict[str, tuple[Reading, ...]] = field(default_factory=dict)
    persons: dict[str, tuple[Reading, ...]] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    untold: set[Untold] = field(default_factory=set)
    unreadable: list[Unreadable] = field(default_factory=list)
    unreached: list[Unreadable] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.readings = as_table(self.readings)
        self.lanes = as_table(self.lanes)
        self.persons = as_table(self.persons)

    def has(self, remote_id: str) -> bool:
        """Whether this task occurs anywhere in the snapshot, unreadable rows included."""
        if remote_id in self.rows or remote_id in self.readings:
            return True
        # What could not be understood is there all the same (L9).
        if any(remote_id == row.remote_id for row in self.unreadable):
            return True
        return any(as_table(contacts).keys_by(_by_tasks, remote_id) for contacts in (self.lanes, self.persons))

    def runs_by_itself(self, remote_id: str) -> bool:
        """Whether the CRM carries this task out by itself, as far as this snapshot tells."""
        row = self.readings.get(remote_id) or self.rows.get(remote_id)
        return row is not None and not row.mirrored

    def readings_of(self, contact: str | None) -> list[Reading]:
        """The tasks of this contact that were read."""
        return as_table(self.readings).by(_by_contact, contact)

    def every_reading(self) -> Iterator[Reading]:
        """All tasks that were read, open and closed. One may come twice: from a list, and from its contact's own."""
        yield from self.readings.values()
        for rows in self.persons.values():
            yield from rows

    def copies_of(self, place: tuple[str, str]) -> list[Reading]:
        """The tasks that were read and whose marker names this place as their origin, whoever wrote it."""
        return as_table(self.readings).by(_by_origin, place)

    def marked(self, marker: Marker) -> list[Reading]:
        """The tasks with this marker that were read."""
        return [row for row in self.copies_of(marker.place) if row.marker == marker]

    def dues_untold(self, contact: str | None, known: Container[tuple[str, str]]) -> list[datetime]:
        """The dues of what cannot be read of this contact, except of those that are ``known`` by now."""
        return [one.due for one in self.untold if one.contact == contact and one.key not in known]

    def without_readings(self) -> Seen:
        """How complete the snapshot is, without the tasks themselves."""
        return Seen(self.state, listed=self.listed, unread=self.unread, untold=self.untold)

    def lacks(self, contact: str | None, *, lists_all: bool, visited: bool) -> bool:
        """Whether a person's tasks in this CRM are not known.

        ``contact`` is the person's contact id in this CRM, if it is known. ``lists_all`` is whether the CRM can list
        all tasks: then the list of this run counts. Else tasks are read one contact at a time, and it is enough that
        they were ever read (``visited``).
        """
        if self.state is not ConnectionState.OK:
            return True
        if lists_all:
            return not self.listed or contact in self.unread
        # Whoever has no contact there has no tasks there, either.
        return contact is not None and not visited


def with_times(row: Reading, listed: Reading | None) -> Reading:
    """Return the row with the times from the list of all tasks, if the contact's own list does not show them."""
    if listed is None or row.created_at is not None:
        return row
    return replace(row, created_at=listed.created_at, updated_at=listed.updated_at)
