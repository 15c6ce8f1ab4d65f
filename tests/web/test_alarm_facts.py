"""What a ledger tells for the alarms (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from syncer.config.schema import Account
from syncer.domain.alarms import Alarm
from syncer.domain.cursors import AWAITED
from syncer.ledger import Ledger, Run
from syncer.ledger.values import Incidents
from syncer.web.alarms.facts import await_a_run, facts_of
from syncer.web.alarms.rules import INCIDENT_LASTS, AlarmFacts
from tests.support.account_files import ALL, KEYS, load
from tests.support.clock import START

LATER = START + timedelta(hours=1)
REASONS = ("budget", "retry_later", "slot_taken", "budget")


@dataclass
class Told:
    """In place of a ledger: what it answers."""

    reports: list[dict[str, Any]] = field(default_factory=list)
    good: datetime | None = None
    on: dict[str, Alarm] = field(default_factory=dict)
    awaited: str = ""
    incident: Incidents | None = None
    since: list[datetime] = field(default_factory=list)

    def runs(self, limit: int) -> list[Run]:
        return [Run(str(number), START, START, "ok", one) for number, one in enumerate(self.reports[:limit])]

    def incidents(self, since: datetime) -> Incidents | None:
        self.since.append(since)
        return self.incident

    def good_at(self) -> datetime | None:
        return self.good

    def alarms_on(self) -> dict[str, Alarm]:
        return self.on

    def cursors(self) -> dict[str, str]:
        return {AWAITED: self.awaited}

    def exchange(self, name: str, before: str, after: str) -> None:
        assert (name, before) == (AWAITED, self.awaited)
        self.awaited = after


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    return load(tmp_path, ALL)


def facts(account: Account, told: Told, trouble: str | None = None) -> AlarmFacts:
    return facts_of(cast("Ledger", told), account, LATER, trouble)


def report(
    waiting: int = 0, *, states: dict[str, dict[str, str]] | None = None, second: bool = False
) -> dict[str, Any]:
    reason = "second_ledger" if second else "refused"
    return {
        "connections": states or {},
        "waiting": [{"reason": "budget"}] * waiting + [{"reason": "slot_taken"}],
        "attention": [{"reason": reason}],
    }


def test_a_ledger_that_knows_nothing_tells_nothing(account: Account) -> None:
    told = Told()
    assert facts(account, told) == AlarmFacts(LATER, timedelta(minutes=15), None, backlog=[])
    assert told.since == [LATER - INCIDENT_LASTS]


def test_what_piles_up_is_told_of_the_last_runs_oldest_first(account: Account) -> None:
    """Runs that were broken off have no report, and none that is older counts."""
    told = Told([report(9), {"message": "killed"}, report(7), report(6), report(5), report(4)])
    assert facts(account, told).backlog == [5, 6, 7, 9]
    mixed = {"connections": {}, "waiting": [{"reason": reason} for reason in REASONS]}
    assert facts(account, Told([mixed])).backlog == [3]


@pytest.mark.parametrize("second", [True, False])
def test_what_the_last_report_says_of_keys_and_of_another_ledger(account: Account, second: bool) -> None:
    states = {
        "reply": {"state": "unauthorized", "message": "no such key"},
        "superfone": {"state": "unauthorized"},
        "highlevel": {"state": "unavailable", "message": "busy"},
    }
    found = facts(account, Told([report(states=states, second=second), report(second=not second)]))
    assert found.refused == {"Reply.io": "no such key", "Superfone": "the key is wrong or was revoked"}
    assert found.other_ledger is second


def test_incidents_are_those_that_the_ledger_counts(account: Account) -> None:
    assert facts(account, Told(incident=Incidents(START, 2))).incident == (START, 2)


@pytest.mark.parametrize(
    ("good", "awaited", "expected"),
    [
        (None, "", None),
        (START, "", START),
        (None, LATER.isoformat(), LATER),
        (START, LATER.isoformat(), LATER),
        (LATER, START.isoformat(), LATER),
    ],
)
def test_a_daemon_that_began_waits_for_its_first_run(
    account: Account, good: datetime | None, awaited: str, expected: datetime | None
) -> None:
    assert facts(account, Told(good=good, awaited=awaited)).good_at == expected


@pytest.mark.parametrize(
    ("on", "good", "known", "trouble"),
    [
        ({}, None, None, ""),
        ({"ledger": Alarm("ledger", START, "it is damaged", "")}, None, None, "it is damaged"),
        ({"ledger": Alarm("ledger", START, "it is damaged", "")}, START - timedelta(1), None, "it is damaged"),
        ({"ledger": Alarm("ledger", START, "it is damaged", "")}, START, None, ""),
        ({"ledger": Alarm("ledger", START, "it is damaged", "")}, None, "", ""),
        ({"ledger": Alarm("ledger", START, "it is damaged", "")}, LATER, "no room", "no room"),
        ({"stuck": Alarm("stuck", START, "no run", "")}, None, None, ""),
    ],
)
def test_what_is_wrong_with_a_ledger_is_known_from_the_last_run_else_from_its_alarm(
    account: Account, on: dict[str, Alarm], good: datetime | None, known: str | None, trouble: str
) -> None:
    assert facts(account, Told(on=on, good=good), known).trouble == trouble


@pytest.mark.parametrize(
    ("awaited", "good", "noted"),
    [
        (None, None, True),
        (START, None, False),
        (START, START - timedelta(seconds=1), False),
        (START, START, True),
        (LATER, None, False),
        (LATER + timedelta(seconds=1), None, True),
    ],
)
def test_a_daemon_that_begins_again_and_again_waits_since_the_first_time(
    awaited: datetime | None, good: datetime | None, noted: bool
) -> None:
    """A good run ends the waiting, and so does a clock that was set back."""
    told = Told(awaited="" if awaited is None else awaited.isoformat(), good=good)
    before = told.awaited
    await_a_run(cast("Ledger", told), LATER)
    assert told.awaited == (LATER.isoformat() if noted else before)
