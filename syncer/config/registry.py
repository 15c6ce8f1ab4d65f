"""Which adapter serves which connection: a table of names to dotted paths, imported on use.

Packages add CRMs by the entry point group ``syncer.adapters``; it is looked at only for names that the table
does not have, because reading all installed metadata takes longer than starting the program.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Final, Protocol, cast

from syncer.contract.adapter import Adapter
from syncer.contract.profile import Profile
from syncer.contract.settings import ConnectionSettings

GROUP: Final = "syncer.adapters"

BUILT_IN: Final = {
    "superfone": "adapters.superfone.adapter:SuperfoneAdapter",
    "reply": "adapters.reply.adapter:ReplyAdapter",
    "highlevel": "adapters.highlevel.adapter:HighLevelAdapter",
}

_SETTINGS: Final = {
    "superfone": "adapters.superfone.settings:SuperfoneSettings",
    "reply": "adapters.reply.settings:ReplySettings",
    "highlevel": "adapters.highlevel.settings:HighLevelSettings",
}
"""The models of our own adapters' tables: what only reads account files need not load the adapters themselves."""


class AdapterClass(Protocol):
    """What is registered: a class of adapters, with the model of its table in an account file.

    ``region`` reads phone numbers that have no country code. ``zone`` is the account's time zone, in which a CRM
    that keeps dates without a time has its days.
    """

    settings_model: type[ConnectionSettings]

    def __call__(self, settings: Any, *, region: str, zone: tzinfo, transport: Any = None) -> Adapter: ...


class UnknownSystem(LookupError):
    """No adapter has this name, or the one that has it cannot be loaded; the message says which."""


def installed_systems() -> tuple[str, ...]:
    """All names that a connection can have: ours in their fixed order, then what packages added."""
    added = {point.name for point in entry_points(group=GROUP)}
    return (*BUILT_IN, *sorted(added - BUILT_IN.keys()))


def adapter_class(system: str) -> AdapterClass:
    """Import the adapter of this name; raise `UnknownSystem`."""
    path = BUILT_IN.get(system) or _path_of_package(system)
    if path is None:
        msg = f"no adapter is named {system}"
        raise UnknownSystem(msg)
    module, _, name = path.partition(":")
    try:
        return cast("AdapterClass", getattr(import_module(module), name))
    except Exception as error:
        # Somebody else's code: whatever is wrong with it, those who do not use it are served.
        msg = f"the adapter {system} cannot be loaded from {path}: {error}"
        raise UnknownSystem(msg) from error


def make_adapter(
    system: str, settings: ConnectionSettings, *, region: str, zone: tzinfo, transport: Any = None
) -> Adapter:
    """The adapter of this name, for a connection with these settings. Raises `UnknownSystem`.

    Raises `ValueError` where the environment names a proxy that cannot be used.
    """
    return adapter_class(system)(settings, region=region, zone=zone, transport=transport)


def profile(system: str) -> Profile:
    """What people are told and asked about the CRM of this name. Raises `UnknownSystem`."""
    found = getattr(settings_model(system), "profile", None)
    if not isinstance(found, Profile):
        msg = f"the adapter {system} does not say what to ask: its settings have no profile"
        raise UnknownSystem(msg)
    return found


def shows_messages(system: str) -> bool:
    """Whether tasks to write messages go to the CRM of this name where nobody says otherwise."""
    try:
        return profile(system).shows_messages
    except UnknownSystem:
        return False


def label_of(system: str) -> str:
    """The CRM's name as people write it."""
    try:
        return profile(system).title
    except UnknownSystem:
        return system


def offers() -> Iterator[tuple[str, Profile]]:
    """Every connection that can be offered, by name, ours first; a package that cannot be loaded offers none."""
    for system in installed_systems():
        try:
            yield system, profile(system)
        except UnknownSystem:
            continue


def settings_model(system: str) -> type[ConnectionSettings]:
    """The model of this connection's table in an account file; raises `UnknownSystem`."""
    path = _SETTINGS.get(system)
    if path is None:
        return adapter_class(system).settings_model
    module, _, name = path.partition(":")
    return cast("type[ConnectionSettings]", getattr(import_module(module), name))


def _path_of_package(system: str) -> str | None:
    return next((point.value for point in entry_points(group=GROUP, name=system)), None)
