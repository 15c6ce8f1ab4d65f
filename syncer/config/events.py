"""The readers of events that the table ``[events]`` switches on."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final, cast

from syncer.config.schema import Account
from syncer.contract.events import EventReader

# Imported when they are used: the one of HighLevel needs the cryptography package, which takes long to load.
_READERS: Final = {
    "superfone": "adapters.superfone.events:SuperfoneEvents",
    "reply": "adapters.reply.events:ReplyEvents",
    "highlevel": "adapters.highlevel.events:HighLevelEvents",
}


def event_readers(account: Account) -> dict[str, EventReader]:
    """A reader for each CRM whose events are on, by system. Raises `ValueError` for an unusable key."""
    events, on = account.events, account.connections
    wanted: dict[str, dict[str, Any]] = {}
    if events.superfone_secret is not None:
        secret = events.superfone_secret.get_secret_value()
        wanted["superfone"] = {"secret": secret, "header": events.superfone_header}
    if events.reply_secret is not None:
        wanted["reply"] = {"secret": events.reply_secret.get_secret_value()}
    if events.highlevel and "highlevel" in on:
        location = on["highlevel"].place
        wanted["highlevel"] = {"location_id": location, "public_key": events.highlevel_public_key}
    return {system: _reader(system, options) for system, options in wanted.items() if system in on}


def _reader(system: str, options: dict[str, Any]) -> EventReader:
    module, _, name = _READERS[system].partition(":")
    return cast("EventReader", getattr(import_module(module), name)(**options))
