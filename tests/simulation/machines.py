"""What the judge knows of another machine, which serves the same account for a while with a ledger of its own."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.simulation.facts import Facts
from tests.simulation.memory import Copy
from tests.simulation.story import SAME_DUE, UNTOLD, Story

OURS, ANOTHER, BOTH = range(3)
"""Which machine a run is on."""
MACHINES = ("", " on the second machine", " on both machines")


class Machines(Facts):
    """Ours is the older one. Superfone keeps no markers: what the other one makes there looks as if people made it.

    What the other CRMs show tells better, where it can be read; else only who has made something in Superfone by
    itself, and so knows its user there.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._knows_its_user: set[int] = set()
        self._machine = OURS

    def begins(self, machine: int, *, disturbed: bool) -> None:
        """A run begins on this machine, in which not everything may be read if it is ``disturbed``."""
        self.disturbed, self.began = disturbed, self.stage.now()
        changes, self._machine = machine != self._machine, machine
        self.ours_alone, self.at_once = machine == OURS, machine == BOTH
        if machine != OURS:
            self._another_ledger()
        if disturbed and self.rebuilding:
            self._only_in_superfone()
        if self.at_once or (changes and self.stage.on_its_way):
            self._may_be_doubled()
        if machine != ANOTHER and OURS not in self._knows_its_user:
            for copy in self.made_by_another - self.known:
                story = self.story(copy)
                if story is not None and (disturbed or self._is_named_by_nothing(copy)):
                    story.excused |= UNTOLD

    def _is_named_by_nothing(self, copy: Copy) -> bool:
        """Whether it has another due by now than what it was made of, and nothing else tells who made it there.

        That tells another machine's copy which still has its due, or else a marker of that machine.
        """
        if self._shows_its_due(copy):
            return False
        if not self.marked_by_another and self.is_named_by_its_due(self.tasks(copy[0])[copy[1]].name or ""):
            return True
        return not any(self._shows_its_due(other) for other in self.made_by_another)

    def _shows_its_due(self, copy: Copy) -> bool:
        """Whether it is due as another copy of its task."""
        there = self.tasks(copy[0]).get(copy[1])
        if there is None or there.due is None:
            return False
        dues = [task.due for at, task in self.copies(there.name or "").items() if at != copy]
        return any(due is not None and abs(due - there.due) < SAME_DUE for due in dues)

    def _only_in_superfone(self) -> None:
        """After a lost ledger, a copy there is a task of its own if what it was made of, or of which, is not read."""
        for name, story in self.stories.items():
            one_of_two = story.many > 1 or bool(story.alike)
            unread = not self.known.issuperset(self.open_copies(name))
            if unread and (one_of_two or story.deeds & {"deleted", "edited"} or self.is_named_by_its_due(name)):
                story.excused |= UNTOLD

    def _another_ledger(self) -> None:
        """It knows as little at first as one that begins after a loss."""
        self.mark_alike()
        if self.closed_there is None:
            self.closed_there, self.ever_rebuilt = set(), True
            failing = self.ailing.keys()
            ailing = {s.person for name, s in self.stories.items() if not failing.isdisjoint(self.copies(name))}
            for name, story in self.stories.items():
                # Nobody who did not know can read all of theirs, or tell whose they are, and so what of it are copies.
                if story.person in ailing | self.unsure or self._tells_nothing(name, story):
                    story.excused |= UNTOLD

    def _tells_nothing(self, name: str, story: Story) -> bool:
        """Whether people changed it, and no copy with a marker is left that tells what the one in Superfone is of."""
        marked = [copy for copy in self.open_copies(name) if copy[0] != "superfone" and copy not in self.theirs]
        changed = bool(story.deeds or story.done_at_most or story.undated)
        return (changed and not marked) or self.is_untold(name, story)

    def _may_be_doubled(self) -> None:
        """What two ledgers make in the same moment is there twice, once for each of them: what a CRM lacks by then."""
        for name, story in self.stories.items():
            there = Counter(system for system, _ in self.open_copies(name))
            if there.keys() != set(story.systems) or len(set(there.values())) > 1:
                story.extra = 1

    def made_in_superfone(self, copy: Copy, story: Story) -> None:
        """One machine made this copy, or one of both did."""
        if not self.at_once:
            self._knows_its_user.add(OURS if self.ours_alone else ANOTHER)
        elif not self._knows_its_user >= {OURS, ANOTHER}:
            story.excused |= UNTOLD
        if not self.ours_alone:
            self.made_by_another.add(copy)
