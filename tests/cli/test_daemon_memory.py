"""A daemon that has served for long holds no more than one that has just begun."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncer.ledger import sqlite
from tests.support.months import objects, serve_for
from tests.support.world import SECRETS


def test_memory_does_not_grow_with_the_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the sandboxes hold grows by a task every ten runs: a few hundred objects, all in all.

    The statements that the ledger has compiled are counted by themselves. They are few, and some come late.
    """
    for name, key in SECRETS.items():
        monkeypatch.setenv(name, key)
    counts: dict[int, int] = {}

    def look(run: int) -> None:
        if run in {20, 40}:
            assert len(sqlite.COMPILED) < 100
            sqlite.COMPILED.clear()
            counts[run] = objects()

    serve_for(tmp_path, 40, look)
    assert counts[40] - counts[20] < 500
