"""What the judge learns: what people did, and what a run can have seen of it."""

from __future__ import annotations

from datetime import datetime

from tests.simulation.memory import LEAD_RECHECK, MARKER, SUPERSEDE_WINDOW, Copy, Memory
from tests.simulation.sight import SeenTask, called
from tests.simulation.story import UNTOLD, Story, Typed


class Facts(Memory):
    """A memory that grows with all that comes about."""

    # what people tell ------------------------------------------------------------------------------

    def made(self, name: str, person: int, copy: Copy, systems: tuple[str, ...], *, equal: bool = False) -> None:
        """A person made a task, a twin of one that has this name already, or an ``equal`` one beside it."""
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
        self.assigned(copy)
        for typed in story.typed:
            # What it is made with is no edit.
            typed.made |= typed.copy == copy
            typed.spread |= typed.made
        self._forget(copy)
        if self.rebuilding and any(story.is_like(one) and one.excused >= UNTOLD for one in self.stories.values()):
            # Beside a copy that nothing names any more, it looks like that copy.
            story.excused |= UNTOLD
        if copy[0] == "superfone":
            self._looks_superseded(copy)

    def _looks_superseded(self, new: Copy) -> None:
        """What somebody did a moment before somebody made a newer task looks as if that had closed it."""
        tasks = self.tasks("superfone")
        for remote_id, task in tasks.items():
            closed_at = self.closed_at.get(("superfone", remote_id))
            if task.open or not task.exclusive or task.contact != tasks[new[1]].contact or closed_at is None:
                continue
            story = self.story(("superfone", remote_id))
            if story is not None and self.stage.now() - closed_at <= SUPERSEDE_WINDOW:
                story.excused.add("L4")

    def closed(self, copy: Copy, *, cancelled: bool = False) -> None:
        """A person closed a task: done, or cancelled."""
        story = self.story(copy)
        self.changed_at[copy] = self.closed_at[copy] = self.stage.now()
        if story is None:
            return
        there = [one for one in self.open_copies(self.tasks(copy[0])[copy[1]].name or "") if one[0] == copy[0]]
        if story.extra and len(there) > story.many:
            # Of two copies in one CRM: whether the task is done, or only one of them too many, nobody can tell.
            story.excused.add("L4")
        if cancelled:
            story.cancelled = True
        else:
            story.they_closed[copy[0]] += 1
        if copy in self.known and (self.closes_cancelled or not cancelled):
            story.noticed = True
        if any(self.story(other) is story for other in self.moved_on - self.known):
            # It may be our completion that made the other copy move.
            story.excused |= UNTOLD
        self._part(story, copy)

    def touched(self, copy: Copy, deed: str) -> None:
        """A person changed a task: from now on it is theirs."""
        story = self.story(copy)
        self.theirs.add(copy)
        self.changed_at[copy] = self.stage.now()
        if story is None:
            return
        story.deeds |= {deed, f"{deed} in {copy[0]}"}
        if deed == "edited" and copy in self.unclaimed and (copy[0] == "superfone" or copy in self.ailing):
            # Its create may be in doubt, and what it would be known by is gone: what it closed, they have superseded.
            story.excused |= UNTOLD
            self._is_theirs_after_all(copy)
        begins_anew = self.rebuilding or self.closed_there is not None
        if deed in {"edited", "deleted"} and begins_anew and copy not in self.known:
            ours_there = self.rebuilding and deed == "edited" and copy[0] == "superfone" and copy not in self.by_people
            name, gone = self.tasks(copy[0])[copy[1]].name or "", copy if deed == "deleted" else None
            if ours_there or self._is_named_no_more(name, story, gone):
                story.excused |= UNTOLD
        if deed == "edited" and self.is_closed(story) and (self.doubts is None or self._id_in(copy) in self.doubts):
            # It looks like a recurring one that our completion moved on.
            story.excused |= UNTOLD
        if deed == "edited" and begins_anew and any(self.ailing[other] is story for other in self.ailing):
            # What cannot be read is told from others by its due alone.
            story.excused |= UNTOLD
        if deed == "deleted" and copy in self.shown:
            self.deleted.add((copy[0], self.tasks(copy[0])[copy[1]].name or ""))
        if deed == "superseded":
            story.to_put_back = False
        self._part(story, copy)

    def is_named_by_its_due(self, name: str, gone: Copy | None = None) -> bool:
        """Whether all that we made of the task is in Superfone, so that no marker names it, once this copy is gone."""
        return {system for system, _ in self.copies(name).keys() - self.by_people - {gone}} == {"superfone"}

    def _is_named_no_more(self, name: str, story: Story, gone: Copy | None = None) -> bool:
        """Whether its due alone named it, which people changed, or which was made up.

        Where a marker is in any CRM, it tells that there was a ledger, which may have made up a due.
        """
        made_up = story.undated is not None and not self._is_marked_anywhere(gone)
        return ("edited" in story.deeds or made_up) and self.is_named_by_its_due(name, gone)

    def moves_on(self, copy: Copy) -> None:
        """A person completed a recurring task, which is open again at once, with its next date."""
        self.touched(copy, "edited")
        self._forget(copy)
        self.moved_on.add(copy)

    def moved_by_us(self, copy: Copy, before: Story | None) -> None:
        """What a machine completed has moved to its next date: to the one that did not do it, it looks put off."""
        new = self.story(copy)
        if new is not None and before is not None and copy in self.unseen_moves and "L3" in before.excused:
            # Both completed it. What the one has made of the date before is a copy of this one to the other.
            new.excused |= UNTOLD
        there = {True, False} if self.closed_there is not None else {True}
        self.unseen_moves[copy] = there if self.at_once else there - {self.ours_alone}

    def is_unseen_move(self, copy: Copy) -> bool:
        """Whether a machine that writes now may not know that a completion moved this one."""
        writing = {True, False} if self.at_once else {self.ours_alone}
        return not writing.isdisjoint(self.unseen_moves.get(copy, ()))

    def _is_theirs_after_all(self, copy: Copy) -> None:
        closed = self.closed_by.get(copy)
        superseded = self.story(closed) if closed is not None else None
        if closed is not None and superseded is not None:
            self.due_incidents.discard(closed)
            self.late_incidents.discard(closed)
            superseded.to_put_back = False

    def rescheduled(self, copy: Copy) -> None:
        """A person has given a task the due that it has now."""
        story, task = self.story(copy), self.tasks(copy[0])[copy[1]]
        if story is not None:
            story.gets_due(task.due, self.stage.now())
            self._types(story, "due", task.due, copy)

    def saved(self, copy: Copy) -> None:
        """A person has stored a task as it is: its CRM says that it changed, and nobody typed anything."""
        self.changed_at[copy] = self.stage.now()

    def retitled(self, copy: Copy) -> None:
        """A person has given a task the title that it has now."""
        story, task = self.story(copy), self.tasks(copy[0])[copy[1]]
        if story is not None and task.title:
            self._types(story, "title", called(task.title), copy)

    def rewritten(self, copy: Copy) -> None:
        """A person has given a task the text that it has now."""
        story, task = self.story(copy), self.tasks(copy[0])[copy[1]]
        if story is not None:
            self._types(story, "body", task.words, copy)

    def assigned(self, copy: Copy, before: str = "") -> None:
        """A person has given a task to somebody; to nobody, or to a stranger, changes no other copy.

        Given back to whom it was somebody's ``before``, as it was read last, it is as if nobody had done anything.
        """
        story, task = self.story(copy), self.tasks(copy[0])[copy[1]]
        if story is not None:
            there = [one for one in story.typed if (one.field, one.value) == ("assignee", task.assignee)]
            changed_at = max(
                (one.at for one in story.typed if (one.field, one.copy) == ("assignee", copy)), default=None
            )
            read_at = self.task_read_at.get(copy)
            if changed_at is None or (read_at is not None and read_at > changed_at):
                self.assignee_read[copy] = before
            self._types(story, "assignee", task.assignee, copy)
            story.typed[-1].settled |= self.assignee_read[copy] == task.assignee
            # Given to the same one elsewhere, before or since, it is one value.
            story.typed[-1].spread |= any(self._shows_still(one) for one in there)

    def _shows_still(self, typed: Typed) -> bool:
        task = self.tasks(typed.copy[0]).get(typed.copy[1])
        return task is not None and task.assignee == typed.value

    def _types(self, story: Story, field: str, value: object, copy: Copy) -> None:
        for before in story.typed:
            # Who typed it there has changed their mind.
            before.settled |= (before.field, before.copy) == (field, copy)
        self.typed += 1
        # That a due or an assignee is taken away changes no other copy.
        removed = value is None or (field == "assignee" and not value)
        settled = removed or self.ever_rebuilt
        story.typed.append(Typed(field, value, copy, self.typed, self.stage.now(), settled=settled))

    def met(self, person: int, system: str) -> None:
        """A CRM knows the person from now on, and gets what is open for them."""
        self.added_at[system, self.contact_of(system, person) or ""] = self.stage.now()
        for name, story in self.stories.items():
            if story.person == person and system not in story.systems and name not in self.narrow:
                story.systems = (*story.systems, system)

    def doubled(self, person: int) -> None:
        """Somebody is there twice: while a ledger is rebuilt, nobody can tell whose the others' copies are."""
        self.unsure.add(person)
        for name, story in self.stories.items():
            # Nor can twins find each other that were not read before.
            apart = story.twins > 1 and not self.known.issuperset(self.open_copies(name))
            if story.person == person and (self.rebuilding or apart):
                story.excused |= UNTOLD

    def moved(self, copy: Copy) -> None:
        """A task was given to another contact of its person."""
        self.changed_at[copy] = self.stage.now()

    def contact_gone(self, system: str, contact: str) -> None:
        """People delete a contact, and its tasks with it."""
        person = self.persons_gone[system, contact] = self.persons[system, contact]
        for story in self.stories.values():
            if story.person == person:
                story.gone.add(system)
                story.deeds.add("deleted")
                # Where it was is no place any more.
                story.to_put_back = story.to_put_back and system != "superfone"
                if story.they_closed[system]:
                    # Maybe no run has read that, and none can any more.
                    story.excused.add("L4")

    def _part(self, story: Story, copy: Copy) -> None:
        """Twins of which one was changed before all were seen are two tasks, though both keep the name.

        So are, after a lost ledger, all copies of a task.
        """
        copies = self.open_copies(self.tasks(copy[0])[copy[1]].name or "")
        if story.twins > 1 and not self.known.issuperset(copies):
            story.excused |= UNTOLD

    def may_reopen(self, copy: Copy) -> bool:
        """Whether a clean run has seen all that is closed of its task, and the task is what it seems.

        What is closed is read again only with all of a person's tasks, after a lost ledger.
        """
        story, name = self.story(copy), self.tasks(copy[0])[copy[1]].name or ""
        if story is None or self.rebuilding or story.excused >= UNTOLD:
            return False
        closed = {other for other, task in self.copies(name).items() if not task.open}
        seen = self.known_closed if self.closed_there is None else self.known_closed & self.closed_there
        # What another machine made and people closed, before ours read it, ours never sees.
        strange = {at for at in closed if self.closed_there is not None and not self.stage.is_known_to_all(*at)}
        return closed <= seen - self.unclaimed - strange

    def reopened(self, copy: Copy) -> bool:
        """Whether the reopened copy belongs to a task that was only cancelled, and is kept open elsewhere."""
        story = self.story(copy)
        kept = story is not None and not story.done and story.cancelled and not self.closes_cancelled
        if kept and story is not None:
            story.cancelled = False
            # Done elsewhere before a run has seen that, the reopened one is a task of its own.
            story.twins += 1
            self._forget(copy)
        return kept

    def reopened_as(self, copy: Copy, old: str, new: str) -> None:
        """A person reopened a copy of an old task, which makes it a new one."""
        self.reopenings[copy] = self.stories[old], self.stories[new]

    def _forget(self, copy: Copy) -> None:
        """What a run has seen of a copy says nothing of it any more."""
        self.known.discard(copy)
        self.known_closed.discard(copy)
        (self.closed_there or set()).discard(copy)
        self.changed_at[copy] = self.stage.now()

    def retried(self, copy: Copy) -> None:
        """Somebody says that this task's copies which are gone may be made again."""
        name = self.tasks(copy[0])[copy[1]].name if copy[1] in self.tasks(copy[0]) else None
        self.deleted = {(system, gone) for system, gone in self.deleted if gone != name}

    def put_aside(self) -> None:
        """The ledger is copied, with what it knows to be gone."""
        self.deleted_before = set(self.deleted)

    def lost_ledger(self, *, old: bool = False) -> None:
        """What was not the same everywhere can't be told any more; an ``old`` ledger knows some of what it had made."""
        self.rebuilding = self.ever_rebuilt = True
        for story in self.stories.values():
            # What a copy showed before stood in the ledger alone.
            for typed in story.typed:
                typed.settled = True
        self.unread |= self.ailing.keys()
        # What is gone and what was never made, only the ledger could tell apart.
        self.deleted = self.deleted & self.deleted_before if old else set()
        self.seen_contradicted.clear()
        for copy, stories in self.reopenings.items():
            if copy not in self.known:
                # That it was closed before, the lost ledger alone knew.
                stories[0].excused |= UNTOLD
                stories[1].excused |= UNTOLD
        for seen in (self.known, self.known_closed, self.shown, self.due_incidents, self.late_incidents):
            seen.clear()
        for name, story in self.stories.items():
            untold = self.is_untold(name, story)
            copies = self.copies(name)
            # What was closed, but not done, stood in the ledger alone.
            story.seen &= any(self.task_id(copy) is not None for copy in copies)
            edited = "edited" in story.deeds
            hidden = any(copy in self.ailing and (edited or self._hides_its_due(copy)) for copy in copies)
            if untold or hidden or story.person in self.unsure:
                story.excused |= UNTOLD
            if "copied" in story.deeds or story.to_put_back:
                # It carries the marker of another task, whose copy it will be taken for if that one is closed here; or
                # a race closed it, which the lost ledger alone told from a person's deed.
                story.excused.add("L3")
        self.mark_alike()
        if not old:
            self.theirs |= {(system, remote_id) for system in self.stage.sandboxes for remote_id in self.tasks(system)}

    def is_untold(self, name: str, story: Story) -> bool:
        """Superfone keeps no markers: whose copy ours is there, its due alone tells, and people changed that.

        That a race closed a task, and that it is to be put back, stands in the ledger alone. A twin that people made
        by hand carries no marker, and what they changed since makes it another task. What was cancelled and is kept
        open elsewhere cannot be told from what was reopened.
        """
        there = [copy for copy in self.copies(name) if copy[0] == "superfone"]
        latest = max(there, key=lambda copy: int(copy[1]), default=None)
        edited_there = "edited in superfone" in story.deeds and latest in self.theirs - self.by_people
        kept = story.cancelled and not self.closes_cancelled
        return (
            edited_there
            or self._is_named_no_more(name, story)
            or story.to_put_back
            or kept
            or (story.twins > 1 and (bool(story.deeds) or story.done_at_most > 0))
        )

    def _is_marked_anywhere(self, gone: Copy | None) -> bool:
        return any(
            MARKER.search(task.text)
            for system in self.stage.sandboxes
            for remote_id, task in self.tasks(system).items()
            if (system, remote_id) != gone
        )

    def mark_alike(self) -> None:
        """From now on nothing tells apart, in Superfone, what is due together."""
        for story in self.stories.values():
            story.alike |= {other for other, one in self.stories.items() if story.is_like(one)}

    # what a run has seen ---------------------------------------------------------------------------

    def seen_by_a_clean_run(self, until: dict[str, datetime], not_looked_at: set[str], machine: int = 0) -> None:
        """A clean run has read all that it did not name, as it was at these times."""
        self.seen_contradicted |= self.contradicted
        for system in self.stage.sandboxes:
            for remote_id, task in self.tasks(system).items():
                if f"{system} task {remote_id}" not in not_looked_at:
                    self._is_seen((system, remote_id), task, until[system], machine)

    def _is_seen(self, copy: Copy, task: SeenTask, seen_until: datetime, machine: int) -> None:
        """A clean run has read what people had not changed since."""
        if copy in self.changed_at and self.changed_at[copy] >= seen_until:
            return
        added_at = self.added_at.get((copy[0], task.contact))
        if added_at is not None and seen_until < added_at + LEAD_RECHECK:
            return
        if copy in self.ailing or (copy[0], task.contact) in self.ailing:
            return
        if machine:
            if not task.open and self.closed_there is not None:
                self.closed_there.add(copy)
            return
        self.knows_another |= copy in self.marked_by_another
        (self.known if task.open else self.known_closed).add(copy)
        if task.open and task.name:
            self.shown.add(copy)
            self.stories[task.name].seen = True
