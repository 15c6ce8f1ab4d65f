"""What the oracle learns of tasks that people give to another person's contact.

From then on, the copies of one name are two tasks, one of each person: the second is ``#7@1``, where 1 is the person.
So every law holds for each of them by itself. Nothing is closed for one of the two because of the other.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from tests.simulation.facts import Facts
from tests.simulation.memory import Copy
from tests.simulation.sight import SeenTask, called
from tests.simulation.story import UNTOLD, Story, Typed, same

LAST = 2
"""People give tasks to this person or to one before."""
RUNS_UNTIL_CERTAIN = 2
"""In how many runs a copy must have been seen with another person: its CRM may be about to merge their contacts."""


class Moves(Facts):
    """Facts that tell the tasks of one name apart by person. ``at_home`` is the first person of each such name."""

    def tasks(self, system: str) -> dict[str, SeenTask]:
        """Return the tasks of a CRM by remote id, each under the name that it has for its person."""
        found = super().tasks(system)
        if self.at_home:
            for at, task in found.items():
                name = self._name_for(task.name, self.persons.get((system, task.contact)))
                if name != task.name:
                    found[at] = task._replace(name=name if name in self.stories else self._name_by_number(task.name))
        return found

    def _name_for(self, name: str | None, person: int | None) -> str | None:
        if name is None or person is None or self.at_home.get(name, person) == person:
            return name
        return f"{name}@{person}"

    def _name_by_number(self, name: str | None) -> str | None:
        """The name of a task that nobody gave to its person: a new ledger made it for the new owner of a number."""
        mine = (at for at, story in self.stories.items() if story.person in self.unsure)
        return next((at for at in mine if at.partition("@")[0] == name), name)

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

        One that the person has already there, or has finished, would be a second one. Of two that two machines made,
        the other one stays. Of one that nobody can read, no run learns that it was given away.
        """
        task, story = self.tasks(copy[0])[copy[1]], self.story(copy)
        if copy in self.ailing or story is None or story.many > 1 or self.is_closed(story) or story.cancelled:
            return False
        if sum(at[0] == copy[0] for at in self.open_copies(task.name or "")) > 1:
            return False
        first = (task.name or "").partition("@")[0]
        names = [name.partition("@")[0] for name, one in self.stories.items() if one.person == person]
        if any(name != first and name.rstrip("!") == first.rstrip("!") for name in names):
            # It is called like a task that this person has, and due with it, so it becomes one with that.
            return False
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
        if name in self.narrow and not any(system == "reply" for system, _ in self.open_copies(there)):
            # It comes back to the person who had it first, and we make no messages in Reply.
            new.systems = tuple(system for system in new.systems if system in systems)
        new.dues |= left.dues
        new.undated, new.due_made_up = new.undated or left.undated, new.due_made_up or left.due_made_up
        new.typed += [_as_known(typed) for typed in left.typed]
        new.excused |= left.excused
        new.arrived += 1
        if new.arrived > 1 and left.twins > 1:
            # They are twins there, too: no marker names the one that people made.
            new.twins = max(new.twins, 2)
        new.left.discard(copy[0])
        # It is to be done for that person after all, whoever else has a copy.
        new.is_known_to_have_left.clear()
        if self._are_unlike([*self.open_copies(there), copy]):
            new.excused |= UNTOLD
        left.left.add(copy[0])
        # A twin that no run has read yet is another task to the ledger.
        known_as = {self.task_id(at) for at in self.open_copies(name) if at in self.by_people | {copy}}
        if len(known_as) == 1 and None not in known_as and self._is_certain(copy):
            left.is_known_to_have_left.add(copy[0])
        if name in self.narrow:
            self.narrow.add(there)
        unread = copy in self.unclaimed or self.doubts is None or self._id_in(copy) in self.doubts
        for story in (left, new):
            story.deeds.add("given")
            story.excused |= UNTOLD if unread else set()
        for at, other in self.stories.items():
            if new.is_like(other):
                # It seems to be a twin of what the person has there already, and is done with that.
                new.excused |= UNTOLD
                other.excused |= UNTOLD
                new.alike.add(at)
                other.alike.add(there)
        self.moving[copy] = 0
        self.theirs.add(copy)
        self._forget(copy)

    def reopened_as(self, copy: Copy, old: str, new: str) -> None:
        """A person reopened a copy. If that was given away before, it shows the due that was made up for its task."""
        super().reopened_as(copy, old, new)
        if copy in self.moving:
            self.stories[new].dues |= self.stories[old].dues
            if old in self.narrow and not self._is_certain(copy):
                # Nobody read that it was closed, so it is still the message that was given away.
                self.narrow.add(new)
                self.stories[new].systems = self.stories[old].systems

    def copied(self, old: Copy, new: Copy) -> None:
        """A person duplicated a task with its marker. If the old one was given away, the new one looks so, too."""
        self.touched(new, "copied")
        before, after = self.story(old), self.story(new)
        if before is not None and after is not None:
            after.arrived = before.arrived

    def _types(self, story: Story, field: str, value: object, copy: Copy) -> Typed:
        """A person typed a value. Until a run has read that a copy moved, nothing tells which of the two came first."""
        new = super()._types(story, field, value, copy)
        if self.moving:
            unread = [self.story(at) for at, runs in self.moving.items() if not runs]
            for other in self._namesakes(story).values():
                if story in unread or other in unread:
                    other.typed.append(_as_known(new))
                    other.dues |= story.dues
            copies = self.open_copies(self.tasks(copy[0])[copy[1]].name or "")
            if not all(map(self._is_certain, copies)) and self._are_unlike(copies):
                story.excused |= UNTOLD
        return new

    def _are_unlike(self, copies: list[Copy]) -> bool:
        """Whether nothing shows that these copies, which come together only now, were one task: people changed some."""
        shown = [self.tasks(system)[remote_id] for system, remote_id in copies]
        titles = {called(task.title) for task in shown} - {""}
        return len(titles) > 1 or any(not same(task.due, shown[0].due) for task in shown)

    def _namesakes(self, story: Story) -> dict[str, Story]:
        """Return the same task of other persons, by name."""
        names = {name.partition("@")[0] for name, one in self.stories.items() if one is story}
        return {name: one for name, one in self.stories.items() if name.partition("@")[0] in names and one is not story}

    def is_of_another(self, task: str, story: Story) -> bool:
        """Whether the ledger's task belongs to another person. What was given away may keep the id that both had."""
        system, _, remote_id = task.partition("~")[0].partition(":")
        other = self.story((system, remote_id))
        # So may what people duplicated with its marker.
        same = story.arrived or any(one is other for one in self._namesakes(story).values())
        return super().is_of_another(task, story) and not same

    def lost_ledger(self, *, old: bool = False) -> None:
        """The ledger is lost, or an ``old`` copy replaces it, which has not read what moved since."""
        super().lost_ledger(old=old)
        if old:
            self.moving = dict.fromkeys(self.moving, 0)
        self.forget_what_left()

    def forget_what_left(self) -> None:
        """Forget, as a new ledger does, that a copy left which is finished or deleted by now, or always fails.

        Finished tasks are read only of persons who have an open one, and nobody can read what was deleted.
        """
        for story in self.stories.values():
            if story.is_known_to_have_left:
                open_copies = {copy for name in self._namesakes(story) for copy in self.open_copies(name)}
                story.is_known_to_have_left &= {system for system, _ in open_copies - self.ailing.keys()}

    def is_not_reached(self, systems: set[str]) -> None:
        """Forget what left in these CRMs: a new ledger takes a task for one that was never copied there."""
        for story in self.stories.values():
            story.is_known_to_have_left -= systems

    def looks_deleted(self, story: Story) -> bool:
        """Whether a copy was given away before the search showed it: whoever reads it where it was finds none."""
        names = self._namesakes(story)
        return self.closes_deleted and any(
            copy[0] == "highlevel"
            and not runs
            and self.story(copy) in names.values()
            and not self.stage.highlevel.shows(copy[1])
            for copy, runs in self.moving.items()
        )

    def takes_longer(self) -> bool:
        """Whether more runs are needed until it is certain what people gave away, as whatever fails takes three.

        An old ledger first reads everything again, and then once more what it finds with another person.
        """
        return bool(self.moving and (self.ailing or self.ever_rebuilt))

    def seen_by_a_clean_run(self, until: dict[str, datetime], not_looked_at: set[Copy], machine: int = 0) -> None:
        """A clean run has read everything that its report does not name."""
        super().seen_by_a_clean_run(until, not_looked_at, machine)
        for copy in self.moving.keys() & self.known if not machine else ():
            self.moving[copy] += 1

    def contact_gone(self, system: str, contact: str) -> None:
        """People delete a contact. If they just gave a task of it away, it seems to be merged into the other one."""
        person, here = self.persons[system, contact], self.tasks(system)
        for copy in self.moving:
            if copy[0] == system and copy[1] in here and here[copy[1]].contact == contact:
                self._is_gone(copy)
        super().contact_gone(system, contact)
        for copy in self.moving:
            story = self.story(copy) if copy[0] == system and not self._is_certain(copy) else None
            for left in self._namesakes(story).values() if story is not None else ():
                if left.person == person and story is not None:
                    # So they are one task, and are done together.
                    left.excused |= UNTOLD | {"L3"}
                    story.excused |= UNTOLD | {"L3"}

    def closed(self, copy: Copy, *, cancelled: bool = False) -> None:
        """A person completed or cancelled a task."""
        super().closed(copy, cancelled=cancelled)
        story, others = self.story(copy), set(self.open_copies(self.tasks(copy[0])[copy[1]].name or "")) - {copy}
        if story is not None and not all(map(self._is_certain, others)):
            # Nothing tells whether the other one came before that, so that it is done, too.
            story.excused |= UNTOLD
        self._is_gone(copy)

    def touched(self, copy: Copy, deed: str) -> None:
        """A person changed a task."""
        super().touched(copy, deed)
        if deed == "deleted":
            self._is_gone(copy)

    def _is_certain(self, copy: Copy) -> bool:
        """Whether the ledger knows whose this copy is, if people ever gave it away."""
        return self.moving.get(copy, RUNS_UNTIL_CERTAIN) >= RUNS_UNTIL_CERTAIN

    def _is_gone(self, copy: Copy) -> None:
        """Note that a copy is finished or deleted which was given away, perhaps before anybody knew of that."""
        story = self.story(copy)
        for left in self._namesakes(story).values() if story is not None else ():
            if self.ever_rebuilt and self.task_id(copy) is None:
                left.is_known_to_have_left.discard(copy[0])
            if not self._is_certain(copy):
                # It is gone where it was, before it is certain that it was given away.
                left.deeds.add(f"deleted in {copy[0]}")
                # So it was never missed where it is now.
                self.deleted -= {(copy[0], name) for name, other in self.stories.items() if other is story}
                if self.closes_deleted and not self.moving[copy]:
                    # To every run it looks as if the first person's copy was deleted, which ends the task.
                    left.excused |= UNTOLD | {"L3"}


def _as_known(typed: Typed) -> Typed:
    """Return a value that a copy may show, and of which nothing more is expected."""
    return replace(typed, settled=True, spread=True, taken=True)
