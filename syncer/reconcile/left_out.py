"""Leave persons out of what was read, so that an error of ours with their tasks stops nobody else's (pure).

Nothing follows from absence: what is left out counts as not read. Whoever a task, a copy or a marker connects is left
out together. Else a copy of theirs on another person's contact would become a task of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property

from syncer.domain.base import Base, Changes
from syncer.domain.model import Reading, ReplicaState
from syncer.domain.snapshot import Seen


class Persons:
    """The persons of whom something is stored or was read. A contact, or a task, without a link counts as one."""

    def __init__(self, base: Base, seen: Mapping[str, Seen]) -> None:
        self._base = base
        self._seen = seen
        self._joined: dict[str, str] = {}

    @cached_property
    def groups(self) -> list[tuple[str, ...]]:
        """The persons whom nothing connects with another one, and the others together, in a stable order."""
        found: dict[str, list[str]] = {}
        self._join()
        for person in sorted(self._joined):
            found.setdefault(self._first(person), []).append(person)
        return [tuple(group) for group in found.values()]

    def of(self, system: str, contact: str | None, remote_id: str = "") -> str:
        """Return the person of a contact, or of a task without one."""
        return self._base.links.get((system, contact or "")) or f"{system}:{contact or ' ' + remote_id}"

    def without(self, left_out: Collection[str]) -> dict[str, Seen]:
        """Return what was read without these persons. That their tasks are there is still known."""
        return {system: self._hide(system, seen, left_out) for system, seen in self._seen.items()}

    def to_read(self, left_out: Collection[str]) -> tuple[Base, Mapping[str, Seen]]:
        """Return the base, and what was read, without anything of these persons: to choose what else to read."""
        base, gone = self._base, {*left_out}
        if not gone:
            return base, self._seen
        tasks = {task.id: task for task in base.tasks.values() if task.contact not in gone}
        rest = replace(
            base,
            tasks=tasks,
            replicas={key: copy for key, copy in base.replicas.items() if not self._whose(*key) & gone},
            operations={one.id: one for one in base.operations.values() if one.task in tasks},
            records={key: record for key, record in base.records.items() if self.of(*key) not in gone},
            links={key: link for key, link in base.links.items() if link not in gone},
            failing={
                place: one
                for place, one in base.failing.items()
                if not {self.of(one.system, one.contact), self.of(one.system, one.key)} & gone
            },
        )
        return rest, {
            system: replace(seen, rows={row.remote_id: row for row in self.others(seen.rows.values(), gone)})
            for system, seen in self.without(gone).items()
        }

    def others(self, rows: Iterable[Reading], left_out: Collection[str]) -> list[Reading]:
        """Return these tasks without those of these persons."""
        if not left_out:
            return [*rows]
        return [row for row in rows if self.of(row.system, row.contact, row.remote_id) not in left_out]

    def hidden(self, left_out: Collection[str]) -> list[Reading]:
        """Return what was read of these persons."""
        return [row for row in self._rows() if self.of(row.system, row.contact, row.remote_id) in left_out]

    def _hide(self, system: str, seen: Seen, left_out: Collection[str]) -> Seen:
        def stays(contact: str | None, remote_id: str = "") -> bool:
            return self.of(system, contact, remote_id) not in left_out

        hidden = {row.remote_id: row for row in self.hidden(left_out) if row.system == system}
        return replace(
            seen,
            readings={rid: row for rid, row in seen.readings.items() if stays(row.contact, rid)},
            missing={rid for rid in seen.missing if not self._whose(system, rid) & {*left_out}},
            rows={**hidden, **seen.rows},
            lanes={contact: rows for contact, rows in seen.lanes.items() if stays(contact)},
            persons={contact: rows for contact, rows in seen.persons.items() if stays(contact)},
            unread={*seen.unread, *(row.contact for row in hidden.values() if row.contact is not None)},
        )

    def _rows(self) -> Iterator[Reading]:
        for seen in self._seen.values():
            yield from seen.every_reading()
            for rows in seen.lanes.values():
                yield from rows

    def _whose(self, system: str, remote_id: str) -> set[str]:
        """Return the person of the task at this place, and that of the contact on which its copy is."""
        replica = self._base.replicas.get((system, remote_id))
        if replica is None:
            return set()
        task = self._base.tasks.get(replica.task)
        return {self.of(system, replica.contact), *(() if task is None else (task.contact,))}

    def _join(self) -> None:
        base, at = self._base, {row.key: self.of(row.system, row.contact, row.remote_id) for row in self._rows()}
        for seen in self._seen.values():
            for row in seen.rows.values():
                self._connect({self.of(row.system, row.contact, row.remote_id)})
        for key in base.records:
            self._connect({self.of(*key)})
        for task in base.tasks.values():
            self._connect({task.contact})
        for system, remote_id in base.replicas:
            self._connect(self._whose(system, remote_id))
        for row in self._rows():
            near = {at[row.key], *self._whose(*row.key)}
            if row.marker is not None:
                near |= self._whose(*row.marker.place) | {at.get(row.marker.place, at[row.key])}
                named = base.tasks.get(row.marker.task)
                near |= set() if named is None else {named.contact}
            self._connect(near)

    def _connect(self, persons: Collection[str]) -> None:
        roots = {self._first(person) for person in persons}
        for root in roots:
            self._joined[root] = min(roots)

    def _first(self, person: str) -> str:
        """Return the person who stands for all that are connected with this one."""
        while (first := self._joined.setdefault(person, person)) != person:
            person = first
        return person


def check_copies(merged: Base, changes: Changes) -> None:
    """Raise `RuntimeError` if a task that changes has two open copies in a CRM: the ledger would refuse all changes."""
    for key, copy in changes.replicas.items():
        others = (other for other in merged.copies(copy.task, copy.system) if other.key != key)
        if copy.state is ReplicaState.OPEN and any(other.state is ReplicaState.OPEN for other in others):
            msg = f"task {copy.task} would have two open copies in {copy.system}"
            raise RuntimeError(msg)


def concern(changes: Changes, base: Base, persons: Collection[str]) -> bool:
    """Whether these changes, compared with the base before them, are about a task of one of these persons."""
    named = {*changes.tasks, *(replica.task for replica in changes.replicas.values())}
    tasks = [*changes.tasks.values(), *(base.tasks[task] for task in named if task in base.tasks)]
    return any(task.contact in persons for task in tasks)
