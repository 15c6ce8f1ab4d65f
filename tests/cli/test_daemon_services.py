"""One account of the daemon: its pauses, whom it clashes with, and which errors are the ledger's (pure)."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from syncer.cli.service import JITTER, Service, clashes_among, trouble_of
from syncer.config.schema import Account
from syncer.ledger import Busy, LeaseLost, LedgerError, LedgerReplaced, Locked, Owner
from tests.support.account_files import ALL, KEYS, REPLY, SUPERFONE, load


@pytest.fixture
def accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Account, Account, Account]:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    first, second, third = (
        load(tmp_path, text, f"{stem}.toml") for stem, text in (("a", ALL), ("b", SUPERFONE + REPLY), ("c", ALL))
    )
    return first, second, third


def test_pauses_are_an_interval_give_or_take_a_little(
    accounts: tuple[Account, Account, Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that accounts do not all run at the same moment."""
    monkeypatch.setattr(random, "uniform", lambda low, high: (low, high)[0])
    service = Service(accounts[0])
    assert service.pause() == pytest.approx(60 * (1 - JITTER))
    monkeypatch.setattr(random, "uniform", lambda low, high: (low, high)[1])
    assert service.pause() == pytest.approx(60 * (1 + JITTER))


def test_an_account_is_known_by_its_name_or_its_ledger(accounts: tuple[Account, Account, Account]) -> None:
    first, second, _ = accounts
    service = Service(first)
    assert service.serves(first.model_copy(update={"ledger_url": "sqlite:///other.db"}))
    assert service.serves(first.model_copy(update={"name": "renamed"}))
    assert not service.serves(second)


def test_who_opens_the_account_of_another_one_is_told_with_it(accounts: tuple[Account, Account, Account]) -> None:
    """What has ended already clashes with nobody, and who was not connected yet neither."""
    first, second, third = (Service(account) for account in accounts)
    assert clashes_among([first, second, third]) == []
    first.identities, second.identities = {"reply": "41", "superfone": "7"}, {"reply": "41", "superfone": "8"}
    third.identities = {"superfone": "9", "highlevel": "x"}
    found = clashes_among([first, second, third])
    assert [(service, str(error).partition(": ")[0]) for service, error in found] == [
        (first, str(first.account.path)),
        (second, str(second.account.path)),
    ]
    first.ended = True
    assert clashes_among([first, second, third]) == []


OWNER = Owner("token", "machine", 1, 1.0)


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (LedgerError("it is damaged"), "it is damaged"),
        (Busy(OWNER), None),
        (LeaseLost(), None),
        (LedgerReplaced("acme.db"), None),
        (Locked("acme.db"), None),
        (OSError("no such thing"), None),
    ],
)
def test_what_passes_by_itself_is_no_trouble_of_the_ledger(error: Exception, trouble: str | None) -> None:
    assert trouble_of(error) == trouble
