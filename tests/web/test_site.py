"""The pages and their buttons, asked as a browser or a program asks."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import quote

import pytest
import structlog
from structlog.testing import capture_logs

from adapters.sandbox import Fault
from syncer.domain.alarms import Alarm
from syncer.domain.reasons import Reason
from syncer.ledger import Ledger, Pages, RunLine, look
from syncer.web import pages
from syncer.web.app import make_app
from syncer.web.metrics import Metrics
from syncer.web.reader import Reader
from syncer.web.site import Site
from tests.support.clock import START
from tests.support.shown_page import EVIL, ShownPage, words_of
from tests.support.web_client import WebClient
from tests.support.world import World


def test_the_overview_has_every_account(shown: ShownPage) -> None:
    words = words_of(shown.get("/"))
    assert "All is well" in words
    assert "Open tasks 3" in words
    assert "Slot taken Call again" in words


def test_the_overview_names_the_files_that_cannot_be_used(shown: ShownPage) -> None:
    shown.board.broken_files = ("b.toml: this is not TOML",)
    words = words_of(shown.get("/"))
    assert "b.toml: this is not TOML" in words
    assert "the last valid content stays in use" in words
    shown.board.broken_files = ()
    assert "last valid content" not in words_of(shown.get("/"))


def test_an_account_tells_what_waits_why_and_what_frees_it(shown: ShownPage) -> None:
    words = words_of(shown.get(shown.home))
    assert "Call again Asha" in words
    assert Reason.SLOT_TAKEN.sentence in words
    assert "Send the plan Nobody" in words
    assert "created, 0 completed and 0 edited in the last 24 hours" in words


def test_an_account_tells_what_was_overwritten_long_after_that_run(shown: ShownPage, world: World) -> None:
    """Its report is gone from the status with the next run, a minute later."""
    assert "Overwritten" not in shown.get(shown.home)
    [task] = [one for one in world.highlevel.tasks() if one.title == "Call again"]
    [copy] = [one for one in world.reply.tasks() if "Call again" in str(one.template["body"])]
    world.highlevel.person_retitles(task.id, "Ring again")
    text = str(copy.template["body"])
    world.reply.person_edits_body(str(copy.id), text.replace("Call again", f"{EVIL} {'again and ' * 30}"))
    for _ in range(3):
        world.sync()
    page = shown.get(shown.home)
    assert EVIL not in page
    words = words_of(page)
    assert "Overwritten in the last 24 hours" in words
    assert f"Ring again Asha Rao · Reply.io title was “{EVIL} again and" in words
    assert "the value that was typed in HighLevel replaced it" in words


def test_the_runs_of_a_day_in_which_something_happened_are_told_apart(world: World) -> None:
    reader = Reader(world.account)
    world.wait(minutes=1)
    world.sync()
    assert len(reader.picture(world.now()).eventful) == 1
    world.superfone.fault = lambda _call: Fault.UNAUTHORIZED
    world.wait(minutes=1)
    world.sync()
    found = reader.picture(world.now())
    assert [run.status for run in found.eventful] == ["partial", "ok"]
    first = found.eventful[-1].started_at
    assert len(reader.picture(first + timedelta(days=1)).eventful) == 1


def test_a_crm_lags_since_it_was_read_whatever_ran_since(
    shown: ShownPage, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be away for hours, and each event makes a run that reads a few contacts."""
    fine, away, stopped = (
        {"connections": {system: {"state": state, "reads": 1, "writes": 0} for system in world.sandboxes}}
        for state in ("ok", "unavailable", "ok")
    )
    kinds = [("ok", fine)] + [("partial", away)] * 30 + [("part", {})] * 30 + [("stopped", stopped)]
    runs = [
        RunLine(number, str(number), world.now() + timedelta(minutes=number), world.now(), *kind)
        for number, kind in enumerate(kinds)
    ]
    monkeypatch.setattr(Pages, "runs", lambda *_: runs)
    monkeypatch.setattr(Pages, "has_run", lambda *_: True)
    world.wait(minutes=90)
    assert words_of(shown.get(shown.home)).count("Lag 1.5 h") == 1 + len(world.sandboxes)
    monkeypatch.setattr(Pages, "runs", lambda *_: [])
    assert "Lag 1.5 h" in words_of(shown.get(shown.home))
    shown.site = Site(shown.board, shown.access, Metrics(), shown.wishes, world.now)
    lags = words_of(WebClient(make_app(shown.site), "http://127.0.0.1:8080").get(shown.home).text)
    assert "Lag not known yet" in lags
    assert lags.count("Lag not read in the last day") == len(world.sandboxes)


def test_whatever_a_crm_sent_is_text(shown: ShownPage, world: World) -> None:
    task = shown.site.reader(shown.name)
    assert task is not None
    for path in ("/", shown.home, f"{shown.home}/tasks", f"{shown.home}/waiting", f"{shown.home}/tasks?text={EVIL}"):
        page = shown.get(path)
        assert EVIL not in page
        assert "<b>the" not in page
    assert "&lt;script&gt;" in shown.get(f"{shown.home}/tasks")


def test_a_tasks_story_is_told_across_the_crms(shown: ShownPage, world: World) -> None:
    [task] = [one for one in world.highlevel.tasks() if one.title == EVIL]
    world.highlevel.person_reschedules(task.id, datetime(2019, 5, 20, 20, 30, tzinfo=UTC))
    world.sync()
    page = shown.get(f"{shown.home}/tasks")
    path = re.search(r'href="([^"]+/tasks/[^"]+)">&lt;script', page)
    assert path is not None
    words = words_of(shown.get(unescape(path[1])))
    for step in (
        "We saw it for the first time in HighLevel",
        "We created it in Reply.io",
        "We created it in Superfone",
        "due is 20 May 2019 20:30, and was",
    ):
        assert step in words
    assert "About the flat" in words


@pytest.mark.parametrize(
    ("typed", "found"), [("210", 2), ("43210", 2), ("98765 43210", 2), ("10", 0), ("9876", 0), ("3211", 0)]
)
def test_a_number_is_found_by_its_last_digits_as_on_the_command_line(
    world: World, shown: ShownPage, typed: str, found: int
) -> None:
    words = words_of(shown.get(f"{shown.home}/tasks?text={quote(typed)}"))
    assert words.count("Asha") == found
    with look(world.account.ledger_url, world.account.name) as ledger:
        assert len(ledger.tasks(typed, "open", None)) == found


def test_tasks_are_found_by_name_and_come_page_by_page(shown: ShownPage, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = f"{shown.home}/tasks"
    assert "Tasks 1" in words_of(shown.get(f"{tasks}?text=send"))
    assert "Tasks 1" in words_of(shown.get(f"{tasks}?text=nobody@"))
    assert "No task matches." in words_of(shown.get(f"{tasks}?state=done"))
    assert "Tasks 1" in words_of(shown.get(f"{tasks}?system=superfone"))
    monkeypatch.setattr(pages, "PER_PAGE", 2)
    first, second = (words_of(shown.get(f"{tasks}?page={number}")) for number in (1, 2))
    assert "Page 1 of 2 Next" in first
    assert "Previous Page 2 of 2" in second
    assert "Call again" in second
    assert "Call again" not in first
    assert "No task matches." in words_of(shown.get(f"{tasks}?page=999999"))
    # What was said of a button is said once, whatever page is looked at next.
    links = re.findall(r'href="([^"]*page=[^"]*)"', shown.get(f"{tasks}?state=open&said=run&seen=x"))
    assert {unescape(link) for link in links} == {f"{tasks}?state=open&page=2"}
    shown.get(f"{tasks}?page=x&state=%00&system=%FF")


def test_a_page_that_shows_nothing_new_is_not_sent_again(shown: ShownPage) -> None:
    seen = re.search(r'"seen":"(\w+)"', shown.get(shown.home))
    assert seen is not None
    assert shown.client.get(f"{shown.home}?seen={seen[1]}").status_code == 204
    shown.board.change(shown.name, running=True)
    assert shown.client.get(f"{shown.home}?seen={seen[1]}").status_code == 200


def test_an_alarm_stands_above_all(shown: ShownPage) -> None:
    alarm = Alarm("unauthorized", START, f"reply: {EVIL}", "Put a valid key there.")
    shown.board.change(shown.name, alarms=(alarm,))
    page = shown.get(shown.home)
    assert "A CRM rejects the key" in words_of(page)
    assert "Put a valid key there." in page
    assert EVIL not in page


def test_what_a_limit_stopped_says_how_to_allow_it(shown: ShownPage, world: World) -> None:
    world.configure(sync="max_creates_per_run = 0")
    world.highlevel.person_creates(world.everywhere("Bilal", "+919812345678")[2], "Ring", world.due())
    world.sync()
    for path in ("/", shown.home):
        words = words_of(shown.get(path))
        assert "The last run was stopped by a limit" in words
        assert "then allow it once with: syncer sync --once --allow-creates 2" in words


def test_what_is_not_there_is_a_page_too(shown: ShownPage) -> None:
    for path in ("/nothing", "/accounts/nobody", f"{shown.home}/nothing", f"{shown.home}/tasks/reply:none"):
        answer = shown.client.get(path)
        assert answer.status_code == 404
        assert "text/html" in answer.headers["content-type"]
        assert "Content-Security-Policy" in answer.headers


def test_a_ledger_that_cannot_be_read_is_said(shown: ShownPage, world: World) -> None:
    place = world.account.ledger_url.removeprefix("sqlite:///")
    with open(place, "wb") as file:  # noqa: PTH123
        file.write(b"a shopping list, and no ledger\n" * 50)
    assert "it is no ledger" in words_of(shown.get("/"))
    assert shown.client.get(shown.home).status_code == 503


def test_a_ledger_that_was_lost_under_the_daemon_is_shown_as_it_is_now(shown: ShownPage, world: World) -> None:
    """The runs of the new one have lower numbers than those that the page knows."""
    for _ in range(3):
        world.sync()
    reader = shown.site.reader(shown.name)
    assert reader is not None
    before = reader.picture(world.now())
    world.lose_ledger()
    report = world.sync()
    picture = reader.picture(world.now())
    assert (before.last is not None, picture.last and picture.last.id) == (True, report.run)
    used = sum(one.reads + one.writes for one in report.connections.values())
    assert sum(sum(hour.requests.values()) for hour in picture.hours) == used


def test_a_bug_of_ours_is_a_page_and_is_logged(shown: ShownPage, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Reader, "picture", broken)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    client = WebClient(shown.client.app, "http://127.0.0.1:8080", raising=False)
    with capture_logs() as logs:
        answer = client.get(shown.home)
    assert answer.status_code == 500
    assert "with the last lines of the log" in words_of(answer.text)
    assert "Content-Security-Policy" in answer.headers
    (line,) = [line for line in logs if line["event"] == "web.failed"]
    assert "ZeroDivisionError" in line["words"]
    assert line["log_level"] == "error"


# Buttons ---------------------------------------------------------------------------------------------


def test_run_now_asks_the_daemon(shown: ShownPage) -> None:
    answer = shown.client.post(f"{shown.home}/run", data={"form_token": shown.access.form_token})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{shown.home}?said=run")
    assert shown.wishes.runs == [shown.name]
    assert "A run begins now." in words_of(shown.get(f"{shown.home}?said=run"))


def test_nobody_is_told_to_run_what_another_process_runs(shown: ShownPage) -> None:
    assert "Run now" in shown.get(shown.home)
    shown.board.change(shown.name, elsewhere=True)
    words = words_of(shown.get(shown.home))
    assert "Served by another process" in words
    assert "Run now" not in words


def test_a_button_leads_back_to_where_it_stands_and_nowhere_else(shown: ShownPage) -> None:
    token = shown.access.form_token
    for back, where in (
        (f"{shown.home}/waiting?page=2", f"{shown.home}/waiting?page=2&said=run"),
        ("/", "/?said=run"),
        ("https://evil.example.com/", f"{shown.home}?said=run"),
        ("//evil.example.com/", f"{shown.home}?said=run"),
        ("/accounts/\r\nx", f"{shown.home}?said=run"),
    ):
        answer = shown.client.post(f"{shown.home}/run", data={"form_token": token, "back": back})
        assert answer.headers["location"] == where


def test_what_was_refused_is_freed_by_its_button(shown: ShownPage, world: World) -> None:
    _, _, contact = world.everywhere("Ravi", "+919876543211")
    world.superfone.allowed_types = ()
    world.highlevel.person_creates(contact, "Call Ravi", world.due())
    world.sync()
    page = shown.get(shown.home)
    assert "Try again" in words_of(page)
    task = re.search(r'name="task" value="([^"]+)"', page)
    assert task is not None
    answer = shown.client.post(f"{shown.home}/retry", data={"form_token": shown.access.form_token, "task": task[1]})
    assert answer.headers["location"].endswith("said=freed")
    with Ledger.open(world.account.ledger_url, name="acme") as ledger:
        assert ledger.history(task[1])[-1].what == "freed"
    assert shown.press(f"{shown.home}/retry", task="reply:none") == 404
    again = shown.client.post(f"{shown.home}/retry", data={"form_token": shown.access.form_token})
    assert again.headers["location"].endswith("said=nothing")


def test_an_error_of_ours_with_one_account_hides_no_other(
    shown: ShownPage, monkeypatch: pytest.MonkeyPatch, own_errors: list[str]
) -> None:
    def broken(*_args: object) -> None:
        raise KeyError("reason")

    monkeypatch.setattr("syncer.web.views.groups_of", broken)
    overview = shown.get("/")
    assert shown.name in overview
    assert "unexpected KeyError" in unescape(overview)
    assert own_errors == [shown.name]
