"""A daemon that has served for long holds no more than one that has just begun."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from syncer.engine.context import RunContext
from syncer.ledger import sqlite
from tests.support.months import objects, serve_for
from tests.support.world import SECRETS


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, key in SECRETS.items():
        monkeypatch.setenv(name, key)


@pytest.fixture(autouse=True)
def _only_what_comes_now() -> Iterator[None]:
    """The collector leaves alone what other tests have loaded: the daemon lets it look after each run."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def alive(kind: type) -> int:
    """How many objects of this class there are, garbage included."""
    return sum(isinstance(one, kind) for one in gc.get_objects())


def test_memory_does_not_grow_with_the_runs(tmp_path: Path) -> None:
    """What the sandboxes hold grows by a task every ten runs: a few hundred objects, all in all.

    The statements that the ledger has compiled are counted by themselves. They are few, and some come late.
    """
    engines: list[int] = []
    statements: list[int] = []
    counts: list[int] = []

    # What fails in here fails a run of the daemon, and not the test.
    def look(run: int) -> None:
        if run in {20, 40}:
            engines.append(alive(Engine))
            statements.append(len(sqlite.COMPILED))
            sqlite.COMPILED.clear()
            counts.append(objects())

    serve_for(tmp_path, 40, look)
    # A ledger that was open leaves a reference cycle, which the daemon lets the collector find.
    assert max(engines) < 20
    assert max(statements) < 100
    assert counts[1] - counts[0] < 500


def test_what_a_run_has_read_is_freed_when_it_ends(tmp_path: Path) -> None:
    """It would otherwise stay until the collector finds it, which may be many runs later."""
    left: dict[int, int] = {}

    def look(run: int) -> None:
        left[run] = alive(RunContext)

    gc.disable()
    try:
        serve_for(tmp_path, 12, look)
    finally:
        gc.enable()
    assert left == dict.fromkeys(range(1, 13), 0)
