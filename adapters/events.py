"""Helpers for the readers of events: JSON bodies, ids, secrets."""

from __future__ import annotations

import hmac
import json
from typing import Any, Final

from syncer.contract.events import NotUnderstood

_LONGEST_ID: Final = 200


def json_object(body: bytes) -> dict[str, Any]:
    """The body, if it is a JSON object. Raises `NotUnderstood`."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        msg = "it is not a JSON object"
        raise NotUnderstood(msg)
    return found


def id_in(found: Any, *names: str) -> str | None:
    """The first of these fields that can be an id, as text; ``None`` if there is none."""
    for name in names:
        value = found.get(name) if isinstance(found, dict) else None
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            continue
        # Anybody may send an event, and Python refuses to write out a number of thousands of digits.
        text = str(value).strip() if isinstance(value, str) or abs(value) < 2**63 else ""
        if text and len(text) <= _LONGEST_ID and text.isprintable():
            return text
    return None


def is_same(told: str, secret: str) -> bool:
    """Whether a text is the secret. The time that this takes does not reveal how many characters are right."""
    # A header may have bytes that are no UTF-8. Such a secret is wrong, and no error.
    return hmac.compare_digest(told.encode("utf-8", "surrogateescape"), secret.encode())
