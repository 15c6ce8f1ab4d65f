"""When each alarm is active (pure)."""

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
"""This many items may wait for a request budget or a retry without an alarm."""
GROWN: Final = 3
"""The backlog must grow in this many runs in a row before the alarm begins, and not grow in as many before it ends."""


@dataclass(frozen=True, slots=True)
class AlarmFacts:
    """The facts about an account at an instant.

    ``good_at`` is when a run last ended well, or since when one is expected; ``None`` if neither is known. ``refused``
    are the error texts of the CRMs that reject the key, by the CRM's name. ``backlog`` counts the items that wait for a
    request budget or a retry in the last runs, newest last. ``incident`` is when the first of the recent incidents was,
    with the number of tasks that are still to be put back. ``trouble`` is what is wrong with the ledger.
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
    """Return the active alarms by name. An alarm that goes on keeps its beginning, and gets new words."""
    found = {}
    for alarm in _on(facts, before):
        since = before[alarm.name].since if alarm.name in before else alarm.since
        found[alarm.name] = alarm._replace(since=since)
    return found


def _on(facts: AlarmFacts, before: Mapping[str, Alarm]) -> Iterator[Alarm]:
    if (detail := _stuck(facts)) is not None:
        remedy = "To see what the last run reported, type: syncer status. If no daemon is running, type: syncer sync"
        yield Alarm(AlarmName.STUCK, facts.now, detail, remedy)
    if facts.refused:
        detail = "; ".join(f"{system}: {words}" for system, words in facts.refused.items())
        remedy = "Put a valid key where the account file refers to. To test it, type: syncer check"
        yield Alarm(AlarmName.UNAUTHORIZED, facts.now, detail, remedy)
    if facts.incident is not None:
        first, still = facts.incident
        # What was created again needs no alarm any more.
        if still and facts.now - first < INCIDENT_LASTS:
            number = "1 task waits" if still == 1 else f"{still} tasks wait"
            detail = f"Somebody acted while we wrote, so the wrong task was closed; {number} to be created again."
            remedy = "The next runs create it again. To see what happened, type: syncer status"
            yield Alarm(AlarmName.INCIDENT, first, detail, remedy)
    if _piles_up(facts.backlog, on=AlarmName.BACKLOG in before):
        detail = f"{facts.backlog[-1]} changes wait for a CRM's request limit, or for another try."
        remedy = "If it goes on, raise run_limit, or rate if the CRM allows it. To see the list, type: syncer status"
        yield Alarm(AlarmName.BACKLOG, facts.now, detail, remedy)
    if facts.other_ledger:
        detail = "Another ledger writes for this account."
        remedy = "Stop the program that uses it. Then type, where the account is to be served: syncer ledger take-over"
        yield Alarm(AlarmName.SECOND_LEDGER, facts.now, detail, remedy)
    if facts.trouble:
        remedy = "Nothing is sent that could not be stored. Repair it as the message says; then the next run goes on."
        yield Alarm(AlarmName.LEDGER, facts.now, facts.trouble, remedy)


def _stuck(facts: AlarmFacts) -> str | None:
    if facts.good_at is None:
        return "No run has ended well yet."
    # If our clock was set back, the last good run seems to be in the future. That must not hide the alarm.
    silent = abs(facts.now - facts.good_at)
    if silent <= facts.stuck_after:
        return None
    return f"No run has ended well for {span(silent)}; {span(facts.stuck_after)} are allowed."


def _piles_up(backlog: Sequence[int], *, on: bool) -> bool:
    if not backlog or backlog[-1] <= BACKLOG:
        return False
    steps = [after > before for before, after in pairwise(backlog[-GROWN - 1 :])]
    if on:
        # Ends more slowly than it begins, or a backlog that goes up and down would send a message each time.
        return len(steps) < GROWN or any(steps)
    return len(steps) == GROWN and all(steps)
