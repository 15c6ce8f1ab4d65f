"""How the program starts: quickly, and with words for whoever types something else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from syncer import __version__
from syncer.cli.app import app
from tests.support import cli_kit
from tests.support.account_files import ALL, KEYS
from tests.support.cli_kit import PATIENCE, ROOT, Served

HEAVY = (
    "sqlmodel",
    "sqlalchemy",
    "alembic",
    "uvicorn",
    "starlette",
    "httpx",
    "pydantic",
    "apscheduler",
    "adapters",
    "asyncio",
    "rich",
    "syncer.cli.commands",
)
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}


def python(*args: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, *args],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def test_help_imports_nothing_heavy() -> None:
    code = f"""
import sys
sys.argv = ["syncer", "--help"]
from syncer.cli.app import main
try:
    main()
finally:
    found = sorted(name for name in {HEAVY!r} if name in sys.modules)
    print("heavy:", found)
"""
    done = python("-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("heavy: []\n")


def test_the_module_is_the_program() -> None:
    done = python("-m", "syncer", "-V")
    assert (done.returncode, done.stdout) == (0, f"syncer {__version__}\n")


def test_the_shell_can_complete_commands_and_values() -> None:
    for typed, word in (("syncer expl", "explain"), ("syncer tasks --system re", "reply")):
        words = {"COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" ")), "_SYNCER_COMPLETE": "complete_bash"}
        command = [sys.executable, "-m", "syncer"]
        done = subprocess.run(  # noqa: S603
            command, env=ENVIRONMENT | words, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        assert done.stdout.split() == [word]


def test_without_a_file_there_is_advice(tmp_path: Path) -> None:
    done = python("-m", "syncer", "sync", "--once", folder=tmp_path)
    assert done.returncode == 2
    assert "config.toml: there is no such file" in done.stderr
    assert "syncer init" in done.stderr
    assert "syncer demo" in done.stderr


@pytest.mark.parametrize("command", [["sync"], ["sync", "--once"], ["check"]], ids=" ".join)
def test_a_proxy_that_cannot_be_used_is_a_wrong_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    for name, value in {**KEYS, "HTTPS_PROXY": "ftp://somebody:secret@127.0.0.1:1", "NO_PROXY": ""}.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "acme.toml"
    file.write_text(f"{ALL}[ledger]\nurl = 'sqlite:///{tmp_path}/acme.db'\n")
    done = CliRunner().invoke(app, [*command, "--config", str(file)])
    assert done.exit_code == 2, done.output
    assert "acme.toml: the proxy in HTTPS_PROXY or ALL_PROXY cannot be used" in done.stderr
    assert "secret" not in done.output


COMMANDS = (
    "init",
    "check",
    "plan",
    "apply",
    "sync",
    "service",
    "status",
    "tasks",
    "explain",
    "retry",
    "sandbox",
    "demo",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_fits_80_columns(command: str) -> None:
    assert f"  {command} " in CliRunner().invoke(app, ["--help"]).output
    shown = CliRunner().invoke(app, [command, "--help"])
    assert shown.exit_code == 0
    assert all(len(line) <= 80 for line in shown.output.splitlines())


@pytest.mark.parametrize(
    "args",
    [
        ["snyc"],
        ["sync", "--onse"],
        ["sync", "--allow-creates", "3"],
        ["sync", "--once", "--allow-creates", "-1"],
        ["sync", "--once", "-c"],
        ["apply"],
        ["tasks", "--state", "gone"],
        ["init", "--base-url", "superphone=https://example.com"],
    ],
)
def test_a_wrong_command_line_is_2(args: list[str]) -> None:
    done = CliRunner().invoke(app, args)
    assert done.exit_code == 2
    assert "Error: " in done.output


def test_what_nobody_foresaw_is_one_sentence_and_with_v_a_traceback_without_keys() -> None:
    code = """
import sys
from syncer.domain.redact import protect
from syncer.cli import app as cli
protect("a-key-of-theirs")
def app(**_):
    raise KeyError("a-key-of-theirs\x1b[2J")
sys.argv = ["syncer", "sync", *sys.argv[1:]]
cli.app = app
cli.main()
"""
    done = python("-c", code)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("unexpected KeyError: '[secret]")
    done = python("-c", code, "-vv")
    assert "Traceback (most recent call last):" in done.stderr
    assert "a-key-of-theirs" not in done.stderr
    assert "\x1b" not in done.stderr


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    command = ["bash", "-c", f"rmdir {folder}; {sys.executable} -m syncer status"]
    done = subprocess.run(  # noqa: S603
        command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert done.returncode == 2
    assert (
        done.stderr
        == "the current folder does not exist any more; go to another one with cd, and type the command again\n"
    )


def test_a_reader_who_leaves_is_no_failure(served: Served) -> None:
    """`syncer check | head -1` must not end a command in the middle."""
    out = served.folder / "out"
    program = f"{sys.executable} -m syncer check"
    command = f"{{ {program}; echo $? > status; }} | head -1 > {out}"
    env = {**ENVIRONMENT, **cli_kit.SECRETS}
    subprocess.run(["bash", "-c", command], cwd=served.folder, env=env, check=True, timeout=PATIENCE)  # noqa: S603, S607
    assert out.read_text() == "acme: everything that can be tested works\n"
    assert (served.folder / "status").read_text() == "0\n"
