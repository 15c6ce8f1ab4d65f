"""What the oracle remembers, and what follows from that and from the sandboxes.

Every task that a person creates has a name (``#7``) in its title or text. The copies that the engine makes carry the
name, too, so the oracle recognises a copy without asking the engine. Equal tasks share one name.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from tests.simulation.sight import SeenTask, tasks_of
from tests.simulation.stage import SimulationStage
from tests.simulation.story import SAME_DUE, UNTOLD, Story

MARKER = re.compile(r"syncer:(?:(?P<old>[0-9A-Z]{26})|[0-9a-z]{10}:(?P<place>\w+:[^\s<]+))")
SUPERSEDE_WINDOW = timedelta(seconds=2)
GRACE = timedelta(seconds=31)
"""A request arrives within this time, or never."""
MISSED_UNTIL_GONE = 2
"""In how many runs the read of a copy must have found none before it counts as deleted."""
LEAD_RECHECK = timedelta(hours=25)
"""After this time a number without a lead has been searched for again. The engine waits a day."""
Copy = tuple[str, str]
"""(system, remote id)"""


class Memory:
    """The memory of one world. ``closes_cancelled``, ``closes_deleted`` and ``holds`` are settings of the account.

    What people did: ``theirs`` are the copies that they made or touched, ``by_people`` those that they made.
    ``moved_on`` are recurring tasks that they completed, open again with their next date; ``unseen_moves`` are those
    that a machine completed, with whether ours is one that did not. ``moved_since`` are the stories before and after
    each such move since the ledger was copied, and ``reopenings`` those of a reopened copy. ``followed`` are all these
    pairs: one task followed another at one place, and ``taken_for_one`` those of a move that our ledger does not know.
    ``at_home`` is the first person of each name of which people gave a copy to another one, and ``moving`` are these
    copies, each with the number of clean runs that have read it there.
    ``added_at`` is when they added a contact. ``narrow`` are messages, which Superfone cannot show. ``changed_at`` and
    ``closed_at`` are when they did so. ``typed`` counts the values that they typed, and ``typed_before`` those when the
    ledger was copied.

    What runs have seen: ``known`` and ``known_closed`` are copies that a clean run has read as they are now; ``shown``
    were read open once. ``unclaimed`` are our copies that the ledger does not know yet. ``read_at`` is when a lead's
    tasks were last read, ``read_by`` the same for one process, and ``task_read_at`` when a task was last read by
    itself. ``only_assigned`` are our copies in which people changed only the assignee. ``missed`` are the runs in which
    the read of a task found none: how many had ended before, and the process.
    ``doubts`` are the (task id, system) that were in doubt when the last run ended, or ``None`` if it did not report.
    ``held`` are the copies that it calls unclear. ``began`` and ``disturbed`` belong to the current run.
    ``due_incidents`` must be in the report of the next run that ends, ``late_incidents`` in the one after it.

    What cannot be read or told: ``ailing`` are items that a CRM never shows as it should (a Superfone lead or a Reply
    task), each with its story, even if it was deleted since. ``unread`` are those of them that failed before everything
    was read again after a lost ledger. ``not_read_since`` are the persons of whom nobody has read everything since, as
    nothing of them is open. After an old copy was put back, which a run noticed at ``restored_at``, or
    ``restored_by_our_clock``, reading counts only once what its forerunner had sent has arrived. ``unsure`` are persons
    whose keys lead to several records, ``contradicted`` those whose number went to another person, and
    ``read_contradicted`` those of them that a clean run has read, on our machine and on the other one.
    ``hidden`` are those whose lead has a number that no contact shows any more.
    ``ever_rebuilt`` is true once the ledger was lost or another one was used, ``replaced_under_a_run`` until the end of
    a run during which that happened. ``sent_before_the_loss`` are the CRMs to which a request was on its way then,
    and ``sent_by_another`` those to which one of the other machine is.

    Two machines: ``ours_alone`` is true if only ours runs, ``at_once`` if both do. ``closed_there`` is what the other
    one saw closed, or ``None`` if it never ran. ``made_by_another`` are its copies, and ``incidents_there`` are its to
    report. ``knows_another`` is true once ours has read one of the copies ``marked_by_another``.
    """

    def __init__(
        self,
        stage: SimulationStage,
        *,
        closes_cancelled: bool = True,
        closes_deleted: bool = False,
        holds: bool = False,
    ) -> None:
        self.stage = stage
        self.closes_cancelled, self.closes_deleted = closes_cancelled, closes_deleted
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
        self.at_home: dict[str, int] = {}
        self.moving: dict[Copy, int] = {}
        self.moved_since: list[tuple[Story, Story]] = []
        self.reopenings: dict[Copy, tuple[Story, Story]] = {}
        self.followed: list[tuple[Story, Story]] = []
        self.taken_for_one: list[tuple[Story, Story]] = []
        self.known: set[Copy] = set()
        self.known_closed: set[Copy] = set()
        self.shown: set[Copy] = set()
        self.unclaimed: set[Copy] = set()
        self.deleted: set[tuple[str, str]] = set()
        self.missed: dict[Copy, set[tuple[int, int]]] = {}
        self.runs_ended = 0
        self.deleted_before: set[tuple[str, str]] = set()
        self.to_put_back_before: list[Story] = []
        self.sent_by_another: set[str] = set()
        self.read_at: dict[str, datetime] = {}
        self.read_by: dict[tuple[int, str], datetime] = {}
        self.changed_at: dict[Copy, datetime] = {}
        self.closed_at: dict[Copy, datetime] = {}
        self.closed_by: dict[Copy, Copy] = {}
        self.due_incidents: set[Copy] = set()
        self.late_incidents: set[Copy] = set()
        self.ailing: dict[Copy, Story | None] = {}
        self.unread: set[Copy] = set()
        self.not_read_since: set[int] = set()
        self.restored_at: datetime | None = None
        self.restored_by_our_clock: datetime | None = None
        self.held: set[Copy] = set()
        self.unsure: set[int] = set()
        self.contradicted: set[int] = set()
        self.read_contradicted: tuple[set[int], set[int]] = (set(), set())
        self.hidden: set[int] = set()
        self.narrow: set[str] = set()
        self.added_at: dict[Copy, datetime] = {}
        self.closed_there: set[Copy] | None = None
        self.rebuilding = self.at_once = self.ever_rebuilt = self.replaced_under_a_run = self.slow = self.linked = False
        self.typed, self.typed_before, self.disturbed, self.began = 0, 0, False, stage.now()
        self.sent_before_the_loss: set[str] = set()
        self.task_read_at: dict[Copy, datetime] = {}
        self.only_assigned: set[Copy] = set()
        self.ours_alone = True
        self.marked_by_another, self.knows_another = set[Copy](), False
        self.made_by_another, self.incidents_there = set[Copy](), set[Copy]()

    # what there is ---------------------------------------------------------------------------------

    def tasks(self, system: str) -> dict[str, SeenTask]:
        """Return the tasks of a CRM by remote id, without deleted ones."""
        return tasks_of(self.stage, system)

    def copies(self, name: str) -> dict[Copy, SeenTask]:
        """Return all copies of one task, open and closed."""
        return {
            (system, remote_id): task
            for system in self.stage.sandboxes
            for remote_id, task in self.tasks(system).items()
            if task.name == name
        }

    def open_copies(self, name: str) -> list[Copy]:
        return [copy for copy, task in self.copies(name).items() if task.open]

    def contact_of(self, system: str, person: int) -> str | None:
        """Return the person's contact in a CRM, or ``None``."""
        return next(iter(self.contacts_of(system, person)), None)

    def contacts_of(self, system: str, person: int) -> list[str]:
        """Return the person's contacts in a CRM, oldest first."""
        return [at for (where, at), who in self.persons.items() if (where, who) == (system, person)]

    def story(self, copy: Copy) -> Story | None:
        task = self.tasks(copy[0]).get(copy[1])
        return self.stories.get(task.name or "") if task else None

    def task_id(self, copy: Copy) -> str | None:
        """Return the task id of a copy in the ledger."""
        return self.stage.task_of(*copy)

    def _id_in(self, copy: Copy) -> tuple[str | None, str]:
        return self.task_id(copy), copy[0]

    def is_missed_too_rarely(self, gone: Copy) -> bool:
        """Whether fewer than two runs have read that this copy is gone."""
        return len(self.missed.get(gone, ())) < MISSED_UNTIL_GONE

    def is_unseen_move(self, copy: Copy) -> bool:
        """Whether a machine that writes now may not know that a completion moved this copy."""
        writing = {True, False} if self.at_once else {self.ours_alone}
        return not writing.isdisjoint(self.unseen_moves.get(copy, ()))

    def is_deleted(self, system: str, story: Story) -> bool:
        """Whether people deleted a copy there, of this task or of one before it that our ledger takes for the same."""
        if f"deleted in {system}" in story.deeds or system in story.gone:
            return True
        return any(self.is_deleted(system, before) for before, after in self.taken_for_one if after is story)

    def is_of_another(self, task: str, story: Story) -> bool:
        """Whether the ledger's task belongs to another person: a create answered with the id of a copy of this one."""
        system, _, remote_id = task.partition("~")[0].partition(":")
        other = self.story((system, remote_id))
        return other is not None and other.person != story.person

    @property
    def twofold(self) -> set[int]:
        """The persons who have two contacts in one CRM."""
        return {person for person in self.unsure if len(self.contacts_of("highlevel", person)) > 1}

    def is_closed(self, story: Story) -> bool:
        """Whether people completed or cancelled it, so that all its copies may be closed."""
        return story.done or (story.cancelled and self.closes_cancelled) or story.ended

    @property
    def seen_contradicted(self) -> set[int]:
        """The persons of whom every machine that writes now has read that their number went to another person."""
        ours, there = self.read_contradicted
        if self.at_once:
            return ours & there
        return ours if self.ours_alone else there

    def must_be_closed(self, story: Story) -> bool:
        """Whether people closed it and any engine can know that."""
        return self.is_closed(story) and story.noticed and "L4" not in story.excused

    def ails(self, copy: Copy) -> None:
        """From now on this item cannot be read. A twin that was not read before counts as another task later."""
        story = self.ailing[copy] = self.story(copy)
        begins_anew = self.rebuilding or self.closed_there is not None
        contact = copy[1] if (task := self.tasks(copy[0]).get(copy[1])) is None else task.contact
        begun_anew = self.rebuilding or self.persons.get((copy[0], contact)) in self.not_read_since
        self.unread |= {copy} if begun_anew else set()
        hidden = begins_anew and self._hides_its_due(copy)
        # Its create may be in doubt. Nothing waits for a task that cannot be read and has another due.
        moved = story is not None and copy in self.unclaimed and f"edited in {copy[0]}" in story.deeds
        apart = story is not None and copy not in self.known and (story.twins > 1 or hidden)
        if story is not None and (apart or moved):
            story.excused |= UNTOLD

    def hides(self, copy: Copy, story: Story, system: str) -> bool:
        """Whether this unreadable item may be the copy there of a task with the same due."""
        task = self.tasks(copy[0]).get(copy[1])
        if task is None or task.due is None or not self._is_theirs_in(system, copy, story):
            return False
        return any(abs(due - task.due) < SAME_DUE for due in story.dues)

    def may_be_of_a_doubt(self, copy: Copy, story: Story, system: str) -> bool:
        """Whether this item, of which not even the due can be read, may be what a create in doubt made of the task."""
        return self._is_theirs_in(system, copy, story) and self._hides_its_due(copy)

    def _is_theirs_in(self, system: str, copy: Copy, story: Story) -> bool:
        """Whether this item is in that CRM, and of the person of the task."""
        task = self.tasks(copy[0]).get(copy[1])
        return copy[0] == system and task is not None and self.persons.get((system, task.contact)) == story.person

    def _hides_its_due(self, copy: Copy) -> bool:
        """Whether not even its due can be read, so that it may be a copy of any task."""
        return self.stage.network.ailing.get(copy) == "malformed" and int(copy[1]) % 2 == 1

    def is_ailing(self, system: str, story: Story) -> bool:
        """Whether this task cannot be judged, or not be copied to this CRM, as long as an item fails there.

        A failing item delays only itself. A failing task is excused completely. Of a failing lead, the tasks that
        people made or changed there are excused, and the copies there of all others. After a lost ledger or an old
        copy, nothing is created for a person whose lead cannot be read.
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

    def is_never_found(self, person: int) -> bool:
        """Whether no contact shows the number of the lead any more, and no ledger in use has found the lead before."""
        found = self.read_at.keys() & self.contacts_of("superfone", person)
        return person in self.hidden and (self.ever_rebuilt or not found)

    def is_unwatched(self, person: int) -> bool:
        """Whether only leads of contacts with a task are watched, this one was never read, and shows none elsewhere.

        Of a task that cannot be read, nobody knows that it is open.
        """
        if not self.linked or self.read_at.keys() & self.contacts_of("superfone", person):
            return False
        mine = [name for name, story in self.stories.items() if story.person == person]
        readable = [copy for name in mine for copy in self.open_copies(name) if copy not in self.ailing]
        return all(system == "superfone" for system, _ in readable)

    def is_on_ailing_lead(self, copy: Copy) -> bool:
        """Whether the lead of this copy cannot be read."""
        task = self.tasks(copy[0]).get(copy[1])
        return task is not None and (copy[0], task.contact) in self.ailing
