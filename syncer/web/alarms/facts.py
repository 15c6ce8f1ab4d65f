"""Read the facts for the alarms from the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from syncer.config.registry import label_of
from syncer.config.schema import Account
from syncer.domain.alarms import Alarm, AlarmName
from syncer.domain.cursors import AWAITED
from syncer.domain.reasons import Reason
from syncer.domain.snapshot import ConnectionState
from syncer.web.alarms.rules import GROWN, INCIDENT_LASTS, AlarmFacts, judge

if TYPE_CHECKING:
    from syncer.ledger import Answers, Ledger

# What waits for these goes on by itself, unless more comes than a run can do. Other reasons wait for people.
_PILES_UP: Final = frozenset({Reason.BUDGET, Reason.RETRY_LATER})
_LOOK_BACK: Final = 12
"""How many runs are read. Some of them may have been interrupted without a report."""


def alarms_of(ledger: Answers, account: Account, now: datetime) -> dict[str, Alarm]:
    """Return the active alarms by what the ledger knows, also those that no daemon has sent."""
    return judge(facts_of(ledger, account, now), ledger.alarms_on())


def facts_of(ledger: Answers, account: Account, now: datetime, trouble: str | None = None) -> AlarmFacts:
    """Return the facts about the account now. Raises `LedgerError`.

    ``trouble`` is what the last run found wrong with the ledger, empty if it was fine, and ``None`` if no run has ended
    since the daemon began.
    """
    # As many as tell whether the backlog grew in so many runs in a row.
    reports = [run.report for run in ledger.runs(_LOOK_BACK) if "connections" in run.report][: GROWN + 1]
    last = reports[0] if reports else {}
    incidents = ledger.incidents(now - INCIDENT_LASTS)
    return AlarmFacts(
        now=now,
        stuck_after=account.stuck_after,
        good_at=_latest(ledger.good_at(), _awaited(ledger)),
        refused=_refused(last),
        backlog=[_piled_up(report) for report in reversed(reports)],
        incident=None if incidents is None else (incidents.first, incidents.open),
        other_ledger=any(item["reason"] == Reason.SECOND_LEDGER for item in last.get("attention", ())),
        trouble=_stored_trouble(ledger) if trouble is None else trouble,
    )


def _stored_trouble(ledger: Answers) -> str:
    """Return what an earlier daemon knew to be wrong with the ledger. A run that ended well ends it."""
    alarm, good_at = ledger.alarms_on().get(AlarmName.LEDGER), ledger.good_at()
    return "" if alarm is None or (good_at is not None and good_at >= alarm.since) else alarm.detail


def await_a_run(ledger: Ledger, now: datetime) -> None:
    """Note that a daemon begins to serve the account, so that a good run is expected from now on."""
    good_at, awaited = ledger.good_at(), _awaited(ledger)
    # A time that is still to come was noted before our clock was set back, and would keep the alarm away until then.
    if awaited is None or (good_at is not None and good_at >= awaited) or awaited > now:
        ledger.exchange(AWAITED, "" if awaited is None else awaited.isoformat(), now.isoformat())


def _awaited(ledger: Answers) -> datetime | None:
    told = ledger.cursors().get(AWAITED)
    return datetime.fromisoformat(told) if told else None


def _latest(*instants: datetime | None) -> datetime | None:
    return max((instant for instant in instants if instant is not None), default=None)


def _refused(report: Mapping[str, Any]) -> dict[str, str]:
    return {
        label_of(system): found.get("message") or "the key is wrong or was revoked"
        for system, found in report.get("connections", {}).items()
        if found["state"] == ConnectionState.UNAUTHORIZED
    }


def _piled_up(report: Mapping[str, Iterable[Mapping[str, Any]]]) -> int:
    return sum(item["reason"] in _PILES_UP for item in report.get("waiting", ()))
