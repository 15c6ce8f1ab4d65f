"""What the oracle knows of another machine that serves the same account with a ledger of its own."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.simulation.memory import Copy
from tests.simulation.moves import Moves
from tests.simulation.sight import SeenTask
from tests.simulation.story import SAME_DUE, UNTOLD, Story

OURS, ANOTHER, BOTH = range(3)
"""Which machine a run is on."""
MACHINES = ("", " on the second machine", " on both machines")


class Machines(Moves):
    """Facts about two machines. Ours has the older ledger.

    Superfone keeps no markers, so a copy of the other machine looks as if people made it. A machine can know better
    from the other CRMs if they can be read, or from its user id in Superfone once it has created a task there alone.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._knows_its_user: set[int] = set()
        self._machine = OURS

    def begins(self, machine: int, *, disturbed: bool) -> None:
        """Note that a run begins on this machine. If it is ``disturbed``, it may not read everything."""
        self.disturbed, self.began = disturbed, self.stage.now()
        changes, self._machine = machine != self._machine, machine
        sent = {*self.stage.on_its_way}
        self.sent_by_another = sent if changes else self.sent_by_another & sent
        self.ours_alone, self.at_once = machine == OURS, machine == BOTH
        if machine != OURS:
            self._another_ledger()
        self.clock_goes_back()
        if disturbed and self.rebuilding:
            self._only_in_superfone()
        if self.at_once or (changes and self.stage.on_its_way):
            self._may_be_doubled()
        # A person may work with our key: until ours has read a marker of the other, a task of our user may be theirs.
        if machine != ANOTHER and not (OURS in self._knows_its_user and self.knows_another):
            for copy in self.made_by_another - self.known:
                story = self.story(copy)
                if story is not None and (disturbed or self._is_named_by_nothing(copy)):
                    story.excused |= UNTOLD

    def _is_named_by_nothing(self, copy: Copy) -> bool:
        """Whether nothing shows of which task the other machine made this copy.

        A marker of that machine of this person would show it. Without one, only its due does: if another open copy has
        it, or another copy of that machine still has the due of its task. A copy with the due of equal tasks is a twin
        of neither, and what was closed before ours read it is history to ours.
        """
        if alike := self._with_its_due(copy):
            story = self.story(copy)
            one_of_two = story is not None and (story.many > 1 or bool(story.alike))
            history = all(not task.open and at not in self.known for at, task in alike.items())
            # A list shows no closed task, so nobody reads its marker.
            there = {at: self.tasks(at[0]).get(at[1]) for at in self.marked_by_another}
            open_copies = [at for at, task in there.items() if at in self.known or (task is not None and task.open)]
            return (one_of_two or history) and not any(self._is_beside(at, copy) for at in open_copies)
        if not self.marked_by_another and self.is_named_by_its_due(self.tasks(copy[0])[copy[1]].name or ""):
            return True
        return not any(self._with_its_due(other) for other in self.made_by_another)

    def _is_beside(self, one: Copy, other: Copy) -> bool:
        """Whether both copies are there, and of one person."""
        stories = self.story(one), self.story(other)
        persons = [story.person for story in stories if story is not None]
        return len(persons) == 2 and persons[0] == persons[1]

    def _with_its_due(self, copy: Copy) -> dict[Copy, SeenTask]:
        """Return the other copies of its task that have the same due."""
        there = self.tasks(copy[0]).get(copy[1])
        if there is None or there.due is None:
            return {}
        return {
            at: task
            for at, task in self.copies(there.name or "").items()
            if at != copy and task.due is not None and abs(task.due - there.due) < SAME_DUE
        }

    def _only_in_superfone(self) -> None:
        """Excuse tasks that only Superfone shows: after a lost ledger, such a copy may be taken for a new task."""
        for name, story in self.stories.items():
            one_of_two = story.many > 1 or bool(story.alike)
            unread = not self.known.issuperset(self.open_copies(name))
            if unread and (one_of_two or story.deeds & {"deleted", "edited"} or self.is_named_by_its_due(name)):
                story.excused |= UNTOLD

    def _another_ledger(self) -> None:
        """Note that the other ledger begins. It knows as little as a ledger that was lost.

        Later it does not know the twins that only ours has read.
        """
        self.mark_alike()
        for name, story in self.stories.items():
            if story.has_changed_twins and not all(self.stage.is_known_to_all(*at) for at in self.open_copies(name)):
                story.excused |= UNTOLD
        if self.closed_there is None:
            self.closed_there, self.ever_rebuilt = set(), True
            self.forget_what_left()
            failing = self.ailing.keys()
            ailing = {s.person for name, s in self.stories.items() if not failing.isdisjoint(self.copies(name))}
            for name, story in self.stories.items():
                if story.to_put_back:
                    # A race closed it, and only the ledger of ours knows that no person did.
                    story.excused.add("L3")
                # A new ledger cannot read all tasks of these persons, or not tell who they are, so it finds no copies.
                if story.person in ailing | (self.unsure - self.twofold) or self._tells_nothing(name, story):
                    story.excused |= UNTOLD

    def _tells_nothing(self, name: str, story: Story) -> bool:
        """Whether people changed it, and no copy with a marker shows which task the Superfone copy belongs to."""
        marked = [copy for copy in self.open_copies(name) if copy[0] != "superfone" and copy not in self.theirs]
        changed = bool(story.deeds or story.done_at_most or story.undated)
        untold = self.is_untold(name, story) or self.is_older_than_its_task(name, story)
        return (changed and not marked) or untold

    def closed(self, copy: Copy, *, cancelled: bool = False) -> None:
        """A person completed or cancelled a task. To our ledger one of the other that it never saw open is history."""
        super().closed(copy, cancelled=cancelled)
        story = self.story(copy)
        if story is not None and story.many > 1 and copy in self.made_by_another - self.known:
            # Of equal tasks, ours may have noticed that another one was done, and cannot know of this one.
            story.excused.add("L4")

    def touched(self, copy: Copy, deed: str) -> None:
        """A person changed a task. If the other ledger has not read it, nothing tells whose a copy of ours is."""
        super().touched(copy, deed)
        if self.closed_there is None or copy[0] != "superfone" or copy in self.by_people:
            return
        story = self.story(copy)
        if story is not None and not self.stage.is_known_to_all(*copy):
            name = self.tasks(copy[0])[copy[1]].name or ""
            story.excused |= UNTOLD if self._tells_nothing(name, story) else set()

    def _may_be_doubled(self) -> None:
        """Allow for duplicates: two ledgers may both create a copy that a CRM lacks now."""
        for name, story in self.stories.items():
            there = Counter(system for system, _ in self.open_copies(name))
            if there.keys() != set(story.systems) or len(set(there.values())) > 1:
                story.extra = 1

    def made_in_superfone(self, copy: Copy, story: Story) -> None:
        """Note that a machine created this copy. If both run, it is not known which one."""
        if not self.at_once:
            self._knows_its_user.add(OURS if self.ours_alone else ANOTHER)
        elif not self._knows_its_user >= {OURS, ANOTHER}:
            story.excused |= UNTOLD
        if not self.ours_alone:
            self.made_by_another.add(copy)
