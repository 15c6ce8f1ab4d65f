"""Log lines: their form, their level, and that no secret is in them."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import stamina.instrumentation
import structlog

from syncer.config import log
from syncer.contract.errors import Unavailable
from syncer.contract.unforeseen import tell
from syncer.domain import redact
from tests.support.clock import run_virtual
from tests.support.http_client import answers, http

ROOT = Path(__file__).parents[2]
SECRET = "s3cret-and-long"


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(redact, "_secrets", redact.Secrets())
    redact.protect(SECRET)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    stamina.instrumentation.set_on_retry_hooks(None)


def test_a_line_is_key_and_value(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", json=False)
    with log.about(account="acme", run="01"):
        structlog.get_logger().info("task.created", remote_id=7, title="Call her", ok=True, system="reply")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.partition(" ")[2] == (
        'level=info event=task.created account=acme run=01 system=reply remote_id=7 title="Call her" ok=true\n'
    )


def test_a_file_of_ours_alone_is_followed_where_it_is_moved(tmp_path: Path) -> None:
    file = tmp_path / "syncer.log"
    log.configure("info", json=False, file=file)
    logger = structlog.get_logger()
    logger.info("first", key=SECRET)
    file.rename(tmp_path / "syncer.log.1")
    logger.info("second")
    logging.getLogger("other").warning("third")
    assert "event=first key=[secret]\n" in (tmp_path / "syncer.log.1").read_text()
    assert [line.partition("event=")[2] for line in file.read_text().splitlines()] == ["second", "third"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_a_link_is_refused_and_one_that_cannot_be_written_loses_lines(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="it is a link"):
        log.configure("info", json=False, file=tmp_path / "link")
    folder = tmp_path / "folder"
    folder.mkdir()
    log.configure("info", json=False, file=folder / "log")
    (folder / "log").unlink()
    folder.rmdir()
    structlog.get_logger().info("lost")
    assert not (tmp_path / "elsewhere").exists()


def test_a_line_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", json=True)
    with log.about(account="acme"):
        structlog.get_logger().warning("task.parked", ids=("1", 2), why=None)
    line = json.loads(capsys.readouterr().err)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "task.parked", "level": "warning", "account": "acme", "ids": ["1", 2], "why": None}


@pytest.mark.parametrize(("no_color", "colored"), [("", True), ("1", False)])
def test_a_terminal_is_for_people(
    no_color: str, *, colored: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    log.configure("info", json=False)
    structlog.get_logger().info("task.created", title=SECRET)
    line = capsys.readouterr().err
    assert "task.created" in line
    assert ("\x1b[" in line) is colored
    assert SECRET not in line


@pytest.mark.parametrize("level", log.LEVELS)
def test_a_level_hides_those_below(level: str, capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(level, json=True)
    for name in log.LEVELS:
        getattr(structlog.get_logger(), name)("x")
    shown = [json.loads(line)["level"] for line in capsys.readouterr().err.splitlines()]
    assert shown == list(log.LEVELS[log.LEVELS.index(level) :])


@pytest.mark.parametrize("as_json", [True, False])
def test_no_secret_is_in_any_value(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("debug", json=as_json)
    logger = structlog.get_logger()
    logger.info("event %s", SECRET, text=SECRET, error=ValueError(SECRET), nested={SECRET: [{"a": (SECRET,)}]})
    try:
        raise ValueError(SECRET) from KeyError(SECRET)
    except ValueError:
        logger.exception("failed")
        logging.getLogger("other").exception("failed %s", SECRET)
    shown = capsys.readouterr().err
    assert shown.count("ValueError: [secret]") == 2
    assert SECRET not in shown


def test_other_libraries_speak_from_warnings_on(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("debug", json=True)
    log.configure("debug", json=True)
    logging.getLogger("httpx").info("HTTP Request: GET https://crm.example/?phone=1")
    logging.getLogger("apscheduler").warning("missed %s", "a run")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "missed a run"


def test_a_library_is_silenced_for_a_while_and_not_for_good(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("debug", json=True)
    library = logging.getLogger("apscheduler.executors.default")
    with log.silenced("apscheduler"):
        library.error("unheard")
    library.error("heard")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "heard"


def test_a_retry_is_one_line_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", json=True)
    with pytest.raises(Unavailable):
        run_virtual(http(answers(httpx.ReadError(SECRET))).read("GET", "/things"))
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    again = [line for line in lines if line["event"] == "request.again"]
    assert [(line["attempt"], line["cause"]) for line in again] == [(2, "InDoubt"), (3, "InDoubt"), (4, "InDoubt")]
    assert "exception" not in str(lines)
    assert SECRET not in str(lines)


def test_no_line_holds_what_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    text = "\x1b[2J\x9b2J\u202eevil\u2028\x00\r"
    for as_json in (True, False):
        log.configure("info", json=as_json)
        structlog.get_logger().info("task.created", title=text, nested={text: [text]}, huge=10**5000)
        logging.getLogger("other").warning("said %s", text)
    shown = capsys.readouterr().err
    assert shown.count("\n") == 4
    assert shown.replace("\n", "").isprintable()
    assert "\\u001b" not in shown
    assert "a number of" in shown


PROGRAM = """
import logging, os, sys
import structlog
from syncer.config import log
log.configure("info", json=False)
for number in range(3):
    structlog.get_logger().info("x", number=number)
    logging.getLogger("other").warning("said")
log.write_error("words\\n")
print("done")
"""


@pytest.mark.parametrize(
    ("redirection", "program"),
    [
        ("2>/dev/full", PROGRAM),
        ("2>&-", PROGRAM),
        ("2>/dev/null", PROGRAM.replace("for number", "sys.stderr.close()\nfor number")),
        ("2>/dev/null", PROGRAM.replace("for number", "os.close(2)\nfor number")),
        ("2>/dev/null", PROGRAM.replace("for number", "sys.stderr = None\nfor number")),
    ],
)
def test_a_line_that_cannot_be_written_is_lost_and_nothing_else(redirection: str, program: str) -> None:
    command = ["/bin/sh", "-c", f'"$0" -c "$1" {redirection}', sys.executable, program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)  # noqa: S603
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_a_line_is_written_again_once_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full").open("w")  # noqa: SIM115
    monkeypatch.setattr(sys, "stderr", full)
    log.write_error("lost\n")
    with (tmp_path / "log").open("wb") as room:
        os.dup2(room.fileno(), full.fileno())
    log.write_error("found\n")
    assert (tmp_path / "log").read_text() == "found\n"
    sys.stderr.detach()  # type: ignore[union-attr]
    full.close()


def test_an_error_of_ours_with_one_persons_tasks_is_told_with_where_it_came_from(tmp_path: Path) -> None:
    file = tmp_path / "log"
    log.configure("info", json=True, file=file)
    try:
        raise KeyError(SECRET)
    except KeyError as error:
        tell(error, ["reply:7", "superfone:12"])
    (line,) = file.read_text().splitlines()
    told = json.loads(line)
    assert (told["event"], told["level"], told["contacts"]) == ("person.left_out", "error", "reply:7 superfone:12")
    assert "Traceback" in told["exception"]
    assert "test_log.py" in told["exception"]
    # The line of code that raised is shown as it is written, and so is the name of the secret there.
    assert SECRET not in line
