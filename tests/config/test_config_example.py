"""The example file: complete, and nothing but the defaults."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from syncer.config.loader import SyncSettings
from syncer.config.registry import BUILT_IN, adapter_class
from syncer.config.schema import AccountTable, AlarmsTable, EventsTable, LedgerTable
from syncer.domain.model import Kind
from tests.support.account_files import ALL, EXAMPLE, KEYS, load

PUBLIC_KEY = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=
-----END PUBLIC KEY-----
"""


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    named = ("SUPERFONE_EVENT_SECRET", "REPLY_EVENT_SECRET", "ALARM_URL", "HIGHLEVEL_CLIENT_SECRET")
    for name, value in {**KEYS, **dict.fromkeys(named, "not-shown-either")}.items():
        monkeypatch.setenv(name, value)


def models_of(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models inside an annotation, such as the rules of a list of rules."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from models_of(inner)


def keys_of(prefix: str, model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Every (table, key) of a model and of the models inside it."""
    for key, field in model.model_fields.items():
        inner = list(models_of(field.annotation))
        for nested in inner:
            yield from keys_of(f"{prefix}.{key}", nested)
        if not inner:
            yield prefix, key


def keys_shown(text: str) -> set[tuple[str, str]]:
    """Every (table, key) of an example, also those that are commented out."""
    shown, table = set(), ""
    for line in text.splitlines():
        if header := re.fullmatch(r"(?:# )?\[+([\w.]+)\]+", line):
            table = header[1]
        elif entry := re.match(r"(?:# )?(\w+) = ", line):
            shown.add((table, entry[1]))
    return shown


def test_the_example_shows_every_key_and_no_other() -> None:
    tables: dict[str, type[BaseModel]] = {"account": AccountTable, "ledger": LedgerTable, "sync": SyncSettings}
    tables |= {"events": EventsTable, "alarms": AlarmsTable}
    models: dict[str, type[BaseModel]] = {**tables, **{name: adapter_class(name).settings_model for name in BUILT_IN}}
    expected = {pair for name, model in models.items() for pair in keys_of(name, model)}
    expected |= {("routes", kind.value) for kind in Kind}
    expected |= {("users", key) for key in ("name", *BUILT_IN)}
    assert keys_shown(EXAMPLE.read_text()) == expected


def test_the_example_is_the_defaults(tmp_path: Path) -> None:
    example = load(tmp_path, EXAMPLE.read_text())
    assert example == load(tmp_path, ALL)


def test_the_examples_commented_keys_are_right(tmp_path: Path) -> None:
    """Those that cannot stand there as defaults: names, paths, people, and what is not sent unless it is given."""
    text = re.sub(r"^# (\[|\w+ = )", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE)
    # There are two ways into HighLevel, of which an account has one.
    text = text.replace('\ntoken = "env:HIGHLEVEL_TOKEN"\n', "\n")
    (tmp_path / "highlevel.refresh").write_text("a refresh token")
    (tmp_path / "highlevel.refresh").chmod(0o600)
    (tmp_path / "highlevel.pem").write_text(PUBLIC_KEY)
    account = load(tmp_path, text)
    plain = load(tmp_path, EXAMPLE.read_text())
    assert account.routes == plain.routes
    assert account.users[0].name == "Asha"
    assert account.alarms.webhook == "https://alarms.example.com/syncer"
    commented = {line for line in EXAMPLE.read_text().splitlines() if re.match(r"# \w+ = ", line)}
    assert len(commented) == len(Kind) + 4 + 2 + 3 + 3 + 4 + 4
