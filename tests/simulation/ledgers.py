"""What the ledgers know: what a clean run has seen, and what is forgotten with a ledger that is lost or replaced."""

from __future__ import annotations

from datetime import datetime

from tests.simulation.memory import GRACE, LEAD_RECHECK, Copy
from tests.simulation.sight import SeenTask
from tests.simulation.story import UNTOLD, Story
from tests.simulation.telling import Telling


class Ledgers(Telling):
    """A memory of what runs have stored."""

    def seen_by_a_clean_run(self, until: dict[str, datetime], not_looked_at: set[Copy], machine: int = 0) -> None:
        """A clean run has read everything that its report does not name, as it was at these times."""
        self.read_contradicted[machine].update(self.contradicted)
        if not machine and self.not_read_since:
            self.has_read_since(until, not_looked_at)
        for system in self.stage.sandboxes:
            for remote_id, task in self.tasks(system).items():
                if (system, remote_id) not in not_looked_at:
                    self._is_seen((system, remote_id), task, until[system], machine)

    def _is_seen(self, copy: Copy, task: SeenTask, seen_until: datetime, machine: int) -> None:
        """Note that a clean run has read this copy, unless it changed since."""
        if copy in self.changed_at and self.changed_at[copy] >= seen_until:
            return
        added_at = self.added_at.get((copy[0], task.contact))
        too_soon = added_at is not None and seen_until < added_at + LEAD_RECHECK
        in_lane = copy[0] == "superfone"
        if too_soon or (in_lane and self.is_never_found(self.persons[copy[0], task.contact])):
            return
        # With `discovery = "linked"`, a lead is read once a contact of its person shows a task, and with little time in
        # its turn, and the time may be over before its answer is there. Only the ledger shows whether it was.
        if in_lane and (self.linked or self.slow) and self.task_id(copy) is None:
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

    def has_read_since(self, until: dict[str, datetime], not_looked_at: set[Copy]) -> None:
        """Note of whom this run has read everything, late enough after an old copy of the ledger was put back.

        A run reads everything of those of whom it finds an open task. A search that is late does not show a new one.
        """
        began = max(until.values())
        if self.restored_at is None:
            self.restored_at = began
            self.restored_by_our_clock = began + self.stage.our_clock.ahead
        if began >= self.restored_at + GRACE:
            there = {copy for name in self.stories for copy in self.open_copies(name)} - not_looked_at
            read = {at for at in there if at not in self.changed_at or self.changed_at[at] < until[at[0]]}
            self.not_read_since -= {self.stories[self.tasks(at[0])[at[1]].name or ""].person for at in read}

    def clock_goes_back(self) -> None:
        """Note that nobody counts as read any more if our clock is behind the instant at which an old copy was noticed.

        The ledger takes the present instant for that one, so what cannot be read now was never read since.
        """
        noticed = self.restored_by_our_clock
        if noticed is not None and self.stage.now() + self.stage.our_clock.ahead < noticed:
            self.unread |= self.ailing.keys()
            self.not_read_since, self.restored_at, self.restored_by_our_clock = set(self.persons.values()), None, None

    def retried(self, story: Story | None) -> None:
        """Somebody typed ``syncer retry``: missing copies of this task may be created again."""
        self.deleted = {(system, name) for system, name in self.deleted if self.stories[name] is not story}

    def put_aside(self) -> None:
        """The ledger is copied, with the copies that it knows to be gone."""
        self.deleted_before, self.typed_before = set(self.deleted), self.typed
        self.to_put_back_before = [story for story in self.stories.values() if story.to_put_back]
        self.moved_since.clear()

    def lost_ledger(self, *, old: bool = False) -> None:
        """The ledger is lost, or an ``old`` copy replaces it: excuse what only the ledger could have known."""
        self.rebuilding = self.ever_rebuilt = True
        self.replaced_under_a_run = self.stage.running
        self.sent_before_the_loss = {*self.stage.on_its_way}
        for name, story in self.stories.items():
            hidden = story.gone and len(self.open_copies(name)) == len(self.copies(name))
            if (story.ended and not story.done) or (story.done and hidden):
                # Only the ledger knew that a copy had been there, or had been finished in a contact that is deleted.
                story.excused.add("L4")
            for typed in story.typed:  # Only the ledger knew what a copy had shown before.
                typed.settled = True
                typed.taken &= old and typed.number <= self.typed_before
        self.taken_for_one += self.moved_since if old else []
        self.unread |= self.ailing.keys()
        self.not_read_since, self.restored_by_our_clock = set(self.persons.values()), None
        self.restored_at = None if old else self.stage.now() - GRACE
        # Only the ledger knew whether a copy was deleted or never created.
        self.deleted = self.deleted & self.deleted_before if old else set()
        self.read_contradicted[0].clear()
        for copy, stories in self.reopenings.items():
            there = self.tasks(copy[0]).get(copy[1])
            alone = there is None or len(self.copies(there.name or "")) == 1
            if copy not in self.known or alone:
                # Only the lost ledger knew that it had been closed before: no marker names the task that it is now.
                stories[0].excused |= UNTOLD
                stories[1].excused |= UNTOLD
        for seen in (self.known, self.known_closed, self.shown, self.due_incidents, self.late_incidents):
            seen.clear()
        for name, story in self.stories.items():
            untold = self.is_untold(name, story) or (not old and self.is_older_than_its_task(name, story))
            copies = self.copies(name)
            # Only the ledger knew what was closed but not done.
            story.seen &= any(self.task_id(copy) is not None for copy in copies)
            edited = "edited" in story.deeds
            ailing = copies.keys() & self.ailing.keys()
            hidden = any(edited or self._hides_its_due(at) or self.is_due_by_a_wrong_clock(at) for at in ailing)
            if untold or hidden or story.person in self.unsure - (self.twofold if story.twins < 2 else set()):
                story.excused |= UNTOLD
            if "copied" in story.deeds or story.to_put_back:
                # It carries the marker of another task, so it is taken for that task's copy if that one is closed here.
                # Or a race closed it, and only the lost ledger knew that no person did.
                story.excused.add("L3")
        self.mark_alike()
        if not old:
            self.theirs |= {(system, remote_id) for system in self.stage.sandboxes for remote_id in self.tasks(system)}
