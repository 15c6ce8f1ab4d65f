"""The page for authors of adapters names everything that an adapter has: nothing has to be looked for in the code."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from adapters.conformance import Bench
from adapters.skeleton import STEPS
from syncer.contract import adapter as contract
from syncer.contract.adapter import Adapter, Capabilities, Completes, ListsTasks
from syncer.contract.errors import AdapterError
from syncer.contract.profile import Profile
from syncer.domain.model import Draft, Kind, Reading, Record, Unreadable

PAGE = (Path(__file__).parents[3] / "docs/adding-a-crm.md").read_text("utf-8")
PROSE = re.sub(r"^```.*?^```$", "", PAGE, flags=re.MULTILINE | re.DOTALL)
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PROSE, re.MULTILINE | re.DOTALL))
ATTRIBUTES = {"wire", "expected_identity", "listed"}
METHODS = {name for name in vars(Adapter) if not name.startswith("_")} - ATTRIBUTES - {"system"}


def errors(of: type[AdapterError]) -> set[str]:
    return {of.__name__}.union(*map(errors, of.__subclasses__()))


def names(what: Any) -> set[str]:
    return {field.name for field in fields(what)}


HANDS = {"add_contact", "add_task", "add_task_of_day", "complete", "reopen", "delete", "tasks"}
NAMED: dict[str, set[str]] = {
    "Capabilities": names(Capabilities) | {f"ListsTasks.{one.name}" for one in ListsTasks},
    "Methods": METHODS | ATTRIBUTES,
    "What is read and written": names(Reading) | names(Draft) | names(Record) | names(Unreadable),
    "Kinds": {kind.value for kind in Kind},
    "Errors": {name for name in errors(AdapterError) if hasattr(contract, name)},
    "Settings": names(Profile),
    "The conformance kit": set(Bench.__annotations__) | HANDS,
}
NAMED["Capabilities"] |= {f"Completes.{one.name}" for one in Completes}


@pytest.mark.parametrize(("section", "name"), [(section, name) for section in NAMED for name in sorted(NAMED[section])])
def test_the_page_explains(section: str, name: str) -> None:
    assert re.search(rf"`{re.escape(name)}`", SECTIONS[section]), f"{section} does not name {name}"


def test_the_page_explains_nothing_that_is_not_there() -> None:
    first_cells = re.findall(r"^\| (`[^|]+) \|", SECTIONS["Capabilities"] + SECTIONS["Methods"], re.MULTILINE)
    named = {name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)}
    assert named <= names(Capabilities) | METHODS


def test_the_skeleton_has_a_step_for_each_method() -> None:
    optional = {"raw_type", "list_team", "aclose", "list_tasks_of"}
    assert set(STEPS) == (METHODS - optional) | {"wire"}
