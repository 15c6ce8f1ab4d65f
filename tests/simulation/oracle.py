"""The oracle: checks the laws, by what it knows (`Facts`). It shares no code with the engine.

It reads the three sandboxes, and from the ledger's file only the task id of a copy.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from adapters.sandbox import Call, Reply
from tests.simulation.laws import edits, runs, writes
from tests.simulation.laws.peace import OTHER_CONTACT, TOLD
from tests.simulation.laws.writes import Write
from tests.simulation.machines import ANOTHER, OURS, Machines
from tests.simulation.memory import Copy
from tests.simulation.outcome import Outcome
from tests.simulation.sight import SeenTask
from tests.simulation.stage import PROCESS, SimulationStage
from tests.simulation.story import UNTOLD

MISSING = (400, 404)
"""How CRMs say that there is no such task."""
ZERO = timedelta(0)
FIRST = datetime.min.replace(tzinfo=UTC)


class Oracle(Machines):
    """Checks each law at its time.

    ``told`` are the tasks that the last report lists as unclear, and ``doubles`` those that it lists as duplicates.
    """

    def __init__(self, stage: SimulationStage, **settings: bool) -> None:
        super().__init__(stage, **settings)
        self._before: dict[str, SeenTask] = {}
        self.creates = self.completions = self.edits = 0
        self.told: set[str | None] = set()
        self.doubles: set[str | None] = set()
        stage.before_write = self._before_write
        stage.after_call = self._after_call

    def _before_write(self, system: str, call: Call) -> None:
        writes.lease(self, system, call.path)
        writes.ledger(self, system, call.path)
        self._before = self.tasks(system)

    def _after_call(self, system: str, call: Call, reply: Reply) -> None:
        if self.stage.sandboxes[system].is_write(call):
            self._judge(Write(system, self._before, self.tasks(system)))
            return
        if self.stage.sandboxes[system].unread:
            return
        lead = re.search(r"/lead/(\d+)/task$", call.path)
        # A list counts as read when its first page was: changes while the other pages are read may be missed.
        if lead and reply.status == 200 and reply.body.endswith(b"}") and call.query.get("page") == "1":
            self.read_at[lead[1]] = self.read_by[PROCESS.get(), lead[1]] = self.stage.now()
        listed = re.search(r"/(?:lead|contacts)/(\w+)/tasks?$", call.path)
        for remote_id, task in self.tasks(system).items() if listed and reply.status == 200 else ():
            # Only what this page shows: people may change a task of another page before that page is read.
            if re.search(rb'"id": "?%s\b' % re.escape(remote_id.encode()), reply.body):
                edits.note_read(self, (system, remote_id), task)
        # Of Reply's list only the changed rows count, and these tasks are read by themselves.
        if call.path.endswith("/tasks/search") and reply.status < 300:
            for remote_id, task in self.tasks(system).items():
                if f'"_id": "{remote_id}"'.encode() in reply.body:
                    edits.note_listed(self, (system, remote_id), task)
        task_read = re.search(r"/tasks/(\w+)$", call.path)
        if task_read and reply.status in MISSING and call.method == "GET":
            self.missed.setdefault((system, task_read[1]), set()).add((self.runs_ended, PROCESS.get()))
        one = self.tasks(system).get(task_read[1]) if task_read and reply.status == 200 else None
        if task_read and one is not None and call.method == "GET":
            edits.note_read(self, (system, task_read[1]), one)

    def _judge(self, write: Write) -> None:
        again = [
            (old, new)
            for new in write.created
            for old in write.closed
            # A copy is replaced for its due only. With the same due, the new one is of another task that is equal.
            if write.after[new].name == write.before[old].name is not None
            and write.after[new].due != write.before[old].due
        ]
        for old, new in again:
            edits.made_again(self, (write.system, old), (write.system, new))
        if not self.stage.arriving:
            self.creates += len(write.created) - len(again)
            self.edits += len(again) + len(write.edited)
            self.completions += bool(write.closed and not write.created)
        writes.contact(self, write.system)
        writes.l6_hands_off(self, write)
        writes.read_only(self, write)
        if self.stage.arriving or self.at_once:
            # A run in progress, also one of another machine, may have read this before the change.
            changed = [(write.system, remote_id) for remote_id in (*write.created, *write.closed)]
            self.changed_at |= dict.fromkeys(changed, self.stage.now())
        for remote_id in write.created:
            edits.shows(self, (write.system, remote_id))
            story = writes.copy_of_something(self, write, remote_id)
            if story is None:
                continue
            writes.l2_no_duplicate(self, write, remote_id, story)
            writes.l9_absence_is_no_evidence(self, write, remote_id, story)
            if write.system == "superfone":
                self.made_in_superfone((write.system, remote_id), story)
            if self.ours_alone:
                self.known.add((write.system, remote_id))
            elif self.at_once:
                # Another machine may have created it after ours had read.
                self.changed_at[write.system, remote_id] = self.stage.now()
            elif write.system != "superfone":
                self.marked_by_another.add((write.system, remote_id))
            self.unclaimed.add((write.system, remote_id))
            if story.to_put_back:
                self.theirs.add((write.system, remote_id))
        for remote_id in write.closed:
            writes.l3_no_false_completion(self, write, remote_id)

    def after_run(self, outcome: Outcome, *, machine: int = OURS, beside: Outcome | None = None) -> None:
        """Check the laws that hold after every run, and note what the run saw. ``beside`` is another machine's run."""
        self.runs_ended += 1
        if beside is not None:
            runs.note_incidents(self, beside)
        edits.note_told(self)
        if self.ours_alone:
            runs.l6_races_are_told(self, outcome)
        else:
            runs.l6_races_are_told_there(self, outcome, beside or outcome)
        self.replaced_under_a_run = False
        runs.l2_one_open_copy(self)
        self._has_seen(outcome, machine)
        edits.note_taken(self, outcome.connected)
        if beside is not None:
            self._has_seen(beside, ANOTHER)

    def _has_seen(self, outcome: Outcome, machine: int) -> None:
        """Note what this machine's run saw."""
        self.unclaimed = {copy for copy in self.unclaimed if not self.stage.is_ours(*copy)}
        self.doubts = self._doubts_after(outcome)
        if self.rebuilding:
            self.is_not_reached(outcome.failed)
        self._excuse_moves_unread()
        if outcome.report is not None:
            self.told = {item.task for item in outcome.report.attention if item.reason in TOLD | {OTHER_CONTACT}}
            self.doubles = {item.task for item in outcome.report.attention if item.reason == "duplicate"}
        if outcome.clean and outcome.report is not None:
            waiting = outcome.report.waiting
            # Until it is clear who a person is, their copies wait, and are not known again.
            unclear = {(item.task, item.reason.value) for item in waiting} & {(None, "ambiguous_contact")}
            begun_anew = self.rebuilding and (bool(unclear) or any(item.reason == "unread" for item in waiting))
            failed = self._failed({(item.system, item.detail.partition(":")[0]) for item in waiting})
            unread = {(item.task, item.system) for item in waiting if item.task and item.reason == "unread"}
            lag = {"highlevel": self.stage.highlevel.lag}
            started = self.stage.our_clock.true_time(outcome.report.started_at)
            until = {system: started - lag.get(system, ZERO) for system in self.stage.sandboxes}
            not_looked_at = outcome.waiting_copies | failed | self._unread(unread) | self._not_looked_at()
            self.seen_by_a_clean_run(until, not_looked_at, machine)
            self.rebuilding = begun_anew or (self.rebuilding and self._is_unread_still())

    def _not_looked_at(self) -> set[Copy]:
        """Return the copies that a run had no time to read, in a slow account: its report cannot name them all.

        After a lost ledger these are all that it has not read, else those of them that people changed since.
        """
        if not self.slow:
            return set()
        return {
            copy
            for copy in self._all_copies()
            if (copy in self.changed_at or self.rebuilding)
            and not self.began <= self.task_read_at.get(copy, FIRST) >= self.changed_at.get(copy, FIRST)
        }

    def _is_unread_still(self) -> bool:
        """Whether some open copy was not read since a lost ledger, in a slow account."""
        open_copies = {copy for name in self.stories for copy in self.open_copies(name)}
        unread = {copy for copy in open_copies - self.known - self.ailing.keys() if not self.is_on_ailing_lead(copy)}
        return self.slow and bool(unread)

    def _all_copies(self) -> set[Copy]:
        return {(system, remote_id) for system in self.stage.sandboxes for remote_id in self.tasks(system)}

    def _doubts_after(self, outcome: Outcome) -> set[tuple[str | None, str]] | None:
        """Return what is in doubt now. In a CRM that could not be reached, it is so still, and is not listed."""
        if outcome.report is None:
            return None
        doubts = {(item.task, item.system) for item in outcome.report.waiting if item.reason == "in_doubt"}
        if self.doubts is None:
            return None if outcome.failed else doubts
        return doubts | {(task, system) for task, system in self.doubts if system in outcome.failed}

    def _excuse_moves_unread(self) -> None:
        """Excuse tasks of which a copy was rescheduled after the last read before a completion that is in doubt now.

        It looks like a recurring task that our completion moved to its next date.
        """
        read_at = dict.fromkeys(("superfone", "reply", "highlevel"), self.began)
        read_at["highlevel"] -= self.stage.highlevel.lag
        for story in filter(self.is_closed, self.stories.values()):
            dues = [typed for typed in story.typed if typed.field == "due" and not typed.made]
            unread = {typed.copy for typed in dues if typed.copy[0] in read_at and typed.at >= read_at[typed.copy[0]]}
            if any(self.doubts is None or self._id_in(copy) in self.doubts for copy in unread):
                story.excused |= UNTOLD

    def _failed(self, items: set[tuple[str, str]]) -> set[Copy]:
        """Return the copies that a run listed as unread, or whose contact it listed.

        A process that was suspended gets no answer to its request, although nothing else is wrong.
        """
        return {
            (system, remote_id)
            for system in self.stage.sandboxes
            for remote_id, task in self.tasks(system).items()
            for words in (f"task {remote_id}", f"contact {task.contact}", f"the tasks of contact {task.contact}")
            if (system, words) in items
        }

    def _unread(self, items: set[tuple[str, str]]) -> set[Copy]:
        """Return the copies of tasks (id, system) that a run could not read in that CRM."""
        names = {
            (system, task.name)
            for task_id, system in items
            for where in self.stage.sandboxes
            for remote_id, task in self.tasks(where).items()
            if self.task_id((where, remote_id)) == task_id
        }
        return {
            (system, remote_id)
            for system in self.stage.sandboxes
            for remote_id, task in self.tasks(system).items()
            if (system, task.name) in names
        }
