"""Standard output and error that are closed, full or abandoned: the line is lost, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from syncer.cli import streams
from syncer.cli.streams import _lossy
from tests.support.cli_kit import PATIENCE, ROOT, Served

SYNCER = f"{sys.executable} -m syncer"


def shell(served: Served, command: str) -> int:
    """A command line of a shell, where `syncer` is the program; its exit status."""
    env = {**served.env, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    script = ["bash", "-c", command.replace("syncer", SYNCER)]
    return subprocess.run(script, cwd=served.folder, env=env, check=False, timeout=PATIENCE).returncode  # noqa: S603


@pytest.mark.parametrize(
    "command",
    [
        "{ syncer sync --once; echo $? > status; } | head -c 0",
        "syncer sync --once --json >&-; echo $? > status",
        "syncer sync --once >/dev/full; echo $? > status",
        "syncer sync --once --json -vv >&- 2>&- <&-; echo $? > status",
        "syncer sync --once -vv >/dev/full 2>/dev/full; echo $? > status",
    ],
)
def test_a_run_is_made_whatever_becomes_of_what_it_says(served: Served, command: str) -> None:
    _, _, contact = served.person()
    served.task(contact)
    shell(served, command)
    assert (served.folder / "status").read_text() == "0\n"
    assert served.writes() == 2
    assert (served.folder / "acme.db").read_bytes().startswith(b"SQLite format 3")
    assert served.do("status", "--json").answer["last_run"]["status"] == "ok"


def test_the_exit_status_stays_that_of_the_command(served: Served) -> None:
    assert shell(served, "syncer sync --once -c nowhere.toml >/dev/full 2>&1") == 2
    assert shell(served, "syncer --help >/dev/full") == 0
    assert shell(served, "syncer sink >/dev/full 2>&1") == 2


def test_what_was_full_is_used_again_once_it_has_room(tmp_path: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    stream = _lossy(full, None)
    print("lost", file=stream)
    room = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    os.dup2(room, full)
    print("there", file=stream)
    assert (tmp_path / "log").read_text() == "there\n"
    os.close(room)
    os.close(full)
    print("closed", file=stream)


def test_a_reader_who_stops_reading_is_not_waited_for_by_a_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams._Lossy, "patience", 0.01)
    reading, writing = os.pipe()
    stream = _lossy(writing, None)
    print("x" * 1_000_000, file=stream)
    print("lost", file=stream)
    assert 0 < len(os.read(reading, 2_000_000)) < 1_000_000
    print("after", file=stream)
    assert os.read(reading, 100) == b"after\n"
    os.close(writing)
    os.close(reading)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_is_json_in_every_locale(served: Served, encoding: str) -> None:
    _, _, contact = served.person()
    served.task(contact, "Café 😀 नमस्ते")
    assert served.do("sync", "--once").status == 0
    assert shell(served, f"PYTHONIOENCODING={encoding} syncer tasks --json > told") == 0
    [task] = json.loads((served.folder / "told").read_bytes())["tasks"]
    assert task["title"] == "Café 😀 नमस्ते"
