"""``syncer service``: units that systemd takes, and property lists that launchd takes."""

from __future__ import annotations

import plistlib
import shutil
import subprocess
from pathlib import Path

import pytest

from syncer.cli.commands.service import LABEL, _configs, property_list, unit
from syncer.cli.session import Session
from syncer.config.loader import check_tables
from syncer.config.schema import Account
from tests.support.cli_kit import Served

ANALYZE = shutil.which("systemd-analyze")


def account(folder: Path) -> Account:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "key").write_text("key")
    (folder / "key").chmod(0o600)
    table = {"api_key": "file:key"}
    return check_tables(folder / "acme.toml", {"superfone": table, "reply": table})


def value(text: str, key: str) -> list[str]:
    return [line.removeprefix(f"{key}=") for line in text.splitlines() if line.startswith(f"{key}=")]


def test_a_unit_names_program_accounts_and_the_folders_that_it_writes_in(served: Served) -> None:
    done = served.do("service", "-c", "config.toml", "--listen", "127.0.0.1:8080")
    assert done.status == 0
    (command,) = value(done.stdout, "ExecStart")
    assert command.endswith(f" sync --config {served.folder}/config.toml --listen 127.0.0.1:8080")
    assert command.startswith("/")
    assert value(done.stdout, "ReadWritePaths") == [str(served.folder)]
    assert value(done.stdout, "EnvironmentFile") == [f"{served.folder}/syncer.env"]
    assert value(done.stdout, "Environment") == ["MALLOC_ARENA_MAX=2"]
    assert "HL_KEY=…, RE_KEY=…, SF_KEY=…" in done.stdout
    assert (value(done.stdout, "Type"), value(done.stdout, "WatchdogSec")) == (["notify"], ["120"])
    assert "systemctl enable --now syncer" in done.stderr


def test_a_unit_names_every_variable_that_the_daemon_needs(served: Served) -> None:
    file = served.folder / "config.toml"
    for name in ("SF", "RE", "HL"):
        (served.folder / f"{name}.key").write_text("a key")
        (served.folder / f"{name}.key").chmod(0o600)
        file.write_text(file.read_text().replace(f"env:{name}_KEY", f"file:{name}.key"))
    more = '[ledger]\nurl = "env:LEDGER"\n[alarms]\nwebhook = "env:HOOK"\nnotify = ["env:TOLD"]\n'
    file.write_text(f'{file.read_text()}{more}[events]\nreply_secret = "env:EVENTS"\n')

    done = served.do("service", "--token", "env:PAGE", LEDGER=f"sqlite:///{served.folder}/x.db")

    assert "EVENTS=…, HOOK=…, LEDGER=…, PAGE=…, TOLD=…" in done.stdout
    assert value(done.stdout, "EnvironmentFile") == [f"{served.folder}/syncer.env"]


@pytest.mark.parametrize(
    ("named", "variable", "expected"),
    [
        (["b.toml", "accounts"], "a.toml", ["b.toml", "accounts"]),
        ([], "a.toml:accounts", ["a.toml", "accounts"]),
        ([], ":a.toml: :", ["a.toml"]),
        ([], " ", ["config.toml"]),
        ([], "", ["config.toml"]),
    ],
)
def test_a_unit_names_the_files_that_a_run_would_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: list[str], variable: str, expected: list[str]
) -> None:
    """With their folder, and a folder as such: its files may change later."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SYNCER_CONFIG", variable)
    assert _configs(Session(tuple(map(Path, named)))) == [tmp_path / name for name in expected]


def test_a_token_file_is_the_one_of_the_folder_where_the_command_was_typed(served: Served) -> None:
    done = served.do("service", "--listen", "0.0.0.0:8080", "--token", "file:token")
    assert f"--token file:{served.folder}/token" in value(done.stdout, "ExecStart")[0]


def test_a_broken_file_gives_no_unit(served: Served) -> None:
    (served.folder / "config.toml").write_text("[")
    done = served.do("service")
    assert (done.status, done.stdout) == (2, "")
    assert "this is not TOML" in done.stderr


@pytest.mark.skipif(ANALYZE is None, reason="systemd is not installed")
@pytest.mark.parametrize("name", ["plain", "a folder", 'per%cent "and" $dollar', "back\\slash"])
def test_systemd_takes_the_unit(tmp_path: Path, name: str) -> None:
    # Of a program's own name, systemd takes no quotes and no backslashes.
    program = tmp_path / ("a bin" if "folder" in name else "bin") / "syncer"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    found = account(tmp_path / name / "accounts")
    text = unit([str(program), "sync", "--config", str(found.path)], [found], user="root")
    assert "EnvironmentFile" not in text
    file = tmp_path / "syncer.service"
    file.write_text(text)
    done = subprocess.run(  # noqa: S603 - found above
        [str(ANALYZE), "verify", "--recursive-errors=no", str(file)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_temporary_files_are_hidden_only_where_nothing_of_ours_lies_there(tmp_path: Path) -> None:
    found = account(tmp_path)
    assert "PrivateTmp" not in unit(["/opt/syncer", "sync"], [found], user="asha")
    elsewhere = found.model_copy(update={"path": Path("/etc/syncer/acme.toml"), "ledger_url": "sqlite:////srv/a.db"})
    text = unit(["/opt/syncer", "sync"], [elsewhere], user="asha")
    assert "PrivateTmp=yes" in text
    assert value(text, "ReadWritePaths") == ["/etc/syncer /srv"]
    assert value(text, "User") == ["asha"]


def test_launchd_takes_the_property_list(served: Served, tmp_path: Path) -> None:
    done = served.do("service", "--launchd")
    found = plistlib.loads(done.stdout.encode())
    assert found["Label"] == LABEL
    assert found["ProgramArguments"][-5:-2] == ["sync", "--config", f"{served.folder}/config.toml"]
    assert found["ProgramArguments"][-2] == "--log-file"
    assert found["KeepAlive"] == {"SuccessfulExit": False}
    assert "launchd does not give it HL_KEY, RE_KEY, SF_KEY" in done.stderr
    strange = property_list(["/opt/a & b/<syncer>", "sync"], [account(tmp_path / "x")])
    assert plistlib.loads(strange.encode())["ProgramArguments"][0] == "/opt/a & b/<syncer>"
