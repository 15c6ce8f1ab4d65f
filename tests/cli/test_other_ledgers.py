"""Which ledgers beside a new one are told: those of the same CRM accounts, and no others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from syncer.cli.other_ledgers import is_new, told_of_others
from syncer.config.loader import load_account
from syncer.domain.base import Changes
from syncer.domain.cursors import IDENTITY
from syncer.ledger import Ledger, current_owner
from tests.support.cli_kit import ACCOUNT

OURS: Final = {"superfone": None, "reply": "41", "highlevel": "ve9EPM428h8vShlRW1KT"}


def ledger_of(path: Path, accounts: Mapping[str, str]) -> Path:
    """A ledger that was used with these CRM accounts."""
    with Ledger.open(f"sqlite:///{path}", name="acme") as ledger:
        now = datetime.now(UTC)
        ledger.acquire(current_owner("token"), now, timedelta(minutes=2), run="run1")
        ledger.store(Changes(cursors={IDENTITY + system: one for system, one in accounts.items()}), token="token")
    return path


def told(folder: Path) -> str:
    file = folder / "renamed.toml"
    file.write_text(ACCOUNT.format(name="renamed", url="http://127.0.0.1:9", sync=""))
    return told_of_others(load_account(file, secrets=False), OURS)


@pytest.mark.parametrize(
    ("accounts", "same"),
    [
        ({"reply": "41", "highlevel": "ve9EPM428h8vShlRW1KT"}, True),
        ({"reply": "41"}, True),
        ({"superfone": "7", "highlevel": "ve9EPM428h8vShlRW1KT"}, True),
        ({"reply": "41", "highlevel": "another"}, False),
        ({"reply": "42", "highlevel": "ve9EPM428h8vShlRW1KT"}, False),
        ({"superfone": "7"}, False),
        ({}, False),
    ],
)
def test_all_accounts_that_both_know_are_the_same(tmp_path: Path, accounts: dict[str, str], same: bool) -> None:
    other = ledger_of(tmp_path / "acme.db", accounts)
    assert (f'set [ledger] url = "sqlite:///{other}"' in told(tmp_path)) is same


@pytest.mark.parametrize(("url", "same"), [("http://127.0.0.1:9", True), ("http://127.0.0.1:10", False)])
def test_the_ledger_of_an_account_on_another_server_is_passed_over(tmp_path: Path, url: str, same: bool) -> None:
    """Two servers may use the same numbers. Its file need not be usable, and its secrets are not looked up."""
    other = ledger_of(tmp_path / "acme.db", {"reply": "41"})
    (tmp_path / "acme.toml").write_text(ACCOUNT.format(name="acme", url=url, sync=""))
    (tmp_path / "broken.toml").write_text("[")
    assert (f'set [ledger] url = "sqlite:///{other}"' in told(tmp_path)) is same


def test_a_link_and_what_is_no_ledger_are_passed_over(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "link.db").symlink_to(ledger_of(elsewhere / "acme.db", {"reply": "41"}))
    (tmp_path / "notes.db").write_text("no ledger")
    assert told(tmp_path) == ""


def test_a_ledger_is_new_until_a_run_has_reported_or_many_have_begun(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    with Ledger.open(f"sqlite:///{tmp_path / 'acme.db'}", name="acme") as ledger:
        for number in range(20):
            assert is_new(ledger)
            ledger.acquire(current_owner("token"), now, timedelta(minutes=2), run=f"run{number}")
            ledger.finish_run(f"run{number}", now, "stopped", {"message": "a signal ended it"}, token="token")
            ledger.release("token")
        assert not is_new(ledger), "whatever became of them"
    with Ledger.open(f"sqlite:///{tmp_path / 'other.db'}", name="acme") as ledger:
        ledger.acquire(current_owner("token"), now, timedelta(minutes=2), run="run")
        ledger.finish_run("run", now, "stopped", {"connections": {}, "incidents": []}, token="token")
        assert not is_new(ledger), "a limit has stopped it, and it told so"
