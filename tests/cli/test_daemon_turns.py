"""The turns of one account: whole runs, and runs for the contacts that events name, never both at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from syncer.cli import hints
from tests.support.months import serve_for
from tests.support.world import SECRETS


def test_a_run_that_became_due_while_an_event_was_looked_at_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the account would have no whole run any more until the daemon is started again."""
    for name, key in SECRETS.items():
        monkeypatch.setenv(name, key)
    looks = 0

    async def slowly(*_: object) -> hints.Looked:
        nonlocal looks
        looks += 1
        # Longer than the minute until the next whole run.
        await asyncio.sleep(90)
        return hints.Looked()

    monkeypatch.setattr(hints, "look_at_hints", slowly)
    made: list[int] = []

    serve_for(tmp_path, 3, made.append)

    assert (made, looks) == ([1, 2, 3], 1)
