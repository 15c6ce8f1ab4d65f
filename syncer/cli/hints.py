"""Handle events in the daemon: run for the contacts that they name, between whole runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from syncer.cli.commands.runs import recorded
from syncer.cli.signals import Stop
from syncer.engine.connection import is_scarce
from syncer.engine.opening import AccountInHand
from syncer.engine.part import PERSONS, run_part
from syncer.ledger import HintBook
from syncer.ledger.hints import KNOWN_FOR
from syncer.reconcile.guard import Limits

SOON: Final = 0.5
"""Seconds from an event to its run, so that several events of one contact lead to one run."""
AGAIN: Final = 3.0
"""Seconds until a task is searched for again that its CRM's search does not show yet."""
FORWARD_EVERY: Final = 10.0
"""The least seconds between two whole runs that events bring forward."""
# A search that lags shows a new task within seconds. After a minute the task is not late, but gone.
_LOOKED_FOR: Final = timedelta(minutes=1)


@dataclass(slots=True)
class Looked:
    """The result. ``more``: more hints wait. ``whole``: a whole run is needed soon. ``later``: try again later."""

    report: dict[str, Any] = field(default_factory=dict)
    more: bool = False
    whole: bool = False
    later: bool = False


async def look_at_hints(hand: AccountInHand, done: dict[str, int], stop: Stop) -> Looked:
    """Run for the contacts that hints name. ``done`` counts what such runs wrote since the last whole run.

    It counts against the limits of a run, so that many small runs cannot do more than a whole one.
    """
    book = HintBook(hand.ledger)
    hints = book.waiting(PERSONS)
    if not hints:
        return Looked()
    sync = hand.settings.sync
    creates = max(0, sync.max_creates_per_run - done.get("created", 0))
    completions = max(0, sync.max_completions_per_run - done.get("completed", 0))
    edits = max(0, sync.max_edits_per_run - done.get("edited", 0))
    limits = Limits(creates, completions, edits)
    with recorded(hand):
        part = await stop.finish(run_part(hand, hints, limits), hand.adapters.values())
    for name in ("created", "completed", "edited"):
        done[name] = done.get(name, 0) + sum(part.report[name].values())
    now, wires = hand.clock(), [adapter.wire for adapter in hand.adapters.values()]
    later = [hint for hint in part.unresolved if timedelta(0) <= now - hint.received_at < _LOOKED_FOR]
    # These are looked at again after the next whole run, because no whole run asks for them.
    kept = [*later, *(hint for hint in part.unread if now - hint.received_at < KNOWN_FOR)]
    book.done(hint for hint in hints if hint not in kept)
    # Otherwise the oldest ones could keep all others waiting that came after them.
    book.put_off(kept)
    return Looked(
        part.report,
        # If all of them are put off, another look would find the same ones.
        more=len(hints) == PERSONS and len(kept) < PERSONS,
        whole=part.report["hit"] or (bool(part.unknown) and not any(map(is_scarce, wires))),
        later=bool(later),
    )
