"""When each alarm is on (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from syncer.domain.alarms import Alarm, AlarmName
from syncer.domain.times import span

INCIDENT_LASTS: Final = timedelta(days=1)
BACKLOG: Final = 50
"""What waits for budget or for a retry may be this many without an alarm."""
GROWN: Final = 3
"""So many runs in a row it must have grown, or not have grown, before the alarm begins, or ends."""


@dataclass(frozen=True, slots=True)
class AlarmFacts:
    """What is known of an account at an instant.

    ``good_at`` is when a run last ended well, or since when one is awaited; ``None`` if none ever was. ``refused`` has
    the words of each CRM that refuses the key, by its name. ``backlog`` counts what waits for budget or a retry in the
    last runs, the newest last. ``incident`` is when the first of the recent incidents was, with the number of tasks
    that are still to be put back. ``trouble`` is what is wrong with the ledger.
    """

    now: datetime
    stuck_after: timedelta
    good_at: datetime | None
    refused: Mapping[str, str] = field(default_factory=dict)
    backlog: Sequence[int] = ()
    incident: tuple[datetime, int] | None = None
    other_ledger: bool = False
    trouble: str = ""


def judge(facts: AlarmFacts, before: Mapping[str, Alarm]) -> dict[str, Alarm]:
    """The alarms that are on now, by name. One that goes on keeps its beginning; its words are those of now."""
    found = {}
    for alarm in _on(facts, before):
        since = before[alarm.name].since if alarm.name in before else alarm.since
        found[alarm.name] = alarm._replace(since=since)
    return found


def _on(facts: AlarmFacts, before: Mapping[str, Alarm]) -> Iterator[Alarm]:
    if (detail := _stuck(facts)) is not None:
        remedy = "See what the last run said: syncer status. Is the daemon running? syncer sync starts it."
        yield Alarm(AlarmName.STUCK, facts.now, detail, remedy)
    if facts.refused:
        detail = "; ".join(f"{system}: {words}" for system, words in facts.refused.items())
        remedy = "Put a valid key where the account file says, and try it: syncer check."
        yield Alarm(AlarmName.UNAUTHORIZED, facts.now, detail, remedy)
    if facts.incident is not None:
        first, still = facts.incident
        if still and facts.now - first < INCIDENT_LASTS:
            number = "1 task waits" if still == 1 else f"{still} tasks wait"
            detail = (
                f"Somebody acted between our read and our write, and an open task was closed; {number} to be put back."
            )
            remedy = "It is put back by itself; to hear what happened: syncer status."
            yield Alarm(AlarmName.INCIDENT, first, detail, remedy)
    if _piles_up(facts.backlog, on=AlarmName.BACKLOG in before):
        detail = f"{facts.backlog[-1]} operations wait for a CRM's budget or for another try."
        remedy = "If it goes on: raise run_limit or rate where the CRM allows it, and look at: syncer status."
        yield Alarm(AlarmName.BACKLOG, facts.now, detail, remedy)
    if facts.other_ledger:
        detail = "Another ledger writes for this account."
        remedy = "Stop the program that uses it; then, where the account is to be served: syncer ledger take-over."
        yield Alarm(AlarmName.SECOND_LEDGER, facts.now, detail, remedy)
    if facts.trouble:
        remedy = "Nothing is sent that could not be stored; mend it as the message says, the next run goes on."
        yield Alarm(AlarmName.LEDGER, facts.now, facts.trouble, remedy)


def _stuck(facts: AlarmFacts) -> str | None:
    if facts.good_at is None:
        return "No run has ended well yet."
    # A clock that was set back is not trusted to tell that all is well.
    silent = abs(facts.now - facts.good_at)
    if silent <= facts.stuck_after:
        return None
    return f"No run has ended well for {span(silent)}; {span(facts.stuck_after)} are allowed."


def _piles_up(backlog: Sequence[int], *, on: bool) -> bool:
    if not backlog or backlog[-1] <= BACKLOG:
        return False
    steps = [after > before for before, after in pairwise(backlog[-GROWN - 1 :])]
    if on:
        return len(steps) < GROWN or any(steps)
    return len(steps) == GROWN and all(steps)
