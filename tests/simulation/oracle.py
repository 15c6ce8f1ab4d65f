"""The judge: knows who really did what, and holds the engine to the laws. Shares no code with it.

Every task that a person makes has a name of its own (``#7``) in its title or text. Whatever the engine makes of
it carries that name along, so that the judge knows a copy by reading it, not by asking the engine.
"""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import datetime, timedelta

from adapters.sandbox import Call, Reply
from tests.simulation.sight import Seen, contacts_of, tasks_of
from tests.simulation.stage import Outcome, Stage
from tests.simulation.story import UNTOLD, Story

MARKER = re.compile(r"syncer:[0-9A-Z]{26}")
GRACE = timedelta(seconds=31)
ZERO = timedelta(0)
SUPERSEDE_WINDOW = timedelta(seconds=2)
Copy = tuple[str, str]
"""(system, remote id)"""


class Violation(AssertionError):
    """A law was broken: L1 to L9, or another promise by name."""

    def __init__(self, law: str, words: str) -> None:
        super().__init__(f"{law}: {words}")
        self.law = law


class Oracle:
    """Watches the sandboxes. ``closes_cancelled`` and ``holds`` are the account's settings: see `_may_replace`."""

    def __init__(self, stage: Stage, *, closes_cancelled: bool = True, holds: bool = False) -> None:
        self._stage = stage
        self.closes_cancelled = closes_cancelled
        self._holds = holds
        self.stories: dict[str, Story] = {}
        self.persons: dict[Copy, int] = {}
        self.phones: dict[str, int] = {}
        self.theirs: set[Copy] = set()
        self.known: set[Copy] = set()
        self.known_closed: set[Copy] = set()
        self._read_at: dict[str, datetime] = {}
        self._changed_at: dict[Copy, datetime] = {}
        self._closed_at: dict[Copy, datetime] = {}
        self._shown: set[Copy] = set()
        self._deleted: set[tuple[str, str]] = set()
        self._closed_by: dict[Copy, Copy] = {}
        self._due_incidents: set[Copy] = set()
        self._late_incidents: set[Copy] = set()
        self._before: dict[str, Seen] = {}
        self._unclaimed: set[Copy] = set()
        self._rebuilding = False
        stage.before_write = self._before_write
        stage.after_call = self._after_call

    # what there is ---------------------------------------------------------------------------------

    def tasks(self, system: str) -> dict[str, Seen]:
        """Every task of a CRM by remote id; deleted ones are left out."""
        return tasks_of(self._stage, system)

    def copies(self, name: str) -> dict[Copy, Seen]:
        """All copies of one task, open and closed."""
        return {
            (system, remote_id): task
            for system in self._stage.sandboxes
            for remote_id, task in self.tasks(system).items()
            if task.name == name
        }

    def open_copies(self, name: str) -> list[Copy]:
        return [copy for copy, task in self.copies(name).items() if task.open]

    def contact_of(self, system: str, person: int) -> str | None:
        """The contact that is this person in a CRM, if there is one."""
        return next((at for (where, at), who in self.persons.items() if (where, who) == (system, person)), None)

    # what people tell ------------------------------------------------------------------------------

    def made(self, name: str, person: int, copy: Copy, systems: tuple[str, ...]) -> None:
        """A person made a task, or a twin of one that has this name already."""
        self.stories.setdefault(name, Story(person, systems)).twins += 1
        self.theirs.add(copy)
        self.rescheduled(copy)
        self._forget(copy)
        if copy[0] == "superfone":
            self._looks_superseded(copy)

    def _looks_superseded(self, new: Copy) -> None:
        """What somebody did a moment before somebody made a newer task looks as if that had closed it."""
        tasks = self.tasks("superfone")
        for remote_id, task in tasks.items():
            closed_at = self._closed_at.get(("superfone", remote_id))
            if task.open or not task.exclusive or task.contact != tasks[new[1]].contact or closed_at is None:
                continue
            story = self._story(("superfone", remote_id))
            if story is not None and self._stage.now() - closed_at <= SUPERSEDE_WINDOW:
                story.excused.add("L4")

    def closed(self, copy: Copy, *, cancelled: bool = False) -> None:
        """A person closed a task: done, or cancelled."""
        story = self._story(copy)
        self._changed_at[copy] = self._closed_at[copy] = self._stage.now()
        if story is None:
            return
        if cancelled:
            story.cancelled = True
        else:
            story.done = True
        if copy in self.known:
            story.noticed = True
        self._part(story, copy)

    def touched(self, copy: Copy, deed: str) -> None:
        """A person changed a task: from now on it is theirs."""
        story = self._story(copy)
        self.theirs.add(copy)
        self._changed_at[copy] = self._stage.now()
        if story is None:
            return
        story.deeds.add(deed)
        if deed == "edited" and copy[0] == "superfone" and copy in self._unclaimed:
            # Its create may be in doubt, and what it would be known by is gone: what it closed, they have superseded.
            story.excused |= UNTOLD
            self._is_theirs_after_all(copy)
        if deed == "deleted" and copy in self._shown:
            self._deleted.add((copy[0], self.tasks(copy[0])[copy[1]].name or ""))
        if deed == "superseded":
            story.to_put_back = False
        self._part(story, copy)

    def _is_theirs_after_all(self, copy: Copy) -> None:
        closed = self._closed_by.get(copy)
        superseded = self._story(closed) if closed is not None else None
        if closed is not None and superseded is not None:
            self._due_incidents.discard(closed)
            self._late_incidents.discard(closed)
            superseded.to_put_back = False

    def rescheduled(self, copy: Copy) -> None:
        """A person has given a task the due that it has now."""
        story, task = self._story(copy), self.tasks(copy[0])[copy[1]]
        if story is not None:
            story.gets_due(task.due, self._stage.now())

    def _part(self, story: Story, copy: Copy) -> None:
        """Twins of which one was changed before all were seen are two tasks, though both keep the name.

        So are, after a lost ledger, all copies of a task.
        """
        copies = self.open_copies(self.tasks(copy[0])[copy[1]].name or "")
        if self._rebuilding or (story.twins > 1 and not self.known.issuperset(copies)):
            story.excused |= UNTOLD

    def may_reopen(self, copy: Copy) -> bool:
        """Whether a clean run has seen all that is closed of its task, and the task is what it seems."""
        story, name = self._story(copy), self.tasks(copy[0])[copy[1]].name or ""
        closed = {other for other, task in self.copies(name).items() if not task.open}
        return closed <= self.known_closed - self._unclaimed and story is not None and not story.excused >= UNTOLD

    def reopened(self, copy: Copy) -> bool:
        """Whether the reopened copy belongs to a task that was only cancelled, and is kept open elsewhere."""
        story = self._story(copy)
        kept = story is not None and not story.done and story.cancelled and not self.closes_cancelled
        if kept and story is not None:
            story.cancelled = False
            # Done elsewhere before a run has seen that, the reopened one is a task of its own.
            story.twins += 1
            self._forget(copy)
        return kept

    def _forget(self, copy: Copy) -> None:
        """What a run has seen of a copy says nothing of it any more."""
        self.known.discard(copy)
        self.known_closed.discard(copy)
        self._changed_at[copy] = self._stage.now()

    def lost_ledger(self) -> None:
        """What was not yet the same everywhere can't be told any more from what never was."""
        self._rebuilding = True
        self.known.clear()
        self.known_closed.clear()
        self._shown.clear()
        self._due_incidents.clear()
        self._late_incidents.clear()
        for name, story in self.stories.items():
            closed_somewhere = story.done or story.cancelled
            whole = {system for system, _ in self.open_copies(name)} == set(story.systems)
            if closed_somewhere or not whole or story.deeds or story.to_put_back:
                story.excused |= UNTOLD
            if "copied" in story.deeds:
                # It carries the marker of another task, whose copy it will be taken for if that one is closed here.
                story.excused.add("L3")
        self.theirs |= {(system, remote_id) for system in self._stage.sandboxes for remote_id in self.tasks(system)}

    def nameless(self) -> dict[str, str]:
        """The Superfone tasks, with their names, that nothing but a name could connect to the others now."""
        return {
            remote_id: task.name
            for remote_id, task in self.tasks("superfone").items()
            if task.open and task.name and self.stories[task.name].excused >= UNTOLD
        }

    def _story(self, copy: Copy) -> Story | None:
        task = self.tasks(copy[0]).get(copy[1])
        return self.stories.get(task.name or "") if task else None

    # what the engine does --------------------------------------------------------------------------

    def _before_write(self, system: str, call: Call) -> None:
        if self._stage.lapsed and not self._stage.arriving:
            raise Violation("lease", f"a process wrote though another one had taken its lease: {system} {call.path}")
        self._before = self.tasks(system)

    def _after_call(self, system: str, call: Call, reply: Reply) -> None:
        if not self._stage.sandboxes[system].is_write(call):
            lead = re.search(r"/lead/(\d+)/task$", call.path)
            # The first page: what changes while the others are read is not seen.
            if lead and reply.status == 200 and call.query.get("page") == "1":
                self._read_at[lead[1]] = self._stage.now()
            return
        self._judge_contacts(system)
        before, after = self._before, self.tasks(system)
        self._judge_the_rest(system, before, after)
        created = [remote_id for remote_id in after if remote_id not in before]
        closed = [remote_id for remote_id, task in after.items() if not task.open and before.get(remote_id, task).open]
        if self._stage.arriving:
            # A run that is under way may have looked before.
            self._changed_at |= {(system, remote_id): self._stage.now() for remote_id in (*created, *closed)}
        for remote_id in created:
            self._judge_create(system, remote_id, after[remote_id], before)
        for remote_id in closed:
            self._judge_close(system, remote_id, before[remote_id], {new: after[new] for new in created})

    def _judge_contacts(self, system: str) -> None:
        """Whom we make is somebody, and was not there."""
        for contact, phone in contacts_of(self._stage, system).items():
            if (system, contact) in self.persons:
                continue
            person = self.phones.get(phone)
            if person is None or self.contact_of(system, person) is not None:
                raise Violation("contact", f"{system} {contact} was made by us, with the number {phone}")
            self.persons[system, contact] = person

    def _judge_the_rest(self, system: str, before: dict[str, Seen], after: dict[str, Seen]) -> None:
        """We create and close, and do nothing else."""
        for remote_id, task in before.items():
            now = after.get(remote_id)
            if now is None or now._replace(open=task.open) != task or now.open > task.open:
                raise Violation("L6", f"{system} {remote_id} was deleted, changed or reopened by us: {task}")

    def _judge_create(self, system: str, remote_id: str, task: Seen, before: dict[str, Seen]) -> None:
        copy = (system, remote_id)
        story = self.stories.get(task.name or "")
        if story is None:
            if self._is_of_a_nameless(task.text):
                return
            raise Violation("copy", f"{copy} was made out of nothing: {task.text!r}")
        if self.persons[system, task.contact] != story.person:
            raise Violation("copy", f"{task.name} was made for another person: {copy}")
        if system not in story.systems and not story.excused >= UNTOLD:
            raise Violation("copy", f"{task.name} was made in {system}, and its route is {story.systems}")
        if not story.may_be_due(task.due, self._stage.now()):
            raise Violation("copy", f"{copy} is due {task.due}, and no other copy of {task.name} ever was")
        markers = MARKER.findall(task.text)
        if len(markers) != (0 if system == "superfone" else 1):
            raise Violation("copy", f"{copy} carries {len(markers)} markers: {task.text!r}")
        twins = [other for other, old in before.items() if old.open and old.name == task.name]
        if twins and "L2" not in story.excused:
            raise Violation("L2", f"{task.name} now has two open copies in {system}: {twins} and {remote_id}")
        if (system, task.name) in self._deleted and "L2" not in story.excused:
            raise Violation("L9", f"{task.name} was deleted in {system}, and made again as {remote_id}")
        self.known.add(copy)
        self._unclaimed.add(copy)
        if story.to_put_back:
            self.theirs.add(copy)

    def _is_of_a_nameless(self, text: str) -> bool:
        """Whether it was made of what was read in Superfone before people gave that a name."""
        marker = MARKER.search(text)
        copies = [("superfone", remote_id) for remote_id in self.tasks("superfone")]
        untold = [copy for copy in copies if (story := self._story(copy)) is not None and story.excused >= UNTOLD]
        return marker is not None and any(marker[0] == f"syncer:{self.task_id(copy)}" for copy in untold)

    def _judge_close(self, system: str, remote_id: str, task: Seen, created: dict[str, Seen]) -> None:
        copy = (system, remote_id)
        story = self.stories.get(task.name or "")
        if story is None or self._may_close(story) or "L3" in story.excused:
            return
        if created and copy not in self.theirs:
            for new in created.values():
                if not self._may_replace(story, new):
                    raise Violation("slot", f"{copy} ({task.name}) was replaced by {new.name}")
            return
        if system == "superfone" and self._raced(copy, task, by_create=bool(created)):
            # What arrives late may do so after the run has looked: the next one tells it.
            (self._late_incidents if self._stage.arriving else self._due_incidents).add(copy)
            story.to_put_back = True
            self._closed_by |= dict.fromkeys([(system, new) for new in created], copy)
            return
        raise Violation("L5" if created else "L3", f"{copy} ({task.name}) was closed, and nobody had closed it")

    def _may_close(self, story: Story) -> bool:
        return story.done or (story.cancelled and self.closes_cancelled)

    def must_be_closed(self, story: Story) -> bool:
        """Whether it was closed by people, and any engine can know."""
        return self._may_close(story) and story.noticed and "L4" not in story.excused

    def _may_replace(self, ours: Story, new: Seen) -> bool:
        """What is ours gives way to what is put back, and, unless the slot is held, to what is due earlier."""
        if self.stories[new.name or ""].to_put_back:
            return True
        return not self._holds and new.due is not None and new.due < max(ours.dues)

    def _raced(self, copy: Copy, task: Seen, *, by_create: bool) -> bool:
        """Whether somebody changed what decides after the lane was last read, or the request came late.

        A create closes what is in the slot by then; a completion the newest one, if what was meant is closed by then.
        """
        if self._stage.arriving:
            return True
        lane = [(copy[0], other) for other, old in self.tasks(copy[0]).items() if old.contact == task.contact]
        read_at = self._read_at.get(task.contact)
        changes = [self._changed_at[one] for one in ([copy] if by_create else lane) if one in self._changed_at]
        return read_at is not None and any(changed_at >= read_at for changed_at in changes)

    # after each run --------------------------------------------------------------------------------

    def after_run(self, outcome: Outcome) -> None:
        """The laws that hold at any time."""
        if outcome.report is not None:
            told = {item.task for item in outcome.report.incidents if item.task}
            for copy in self._due_incidents | self._late_incidents:
                if self.task_id(copy) in told:
                    self._due_incidents.discard(copy)
                    self._late_incidents.discard(copy)
            if outcome.undisturbed and self._due_incidents:
                raise Violation("L6", f"closed by a race and not reported: {sorted(self._due_incidents)}")
            self._due_incidents |= self._late_incidents
            self._late_incidents.clear()
        self.at_most_one_open()
        self._unclaimed = {copy for copy in self._unclaimed if self.task_id(copy) is None}
        if outcome.clean and outcome.report is not None:
            waiting = outcome.report.waiting
            self._rebuilding = self._rebuilding and any(item.reason == "unread" for item in waiting)
            # Each of these begins with the words that name the task.
            not_looked_at = {" ".join(item.detail.split()[:3]) for item in waiting if item.task is None}
            for system in self._stage.sandboxes:
                seen_until = outcome.report.started_at - (self._stage.highlevel.lag if system == "highlevel" else ZERO)
                for remote_id, task in self.tasks(system).items():
                    if f"{system} task {remote_id}" not in not_looked_at:
                        self._is_seen((system, remote_id), task, seen_until)

    def _is_seen(self, copy: Copy, task: Seen, seen_until: datetime) -> None:
        """A clean run has read what people had not changed since."""
        if copy in self._changed_at and self._changed_at[copy] >= seen_until:
            return
        (self.known if task.open else self.known_closed).add(copy)
        if task.open and task.name:
            self._shown.add(copy)
            self.stories[task.name].seen = True

    def at_most_one_open(self) -> None:
        count: dict[tuple[str, str], list[str]] = defaultdict(list)
        for system in self._stage.sandboxes:
            for remote_id, task in self.tasks(system).items():
                if task.open and task.name:
                    count[system, task.name].append(remote_id)
        for (system, name), copies in count.items():
            story = self.stories.get(name)
            if len(copies) > 1 and story is not None and "L2" not in story.excused:
                raise Violation("L2", f"{name} has several open copies in {system}: {copies}")

    def task_id(self, copy: Copy) -> str | None:
        """The id by which the ledger knows the task of a copy."""
        return self._stage.task_of(*copy)
