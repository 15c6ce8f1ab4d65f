"""What prevents a write: the task, the CRM, the person, or an earlier attempt (pure)."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from syncer.contract.adapter import Capabilities, ListsTasks
from syncer.domain.base import Base
from syncer.domain.cursors import APART, BEHIND
from syncer.domain.model import Replica, ReplicaState, State, Task
from syncer.domain.operations import LONGEST_WAIT, Action, Operation, OpState
from syncer.domain.policy import Policy
from syncer.domain.reasons import MAY_BE_ANOTHER, Reason
from syncer.domain.snapshot import ConnectionState, Seen
from syncer.reconcile.agreement import may_be_one
from syncer.reconcile.contact_linking import Ambiguity, Namesakes
from syncer.reconcile.likeness import is_like
from syncer.reconcile.other_contact import elsewhere, is_divided

FAILURES_UNTIL_ATTENTION = 5


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why something is not done now. ``attention`` is true if a person has to act."""

    reason: Reason
    detail: str = ""
    attention: bool = False


@dataclass(frozen=True, slots=True)
class Tried:
    """What earlier attempts mean for a write: whether it may be tried now, and what to report."""

    free: bool
    obstacle: Obstacle | None = None


def fingerprint(task: Task, base: Base, system: str, contact: str | None, user: str | None = None) -> str:
    """Return a hash of what a rejected write depended on. When it changes, the write is tried again.

    ``user`` is the id that the task's assignee has in this CRM.
    """
    # Without a contact there, the request was to create one from the keys of all the person's contacts.
    mine = [(system, contact)] if contact else sorted(base.contacts_of(task.contact))
    records = [base.records.get(key) for key in mine]
    # The id and not the name: it may be corrected in the account file. Left out if empty, so that what was refused
    # before assignees were synced keeps its fingerprint and is not sent again.
    assigned = (user,) if user else ()
    parts = (task.kind, task.title, task.body, task.due, task.state, contact or "", records, *assigned)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def may_be_untold(base: Base, seen: Seen, policy: Policy, task: Task, system: str, contact: str | None) -> bool:
    """Whether something there that cannot be read may be the task's copy, and no create in doubt decides about it.

    It may be if it has the due date of the task, or the one that we sent before.
    """
    create = base.latest((task.id, system, Action.CREATE))
    if create is not None and create.is_unsettled:
        return False
    dues = policy.dues_of(system, task.origin)
    # A create that seemed to have failed may have made it after all, and the task was moved since.
    known = [task.due, *([create.due] if create is not None and create.due is not None else [])]
    return any(dues.same(due, one) for due in seen.dues_untold(contact, base.replicas) for one in known)


def may_come(base: Base, policy: Policy, task: Task, system: str, contact: str | None) -> Replica | None:
    """Return a copy on the person's contact there that is another person's task and looks like this one."""
    for copy in () if contact is None else base.replicas_of(system, contact):
        other = base.tasks.get(copy.task)
        if other is None or copy.state is not ReplicaState.OPEN or elsewhere(base, other, copy) is None:
            continue
        if other.kind.compatible(task.kind) and is_like(policy, copy, task):
            return copy
    return None


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """What a plan is made from: the merged ledger, what this run read of each CRM, and the account's settings."""

    base: Base
    seen: Mapping[str, Seen]
    capabilities: Mapping[str, Capabilities]
    policy: Policy
    ambiguities: tuple[Ambiguity, ...]
    now: datetime


class Obstacles:
    """What prevents each write, judged by the ledger and what this run read."""

    def __init__(self, inputs: PlanInputs) -> None:
        self._base = base = inputs.base
        self._seen = inputs.seen
        self._capabilities = inputs.capabilities
        self._policy = inputs.policy
        self._now = inputs.now
        self._namesakes = Namesakes(base.records)
        self._contacts = {(link, system): remote_id for (system, remote_id), link in base.links.items()}
        self._phones: dict[str, set[str]] = {}
        """By system, when first asked for: the numbers of all contacts known there."""
        self._doubts: dict[tuple[str, str], list[Ambiguity]] = defaultdict(list)
        for doubt in inputs.ambiguities:
            for record in doubt.records:
                self._doubts[record].append(doubt)
        self._contradicted = {doubt.link: doubt for doubt in inputs.ambiguities if doubt.link is not None}

    def contact(self, task: Task, system: str) -> str | None:
        """Return the id of the task's contact in that system, or ``None``."""
        return self._contacts.get((task.contact, system))

    def to_close(self, task: Task, replica: Replica) -> Obstacle | None:
        capabilities = self._capabilities[replica.system]
        if task.kind not in capabilities.completes_kinds:
            return Obstacle(Reason.NOT_COMPLETABLE)
        if replica.sequence and not capabilities.completes_sequences:
            return Obstacle(Reason.SEQUENCE_READ_ONLY)
        # It was not finished for somebody to whose contact people gave this copy since.
        strays = elsewhere(self._base, task, replica) is not None
        moved = self._divided(task) if strays else None
        return self._unusable(replica.system) or self._behind(task) or moved or self._missed(replica)

    def to_show(self, task: Task, system: str, replicas: list[Replica]) -> Obstacle | None:
        """Return what prevents a copy there, given that no copy is open."""
        gone = next((replica for replica in replicas if replica.state is ReplicaState.GONE), None)
        if gone is not None:
            # Whoever deleted it there does not want another one. `syncer retry` makes it again.
            words = f"{self._policy.crm(system)} task {gone.remote_id} no longer exists"
            return Obstacle(Reason.REPLICA_MISSING, words, attention=True)
        if any(replica.state in (ReplicaState.DONE, ReplicaState.CANCELLED) for replica in replicas):
            # A cancelled copy of an open task means that `cancelled = "keep"` is set. Whoever cancelled it there does
            # not want another one.
            return Obstacle(Reason.CLOSED_THERE)
        if task.kind not in self._capabilities[system].creates:
            return Obstacle(Reason.NOT_SUPPORTED)
        return (
            self._unusable(system)
            or self._runs_by_itself(task)
            or self._behind(task)
            or self._divided(task)
            or self._coming(task, system)
            or self._unread(task, system)
            or self._whose(task, system)
            or self._on_a_namesake(task, system)
        )

    def to_edit(self, task: Task, replica: Replica) -> Obstacle | None:
        """Return what prevents an edit of an open copy."""
        return self._unusable(replica.system) or self._behind(task) or self._divided(task) or self._missed(replica)

    def to_make_again(self, task: Task, replica: Replica) -> Obstacle | None:
        """Return what prevents replacing an open copy. Like any create, it must be clear whose task it is."""
        doubt = self._contradicted.get(task.contact)
        if doubt is not None:
            return Obstacle(Reason.AMBIGUOUS_CONTACT, doubt.sentence)
        return self.to_edit(task, replica)

    def lingering(self, task: Task, system: str) -> Obstacle | None:
        """Return the create in doubt of a closed task as an obstacle: its copy may exist and would stay open."""
        create = self._base.latest((task.id, system, Action.CREATE))
        return Obstacle(Reason.IN_DOUBT, create.words) if create is not None and create.is_unsettled else None

    def tried(self, task: Task, slot: tuple[str, str, Action], contact: str | None, copy: str | None = None) -> Tried:
        """Return what earlier attempts mean for this operation. ``copy`` is the remote id of what it changes."""
        last = self._base.latest(slot)
        # A create that was done is needed again if a newer task has closed its copy since.
        if last is None or last.state is OpState.DONE:
            return Tried(free=True)
        if last.is_unsettled:
            return Tried(free=False, obstacle=Obstacle(Reason.IN_DOUBT, last.words))
        # What failed at another copy, which is gone by now, says nothing of this one.
        if copy is not None and last.remote_id != copy:
            return Tried(free=True)
        if last.state is OpState.PARKED:
            return self._parked(task, last, contact)
        waits = last.not_before is not None and self._is_ahead(last.not_before)
        if last.failures >= FAILURES_UNTIL_ATTENTION:
            # People are told, and the attempts go on, so nobody has to come back when the cause is gone.
            return Tried(not waits, Obstacle(Reason.FAILING, self._in_words(last), attention=True))
        return Tried(not waits, Obstacle(Reason.RETRY_LATER, last.words) if waits else None)

    def _parked(self, task: Task, last: Operation, contact: str | None) -> Tried:
        # An ambiguity may end in the CRM without any change that we see, so it is tried again after the longest wait.
        ambiguous = last.reason == Reason.AMBIGUOUS_CONTACT
        waits = not ambiguous or self._is_ahead(last.sent_at + LONGEST_WAIT)
        user = self._policy.user_id(last.system, task.assignee)
        if not waits or last.fingerprint != fingerprint(task, self._base, last.system, contact, user):
            return Tried(free=True)
        reason = Reason.AMBIGUOUS_CONTACT if ambiguous else Reason.REFUSED
        return Tried(free=False, obstacle=Obstacle(reason, self._in_words(last), attention=True))

    def _is_ahead(self, instant: datetime) -> bool:
        """Whether a wait is not over. A wait that is too long was begun while our clock was wrong, so it is over."""
        return self._now < instant <= self._now + LONGEST_WAIT

    def _unusable(self, system: str) -> Obstacle | None:
        state = self._seen[system].state if system in self._seen else ConnectionState.UNAVAILABLE
        if state is ConnectionState.UNAUTHORIZED:
            return Obstacle(Reason.UNAUTHORIZED)
        return None if state is ConnectionState.OK else Obstacle(Reason.UNAVAILABLE)

    def _behind(self, task: Task) -> Obstacle | None:
        """Return an obstacle for a person for whom the ledger may not know every write."""
        if task.contact not in self._base.behind:
            return None
        if self._base.cursors.get(BEHIND + task.contact) == APART:
            return Obstacle(Reason.AMBIGUOUS_CONTACT, MAY_BE_ANOTHER)
        return Obstacle(Reason.UNREAD)

    def _divided(self, task: Task) -> Obstacle | None:
        """Return an obstacle if a copy is on another person's contact: it is unclear whose task this is."""
        copy = is_divided(self._base, task)
        if copy is None:
            return None
        crm = self._policy.crm(copy.system)
        return Obstacle(Reason.NEXT_RUN, f"{crm} shows task {copy.remote_id} on another contact; it is read again")

    def _coming(self, task: Task, system: str) -> Obstacle | None:
        """Return an obstacle if another person's task that looks like this one is on the contact there: it may come."""
        copy = may_come(self._base, self._policy, task, system, self.contact(task, system))
        if copy is None:
            return None
        words = f"{self._policy.crm(system)} task {copy.remote_id} was another contact's; it is read again"
        return Obstacle(Reason.NEXT_RUN, words)

    def _runs_by_itself(self, task: Task) -> Obstacle | None:
        """Return an obstacle if the origin was scheduled since: its CRM carries the task out by itself."""
        seen = self._seen.get(task.origin)
        origins = [copy for copy in self._base.copies(task.id, task.origin) if copy.state is ReplicaState.OPEN]
        scheduled = seen is not None and any(seen.runs_by_itself(copy.remote_id) for copy in origins)
        return Obstacle(Reason.SCHEDULED) if scheduled else None

    def _missed(self, replica: Replica) -> Obstacle | None:
        """Return an obstacle if the last read said that there is no such task. Only a second one makes that certain."""
        # Sent all the same, the write would be refused, and stand under attention although the copy was only deleted.
        if replica.misses == 0:
            return None
        crm = self._policy.crm(replica.system)
        return Obstacle(Reason.NEXT_RUN, f"{crm} says that there is no task {replica.remote_id}; it is asked again")

    def _unread(self, task: Task, system: str) -> Obstacle | None:
        """Return an obstacle if the person's tasks there were not read, so that a copy may exist."""
        capabilities, seen, contact = self._capabilities[system], self._seen.get(system), self.contact(task, system)
        by_contact = capabilities.lists_tasks is ListsTasks.PER_CONTACT
        if by_contact and capabilities.lane is not None:
            # A lane that was not read waits, see `plan_lane`.
            return None
        if seen is None or seen.lacks(contact, lists_all=True, visited=False):
            return Obstacle(Reason.UNREAD)
        # That they were read in an earlier run is not enough: somebody may have written the same task down since.
        if by_contact and contact is not None and contact not in seen.lanes:
            return Obstacle(Reason.UNREAD)
        # After three runs only a task that is due with what cannot be read still waits for it (L11).
        untold = may_be_untold(self._base, seen, self._policy, task, system, contact)
        return Obstacle(Reason.UNREAD) if untold else None

    # the person ------------------------------------------------------------------------------------

    def _whose(self, task: Task, system: str) -> Obstacle | None:
        """Return an obstacle if the person's contacts contradict each other, or if there is no contact to write to."""
        doubt = self._contradicted.get(task.contact)
        # A task that we closed there by mistake goes back to the contact that it was on, whoever the other records are.
        if doubt is not None and not (task.put_back and task.origin == system):
            return Obstacle(Reason.AMBIGUOUS_CONTACT, doubt.sentence)
        return self._no_contact(task, system) if self.contact(task, system) is None else None

    def _on_a_namesake(self, task: Task, system: str) -> Obstacle | None:
        """Return an obstacle if another ledger copied the task there, to a contact that may be this person, too."""
        for known in self._base.copies_of(task.id):
            for row in self._seen[system].copies_of(known.key):
                unknown = row.state is State.OPEN and row.key not in self._base.replicas
                if unknown and may_be_one(self._base, (known.system, known.contact), (system, row.contact or "")):
                    return Obstacle(Reason.AMBIGUOUS_CONTACT, MAY_BE_ANOTHER)
        return None

    def _no_contact(self, task: Task, system: str) -> Obstacle | None:
        """Return why the task has no contact there, or ``None`` if one is to be created."""
        mine = [(where, rid) for where in self._capabilities if (rid := self.contact(task, where))]
        for doubt in (doubt for record in mine for doubt in self._doubts.get(record, ())):
            if doubt.concerns(system):
                return Obstacle(Reason.AMBIGUOUS_CONTACT, doubt.sentence)
        if system in self._policy.create_missing:
            return self._shared(mine, system) or self._arriving(mine, system)
        if self._is_unasked(mine, system):
            return Obstacle(Reason.CONTACT_UNREAD)
        names = " and ".join(f"{where}:{remote_id}" for where, remote_id in sorted(mine))
        crm = self._policy.crm(system)
        return Obstacle(Reason.NO_CONTACT, f"no contact in {crm} shares a phone number or e-mail with {names}")

    def _is_unasked(self, mine: list[tuple[str, str]], system: str) -> bool:
        """Whether a number of the person was never searched for in a CRM that has no list of contacts.

        So it is not known whether the contact is there: the search failed, or there was no time or budget for it.
        """
        if self._capabilities[system].lists_contacts:
            return False
        if system not in self._phones:
            records = (record for record in self._base.records.values() if record.system == system)
            self._phones[system] = {phone for record in records for phone in record.phones}
        phones = {phone for record in mine for phone in self._base.records[record].phones} - self._phones[system]
        return any((system, phone) not in self._base.lookups for phone in phones)

    def _shared(self, mine: list[tuple[str, str]], system: str) -> Obstacle | None:
        shared = self._namesakes.of(mine, self._capabilities[system].contact_keys)
        return Obstacle(Reason.AMBIGUOUS_CONTACT, shared.sentence) if shared is not None else None

    def _arriving(self, mine: list[tuple[str, str]], system: str) -> Obstacle | None:
        known = [self._base.records[record] for record in mine]
        keys = [key for record in known for key in (*record.phones, *record.emails)]
        if not self._base.may_arrive(system, keys, self._now, self._policy.doubt_grace):
            return None
        crm = self._policy.crm(system)
        return Obstacle(Reason.IN_DOUBT, f"{crm} was asked to create the contact, and may still do so")

    def _in_words(self, last: Operation) -> str:
        where = self._policy.crm(last.system)
        return f"{last.action} in {where}: {last.words}; to try again: syncer retry {last.task}"
