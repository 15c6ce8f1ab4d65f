"""Why something is not propagated: a closed list of words, each with a sentence for users (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAY_BE_ANOTHER: Final = "its contact may be one person with another one"
"""The detail of `Reason.AMBIGUOUS_CONTACT` for all that waits until it is clear who the person is."""


class Reason(StrEnum):
    """A word for programs. ``sentence`` is for users: it says what happens next, or what they have to do."""

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
    NOT_EDITABLE = "not_editable"
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
    OTHER_CONTACT = "other_contact"
    SECOND_LEDGER = "second_ledger"
    PROGRAM_ERROR = "program_error"

    @property
    def sentence(self) -> str:
        return _SENTENCES[self]

    @property
    def can_be_freed(self) -> bool:
        """Whether `syncer retry` has an effect on tasks with this reason."""
        return self in _FREED_BY_RETRY


# The others end by themselves, or by what people do in a CRM or in the account file.
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
        Reason.OTHER_CONTACT,
    }
)
# A sentence says who acts next: we, by ourselves, or the reader, and then with which command or setting. The tests
# compare the list with its page in the documentation.
_SENTENCES: dict[Reason, str] = {
    Reason.NO_CONTACT: "This CRM does not have the contact. Add it there, or set create_missing_contacts = true.",
    Reason.AMBIGUOUS_CONTACT: (
        "A phone number or e-mail belongs to several contacts of one CRM, or linked contacts no longer match. "
        "Merge or correct them."
    ),
    Reason.CONTACT_UNREAD: "The contact of this task could not be read. The next run tries again.",
    Reason.WITHOUT_CONTACT: "The task has no contact in its CRM. Give it a contact there.",
    Reason.SCHEDULED: "The CRM runs this task by itself at its time, so it is not copied.",
    Reason.SLOT_TAKEN: (
        "The lead already has an open task, and it can have only one. This task is created when that one is closed."
    ),
    Reason.NEWER_ABOVE: "A newer task must be closed first. This task is completed after it.",
    Reason.LANE_BLOCKED: "Another operation for the same lead must succeed first. This one is tried after it.",
    Reason.PUT_BACK: (
        "This task was closed by mistake, because somebody else acted at the same moment. It is created again as "
        "soon as the lead has room for it."
    ),
    Reason.CLOSED_THERE: (
        "The task was closed there without being done. It stays open elsewhere, because cancelled = 'keep' is set."
    ),
    Reason.NOT_EDITABLE: (
        "The task was changed elsewhere, but this copy cannot be changed through the API. Change it by hand."
    ),
    Reason.NOT_COMPLETABLE: (
        "Completing this task there would record a message that was never sent. Complete it by hand, or add its "
        "kind to complete_kinds."
    ),
    Reason.SEQUENCE_READ_ONLY: (
        "The task belongs to a sequence, and sequence_tasks is 'read_only'. Complete it by hand."
    ),
    Reason.NOT_SUPPORTED: "This CRM does not support tasks of this kind. Remove the CRM from the kind's route.",
    Reason.STORAGE_FULL: (
        "The account's lead storage is full. Free some of it there. Until then each run tries one create."
    ),
    Reason.UNREAD: "Some tasks of this CRM or this contact could not be read. The next run tries again.",
    Reason.UNAVAILABLE: "This CRM could not be reached or used in this run. The next run tries again.",
    Reason.UNAUTHORIZED: "This CRM rejected the key. To find out why, run: syncer check.",
    Reason.IN_DOUBT: (
        "A request was sent, but its answer was lost. The next run reads the task to see whether it was carried out."
    ),
    Reason.RETRY_LATER: (
        "The last try failed. It is tried again later. To try it in the next run, use: syncer retry ID."
    ),
    Reason.BUDGET: "The run used up its time or its requests. This is done first in the next run.",
    Reason.NEXT_RUN: "This came up during the run. The next run does it.",
    Reason.MOVED: "The task changed after the plan was saved, so it was skipped. Make a new plan.",
    Reason.REPLICA_MISSING: (
        "The CRM reports that this copy no longer exists. If the task is done, complete it in another CRM. To create "
        "the copy again, use: syncer retry ID."
    ),
    Reason.REFUSED: (
        "The CRM rejected the write. It is tried again when the task or the contact changes. To try it in the "
        "next run, use: syncer retry ID."
    ),
    Reason.FAILING: (
        "This failed in several runs in a row. A write is now tried once an hour. A read is tried at the end of "
        "each run."
    ),
    Reason.UNREADABLE: (
        "The CRM sent something that could not be understood. The next run reads it again. Other tasks are not "
        "affected."
    ),
    Reason.CLOSED_BY_RACE: (
        "Somebody acted between our read and our write, and our write closed an open task of theirs."
    ),
    Reason.DUPLICATE: (
        "This is a second copy of a task that has one here already. It is not copied to other CRMs. Delete one "
        "of the two."
    ),
    Reason.LOOP: (
        "The same task was created or reopened more than three times within a day, probably by an automation that "
        "answers to our copies. No more copies are made. Stop the automation, then use: syncer retry ID."
    ),
    Reason.UNMATCHED: (
        "Our user created this task, but it is unclear which task it is a copy of. It is not copied to other "
        "CRMs. If it is a task of its own, use: syncer retry ID."
    ),
    Reason.DONE_OR_REOPENED: (
        "A copy of this task was, or may have been, completed before this ledger knew of it. It is unclear "
        "whether the task is still to be done. Complete it, or, if it is still to be done, use: syncer retry ID."
    ),
    Reason.OTHER_CONTACT: (
        "A copy of this task was given to another contact, so the two are tasks of their own now. This one is not "
        "copied any more. Complete it, or, if it is still to be done for its contact, use: syncer retry ID."
    ),
    Reason.SECOND_LEDGER: (
        "Another ledger writes to this account. Stop the program that uses it. Then, on the computer that is to "
        "serve the account, run: syncer ledger take-over."
    ),
    Reason.PROGRAM_ERROR: (
        "An error of syncer itself stopped the work on this contact's tasks. They stay as they are until it is "
        "corrected, and nothing is lost. To show it, with all that a report of it needs, run: syncer plan."
    ),
}


@dataclass(frozen=True, slots=True)
class Item:
    """One line under *waiting*, *attention* or *incidents*.

    ``remote_id`` and ``person`` are set only if the ledger has no such task. ``remote_id`` is its id in that CRM,
    ``person`` is (system, contact id).
    """

    task: str | None
    system: str
    reason: Reason
    detail: str = ""
    remote_id: str = ""
    person: tuple[str, str] | None = None
