"""Keep secrets out of every text that leaves the process: logs, errors, the ledger, reports."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import quote, quote_plus

MASK: Final = "[secret]"
_secrets: set[str] = set()


def protect(secret: str) -> None:
    """From now on, mask this secret, also as it looks in a URL, a form or a JSON string."""
    if secret:
        in_json = json.dumps(secret)[1:-1]
        _secrets.update({secret, quote(secret), quote(secret, safe=""), quote_plus(secret), in_json})


def redact(text: str) -> str:
    """The text with every protected secret masked; the longest first, as one may be part of another."""
    for secret in sorted(_secrets, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, MASK)
    return text
