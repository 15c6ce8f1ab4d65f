"""What the account file means to the engine, together with what its CRMs declare."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from syncer.domain.dues import Dues
from syncer.domain.model import Kind
from syncer.engine.opening import policy_of
from tests.support.account_files import KEYS, REPLY, SUPERFONE, load
from tests.support.strategies import CAPABILITIES, PLAIN


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


def declaring(**capabilities: object) -> Any:
    """Two CRMs, of which one declares this."""
    changed = replace(CAPABILITIES[PLAIN], **capabilities)  # type: ignore[arg-type]
    return {
        "superfone": SimpleNamespace(capabilities=CAPABILITIES[PLAIN]),
        "reply": SimpleNamespace(capabilities=changed),
    }


def test_a_kind_goes_by_default_wherever_it_can_be_made(tmp_path: Path) -> None:
    account = load(tmp_path, SUPERFONE + REPLY)
    adapters = declaring(creates=frozenset({Kind.TODO}))
    routes = policy_of(account, adapters).routes
    assert (routes[Kind.TODO], routes[Kind.BOOKING]) == (("superfone", "reply"), ("superfone",))


def test_a_kind_goes_where_somebody_chose_though_it_cannot_be_made_there(tmp_path: Path) -> None:
    """Then each such task is listed with the reason."""
    account = load(tmp_path, SUPERFONE + REPLY + '[routes]\nbooking = ["reply"]\n')
    assert policy_of(account, declaring(creates=frozenset({Kind.TODO}))).routes[Kind.BOOKING] == ("reply",)


def test_how_dues_are_kept_is_what_the_adapters_declare(tmp_path: Path) -> None:
    account = load(tmp_path, SUPERFONE + REPLY)
    dues = policy_of(account, declaring(due_step=timedelta(minutes=1))).dues
    assert dues == {"superfone": Dues(), "reply": Dues(timedelta(minutes=1))}


@pytest.mark.parametrize("creates", [True, False])
def test_nobody_is_made_where_no_contact_can_be(tmp_path: Path, *, creates: bool) -> None:
    account = load(tmp_path, SUPERFONE + REPLY + "create_missing_contacts = true\n")
    policy = policy_of(account, declaring(creates_contacts=creates))
    assert ("reply" in policy.create_missing) is creates
