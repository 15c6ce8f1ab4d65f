"""Test one connection before it is written: run its checks, read its team and the kinds of its open tasks."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from syncer.cli.commands.check import try_connection, without_retries
from syncer.config.problems import Complaints
from syncer.config.registry import make_adapter, settings_model
from syncer.contract.adapter import Adapter, Check, ListsTasks, TeamMember
from syncer.contract.errors import AdapterError
from syncer.contract.settings import ConnectionSettings
from syncer.domain.model import Kind


@dataclass(frozen=True, slots=True)
class KeyTried:
    """The result of a test. ``kinds`` are the open tasks by kind, or ``None`` if they could not be listed."""

    checks: list[Check]
    team: tuple[TeamMember, ...] = ()
    kinds: Mapping[Kind, int] | None = field(default=None)

    @property
    def works(self) -> bool:
        return all(check.ok is not False for check in self.checks)


def settings_of(system: str, table: Mapping[str, Any], complaints: Complaints) -> ConnectionSettings | None:
    """Return the table as the adapter's settings. Errors are added to ``complaints``."""
    model = settings_model(system)
    try:
        return model.model_validate(table, context={"folder": complaints.path.absolute().parent})
    except ValidationError as error:
        complaints.add_errors(system, model, error)
        return None


def try_settings(system: str, settings: ConnectionSettings, *, region: str, timezone: str) -> KeyTried:
    """Test the connection by reads only. Raises `ValueError` for a proxy that cannot be used."""
    return asyncio.run(_try(system, settings, region, ZoneInfo(timezone)))


async def _try(system: str, settings: ConnectionSettings, region: str, zone: ZoneInfo) -> KeyTried:
    adapter = make_adapter(system, settings, region=region, zone=zone)
    try:
        with without_retries():
            tried = KeyTried(await try_connection(adapter))
            if not tried.works:
                return tried
            return KeyTried(tried.checks, await _team(adapter), await _kinds(adapter))
    finally:
        await adapter.aclose()


async def _team(adapter: Adapter) -> tuple[TeamMember, ...]:
    """Return the team, or nobody if it cannot be read: users can be added to the file later."""
    with suppress(AdapterError):
        return await adapter.list_team()
    return ()


async def _kinds(adapter: Adapter) -> Mapping[Kind, int] | None:
    # Contact by contact it would take minutes, and somebody sits in front of the screen.
    if adapter.capabilities.lists_tasks is not ListsTasks.ALL:
        return None
    with suppress(AdapterError):
        return Counter(reading.kind for reading in (await adapter.list_tasks()).rows if reading.mirrored)
    return None
