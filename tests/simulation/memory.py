"""What the judge remembers, and what it can tell from that and from what there is.

Every task that a person makes has a name (``#7``) in its title or text. Whatever the engine makes of it carries that
name along, so that the judge knows a copy by reading it, not by asking the engine. Equal tasks share one name.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from tests.simulation.sight import SeenTask, tasks_of
from tests.simulation.stage import SimulationStage
from tests.simulation.story import SAME_DUE, UNTOLD, Story

MARKER = re.compile(r"syncer:(?:(?P<old>[0-9A-Z]{26})|[0-9a-z]{10}:(?P<place>\w+:[^\s<]+))")
SUPERSEDE_WINDOW = timedelta(seconds=2)
LEAD_RECHECK = timedelta(hours=25)
"""A number that had no lead is asked again after a day."""
Copy = tuple[str, str]
"""(system, remote id)"""


class Memory:
    """The memory of one world. ``closes_cancelled`` and ``holds`` are the account's settings.

    ``theirs`` are the copies that people made or touched, ``by_people`` those that they made. ``moved_on`` are
    recurring ones that they completed, and that are open again with their next date; ``unseen_moves`` those that a
    machine completed, and whether ours is one of those that did not. ``doubts`` are the (task id, system) that were in
    doubt when the last run ended, ``None`` if it did not tell. ``reopenings`` are the tasks that a copy belonged
    to before people reopened it, and since. ``known`` and ``known_closed`` are those that a clean run has read as they
    are now; ``shown`` were read open once. ``unclaimed`` are ours of which the ledger does not know yet.
    ``changed_at`` and ``closed_at``: when somebody did so; ``read_at``: when a lead's tasks were last read, and by a
    process, ``read_by``.
    ``ailing`` are what a CRM can never show as it should, a Superfone lead or a Reply task, and of which task that is,
    though it be deleted by now; ``unread`` of them are those that were so before everything was read again after a
    lost ledger.
    ``held`` are the copies of which the last report says that nobody can tell what they are.
    ``unsure`` are the persons whose keys lead to several records; where a number went to another person, they are
    ``contradicted``, and ``seen_contradicted`` once a clean run has read that. ``narrow`` are the messages by name,
    which Superfone has no place for. ``ours_alone``: of two machines, only ours runs; ``at_once``: both. What the other
    one saw closed is in ``closed_there``, if it ever ran; what it made is ``made_by_another``, and ``incidents_there``
    are its to report. Once ours has read one of those ``marked_by_another`` alone, it ``knows_another``.
    ``added_at``: when people added a contact. ``typed`` counts what they ever typed; ``task_read_at``: when a task was
    last read by itself; ``assignee_read``: whose it was by then, before people gave it to others.
    ``began`` and ``disturbed`` are of the run that is under way; ``ever_rebuilt``: the ledger was lost, or is another
    one's, at some time.
    ``due_incidents`` are to be reported by the run that ends next, ``late_incidents`` by the one after it.
    """

    def __init__(self, stage: SimulationStage, *, closes_cancelled: bool = True, holds: bool = False) -> None:
        self.stage = stage
        self.closes_cancelled = closes_cancelled
        self.holds = holds
        self.stories: dict[str, Story] = {}
        self.persons: dict[Copy, int] = {}
        self.persons_gone: dict[Copy, int] = {}
        self.phones: dict[str, int] = {}
        self.theirs: set[Copy] = set()
        self.by_people: set[Copy] = set()
        self.moved_on: set[Copy] = set()
        self.doubts: set[tuple[str | None, str]] | None = set()
        self.unseen_moves: dict[Copy, set[bool]] = {}
        self.reopenings: dict[Copy, tuple[Story, Story]] = {}
        self.known: set[Copy] = set()
        self.known_closed: set[Copy] = set()
        self.shown: set[Copy] = set()
        self.unclaimed: set[Copy] = set()
        self.deleted: set[tuple[str, str]] = set()
        self.deleted_before: set[tuple[str, str]] = set()
        self.read_at: dict[str, datetime] = {}
        self.read_by: dict[tuple[int, str], datetime] = {}
        self.changed_at: dict[Copy, datetime] = {}
        self.closed_at: dict[Copy, datetime] = {}
        self.closed_by: dict[Copy, Copy] = {}
        self.due_incidents: set[Copy] = set()
        self.late_incidents: set[Copy] = set()
        self.ailing: dict[Copy, Story | None] = {}
        self.unread: set[Copy] = set()
        self.held: set[Copy] = set()
        self.unsure: set[int] = set()
        self.contradicted: set[int] = set()
        self.seen_contradicted: set[int] = set()
        self.narrow: set[str] = set()
        self.added_at: dict[Copy, datetime] = {}
        self.closed_there: set[Copy] | None = None
        self.rebuilding = self.at_once = self.ever_rebuilt = False
        self.typed, self.disturbed, self.began = 0, False, stage.now()
        self.task_read_at: dict[Copy, datetime] = {}
        self.assignee_read: dict[Copy, str] = {}
        self.ours_alone = True
        self.marked_by_another, self.knows_another = set[Copy](), False
        self.made_by_another, self.incidents_there = set[Copy](), set[Copy]()

    # what there is ---------------------------------------------------------------------------------

    def tasks(self, system: str) -> dict[str, SeenTask]:
        """Every task of a CRM by remote id; deleted ones are left out."""
        return tasks_of(self.stage, system)

    def copies(self, name: str) -> dict[Copy, SeenTask]:
        """All copies of one task, open and closed."""
        return {
            (system, remote_id): task
            for system in self.stage.sandboxes
            for remote_id, task in self.tasks(system).items()
            if task.name == name
        }

    def open_copies(self, name: str) -> list[Copy]:
        return [copy for copy, task in self.copies(name).items() if task.open]

    def contact_of(self, system: str, person: int) -> str | None:
        """The contact that is this person in a CRM, if there is one."""
        return next(iter(self.contacts_of(system, person)), None)

    def contacts_of(self, system: str, person: int) -> list[str]:
        """The contacts that are this person in a CRM, oldest first."""
        return [at for (where, at), who in self.persons.items() if (where, who) == (system, person)]

    def story(self, copy: Copy) -> Story | None:
        task = self.tasks(copy[0]).get(copy[1])
        return self.stories.get(task.name or "") if task else None

    def task_id(self, copy: Copy) -> str | None:
        """The id by which the ledger knows the task of a copy."""
        return self.stage.task_of(*copy)

    def _id_in(self, copy: Copy) -> tuple[str | None, str]:
        return self.task_id(copy), copy[0]

    def is_closed(self, story: Story) -> bool:
        """Whether people have ended it, so that all its copies may be closed."""
        return story.done or (story.cancelled and self.closes_cancelled)

    def must_be_closed(self, story: Story) -> bool:
        """Whether it was closed by people, and any engine can know."""
        return self.is_closed(story) and story.noticed and "L4" not in story.excused

    def ails(self, copy: Copy) -> None:
        """From now on this one fails. A twin that was not read by now is, once it can be read, another task."""
        story = self.ailing[copy] = self.story(copy)
        begins_anew = self.rebuilding or self.closed_there is not None
        self.unread |= {copy} if self.rebuilding else set()
        hidden = begins_anew and self._hides_its_due(copy)
        # Its create may be in doubt, and nothing waits for what cannot be read and is due at another time.
        moved = story is not None and copy in self.unclaimed and f"edited in {copy[0]}" in story.deeds
        apart = story is not None and copy not in self.known and (story.twins > 1 or hidden)
        if story is not None and (apart or moved):
            story.excused |= UNTOLD

    def hides(self, copy: Copy, story: Story, system: str) -> bool:
        """Whether this one, which cannot be read, may be the copy of a task that is due with it there."""
        task = self.tasks(copy[0]).get(copy[1])
        if copy[0] != system or task is None or self.persons.get((system, task.contact)) != story.person:
            return False
        return any(abs(due - task.due) < SAME_DUE for due in story.dues) if task.due is not None else False

    def _hides_its_due(self, copy: Copy) -> bool:
        """Whether nothing of it can be read that tells which other tasks are not it."""
        return self.stage.network.ailing.get(copy) == "malformed" and int(copy[1]) % 2 == 1

    def is_ailing(self, system: str, story: Story) -> bool:
        """Whether this task cannot be told of, or not be brought to this CRM, as long as an item fails there.

        What fails delays nothing but itself: a task itself is excused altogether; of a lead's tasks those that people
        made or changed there, which nobody can read, and of the others their copies there. After a lost or an old
        ledger nothing is made for somebody whose lead cannot be read.
        """
        if not self.ailing:
            return False
        if any(one is story for one in self.ailing.values()):
            return True
        mine = [copy for name in self.stories if self.stories[name] is story for copy in self.copies(name)]
        leads = {at for where, at in self.ailing if where == "superfone"}
        there = [copy for copy in mine if copy[0] == "superfone" and self.tasks("superfone")[copy[1]].contact in leads]
        persons = self.persons_gone | self.persons
        failing = {("superfone", lead) for lead in leads if persons.get(("superfone", lead)) == story.person}
        by_people = not (self.theirs | self.closed_at.keys()).isdisjoint(there)
        unread = self.closed_there is not None or not self.unread.isdisjoint(failing)
        return bool(failing) and (system == "superfone" or by_people or unread)

    def is_on_ailing_lead(self, copy: Copy) -> bool:
        """Whether its lead cannot be read."""
        task = self.tasks(copy[0]).get(copy[1])
        return task is not None and (copy[0], task.contact) in self.ailing

    def nameless(self) -> dict[str, str]:
        """The Superfone tasks, with their names, that nothing but a name could connect to the others now."""
        for name, story in self.stories.items() if self.rebuilding else ():
            copies = self.copies(name)
            story.excused |= UNTOLD if self._is_all_that_is_left(story, copies) else set()
            # Once no copy has the due that was made up, nothing tells of it any more.
            story.due_made_up &= any(task.due is not None for task in copies.values())
        return {
            remote_id: task.name
            for remote_id, task in self.tasks("superfone").items()
            if task.open and task.name and self.stories[task.name].excused >= UNTOLD
        }

    def _is_all_that_is_left(self, story: Story, copies: dict[Copy, SeenTask]) -> bool:
        """Whether people deleted all but our (untitled) copies in Superfone, unknown to the ledger: they look new.

        So they do beside the task itself, if that was superseded there: it is closed, and nobody finished it.
        """
        lane = self.stage.superfone
        left = {at: task for at, task in copies.items() if task.open or at[0] != "superfone" or story.done}
        told = [at[0] != "superfone" or lane.task(int(at[1])).title or self.task_id(at) for at in left]
        return bool(told) and not any(told)
