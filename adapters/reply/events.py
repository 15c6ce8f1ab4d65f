"""Reply's webhooks: there is none for tasks, and what happens to a contact may have made or finished one.

They carry neither a signature nor a secret, so that the last part of the address is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.events import id_in, is_same, json_object
from syncer.contract.events import NotUnderstood, Told


class ReplyEvents:
    """Those of one account."""

    def __init__(self, *, secret: str) -> None:
        self._secret = secret

    def is_address(self, rest: str) -> bool:
        return is_same(rest, self._secret)

    def read(self, headers: Mapping[str, str], body: bytes) -> Told:
        del headers
        whole = json_object(body)
        event: Any = whole.get("event")
        if id_in(event, "type") is None:
            msg = "it is no event"
            raise NotUnderstood(msg)
        contact = id_in(whole.get("contact_fields"), "id") or id_in(whole, "contact_id")
        if contact is None:
            msg = "it names no contact"
            raise NotUnderstood(msg)
        return Told(contacts=(contact,), delivery=id_in(event, "id"))
