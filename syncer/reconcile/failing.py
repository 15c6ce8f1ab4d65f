"""Count items that cannot be read in several runs, and report them when people may have to act (pure)."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from syncer.domain.base import Base, Changes, Failing
from syncer.domain.model import Reading, State, Unreadable
from syncer.domain.operations import Operation
from syncer.domain.policy import Policy
from syncer.domain.reasons import Item, Reason
from syncer.domain.snapshot import ConnectionState, Seen
from syncer.reconcile.closures import maybe_superseded
from syncer.reconcile.read_items import Place, What, in_words

RUNS_UNTIL_ATTENTION: Final = 3
"""How many runs in a row an item cannot be read before it is under attention."""

_LEFT: Final = "it is tried again with every run, behind all others"


class Failure(NamedTuple):
    """How one read failed. ``garbled`` is true if the CRM answered and the answer could not be understood.

    ``forbidden`` is true if the CRM refuses it to this API key. ``contact`` is the contact of a task, if known.
    """

    words: str
    garbled: bool = False
    forbidden: bool = False
    contact: str = ""


def failing_after(
    before: Mapping[Place, Failing],
    failed: Mapping[Place, Failure],
    answered: Collection[Place],
    unwanted: Collection[Place],
    *,
    now: datetime,
) -> Changes:
    """Return the changes to store after a run: higher counts, and items that were read or are ``unwanted`` now.

    Items that were not tried keep their counts.
    """
    changes = Changes()
    for place, failure in failed.items():
        known = before.get(place)
        failures, since = (known.failures + 1, known.since) if known else (1, now)
        # Once the task has left its list, nothing else tells in whose list to look for it.
        contact = failure.contact or (known.contact if known else "")
        changes.failing[place] = Failing(*place, failures, since, failure.words, failure.garbled, contact)
    # What nobody wants to read any more must not stand under attention for ever.
    changes.readable = {place for place in before if place not in failed and (place in answered or place in unwanted)}
    return changes


def place_of_task(system: str, remote_id: str) -> Place:
    """Return the place of a task that is read by itself."""
    return (system, What.TASK.value, remote_id)


def is_given_up(base: Base, place: Place, *, failed_now: bool) -> bool:
    """Whether the item could not be read in so many runs that nothing else waits for it any longer."""
    known = base.failing.get(place)
    # The failure of this run is stored only when reading has ended.
    return known is not None and known.failures + failed_now >= RUNS_UNTIL_ATTENTION


def wrote_what_is_given_up(base: Base, operation: Operation, seen: Seen, policy: Policy) -> bool:
    """Whether a task that this operation wrote, or may have created, could not be read for several runs.

    All tasks of its contact were read, except those that are given up. Of such a task its list may tell nothing, not
    even the due date: then it counts if it could be read until the request was sent.
    """
    if operation.remote_id is not None:
        return is_given_up(base, place_of_task(operation.system, operation.remote_id), failed_now=True)
    contact, same = operation.contact or "", policy.dues_of(operation.system).same
    place = (operation.system, What.PERSON.value, contact)
    # If the list could not be read before the request either, the request did not break it.
    if is_given_up(base, place, failed_now=True) and base.failing[place].since >= operation.sent_at:
        return True
    rows = seen.persons.get(contact, ())
    unread = [row.due for row in rows if not row.whole and row.key not in base.replicas]
    return any(same(due, operation.due) for due in (*unread, *seen.dues_untold(contact, base.replicas)))


def is_no_candidate(base: Base, operation: Operation, row: Reading, policy: Policy) -> bool:
    """Whether a row that just failed is not waited for any longer as what this operation may have created (L11).

    Its due tells that it hardly is, and it could not be read for several runs.
    """
    due = policy.dues_of(operation.system).same(row.due, operation.due)
    # With the due that was sent it stays a candidate however long it fails: the create must not be repeated beside it.
    return not due and is_given_up(base, place_of_task(*row.key), failed_now=True)


def told(base: Base, seen: Mapping[str, Seen]) -> tuple[list[Item], list[Item]]:
    """Return the waiting and the attention items for what could not be read when it was last tried.

    An answer that could not be understood is under attention at once, a missing answer only after several runs. Items
    of a connection that could not be used are left out, because the connection is reported.
    """
    waiting, attention = [], []
    for place, failing in sorted(base.failing.items()):
        system, what, key = place
        if system not in seen or seen[system].state is not ConnectionState.OK:
            continue
        replica = base.replicas.get((system, key)) if what == What.TASK else None
        item = Item(
            None if replica is None else replica.task,
            system,
            Reason.UNREAD,
            f"{in_words(what, key)}: {failing.words}",
            key if what == What.TASK and replica is None else "",
            _whose(failing),
        )
        if failing.failures < RUNS_UNTIL_ATTENTION:
            waiting.append(item)
            if not failing.garbled:
                continue
        reason = Reason.UNREADABLE if failing.garbled else Reason.FAILING
        since = f"not read since {failing.since:%Y-%m-%d %H:%M} UTC"
        detail = f"{item.detail}; {since}; {_LEFT}; see: syncer check"
        attention.append(replace(item, reason=reason, detail=detail))
    return waiting, attention


def _whose(failing: Failing) -> tuple[str, str] | None:
    contact = failing.key if failing.what in {What.CONTACT, What.LANE, What.PERSON} else failing.contact
    return (failing.system, contact) if contact else None


def told_apart(
    rows: Iterable[Reading],
    unreadable: Iterable[Unreadable],
    window: timedelta,
    known: Container[tuple[str, str]],
    *,
    new: bool,
) -> list[Reading]:
    """Return the rows of one contact's tasks that may be used, although others could not be understood.

    A row that could not be understood may be a task whose creation closed another one. So a closed exclusive row is
    used only if it is newer than all of them and no readable row may have closed it. Open rows are used if they are
    ``known`` copies, or if ``new`` is true. Nothing may be written in such a lane, because its order and its slot are
    not known.
    """
    rows = list(rows)
    suspects = {row.remote_id for row in maybe_superseded(rows, window)}
    # Ids that count up are compared by length first. A row without an id may be of any age.
    newest = [None if row.remote_id is None else (len(row.remote_id), row.remote_id) for row in unreadable]
    found = []
    for row in rows:
        if row.state is State.OPEN:
            clear = new or row.key in known
        else:
            after_all = all(number is not None and number < row.number for number in newest)
            # Nothing closes a reminder but its completion, and no older task can have closed a newer one.
            clear = not row.exclusive or (after_all and row.remote_id not in suspects)
        if clear:
            found.append(row)
    return found
