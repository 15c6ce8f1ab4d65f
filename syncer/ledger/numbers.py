"""Phone numbers as people type them to find somebody (pure)."""

from __future__ import annotations

import re
from typing import Final

# Fewer digits are the end of nearly every number.
_LEAST: Final = 3
_BETWEEN: Final = re.compile(r"[\s().+-]")


def last_digits(text: str) -> str | None:
    """The digits that a number must end with, at least three, if the text is the end of a phone number."""
    digits = _BETWEEN.sub("", text)
    return digits if digits.isascii() and digits.isdecimal() and len(digits) >= _LEAST else None
