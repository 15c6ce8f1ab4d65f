"""What tells which task a copy is, if no ledger does: its marker, else its due, else nothing."""

from __future__ import annotations

from tests.simulation.memory import MARKER, Copy, Memory
from tests.simulation.sight import SeenTask
from tests.simulation.story import CLOCKS_DIFFER_BY, DEFAULT_DUE, SAME_DUE, UNTOLD, Story


class Telling(Memory):
    """A memory that knows what a new ledger, or that of another machine, can tell."""

    def is_marked_anywhere(self, gone: Copy | None = None) -> bool:
        return any(
            MARKER.search(task.text)
            for system in self.stage.sandboxes
            for remote_id, task in self.tasks(system).items()
            if (system, remote_id) != gone
        )

    def marked_copies(self, name: str) -> set[Copy]:
        """Return the copies of one task that carry a marker."""
        return {copy for copy, task in self.copies(name).items() if MARKER.search(task.text)}

    def is_named_by_its_due(self, name: str, gone: Copy | None = None) -> bool:
        """Whether all our copies of the task, without ``gone``, are in Superfone, so that no marker names it."""
        return {system for system, _ in self.copies(name).keys() - self.by_people - {gone}} == {"superfone"}

    def is_named_no_more(self, name: str, story: Story, gone: Copy | None = None) -> bool:
        """Whether only its due showed which task it is, and people changed the due, or we made it up.

        A marker in any CRM shows that there was a ledger, which may have made up a due.
        """
        made_up = story.undated is not None and not self.is_marked_anywhere(gone)
        return ("edited" in story.deeds or made_up) and self.is_named_by_its_due(name, gone)

    def is_older_than_its_task(self, name: str, story: Story) -> bool:
        """Whether our only copy looks older than the task, by the clocks of their CRMs, and may be of another task.

        Without a marker anywhere, nothing shows that there was a ledger. Then it is a twin of neither.
        """
        copies = self.copies(name)
        ours = [task.created_at for at, task in copies.items() if at not in self.by_people]
        theirs = [task.created_at for at, task in copies.items() if at in self.by_people]
        one_of_two = story.many > 1 or any(story.is_like(other) for other in self.stories.values())
        unmarked = self.is_named_by_its_due(name) and not self.is_marked_anywhere()
        return one_of_two and unmarked and bool(theirs) and min(ours) <= max(theirs)

    def is_untold(self, name: str, story: Story) -> bool:
        """Whether a new ledger cannot tell what this task is.

        In Superfone, which keeps no markers, only the due shows whose copy it is, and people may have changed it. Only
        the ledger knows that a race closed a task, which is to be put back. A twin that people made by hand carries no
        marker, so after a change it is another task. A cancelled task that is kept open elsewhere looks reopened.
        """
        there = [copy for copy in self.copies(name) if copy[0] == "superfone"]
        latest = max(there, key=lambda copy: int(copy[1]), default=None)
        edited = "edited in superfone" in story.deeds and latest in self.theirs - self.by_people
        kept = story.cancelled and not self.closes_cancelled
        if edited or self.is_named_no_more(name, story) or story.to_put_back or kept or story.has_changed_twins:
            return True
        return latest is not None and latest not in self.by_people and self._is_left_behind(latest)

    def _is_left_behind(self, copy: Copy) -> bool:
        """Whether this copy is closed, and all open ones have got another due since."""
        mine = self.tasks(copy[0])[copy[1]]
        dues = [task.due for task in self.copies(mine.name or "").values() if task.open and task.due is not None]
        if mine.open or mine.due is None or not dues:
            return False
        return all(abs(mine.due - due) >= SAME_DUE for due in dues)

    def is_due_by_a_wrong_clock(self, copy: Copy) -> bool:
        """Whether the due of this copy was made up while our clock was set wrong, so that it tells nothing."""
        story, task = self.story(copy), self.tasks(copy[0])[copy[1]]
        if story is None or story.undated is None or task.due is None:
            return False
        return not self.may_be_made_up(task, story)

    def may_be_made_up(self, task: SeenTask, story: Story) -> bool:
        """Whether the task's due may have been made up for this story, which has none, at any time since it began."""
        if story.undated is None or task.due is None:
            return False
        first, last = story.undated - CLOCKS_DIFFER_BY, self.stage.now() + CLOCKS_DIFFER_BY
        return first <= task.due - DEFAULT_DUE <= last

    def has_read_a_due(self, name: str) -> bool:
        """Whether the current run has read a copy of this task that has a due."""
        read = {at for at, when in self.task_read_at.items() if when >= self.began}
        return any(task.due is not None for at, task in self.copies(name).items() if at in read)

    def mark_alike(self) -> None:
        """Note which tasks are due together: from now on nothing tells them apart in Superfone."""
        for story in self.stories.values():
            story.alike |= {other for other, one in self.stories.items() if story.is_like(one)}

    def nameless(self) -> dict[str, str]:
        """Return the Superfone tasks, with their names, that the engine cannot connect to their other copies now."""
        begins_anew = self.rebuilding or self.closed_there is not None
        for name, story in self.stories.items() if begins_anew else ():
            copies = self.copies(name)
            story.excused |= UNTOLD if self._is_all_that_is_left(story, copies) else set()
            # If no copy has the due that was made up, nothing shows it any more. A closed row in Superfone is history.
            story.due_made_up &= any(
                task.due is not None and (task.open or at[0] != "superfone") for at, task in copies.items()
            )
        return {
            remote_id: task.name
            for remote_id, task in self.tasks("superfone").items()
            if task.open and task.name and self.stories[task.name].excused >= UNTOLD
        }

    def _is_all_that_is_left(self, story: Story, copies: dict[Copy, SeenTask]) -> bool:
        """Whether only our untitled copies in Superfone are left, and a ledger does not know them: to it they look new.

        This is also true beside the task itself if it was superseded there, because nobody finished it.
        """
        lane = self.stage.superfone
        left = {at: task for at, task in copies.items() if task.open or at[0] != "superfone" or story.done}
        told = [at[0] != "superfone" or lane.task(int(at[1])).title or self.stage.is_known_to_all(*at) for at in left]
        return bool(told) and not any(told)
