"""What the pages say of an account, made from its last run (pure)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from syncer.contract.settings import Rate
from syncer.domain.alarms import Alarm
from syncer.domain.reasons import Reason
from syncer.ledger import RunLine
from syncer.web import render
from syncer.web.board import AccountState
from syncer.web.views import about, groups_of, health_of, overwritten_of, standing_of
from tests.support.account_files import KEYS, REPLY, SUPERFONE, load
from tests.support.clock import START

ITEM: dict[str, Any] = {"task": "reply:1", "system": "reply", "reason": Reason.REFUSED.value, "detail": "no"}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AccountState:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    rates = 'rate = ["100/m", "3/2m", "5/s", "9/h", "7/d"]\n'
    return AccountState(load(tmp_path, f"{REPLY}{rates}{SUPERFONE}"))


def a_run(status: str = "ok", **report: Any) -> RunLine:
    return RunLine(1, "01", START, START, status, report)


ALARM = Alarm("stuck", START, "No run has ended well.", "Look.")


@pytest.mark.parametrize(
    ("known", "last", "words"),
    [
        ({}, a_run(), "good: All is well"),
        ({}, a_run("partial"), "warn: Not everything worked in the last run"),
        ({}, a_run("partial", attention=[ITEM]), "warn: Something needs attention"),
        ({}, a_run(incidents=[ITEM]), "warn: Something needs attention"),
        ({}, a_run("stopped", attention=[ITEM]), "bad: The last run was stopped by a limit"),
        ({}, None, "idle: No run has ended yet"),
        ({"running": True}, None, "idle: The first run is in progress"),
        ({"running": True}, a_run(), "good: All is well"),
        ({"trouble": "no room"}, None, "bad: The last run failed"),
        ({"trouble": "no room"}, a_run("stopped"), "bad: The last run failed"),
        ({"trouble": "no room", "alarms": (ALARM,)}, a_run(), f"bad: {ALARM.heading}"),
        ({"elsewhere": True, "alarms": (ALARM,)}, a_run(), "idle: Served by another process"),
    ],
)
def test_the_worst_that_is_true_is_said(
    state: AccountState, known: dict[str, Any], last: RunLine | None, words: str
) -> None:
    health = health_of(replace(state, **known), last)
    assert f"{health.look}: {health.words}" == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(59.9, "under 1 min"), (60, "1 min"), (119, "1 min"), (3600, "1 h"), (-5, "under 1 min")]
)
def test_a_length_of_time_changes_once_a_minute(seconds: float, words: str) -> None:
    assert about(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("word", "look", "said"),
    [
        ("ok", "good", "works"),
        ("idle", "idle", "not needed in the last run"),
        ("unavailable", "bad", "cannot be reached"),
        ("unauthorized", "bad", "rejects the key"),
        ("unheard of", "idle", "unheard of"),
    ],
)
def test_each_crm_is_told_with_its_state_and_its_rates(state: AccountState, word: str, look: str, said: str) -> None:
    found = {"state": word, "reads": 2, "writes": 3, "open": 7, "message": "what it said"}
    report = a_run(connections={"reply": found}, incidents=[{"n": 1}], attention=[{"n": 2}], waiting=[{"n": 3}])
    budgets = {"reply": {"60s": 0.5, "120s": 0.1, "1s": 0.2, "3600s": 0.3, "86400s": 0.4, "7s": 0.9}}
    in_step = {"reply": START, "superfone": START - timedelta(minutes=9)}

    standing = standing_of(replace(state, budgets=budgets), report, in_step, 4, START + timedelta(minutes=3))

    assert (standing.lag, standing.open) == ("12 min", 4)
    assert (standing.waiting, standing.attention) == ([{"n": 3}], [{"n": 1}, {"n": 2}])
    superfone, reply = sorted(standing.systems, key=lambda one: one.name, reverse=True)
    assert (reply.look, reply.state, reply.open, reply.requests, reply.lag) == (look, said, 7, 5, "3 min")
    assert (reply.label, reply.message) == ("Reply.io", "what it said")
    assert reply.budgets == [
        ("100 a minute", 0.5),
        ("3 in 2 min", 0.1),
        ("5 a second", 0.2),
        ("9 an hour", 0.3),
        ("7 a day", 0.4),
    ]
    assert (superfone.look, superfone.state, superfone.requests, superfone.lag) == ("idle", "not read yet", 0, "12 min")
    assert Rate(100, 60.0) in state.account.connections["reply"].rate


def test_items_stand_under_their_reason_and_a_newer_versions_reason_too() -> None:
    more = {**ITEM, "task": None, "contact": "Asha", "title": "Call\nher", "detail": f"no. {Reason.REFUSED.sentence}"}
    known, unknown = groups_of([ITEM, {**ITEM, "reason": "not_heard_of"}, more, ITEM], shown=2)
    assert (known.heading, known.sentence, known.number) == ("Refused", Reason.REFUSED.sentence, 3)
    first, second = known.lines
    assert (first.task, first.title, first.person, first.system, first.retry) == ("reply:1", "", "", "Reply.io", True)
    assert (second.title, second.person, second.detail, second.retry) == ("Call her", "Asha", "no.", False)
    assert (unknown.heading, unknown.sentence, unknown.number) == ("Not heard of", "", 1)
    assert not unknown.lines[0].retry


def test_a_due_that_was_overwritten_is_told_in_the_accounts_time() -> None:
    zone = timezone(timedelta(hours=5, minutes=30))
    lost = {"task": "reply:1", "system": "reply", "title": "Call", "contact": "Asha", "by": "highlevel"}
    values = [("due", "2026-05-19T08:30:00Z"), ("due", ""), ("title", "Ring " * 100)]
    run = a_run(overwritten=[{**lost, "field": field, "value": value} for field, value in values])
    due, none, title = overwritten_of([run], zone, datetime(2026, 5, 20, tzinfo=UTC))
    assert due.detail == "due was 19 May 14:00 there; the value that was typed in HighLevel replaced it"
    assert none.detail.startswith("due was empty there")
    assert title.detail.startswith("title was “Ring Ring")
    assert len(title.detail) < 200
    assert (due.task, due.title, due.person, due.system, due.retry) == ("reply:1", "Call", "Asha", "Reply.io", False)


def test_an_instant_in_a_page_is_for_people_and_for_programs() -> None:
    at = datetime.now(UTC)
    here = at.astimezone(timezone(timedelta(hours=5, minutes=30)))
    drawn = render._time(at, timezone(timedelta(hours=5, minutes=30)))
    assert drawn == f'<time datetime="{at:%Y-%m-%dT%H:%M:%SZ}">{here.day} {here:%b %H:%M}</time>'
    assert render._ago(at - timedelta(minutes=5, seconds=1)) == "5 min ago"


def test_links_hold_any_name() -> None:
    assert render._account_path("a & b") == "/accounts/a%20%26%20b"
    assert render._task_path("reply:1~2", "acme") == "/accounts/acme/tasks/reply:1~2"
    assert render._task_path("highlevel:a/b", "acme") == "/accounts/acme/tasks/highlevel:a%2Fb"
