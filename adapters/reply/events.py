"""Reply's webhooks. There is none for tasks, but an event of a contact may have created or completed a task.

The webhooks have no signature and no secret, so the last part of our address is a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.events import id_in, is_same, json_object
from syncer.contract.events import NotUnderstood, Told


class ReplyEvents:
    """The events of one account."""

    def __init__(self, *, secret: str) -> None:
        self._secret = secret

    def is_address(self, rest: str) -> bool:
        return is_same(rest, self._secret)

    def read(self, headers: Mapping[str, str], body: bytes) -> Told:
        del headers
        whole = json_object(body)
        event: Any = whole.get("event")
        if id_in(event, "type") is None:
            msg = "it is not an event"
            raise NotUnderstood(msg)
        # Only whom to read. Anybody who learns the address can send an event, so nothing that it says is believed.
        contact = id_in(whole.get("contact_fields"), "id") or id_in(whole, "contact_id")
        if contact is None:
            msg = "it names no contact"
            raise NotUnderstood(msg)
        return Told(contacts=(contact,), delivery=id_in(event, "id"))
