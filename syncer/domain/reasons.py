"""Why something is not propagated: a closed list of words, each with the sentence that people read (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """A word for programs; ``sentence`` for people, with what would free it."""

    NO_CONTACT = "no_contact"
    AMBIGUOUS_CONTACT = "ambiguous_contact"
    CONTACT_UNREAD = "contact_unread"
    WITHOUT_CONTACT = "without_contact"
    SCHEDULED = "scheduled"
    SLOT_TAKEN = "slot_taken"
    NEWER_ABOVE = "newer_above"
    LANE_BLOCKED = "lane_blocked"
    PUT_BACK = "put_back"
    CLOSED_THERE = "closed_there"
    NOT_COMPLETABLE = "not_completable"
    SEQUENCE_READ_ONLY = "sequence_read_only"
    NOT_SUPPORTED = "not_supported"
    STORAGE_FULL = "storage_full"
    UNREAD = "unread"
    UNAVAILABLE = "unavailable"
    UNAUTHORIZED = "unauthorized"
    IN_DOUBT = "in_doubt"
    RETRY_LATER = "retry_later"
    BUDGET = "budget"
    NEXT_RUN = "next_run"
    MOVED = "moved"
    REPLICA_MISSING = "replica_missing"
    REFUSED = "refused"
    FAILING = "failing"
    UNREADABLE = "unreadable"
    CLOSED_BY_RACE = "closed_by_race"
    DUPLICATE = "duplicate"
    LOOP = "loop"
    UNMATCHED = "unmatched"
    DONE_OR_REOPENED = "done_or_reopened"
    SECOND_LEDGER = "second_ledger"

    @property
    def sentence(self) -> str:
        return _SENTENCES[self]

    @property
    def can_be_freed(self) -> bool:
        """Whether `syncer retry` frees what waits for this."""
        return self in _FREED_BY_RETRY


_FREED_BY_RETRY = frozenset(
    {
        Reason.STORAGE_FULL,
        Reason.RETRY_LATER,
        Reason.REPLICA_MISSING,
        Reason.REFUSED,
        Reason.FAILING,
        Reason.DUPLICATE,
        Reason.LOOP,
        Reason.UNMATCHED,
        Reason.DONE_OR_REOPENED,
    }
)
_SENTENCES: dict[Reason, str] = {
    Reason.NO_CONTACT: "That CRM has no such contact; add it there, or set create_missing_contacts = true.",
    Reason.AMBIGUOUS_CONTACT: (
        "A phone number or e-mail leads to several contacts of one CRM, or linked contacts no longer agree; "
        "merge or correct them."
    ),
    Reason.CONTACT_UNREAD: "The contact of this task could not be read; it is tried again in the next run.",
    Reason.WITHOUT_CONTACT: "The task has no contact in its CRM, so it is nobody's elsewhere; give it one.",
    Reason.SCHEDULED: "The task runs by itself at its time and is not mirrored.",
    Reason.SLOT_TAKEN: "Only one such task may be open for a lead, and another one is; this one follows after it.",
    Reason.NEWER_ABOVE: "Only a lead's newest open task can be closed there; this one follows the newer ones.",
    Reason.LANE_BLOCKED: "Another operation of the same lead must succeed first.",
    Reason.PUT_BACK: "A race closed this task of theirs; it is made again as soon as its slot allows.",
    Reason.CLOSED_THERE: "They closed it there without doing it, and it is kept open elsewhere (cancelled = 'keep').",
    Reason.NOT_COMPLETABLE: "Completing this kind there would record a message that was never sent; do it by hand, or "
    "name the kind in complete_kinds.",
    Reason.SEQUENCE_READ_ONLY: "The task belongs to a sequence and sequence_tasks is 'read_only'; complete it by hand.",
    Reason.NOT_SUPPORTED: "That CRM has no task of this kind; take it out of the kind's route.",
    Reason.STORAGE_FULL: "The account's lead storage is full; make room there. Each run tries one create.",
    Reason.UNREAD: "The CRM's tasks, or what could be a copy of one, could not be read; they are tried again "
    "in the next run.",
    Reason.UNAVAILABLE: "That CRM could not be used in this run; it is tried again in the next.",
    Reason.UNAUTHORIZED: "That CRM refused the key; see: syncer check.",
    Reason.IN_DOUBT: "A request may have been carried out though its answer was lost; reading will tell.",
    Reason.RETRY_LATER: "The last try failed; it is tried again later, or by: syncer retry.",
    Reason.BUDGET: "The run's time or the CRM's requests were used up; it goes first in the next run.",
    Reason.NEXT_RUN: "It came up while the run was under way; the next run does it.",
    Reason.MOVED: "It is no longer what the saved plan says, so it was left out; make a new plan.",
    Reason.REPLICA_MISSING: "The CRM says that this copy no longer exists; to have it made again: syncer retry.",
    Reason.REFUSED: "The CRM refused the write; tried again when the task or the contact changes, or by: syncer retry.",
    Reason.FAILING: "It ended badly in several runs in a row: a write is now tried once an hour, a reading comes last.",
    Reason.UNREADABLE: "The CRM sent something that could not be understood; the rest went on.",
    Reason.CLOSED_BY_RACE: "Somebody acted between our read and our write, and an open task of theirs was closed.",
    Reason.DUPLICATE: "A second copy of a task that has one here already; nothing is made of it. Delete one of them.",
    Reason.LOOP: "The same task was made more than three times within a day, as by an automation that copies our "
    "copies; no more copies are made of it. Stop the automation, then type: syncer retry ID.",
    Reason.UNMATCHED: "Our user made this task, and nothing tells which task it is a copy of; no copies are made of "
    "it. If it is a task of its own, type: syncer retry ID.",
    Reason.DONE_OR_REOPENED: "A copy of this task was, or may have been, finished before this ledger knew of it. "
    "Nothing tells whether it is still to be done. Finish it, or, if it is to be done, type: syncer retry ID.",
    Reason.SECOND_LEDGER: "Another ledger writes for this account. Stop the program that uses it; then type, where the "
    "account is to be served: syncer ledger take-over.",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One line under *waiting*, *attention* or *incidents*.

    Where it is about no task of ours, ``title`` is what the CRM calls the thing, and ``person`` whose it is: a CRM and
    a contact's id there.
    """

    task: str | None
    system: str
    reason: Reason
    detail: str = ""
    title: str = ""
    person: tuple[str, str] | None = None
