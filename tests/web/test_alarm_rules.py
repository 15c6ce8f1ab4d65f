"""When alarms begin and end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from syncer.domain.alarms import AlarmName
from syncer.web.alarms.rules import AlarmFacts, judge
from syncer.web.alarms.telling import FIRST_WAIT, GIVEN_UP_AFTER, LONGEST_WAIT, in_words, next_try

NOW = datetime(2026, 5, 19, 8, 30, tzinfo=UTC)
FINE = AlarmFacts(NOW, timedelta(minutes=15), NOW - timedelta(minutes=1))


def on(facts: AlarmFacts) -> set[str]:
    return set(judge(facts, {}))


def test_a_good_day_has_none() -> None:
    assert on(FINE) == set()


@pytest.mark.parametrize(
    ("good_at", "stuck"),
    [
        (NOW - timedelta(minutes=15), False),
        (NOW - timedelta(minutes=15, seconds=1), True),
        (NOW + timedelta(days=400), True),
        (None, True),
    ],
)
def test_stuck_is_no_good_run_for_too_long(good_at: datetime | None, stuck: bool) -> None:
    assert on(replace(FINE, good_at=good_at)) == ({AlarmName.STUCK} if stuck else set())


def test_a_refused_key_is_told_with_the_words_of_its_crm() -> None:
    alarm = judge(replace(FINE, refused={"reply": "The key is not valid"}), {})[AlarmName.UNAUTHORIZED]
    assert alarm.detail == "reply: The key is not valid"
    assert "syncer check" in alarm.remedy


@pytest.mark.parametrize(
    ("ago", "still", "is_on"),
    [(timedelta(hours=2), 1, True), (timedelta(hours=2), 0, False), (timedelta(days=1), 3, False)],
)
def test_an_incident_lasts_until_all_is_put_back_or_a_day(ago: timedelta, still: int, is_on: bool) -> None:
    found = judge(replace(FINE, incident=(NOW - ago, still)), {})
    assert set(found) == ({AlarmName.INCIDENT} if is_on else set())
    assert not is_on or found[AlarmName.INCIDENT].since == NOW - ago


@pytest.mark.parametrize(
    ("backlog", "begins"),
    [
        ((10, 20, 40, 51), True),
        ((10, 20, 40, 50), False),
        ((20, 40, 60), False),
        ((60, 61, 61, 62), False),
        ((90, 60, 70, 80), False),
        ((), False),
    ],
)
def test_a_backlog_has_grown_for_three_runs_and_is_more_than_fifty(backlog: tuple[int, ...], begins: bool) -> None:
    assert on(replace(FINE, backlog=backlog)) == ({AlarmName.BACKLOG} if begins else set())


@pytest.mark.parametrize(
    ("backlog", "goes_on"),
    [
        ((20, 40, 60, 60), True),
        ((40, 60, 60, 60), True),
        ((60, 60, 60, 60), False),
        ((90, 80, 70, 60), False),
        ((80, 90, 100, 50), False),
    ],
)
def test_a_backlog_goes_on_until_it_has_not_grown_for_three_runs(backlog: tuple[int, ...], goes_on: bool) -> None:
    before = judge(replace(FINE, backlog=(10, 20, 40, 60)), {})
    assert bool(judge(replace(FINE, backlog=backlog), before)) == goes_on


def test_an_alarm_that_goes_on_keeps_its_beginning_and_tells_what_is_true_now() -> None:
    before = judge(replace(FINE, refused={"reply": "revoked"}), {})
    later = replace(FINE, now=NOW + timedelta(hours=1), good_at=NOW + timedelta(hours=1))
    after = judge(replace(later, refused={"superfone": "unknown"}), before)[AlarmName.UNAUTHORIZED]
    assert (after.since, after.detail) == (NOW, "superfone: unknown")


def test_the_ledger_and_another_ledger() -> None:
    found = judge(replace(FINE, trouble="there is no room left on the disk", other_ledger=True), {})
    assert set(found) == {AlarmName.LEDGER, AlarmName.SECOND_LEDGER}
    assert found[AlarmName.LEDGER].detail == "there is no room left on the disk"


def test_a_message_has_the_same_fields_in_both_states() -> None:
    (alarm,) = judge(replace(FINE, other_ledger=True), {}).values()
    begun, ended = (alarm.message("acme", state) for state in ("begun", "ended"))
    assert list(begun) == ["account", "alarm", "state", "since", "detail", "remedy"]
    assert begun["since"] == "2026-05-19T08:30:00Z"
    assert {name for name in begun if begun[name] != ended[name]} == {"state"}
    assert in_words(begun)[0] == "syncer: acme: second_ledger"
    assert "is over" in in_words(ended)[0]


def test_tries_come_ever_later_and_end_after_a_day() -> None:
    at, tries, waits = NOW, 0, []
    while (again := next_try(NOW, tries, at)) is not None:
        waits.append(again - at)
        at, tries = again, tries + 1
    assert waits[0] == FIRST_WAIT
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT
    assert GIVEN_UP_AFTER - LONGEST_WAIT < at - NOW <= GIVEN_UP_AFTER
