"""What the oracle learns: what people did."""

from __future__ import annotations

from collections import Counter

from tests.simulation.ledgers import Ledgers
from tests.simulation.memory import SUPERSEDE_WINDOW, Copy
from tests.simulation.sight import called
from tests.simulation.story import UNTOLD, Story, Typed


class Facts(Ledgers):
    """A memory that is updated with everything that happens."""

    def made(self, name: str, person: int, copy: Copy, systems: tuple[str, ...], *, equal: bool = False) -> None:
        """A person created a task: a new one, a twin of the one with this name, or an ``equal`` one."""
        story = self.stories.setdefault(name, Story(person, systems, extra=int(self.at_once)))
        if equal:
            story.many += 1
        else:
            story.twins += 1
            if story.twins > 1 and person in self.unsure:
                story.excused |= UNTOLD
        self.theirs.add(copy)
        self.by_people.add(copy)
        self.rescheduled(copy)
        self.retitled(copy)
        # It may have none; the next date of a recurring task keeps its text.
        self.rewritten(copy)
        self.assigned(copy)
        for typed in story.typed:
            # A value that the task is created with is no edit.
            typed.made |= typed.copy == copy
            typed.spread |= typed.made
        self._forget(copy)
        # It may look like a copy that no marker names any more.
        if self.rebuilding and any(story.is_like(one) and one.excused >= UNTOLD for one in self.stories.values()):
            story.excused |= UNTOLD
        if copy[0] == "superfone":
            self._looks_superseded(copy)

    def _looks_superseded(self, new: Copy) -> None:
        """Excuse tasks that people closed just before this newer task: it seems to have closed them."""
        tasks = self.tasks("superfone")
        for remote_id, task in tasks.items():
            closed_at = self.closed_at.get(("superfone", remote_id))
            if task.open or not task.exclusive or task.contact != tasks[new[1]].contact or closed_at is None:
                continue
            story = self.story(("superfone", remote_id))
            if story is not None and self.stage.now() - closed_at <= SUPERSEDE_WINDOW:
                story.excused.add("L4")

    def closed(self, copy: Copy, *, cancelled: bool = False) -> None:
        """A person completed or cancelled a task."""
        story = self.story(copy)
        self.changed_at[copy] = self.closed_at[copy] = self.stage.now()
        if story is None:
            return
        there = [one for one in self.open_copies(self.tasks(copy[0])[copy[1]].name or "") if one[0] == copy[0]]
        if story.extra and len(there) > story.many:
            # With two copies in one CRM, nothing tells whether the task is done or the superfluous copy was removed.
            story.excused.add("L4")
        if cancelled:
            story.cancelled = True
        else:
            story.they_closed[copy[0]] += 1
        if copy in self.known and (self.closes_cancelled or not cancelled):
            story.noticed = True
        marked = self.marked_copies(self.tasks(copy[0])[copy[1]].name or "")
        if self.rebuilding and copy not in self.known and marked and marked <= self.ailing.keys():
            # Only a copy that cannot be read says which task its open copies are.
            story.excused |= UNTOLD
        if any(self.story(other) is story for other in self.moved_on - self.known):
            # Our completion may be what moved the other copy.
            story.excused |= UNTOLD
        self._part(story, copy)

    def touched(self, copy: Copy, deed: str) -> None:
        """A person changed a task, which is theirs from now on."""
        story = self.story(copy)
        if deed != "assigned":
            self.only_assigned.discard(copy)
        elif copy not in self.theirs:
            self.only_assigned.add(copy)
        self.theirs.add(copy)
        self.changed_at[copy] = self.stage.now()
        if story is None:
            return
        story.deeds |= {deed, f"{deed} in {copy[0]}"}
        if deed == "edited" and copy in self.unclaimed and (copy[0] == "superfone" or copy in self.ailing):
            # Its create may be in doubt, and the edit removed what it is recognised by. What it closed then counts as
            # superseded by people.
            story.excused |= UNTOLD
        if deed in {"edited", "reworded"} and copy in self.unclaimed and copy[0] == "superfone":
            # The copy of a task with the same due is taken for it.
            for other in self.stories.values():
                other.excused |= UNTOLD if story.is_like(other) else set()
            self._is_theirs_after_all(copy)
        begins_anew = self.rebuilding or self.closed_there is not None
        name = self.tasks(copy[0])[copy[1]].name or ""
        if deed in {"edited", "deleted"} and begins_anew and copy not in self.known:
            ours_there = self.rebuilding and deed == "edited" and copy[0] == "superfone" and copy not in self.by_people
            if ours_there or self.is_named_no_more(name, story, copy if deed == "deleted" else None):
                story.excused |= UNTOLD
        if deed == "edited" and self.is_closed(story) and (self.doubts is None or self._id_in(copy) in self.doubts):
            # It looks like a recurring task that our completion moved to its next date.
            story.excused |= UNTOLD
        if deed == "edited" and begins_anew and any(self.ailing[other] is story for other in self.ailing):
            # A task that cannot be read differs from others by its due only.
            story.excused |= UNTOLD
        if deed == "deleted" and begins_anew and self.copies(name).keys() <= self.by_people | {copy}:
            # Only this copy showed the due that we made up. A ledger that did not read it makes up another.
            story.due_made_up = False
        if deed == "deleted" and copy in self.shown:
            self.deleted.add((copy[0], name))
        if deed == "deleted" and self.closes_deleted:
            story.ended = True
            story.gone_copies.add(copy)
            story.they_deleted[copy[0]] += 1
            # What no run has read is not missed; nor is it by a ledger that did not know it.
            story.noticed |= copy in self.known - self.unclaimed and not self.ever_rebuilt
        if deed == "superseded":
            story.to_put_back = False
        self._part(story, copy)

    def moves_on(self, copy: Copy) -> None:
        """A person completed a recurring task. It is open again at once with its next date."""
        self.touched(copy, "edited")
        self._forget(copy)
        self.moved_on.add(copy)

    def moved_by_us(self, copy: Copy, before: Story | None) -> None:
        """A machine completed a recurring task, which moved. To another machine it looks rescheduled."""
        new = self.story(copy)
        if new is not None and before is not None and copy in self.unseen_moves and "L3" in before.excused:
            # Both completed it. A copy that one made for the date before looks to the other like a copy of this one.
            new.excused |= UNTOLD
        if new is not None and before is not None and self.is_unseen_move(copy):
            # It did not know of the last move. The other machine, which does, finds its copies rescheduled.
            before.excused |= UNTOLD
            before.typed += new.typed
            before.dues |= new.dues
        if new is not None and before is not None:
            self.moved_since.append((before, new))
            self.followed.append((before, new))
            self.taken_for_one += [] if self.ours_alone else [(before, new)]
        there = {True, False} if self.closed_there is not None else {True}
        self.unseen_moves[copy] = there if self.at_once else there - {self.ours_alone}

    def _is_theirs_after_all(self, copy: Copy) -> None:
        closed = self.closed_by.get(copy)
        superseded = self.story(closed) if closed is not None else None
        if closed is not None and superseded is not None:
            self.due_incidents.discard(closed)
            self.late_incidents.discard(closed)
            superseded.to_put_back = False

    def rescheduled(self, copy: Copy) -> None:
        """A person gave a task its present due."""
        story, task = self.story(copy), self.tasks(copy[0])[copy[1]]
        if story is not None:
            story.gets_due(task.due, self.stage.now())
            self._types(story, "due", task.due, copy)

    def saved(self, copy: Copy) -> None:
        """A person saved a task without a change. Its CRM reports a change all the same."""
        self.changed_at[copy] = self.stage.now()

    def retitled(self, copy: Copy) -> None:
        """A person gave a task its present title."""
        story, task = self.story(copy), self.tasks(copy[0])[copy[1]]
        if story is not None and task.title:
            self._types(story, "title", called(task.title), copy)

    def rewritten(self, copy: Copy) -> None:
        """A person gave a task its present text."""
        story, task = self.story(copy), self.tasks(copy[0])[copy[1]]
        if story is not None:
            self._types(story, "body", task.words, copy)

    def assigned(self, copy: Copy, before: str = "") -> None:
        """A person assigned a task that was ``before``'s. A stranger, or nobody, changes no other copy."""
        story, task = self.story(copy), self.tasks(copy[0])[copy[1]]
        if story is not None:
            typed = [one for one in story.typed if one.field == "assignee"]
            new = self._types(story, "assignee", task.assignee, copy)
            new.before = before
            # Where a create takes no assignee, nothing tells whose a copy was that is found after a lost answer.
            new.settled |= copy in self.unclaimed and copy[0] != "highlevel"
            # Of a person who is not brought up to date yet, a run concludes nothing from what it reads.
            if story.was_given_back_unread(copy, concludes=story.person not in self.not_read_since):
                self.theirs -= self.only_assigned & {copy}
            # The same assignee in another copy, before or since, is one value.
            new.spread |= any(one.value == task.assignee and self._shows_still(one) for one in typed)

    def _shows_still(self, typed: Typed) -> bool:
        task = self.tasks(typed.copy[0]).get(typed.copy[1])
        return task is not None and task.assignee == typed.value

    def _types(self, story: Story, field: str, value: object, copy: Copy) -> Typed:
        # Removing a due or an assignee changes no other copy.
        removed = value is None or (field == "assignee" and not value)
        for before in story.typed:
            # A later value of the same copy replaces this one.
            before.settled |= (before.field, before.copy) == (field, copy) and not removed
        # While an edit of ours there is in doubt, an older value shows that the edit was not carried out.
        in_doubt = self.doubts is None or self._id_in(copy) in self.doubts
        in_doubt &= any((before.field, before.value) == (field, value) for before in story.typed)
        self.typed += 1
        new = Typed(field, value, copy, self.typed, self.stage.now(), settled=removed or in_doubt or self.ever_rebuilt)
        story.typed.append(new)
        return new

    def met(self, person: int, system: str) -> None:
        """A CRM has this person from now on, and gets their open tasks."""
        self.added_at[system, self.contact_of(system, person) or ""] = self.stage.now()
        for name, story in self.stories.items():
            if story.person == person and system not in story.systems and name not in self.narrow:
                story.systems = (*story.systems, system)

    def doubled(self, person: int) -> None:
        """A person has two contacts in a CRM. Their copies wait until it is clear whose they are.

        Twins that were not read before cannot be matched then.
        """
        self.unsure.add(person)
        for name, story in self.stories.items():
            apart = story.twins > 1 and not self.known.issuperset(self.open_copies(name))
            if story.person == person and apart:
                story.excused |= UNTOLD

    def moved(self, copy: Copy) -> None:
        """A task was given to another contact of its person."""
        self.changed_at[copy] = self.stage.now()

    def contact_gone(self, system: str, contact: str) -> None:
        """People delete a contact, and its tasks with it."""
        person = self.persons_gone[system, contact] = self.persons[system, contact]
        for name, story in self.stories.items():
            if story.person == person:
                story.gone.add(system)
                there = {at for at, task in self.copies(name).items() if (at[0], task.contact) == (system, contact)}
                self._never_there(name, story, there)
                story.gone_copies |= there
                story.ended |= self.closes_deleted and bool(there)
                story.they_deleted[system] += len(there.intersection(self.open_copies(name)))
                story.deeds.add("deleted")
                # There is no lead any more to put it back to.
                story.to_put_back = story.to_put_back and system != "superfone"
                if not there & self.closed_at.keys() <= self.known_closed:
                    # No run has read this closing, and no run can read it now.
                    story.excused.add("L4")

    def _never_there(self, name: str, story: Story, gone: set[Copy]) -> None:
        """Count those of several equal tasks no more that went with their contact before any ledger knew them."""
        unread = {at for at in gone & self.by_people if at not in self.closed_at and self.task_id(at) is None}
        if self.closed_there is None:
            # A ledger that is lost may have copied them before.
            copied = Counter(at[0] for at in self.open_copies(name) if at not in gone)
            story.many = max(1, story.many - len(unread), *copied.values())

    def _part(self, story: Story, copy: Copy) -> None:
        """Excuse twins of which one was changed before all were seen: they are two tasks with one name.

        After a lost ledger this is true of all copies of a task. Another machine that runs has to have seen them, too.
        """
        copies = self.open_copies(self.tasks(copy[0])[copy[1]].name or "")
        seen_there = self.ours_alone or all(self.stage.is_known_to_all(*at) for at in copies)
        if story.twins > 1 and not (seen_there and self.known.issuperset(copies)):
            story.excused |= UNTOLD

    def may_reopen(self, copy: Copy) -> bool:
        """Whether a clean run has seen all closed copies of the task, and nothing about the task is unclear.

        Closed copies are read again only after a lost ledger, with all tasks of the person. A deletion that ends the
        task must have been read twice: before that, nothing tells whether people deleted or reopened last.
        """
        story, name = self.story(copy), self.tasks(copy[0])[copy[1]].name or ""
        if story is None or self.rebuilding or story.excused >= UNTOLD:
            return False
        closed = {other for other, task in self.copies(name).items() if not task.open}
        # Nobody can read any more what was closed in a contact that people deleted.
        closed |= story.gone_copies & self.closed_at.keys()
        seen = self.known_closed if self.closed_there is None else self.known_closed & self.closed_there
        # Our machine never sees a copy that another machine made and that people closed before ours read it.
        strange = {at for at in closed if self.closed_there is not None and not self.stage.is_known_to_all(*at)}
        missed = not any(map(self.is_missed_too_rarely, story.gone_copies if story.ended else ()))
        return missed and closed <= seen - self.unclaimed - strange

    def reopened(self, copy: Copy) -> bool:
        """Whether the reopened copy belongs to a task that was only cancelled, and is kept open elsewhere."""
        story = self.story(copy)
        kept = story is not None and story.cancelled and not (story.done or story.ended or self.closes_cancelled)
        if kept and story is not None:
            story.cancelled = False
            # If another copy is done before a run has seen this one open, this one is a task of its own.
            story.twins += 1
            self._forget(copy)
        return kept

    def reopened_as(self, copy: Copy, old: str, new: str) -> None:
        """A person reopened a copy of an old task, which began a new task."""
        self.reopenings[copy] = self.stories[old], self.stories[new]
        self.followed.append(self.reopenings[copy])

    def _forget(self, copy: Copy) -> None:
        """Forget what runs have seen of a copy."""
        self.known.discard(copy)
        self.known_closed.discard(copy)
        (self.closed_there or set()).discard(copy)
        self.changed_at[copy] = self.stage.now()

    def looks_deleted(self, story: Story) -> bool:
        """Whether nothing tells that a copy of this task was given away, and not deleted, which ends the task."""
        raise NotImplementedError
