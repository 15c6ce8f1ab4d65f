"""Titles: whether two of them are one, and how a long one is shown (pure)."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_BREAK = re.compile(r"\s+|(?<=[^\W\d_])-(?=[^\W\d_])")
SHOWN: Final = 80
_AROUND = ".,;:!?…'\"“”‘’()[]{}<>«»-–—_*।"


def same_title(one: str | None, other: str | None) -> bool:
    """Whether two titles may belong to one task. A missing title fits every title.

    Case, spaces, hyphens between letters and punctuation around words are ignored. Everything else is compared, such
    as vowel signs, emojis and the dot within a number.
    """
    plain_one, plain_other = _plain(one), _plain(other)
    return not plain_one or not plain_other or plain_one == plain_other


def short(text: str) -> str:
    """A text as people see it among others: on one line, and not longer than `SHOWN` characters."""
    line = " ".join(text.split())
    return f"{line[:SHOWN]}…" if len(line) > SHOWN else line


def _plain(title: str | None) -> str:
    text = unicodedata.normalize("NFKC", title or "").casefold()
    # Ignore invisible characters. Among them is the word joiner that keeps Reply from reading ``{{`` as a variable.
    seen = "".join(char for char in text if char.isspace() or unicodedata.category(char) not in {"Cc", "Cf"})
    words = _BREAK.split(seen)
    # A title of nothing but punctuation is compared as it is: without any text it would fit every title.
    return "".join(word.strip(_AROUND) for word in words) or "".join(words)
