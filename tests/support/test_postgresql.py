"""No test of the ledger on PostgreSQL is left out unnoticed."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import postgresql
from tests.support.postgresql import NAMED, REQUIRED

CI = Path(__file__).parents[2] / ".ci" / "run"


@pytest.mark.parametrize("needed", [postgresql.needs_driver, postgresql.find_server])
def test_without_the_package_a_test_is_skipped_and_says_so_or_fails_in_ci(
    needed: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    monkeypatch.delenv(NAMED, raising=False)
    monkeypatch.delenv(REQUIRED, raising=False)
    with pytest.raises(pytest.skip.Exception, match="psycopg not installed"):
        needed()
    monkeypatch.setenv(REQUIRED, "1")
    with pytest.raises(pytest.fail.Exception, match="psycopg not installed"):
        needed()


def test_ci_requires_it() -> None:
    assert re.search(rf"^export .*\b{REQUIRED}=1\b", CI.read_text("utf-8"), re.MULTILINE)
