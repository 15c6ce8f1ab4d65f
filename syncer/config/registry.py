"""The registry of adapters: names and dotted paths, imported when they are used.

Packages add CRMs with the entry point group ``syncer.adapters``. It is read only for names that are not built in,
because reading the metadata of all installed packages takes longer than starting the program.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from syncer.contract.profile import Profile
from syncer.contract.settings import ConnectionSettings

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

    from syncer.contract.adapter import Adapter

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
"""The settings models of the built-in adapters, so that account files can be read without loading the adapters."""


class AdapterClass(Protocol):
    """A registered adapter class, with the model of its table in an account file.

    ``region`` is the country of phone numbers without a country code. ``zone`` is the account's time zone, for CRMs
    that keep dates without a time.
    """

    settings_model: type[ConnectionSettings]

    def __call__(self, settings: Any, *, region: str, zone: tzinfo, transport: Any = None) -> Adapter: ...


class UnknownSystem(LookupError):
    """No adapter has this name, or it cannot be loaded. The message says which."""


def entry_points(*, group: str) -> EntryPoints:
    """Return the entry points of a group in all installed packages, as `importlib.metadata.entry_points` does."""
    # Imported here, because that takes longer than reading an account file, which needs it for other packages only.
    from importlib import metadata

    return metadata.entry_points(group=group)


def installed_systems() -> tuple[str, ...]:
    """All names of connections: the built-in ones in their fixed order, then those of packages."""
    added = {point.name for point in entry_points(group=GROUP)}
    return (*BUILT_IN, *sorted(added - BUILT_IN.keys()))


def adapter_class(system: str) -> AdapterClass:
    """Import the adapter of this name. Raises `UnknownSystem`."""
    # No package can take the place of a built-in adapter.
    path = BUILT_IN.get(system) or _path_of_package(system)
    if path is None:
        msg = f"no adapter is named {system}"
        raise UnknownSystem(msg)
    module, _, name = path.partition(":")
    try:
        return cast("AdapterClass", getattr(import_module(module), name))
    except Exception as error:
        # This may be code of another package. Whatever it raises, accounts that do not use it must work.
        msg = f"the adapter {system} cannot be loaded from {path}: {error}"
        raise UnknownSystem(msg) from error


def make_adapter(
    system: str, settings: ConnectionSettings, *, region: str, zone: tzinfo, transport: Any = None
) -> Adapter:
    """Create the adapter of this name, with these settings. Raises `UnknownSystem`.

    Raises `ValueError` if the proxy of the environment cannot be used.
    """
    return adapter_class(system)(settings, region=region, zone=zone, transport=transport)


def profile(system: str) -> Profile:
    """The description of the CRM of this name. Raises `UnknownSystem`."""
    found = getattr(settings_model(system), "profile", None)
    if not isinstance(found, Profile):
        msg = f"the adapter {system} cannot be set up by questions, because its settings have no profile"
        raise UnknownSystem(msg)
    return found


def shows_messages(system: str) -> bool:
    """Whether message tasks are copied to this CRM by default."""
    try:
        return profile(system).shows_messages
    # An author may leave the profile out; then `syncer init` cannot offer the CRM, and runs do not need it.
    except UnknownSystem:
        return False


def label_of(system: str) -> str:
    """The CRM's name as people write it."""
    try:
        return profile(system).title
    except UnknownSystem:
        return system


def offers() -> Iterator[tuple[str, Profile]]:
    """All connections that can be offered, the built-in ones first. Packages that cannot be loaded are left out."""
    for system in installed_systems():
        try:
            yield system, profile(system)
        except UnknownSystem:
            continue


def settings_model(system: str) -> type[ConnectionSettings]:
    """The model of this connection's table in an account file. Raises `UnknownSystem`."""
    path = _SETTINGS.get(system)
    if path is None:
        return adapter_class(system).settings_model
    module, _, name = path.partition(":")
    return cast("type[ConnectionSettings]", getattr(import_module(module), name))


def _path_of_package(system: str) -> str | None:
    return next((point.value for point in entry_points(group=GROUP) if point.name == system), None)
