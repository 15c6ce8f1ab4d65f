"""``explain``: a task's history in words, its dues in the account's time zone."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.support.cli_kit import Served


def test_dues_are_told_in_the_account_s_time_zone(served: Served) -> None:
    """In a list of what waits, and in a history. What people typed is shown as they typed it."""
    _, _, contact = served.person()
    task = served.highlevel.person_creates(contact, "Call Asha", datetime(2019, 5, 19, 8, 30, tzinfo=UTC))
    file = served.folder / "config.toml"
    file.write_text(file.read_text() + '[[highlevel.kind_rules]]\nmatch = "Call"\nkind = "reminder"\n')
    served.do("sync", "--once")
    served.highlevel.person_reschedules(task, datetime(2019, 5, 20, 20, 30, tzinfo=UTC))
    served.highlevel.person_retitles(task, "due 2019-05-21T08:30:00Z")
    waits = "due stays 19 May 2019 14:00 there; the task has 21 May 2019 02:00"
    assert waits in served.do("sync", "--once").stdout
    assert waits in served.do("status").stdout
    assert "stays 2019-05-19T08:30:00Z" in served.do("status", "--json").stdout
    told = served.do("explain", f"highlevel:{task}").stdout
    assert "due is 21 May 2019 02:00, and was 19 May 2019 14:00" in told
    assert "due 19 May 2019 14:00 → 21 May 2019 02:00; title “Call Asha” → “due 2019-05-21T08:30:00Z”" in told
    assert waits in told


def test_a_story_tells_why_something_was_written_in_a_lane_too(served: Served) -> None:
    _, _, contact = served.person()
    task = served.task(contact)
    served.do("sync", "--once")
    served.highlevel.person_completes(task)
    served.do("sync", "--once")
    assert served.do("status").stdout.startswith("acme: 0 open tasks (")
    served.task(contact, "Call again")
    served.do("sync", "--once")
    assert served.do("status").stdout.startswith("acme: 1 open task (")
    told = served.do("explain", f"highlevel:{task}").stdout
    assert "to create it: created in HighLevel, not yet in Superfone" in told
    assert "to complete it: done elsewhere, still open in Superfone" in told


def test_a_due_that_lost_against_another_is_told_in_the_account_s_time_zone(served: Served) -> None:
    _, _, contact = served.person()
    task = served.task(contact)
    served.do("sync", "--once")
    [copy] = served.reply.tasks()
    served.reply.person_reschedules(str(copy.id), datetime(2019, 5, 19, 8, 30, tzinfo=UTC))
    served.highlevel.person_reschedules(task, datetime(2019, 5, 20, 8, 30, tzinfo=UTC))
    served.do("sync", "--once")
    told = served.do("explain", f"highlevel:{task}").stdout
    assert "due was 19 May 2019 14:00 there; the value that was typed in HighLevel replaced it" in told
