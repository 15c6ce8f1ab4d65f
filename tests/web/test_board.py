"""What the daemon passes to the page: one state for each account."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncer.web.board import Board
from tests.support.account_files import ALL, KEYS, load


def test_an_account_that_is_served_no_longer_leaves_and_the_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    account = load(tmp_path, ALL)
    other = account.model_copy(update={"name": "another"})
    board = Board()
    board.put(account)
    board.put(other)
    assert [state.name for state in board.states()] == sorted((account.name, "another"))
    board.change("another", running=True)
    board.drop(account.name)
    board.change(account.name, running=True)
    assert [(state.name, state.running) for state in board.states()] == [("another", True)]
    assert board.get(account.name) is None
