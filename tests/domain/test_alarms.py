"""An alarm as people and programs read it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from syncer.domain.alarms import Alarm, AlarmName
from syncer.domain.redact import protect

SINCE = datetime(2026, 5, 19, 8, 30, 5, 250_000, tzinfo=UTC)
KEY = "k3y-of-the-alarms"
STUCK = Alarm("stuck", SINCE, f"no run since Monday, by {KEY}", f"syncer check {KEY}")


@pytest.fixture(autouse=True)
def _protected() -> None:
    protect(KEY)


def test_an_alarm_is_told_to_the_second_and_without_secrets() -> None:
    told = STUCK.as_json()
    assert told == {
        "alarm": "stuck",
        "since": "2026-05-19T08:30:05Z",
        "detail": told["detail"],
        "remedy": told["remedy"],
    }
    assert told["detail"].startswith("no run since Monday")
    assert told["remedy"].startswith("syncer check")
    assert KEY not in str(told)


@pytest.mark.parametrize("state", ["begun", "ended"])
def test_a_message_says_of_which_account_it_is_and_whether_the_alarm_begins(state: str) -> None:
    assert STUCK.message("acme", state) == {"account": "acme", "state": state, **STUCK.as_json()}


def test_every_alarm_has_a_heading_and_one_of_a_newer_version_its_name() -> None:
    headings = {Alarm(name, SINCE, "", "").heading for name in AlarmName}
    assert len(headings) == len(AlarmName)
    assert STUCK.heading == "No run has succeeded for too long"
    assert Alarm("of tomorrow", SINCE, "", "").heading == "of tomorrow"
