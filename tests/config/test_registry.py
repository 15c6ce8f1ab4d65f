"""Adapters that other packages bring: a fourth CRM needs an entry point and nothing else."""

from __future__ import annotations

from datetime import UTC
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any, ClassVar

import pytest

from syncer.config import registry
from syncer.config.loader import ConfigError
from syncer.config.registry import (
    BUILT_IN,
    GROUP,
    UnknownSystem,
    adapter_class,
    installed_systems,
    label_of,
    make_adapter,
    offers,
    profile,
    settings_model,
    shows_messages,
)
from syncer.contract.profile import Profile
from syncer.contract.settings import ConnectionSettings, Rate, Rates
from syncer.domain.model import Kind
from tests.support.account_files import KEYS, REPLY, load


class FourthSettings(ConnectionSettings):
    """The least that a connection's table can have."""

    base_url: str = "https://fourth.example"
    rate: Rates = (Rate(1, 1.0),)


class FourthAdapter:
    """What is registered; only its settings are asked for here."""

    settings_model: ClassVar[type[FourthSettings]] = FourthSettings


class FifthSettings(FourthSettings):
    """With what people are asked."""

    profile: ClassVar[Profile] = Profile("Fifth", "key", "FIFTH_KEY", "under the mat", more={"house": "its number"})


class FifthAdapter:
    """It is told the account's region and time zone."""

    settings_model: ClassVar[type[FifthSettings]] = FifthSettings

    def __init__(self, settings: FifthSettings, **about: object) -> None:
        self.told = (settings, about)


@pytest.fixture(autouse=True)
def _packages(monkeypatch: pytest.MonkeyPatch) -> None:
    points = EntryPoints(
        [
            EntryPoint("fourth", f"{__name__}:FourthAdapter", GROUP),
            EntryPoint("fifth", f"{__name__}:FifthAdapter", GROUP),
            EntryPoint("gone", "no_such_package.adapter:Adapter", GROUP),
            EntryPoint("renamed", f"{__name__}:NoSuchName", GROUP),
        ]
    )
    monkeypatch.setattr(registry, "entry_points", points.select)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


def test_ours_come_first() -> None:
    assert installed_systems() == (*BUILT_IN, "fifth", "fourth", "gone", "renamed")


def test_ours_are_found_without_reading_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(registry, "entry_points")
    assert all(adapter_class(system).settings_model for system in BUILT_IN)


def test_a_fourth_connection(tmp_path: Path) -> None:
    account = load(tmp_path, f'[fourth]\nrate = "2/s"\n{REPLY}[routes]\nsms = ["fourth"]\n')
    assert list(account.connections) == ["reply", "fourth"]
    assert account.connections["fourth"] == FourthSettings(rate=(Rate(2, 1.0),))
    assert account.routes[Kind.TODO] == ("reply", "fourth")
    assert account.routes[Kind.SMS] == ("fourth",)


@pytest.mark.parametrize("system", ["gone", "renamed"])
def test_a_package_that_cannot_be_loaded(system: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"{system}: the adapter {system} cannot be loaded from"):
        load(tmp_path, f"[{system}]\n{REPLY}")


def test_a_package_that_is_broken_is_the_trouble_of_those_who_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_name: str) -> None:
        raise SyntaxError("no code at all")

    monkeypatch.setattr(registry, "import_module", broken)
    with pytest.raises(UnknownSystem, match=r"the adapter fourth cannot be loaded from .*: no code at all"):
        adapter_class("fourth")


def test_a_name_that_nobody_has() -> None:
    with pytest.raises(UnknownSystem, match="no adapter is named sixth"):
        adapter_class("sixth")


def test_what_can_be_asked_about_is_offered() -> None:
    """A package without a profile, or that cannot be loaded, is offered to nobody and spoils no other."""
    offered = dict(offers())
    assert list(offered) == [*BUILT_IN, "fifth"]
    assert offered["fifth"] == FifthSettings.profile
    with pytest.raises(UnknownSystem, match="the adapter fourth cannot be set up by questions"):
        profile("fourth")


@pytest.mark.parametrize("system", BUILT_IN)
def test_ours_can_be_asked_about(system: str) -> None:
    """What has no default is asked, and the key, which may be given in another way, too."""
    asked = profile(system)
    fields = settings_model(system).model_fields
    required = {name for name, field in fields.items() if field.is_required()}
    assert required | {asked.setting} == {asked.setting, *asked.more}


@pytest.mark.parametrize(
    ("system", "name", "messages"),
    [
        ("highlevel", "HighLevel", True),
        ("reply", "Reply.io", False),
        ("superfone", "Superfone", False),
        ("fifth", "Fifth", False),
        ("fourth", "fourth", False),
    ],
)
def test_a_crm_is_called_by_its_name_or_its_key_where_it_tells_none(system: str, name: str, *, messages: bool) -> None:
    """Without a profile it gets no messages either."""
    assert label_of(system) == name
    assert shows_messages(system) is messages


def test_an_adapter_is_told_the_accounts_region_and_time_zone() -> None:
    made: Any = make_adapter("fifth", FifthSettings(), region="IN", zone=UTC)
    assert made.told == (FifthSettings(), {"region": "IN", "zone": UTC, "transport": None})
