"""Superfone's event notifications: ``CUSTOMER_…`` and ``TASK_…``, with a header that the account's owner has set.

They have no signature and no delivery id, so a repeated delivery cannot be recognised. ``contact_id`` is the lead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from adapters.events import id_in, is_same, json_object
from syncer.contract.events import Forged, NotUnderstood, Told

_TYPES: Final = re.compile(r"(CUSTOMER|TASK)_[A-Z_]{1,60}")
_BEARER: Final = "bearer "
MOST_PHONES: Final = 5
"""How many of a lead's numbers are taken. Anybody may send an event."""


class SuperfoneEvents:
    """The events of one account. ``Bearer`` before the secret or the header's value is ignored."""

    def __init__(self, *, secret: str, header: str) -> None:
        self._secret = _bare(secret)
        self._header = header.lower()

    def is_address(self, rest: str) -> bool:
        return not rest

    def read(self, headers: Mapping[str, str], body: bytes) -> Told:
        if not is_same(_bare(headers.get(self._header, "")), self._secret):
            msg = f"the header {self._header} is missing or wrong"
            raise Forged(msg)
        event = json_object(body)
        if not isinstance(event.get("event"), str) or not _TYPES.fullmatch(event["event"]):
            msg = "it is not an event of a customer or a task"
            raise NotUnderstood(msg)
        lead = id_in(event, "contact_id")
        if lead is None:
            msg = "it names no lead"
            raise NotUnderstood(msg)
        # Only whom to read: an event has no time, so what it says of the task may be older than what we know.
        return Told(contacts=(lead,), phones=_phones(event.get("contact_phones")))


def _phones(found: Any) -> tuple[str, ...]:
    """The lead's numbers. A lead that nobody knows yet is found by them."""
    numbers = (id_in(one, "phone") for one in found[:MOST_PHONES]) if isinstance(found, list) else ()
    return tuple(dict.fromkeys(number for number in numbers if number is not None))


def _bare(value: str) -> str:
    value = value.strip()
    return value[len(_BEARER) :].strip() if value.lower().startswith(_BEARER) else value
