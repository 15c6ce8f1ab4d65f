"""What the oracle learns of tasks that people give to another person's contact.

From then on, the copies of one name are two tasks, one of each person: the second is ``#7@1``, where 1 is the person.
So every law holds for each of them by itself. Nothing is closed for one of the two because of the other.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from tests.simulation.facts import Facts
from tests.simulation.memory import Copy
from tests.simulation.sight import SeenTask
from tests.simulation.story import UNTOLD, Story, Typed

LAST = 2
"""People give tasks to this person or to one before."""
BY_LEDGERS = UNTOLD | {"L3"}
"""The laws that a lost, old or second ledger cannot keep for a task that people gave to another person."""


class Moves(Facts):
    """Facts that tell the tasks of one name apart by person. ``at_home`` is the first person of each such name."""

    def tasks(self, system: str) -> dict[str, SeenTask]:
        """Return the tasks of a CRM by remote id, each under the name that it has for its person."""
        found = super().tasks(system)
        if self.at_home:
            for at, task in found.items():
                name = self._name_for(task.name, self.persons.get((system, task.contact)))
                found[at] = task if name == task.name else task._replace(name=name)
        return found

    def _name_for(self, name: str | None, person: int | None) -> str | None:
        if name is None or person is None or self.at_home.get(name, person) == person:
            return name
        return f"{name}@{person}"

    def is_narrow(self, copy: Copy) -> bool:
        """Whether it is a message, which Superfone cannot show."""
        return self.tasks(copy[0])[copy[1]].name in self.narrow

    def whom_to_give(self, copy: Copy, number: int) -> int | None:
        """Return the person who gets it, chosen by this number, or ``None`` if people keep it where it is."""
        story, crowd = self.story(copy), {who for (where, _), who in self.persons.items() if where == copy[0]}
        others = sorted(who for who in crowd if story is not None and who <= LAST and who != story.person)
        person = others[number % len(others)] if others and copy[0] != "superfone" else None
        return person if person is not None and self._may_be_given(copy, person) else None

    def _may_be_given(self, copy: Copy, person: int) -> bool:
        """Whether it is certain what follows if people give this copy to the person.

        One that the person has already there, or has finished, would be a second one.
        """
        task, story = self.tasks(copy[0])[copy[1]], self.story(copy)
        if story is None or story.many > 1 or self.is_closed(story) or story.cancelled:
            return False
        first = (task.name or "").partition("@")[0]
        there = first if self.at_home.get(first, story.person) == person else f"{first}@{person}"
        other = self.stories.get(there)
        if other is None:
            return True
        mine = [at for at in self.open_copies(there) if at[0] == copy[0]]
        return not (mine or self.is_closed(other) or other.cancelled or other.they_closed or other.gone_copies)

    def given(self, copy: Copy, person: int, systems: tuple[str, ...]) -> None:
        """People give this copy to another person's contact, whose tasks are copied to these CRMs."""
        name = self.tasks(copy[0])[copy[1]].name or ""
        first, left = name.partition("@")[0], self.stories[name]
        self.at_home.setdefault(first, left.person)
        there = self._name_for(first, person) or ""
        new = self.stories.setdefault(there, Story(person, systems, extra=left.extra, twins=1))
        new.systems = tuple(dict.fromkeys((*new.systems, *systems)))
        new.dues |= left.dues
        new.undated, new.due_made_up = new.undated or left.undated, new.due_made_up or left.due_made_up
        new.typed += [_as_known(typed) for typed in left.typed]
        new.excused |= left.excused
        new.arrived += 1
        new.left.discard(copy[0])
        new.is_known_to_have_left.discard(copy[0])
        left.left.add(copy[0])
        if self.task_id(copy) is not None:
            left.is_known_to_have_left.add(copy[0])
        if name in self.narrow:
            self.narrow.add(there)
        unread = copy in self.unclaimed or self.doubts is None or self._id_in(copy) in self.doubts
        for story in (left, new):
            story.deeds.add("given")
            story.excused |= UNTOLD if unread else set()
            story.excused |= BY_LEDGERS if self.ever_rebuilt or self.closed_there is not None else set()
        for other in self.stories.values():
            if new.is_like(other):
                # It seems to be a twin of what the person has there already.
                new.excused |= UNTOLD
                other.excused |= UNTOLD
        self.moving[copy] = self.given_at[copy] = self.stage.now()
        self.theirs.add(copy)
        self._forget(copy)

    def _types(self, story: Story, field: str, value: object, copy: Copy) -> Typed:
        """A person typed a value. Until a run has read that a copy moved, nothing tells which of the two came first."""
        new = super()._types(story, field, value, copy)
        if self.moving:
            for other in self._namesakes(story):
                if any(self.story(at) in (story, other) for at in self.moving):
                    other.typed.append(_as_known(new))
                    other.dues |= story.dues
        return new

    def _namesakes(self, story: Story) -> list[Story]:
        """Return the same task of other persons."""
        names = {name.partition("@")[0] for name, one in self.stories.items() if one is story}
        return [one for name, one in self.stories.items() if name.partition("@")[0] in names and one is not story]

    def lost_ledger(self, *, old: bool = False) -> None:
        """The ledger is lost, or an ``old`` copy replaces it. Nothing tells what was moved from what was copied."""
        super().lost_ledger(old=old)
        for story in self.stories.values():
            story.excused |= BY_LEDGERS if "given" in story.deeds else set()

    def seen_by_a_clean_run(self, until: dict[str, datetime], not_looked_at: set[Copy], machine: int = 0) -> None:
        """A clean run has read everything that its report does not name."""
        super().seen_by_a_clean_run(until, not_looked_at, machine)
        for copy in self.moving.keys() & self.known:
            del self.moving[copy]

    def closed(self, copy: Copy, *, cancelled: bool = False) -> None:
        """A person completed or cancelled a task."""
        super().closed(copy, cancelled=cancelled)
        self._looks_deleted(copy)

    def touched(self, copy: Copy, deed: str) -> None:
        """A person changed a task."""
        super().touched(copy, deed)
        if deed == "deleted":
            self._looks_deleted(copy)

    def _looks_deleted(self, copy: Copy) -> None:
        """Note that a copy which was given away is gone where it was, before a run has found it where it is."""
        story = self.story(copy)
        for left in self._namesakes(story) if story is not None and copy in self.moving else ():
            left.deeds.add(f"deleted in {copy[0]}")
            if self.closes_deleted:
                left.excused |= BY_LEDGERS


def _as_known(typed: Typed) -> Typed:
    """Return a value that a copy may show, and of which nothing more is expected."""
    return replace(typed, settled=True, spread=True, taken=True)
