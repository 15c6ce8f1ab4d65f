"""Two ledgers for one account: which of them goes on, and what both report.

They cannot exclude each other, because neither can see the other. If another ledger's marker is in a task that is newer
than this ledger, both write. Then the younger ledger writes nothing until ``syncer ledger take-over``.
"""

from __future__ import annotations

from collections.abc import Iterable

from syncer.domain.base import Changes
from syncer.domain.cursors import OTHER_LEDGER
from syncer.domain.ledger_ids import made_at, parse
from syncer.domain.reasons import Item, Reason
from syncer.engine.context import RunContext


def note_other_ledgers(context: RunContext, found: Iterable[str]) -> None:
    """Store the oldest of these ledgers, and report it in every run from now on."""
    others = {ledger for ledger in (*found, context.base.cursors.get(OTHER_LEDGER, "")) if made_at(ledger)}
    if not others:
        return
    # The ids sort by age. All ledgers compare themselves with the oldest, and so agree which one goes on.
    oldest = min(others)
    if context.base.cursors.get(OTHER_LEDGER) != oldest:
        context.record(Changes(cursors={OTHER_LEDGER: oldest}))
    # An item of a report names a CRM. This one concerns all of them, and is told once.
    for system in list(context.connections)[:1]:
        context.attention.append(Item(None, system, Reason.SECOND_LEDGER, _in_words(context, oldest)))


def is_younger(context: RunContext) -> bool:
    """Whether this ledger is the younger one, which must not write."""
    return bool(oldest := context.base.cursors.get(OTHER_LEDGER, "")) and oldest < context.base.ledger_id


def _in_words(context: RunContext, other: str) -> str:
    mine = context.base.ledger_id
    made = f"ledger {other}, made {parse(other):%Y-%m-%d %H:%M} UTC, writes for this account, too"
    if other < mine:
        return f"{made}; this one, {mine}, is the younger and writes nothing. {Reason.SECOND_LEDGER.sentence}"
    return f"{made}; this one, {mine}, goes on. {Reason.SECOND_LEDGER.sentence}"
