"""Keep secrets out of every text that leaves the process: logs, errors, the ledger, reports."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

MASK: Final = "[secret]"
_secrets: set[str] = set()


def protect(secret: str) -> None:
    """From now on, mask this secret, also in its percent-encoded form."""
    if secret:
        _secrets.update({secret, quote(secret, safe="")})


def redact(text: str) -> str:
    """The text with every protected secret masked; the longest first, as one may be part of another."""
    for secret in sorted(_secrets, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, MASK)
    return text
