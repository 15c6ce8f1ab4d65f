"""Words and tables: the same facts on a terminal, however narrow, and in plain lines."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from syncer.cli.errors import traceback_of
from syncer.cli.plan_screen import show_plan
from syncer.cli.run_told import tell_run
from syncer.cli.screens import (
    DETAILS,
    Screen,
    clean,
    complain,
    harmless,
    moment,
    overwritten_in_words,
    run_in_words,
    short_ids,
    show_connections,
    show_items,
)
from syncer.cli.session import Session
from syncer.domain.reasons import Reason
from syncer.domain.redact import protect
from syncer.domain.times import span
from tests.support.account_files import ALL, KEYS, load

ROWS = [["Call about the quote, Asha Rao\n01M80041H2VJ1VREGSRW1DDF8X", "superseded 4569", "done RXlZbgRqSA4zqbwjwabh"]]
COLUMNS = ["task", "superfone", "highlevel"]


class Terminal(io.StringIO):
    """Looks like one."""

    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """From now on, standard output is a colourful terminal of 60 columns."""
    fake = Terminal()
    monkeypatch.setattr("sys.stdout", fake)
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm-256color")
    return fake


def bare(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_a_narrow_table_loses_no_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    Screen().table(COLUMNS, ROWS)
    lines = bare(terminal.getvalue()).splitlines()
    assert all(len(line) <= 60 for line in lines)
    assert " ".join(line.strip() for line in lines) == (
        "Call about the quote, Asha Rao, 01M80041H2VJ1VREGSRW1DDF8X: superfone superseded 4569, highlevel done "
        "RXlZbgRqSA4zqbwjwabh"
    )


def test_where_a_row_does_not_fit_no_id_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    row = ["27 Nov 12:40", "Asha Rao: Call about the quote", "open", "superseded", "highlevel:1vCX"]
    Screen().table(["due", "task", "Superfone", "Reply.io", "ID"], [row], indent=0, elastic="task")
    out = bare(terminal.getvalue())
    assert "…" not in out
    assert "27 Nov 12:40: task Asha Rao: Call about the quote" in out
    assert "ID highlevel:1vCX" in " ".join(out.split())


@pytest.mark.parametrize("no_color", ["", "1"])
def test_colours_are_left_out_where_nobody_wants_them(monkeypatch: pytest.MonkeyPatch, no_color: str) -> None:
    terminal = on_terminal(monkeypatch)
    monkeypatch.setenv("NO_COLOR", no_color)
    Screen().say("trouble", "red")
    assert ("\x1b[31m" in terminal.getvalue()) is not bool(no_color)


def test_plain_lines_name_each_value(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().table(COLUMNS, [*ROWS, ["Call back", "", "open 1"]])
    assert capsys.readouterr().out == (
        "  Call about the quote, Asha Rao, 01M80041H2VJ1VREGSRW1DDF8X: superfone superseded 4569, "
        "highlevel done RXlZbgRqSA4zqbwjwabh\n  Call back: highlevel open 1\n"
    )


def test_text_from_anywhere_is_harmless() -> None:
    protect("a-key-of-theirs")
    assert clean("Call\n [bold]Asha[/] \x1b[2J a-key-of-theirs\u202e") == "Call [bold]Asha[/] �[2J [secret]�"


def test_joiners_of_indian_scripts_stay() -> None:
    assert clean("\u0d05\u0d35\u0d28\u0d4d\u200d \u0915\u094d\u200c\u0937") == (
        "\u0d05\u0d35\u0d28\u0d4d\u200d \u0915\u094d\u200c\u0937"
    )


def test_json_values_are_harmless_and_keep_their_lines() -> None:
    protect("a-key-of-theirs")
    value = {"a": ["one\r\ntwo\tthree", 5, None, True], "b\x1b": {"c": "\x9b2J a-key-of-theirs \u2067x"}}
    assert harmless(value) == {"a": ["one\ntwo three", 5, None, True], "b�": {"c": "�2J [secret] �x"}}


def test_blanks_of_rich_text_are_blanks() -> None:
    """Editors of HTML store a second blank as a non-breaking one, and people copy what was overwritten."""
    assert harmless({"value": "Bring\xa0the plan,\u2009\u3000now"}) == {"value": "Bring the plan,  now"}


def test_a_traceback_tells_no_secret_and_commands_no_terminal() -> None:
    protect("a-key-of-theirs")
    try:
        raise ValueError("a-key-of-theirs \x1b[2J\x9b\u202e\nsecond line")
    except ValueError as error:
        text = traceback_of(error)
    assert text.startswith("Traceback (most recent call last):\n  File ")
    assert text.endswith("ValueError: [secret] �[2J��\nsecond line\n")


def test_a_section_shows_ten_and_says_where_the_others_are(capsys: pytest.CaptureFixture[str]) -> None:
    items: list[dict[str, str | None]] = [
        {"task": f"T{number}", "system": "reply", "reason": "no_contact", "detail": Reason.NO_CONTACT.sentence}
        for number in range(DETAILS + 3)
    ]
    items.append({"task": None, "system": "reply", "reason": "a_word_of_later", "detail": "something"})
    show_items(Screen(), {"waiting": items}, lambda _task: "", limit=DETAILS)
    out = capsys.readouterr().out
    assert out.count("      Reply.io: T") == DETAILS
    assert "  13 no_contact: This CRM does not have the contact" in out
    assert "  1 a_word_of_later: \n" not in out
    assert "    4 more; to list all, type: syncer status\n" in out
    plan = {"account": "acme", "status": "ok", "operations": [], "connections": {}, "waiting": items}
    show_plan(Screen(), plan, lambda _task: "", UTC)
    assert "    4 more; to list all, type: syncer plan --json\n" in capsys.readouterr().out
    show_items(Screen(), {"waiting": items[:DETAILS]}, lambda _task: "", limit=DETAILS)
    show_items(Screen(), {"waiting": items}, lambda _task: "")
    assert " more; " not in capsys.readouterr().out


def test_what_only_a_plan_has_seen_has_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    item = {"task": "reply:5", "system": "superfone", "reason": "slot_taken", "detail": "", "title": "Call"}
    show_items(Screen(), {"waiting": [item | {"contact": "Asha Rao"}]}, lambda _task: "")
    show_items(Screen(), {"waiting": [item | {"contact": "Asha Rao", "task": None, "detail": "unread"}]}, lambda _: "")
    assert "      Superfone: Call, Asha Rao (reply:5)\n" in (out := capsys.readouterr().out)
    assert "      Superfone: Call, Asha Rao: unread\n" in out


def test_complaints_wrap_at_words(monkeypatch: pytest.MonkeyPatch) -> None:
    on_terminal(monkeypatch)
    fake = Terminal()
    monkeypatch.setattr("sys.stderr", fake)
    complain("a.toml: superfone, reply, highlevel: b.toml opens the same remote account")
    assert fake.getvalue() == "a.toml: superfone, reply, highlevel: b.toml opens the same\nremote account\n"


def test_an_elastic_column_gives_way_so_that_each_row_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    rows = [["27 Nov 12:40", "Asha Rao: Call about the quote", "open", "open", "reply:1005"]] * 2
    Screen().table(["due", "task", "superfone", "reply", "ID"], rows, indent=0, elastic="task")
    lines = bare(terminal.getvalue()).rstrip().splitlines()
    assert len(lines) == 4
    assert all(len(line) <= 60 for line in lines)
    assert lines[2].startswith("27 Nov 12:40  Asha Rao: Call …  open")
    assert lines[2].rstrip().endswith("reply:1005")


def test_short_ids_tell_one_from_the_other_and_from_nobody_else() -> None:
    ids = ["highlevel:RXlZbgRq", "highlevel:RXlZbgXX", "reply:1", "superfone:1234567", "superfone:123456789"]
    short = ["highlevel:RXlZbgR", "highlevel:RXlZbgX", "reply:1", "superfone:1234567", "superfone:12345678"]
    assert short_ids(ids) == short
    assert short_ids(["reply:1", "reply:1"]) == ["reply:1", "reply:1"]


def test_nothing_to_do_is_said_only_when_nothing_failed() -> None:
    report = {"status": "ok", "created": {"reply": 0}, "completed": {}, "duration_s": 1.24}
    report |= {"waiting": [], "attention": [], "incidents": []}
    assert run_in_words(report) == "nothing to do, in 1.2 s"
    assert run_in_words(report | {"status": "partial"}) == "nothing written, in 1.2 s; not everything worked, see below"
    assert run_in_words(report | {"created": {"reply": 2}, "waiting": [1]}) == "2 created, 1 waiting, in 1.2 s"
    assert run_in_words(report | {"edited": {"reply": 1}}) == "1 edited, in 1.2 s"
    assert run_in_words(report | {"status": "stopped"}).startswith("stopped before its first write")


def test_the_daemon_tells_what_was_overwritten(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its next run has another report, so a line of it is all that people without JSON ever see."""
    lost = {"task": "reply:5", "system": "highlevel", "field": "due", "value": "2019-05-19T08:30:00Z", "by": "reply"}
    report = {"account": "acme", "run": "01", "status": "ok", "duration_s": 1.0, "waiting": [], "attention": []}
    report |= {"incidents": [], "overwritten": [lost | {"title": "Ring", "contact": "Asha Rao"}]}
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    account = load(tmp_path, f'[account]\ntimezone = "Asia/Kolkata"\n{ALL}')
    tell_run(Session(), account, report)
    out = capsys.readouterr().out
    assert "acme: ok: nothing to do, 1 overwritten, in 1.0 s\n" in out
    told = "HighLevel: Ring, Asha Rao (reply:5): due was 19 May 2019 14:00 there; the value that was typed in Reply.io"
    assert f"    overwritten: {told} replaced it\n" in out


def test_times_are_in_the_account_s_zone() -> None:
    at = datetime.now(UTC).replace(month=5, day=19, hour=8, minute=30, second=7)
    assert moment(at, ZoneInfo("Asia/Kolkata")) == "19 May 14:00"
    assert moment(at, UTC, seconds=True) == "19 May 08:30:07"
    assert moment(at.replace(year=2019), UTC) == "19 May 2019 08:30"
    assert [span(timedelta(seconds=s)) for s in (0.4, 35, 90, 5400, 2 * 86400)] == [
        "0 s",
        "35 s",
        "1.5 min",
        "1.5 h",
        "2 d",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (59.4, "59 s"),
        (59.6, "1 min"),
        (3590, "59.8 min"),
        (3599, "1 h"),
        (86_000, "23.9 h"),
        (86_399, "1 d"),
        (-5, "0 s"),
        (12_345_678_900, "142889.8 d"),
    ],
)
def test_a_length_of_time_that_rounds_up_to_the_next_unit_is_told_in_it(seconds: float, words: str) -> None:
    assert span(timedelta(seconds=seconds)) == words


def test_the_limit_of_lines_is_for_all_reasons_together(capsys: pytest.CaptureFixture[str]) -> None:
    """All reasons are named, each with its number."""
    wait = {"system": "reply", "detail": "", "title": "", "contact": ""}
    items = [wait | {"task": f"reply:{number}", "reason": "budget"} for number in range(3)]
    items += [wait | {"task": f"reply:{number}", "reason": "slot_taken"} for number in range(3, 6)]
    for limit, shown in ((2, 2), (4, 4), (5, 5), (6, 6), (None, 6)):
        show_items(Screen(), {"waiting": items}, lambda _task: "", limit=limit)
        told = capsys.readouterr().out
        assert told.count("Reply.io: reply:") == shown
        assert ("3 budget: " in told, "3 slot_taken: " in told) == (True, True)
        assert (f"{6 - shown} more; to list all, type: syncer status" in told) is (shown < 6)


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({}, "HighLevel: reply:5: due was 19 May 14:00 there; the value that was typed in Reply.io replaced it"),
        (
            {"title": "Ring", "contact": "Asha"},
            "HighLevel: Ring, Asha (reply:5): due was 19 May 14:00 there; the value ",
        ),
        (
            {"title": "Ring", "field": "title", "value": ""},
            "HighLevel: Ring (reply:5): title was empty there; the value ",
        ),
        (
            {"contact": "Asha", "by": ""},
            "HighLevel: Asha (reply:5): due was 19 May 14:00 there; the value that was typed ",
        ),
    ],
)
def test_what_was_overwritten_is_told_with_all_that_names_it(known: dict[str, str], words: str) -> None:
    one = {"task": "reply:5", "system": "highlevel", "field": "due", "by": "reply", "title": "", "contact": ""}
    one |= {"value": f"{datetime.now(UTC).year}-05-19T08:30:00Z"} | known
    assert overwritten_in_words(one, ZoneInfo("Asia/Kolkata")).startswith(words)


def test_connections_that_are_off_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    counts = {"open": 7, "reads": 2, "writes": 3}
    connections = {
        "reply": {"state": "unauthorized", "message": "no such key", **counts},
        "superfone": {"state": "off", "open": 0, "reads": 0, "writes": 0},
        "highlevel": {"state": "ok", **counts},
    }
    report = {"created": {"reply": 1}, "completed": {}, "connections": connections}
    show_connections(Screen(), report)
    told = capsys.readouterr().out
    assert "Superfone" not in told
    assert "Reply.io: no such key; to find out more, type: syncer check" in told
    assert told.count("unauthorized") == 1
    assert told.count("syncer check") == 1
