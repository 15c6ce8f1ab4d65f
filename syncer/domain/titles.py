"""Titles: whether two of them are one, and how a long one is shown (pure)."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_BREAK = re.compile(r"\s+|(?<=[^\W\d_])-(?=[^\W\d_])")
SHOWN: Final = 80
SHORTENED: Final = 200
"""CRMs that shorten a title keep at least this many characters, of which many programs count an emoji as two."""
CUT: Final = 40
"""A title that we sent may come back with this many characters of it, or more, and is cut off then."""
# Some put up to three dots in place of what they cut off, and some leave half of an emoji, which cannot be read.
_CUT: Final = " .…\ufffd"
_LONGEST_CUT: Final = 4
_AROUND = ".,;:!?…'\"“”‘’()[]{}<>«»-–—_*।"


def same_title(one: str | None, other: str | None) -> bool:
    """Whether two titles may belong to one task. A missing title fits every title.

    Case, spaces, hyphens between letters and punctuation around words are ignored. Everything else is compared, such
    as vowel signs, emojis and the dot within a number. One of them may have been shortened by its CRM.
    """
    seen_one, seen_other = _seen(one), _seen(other)
    plain_one, plain_other = _plain(seen_one), _plain(seen_other)
    return not plain_one or not plain_other or plain_one == plain_other or is_shortened(seen_one, seen_other)


def is_shortened(one: str, other: str, kept: int = SHORTENED) -> bool:
    """Whether one of these titles is the other one, shortened by a CRM that keeps at least ``kept`` characters.

    Both have single spaces.
    """
    # Only a long title counts as shortened: "Call" is another title than "Call Asha".
    return any(_begins(whole, cut) and _units(cut) >= kept for cut, whole in ((one, other), (other, one)))


def may_be_shortened(one: str, other: str, kept: int = SHORTENED) -> bool:
    """Whether one of two titles that CRMs show may be the other one, of which at least ``kept`` characters are kept."""
    # A blank at the cut is not shown, and what takes the place of the rest may take that of a letter, too.
    return is_shortened(_seen(one), _seen(other), kept - _LONGEST_CUT)


def is_cut(sent: str, shown: str) -> bool:
    """Whether a CRM shows a title that it was just sent, cut off.

    That is known of what was sent alone. Between two titles of unknown history only `is_shortened` can tell.
    """
    whole, cut = _seen(sent), _seen(shown)
    return _begins(whole, cut) and _units(cut) >= CUT


def short(text: str) -> str:
    """A text as people see it among others: on one line, and not longer than `SHOWN` characters."""
    line = " ".join(text.split())
    return f"{line[:SHOWN]}…" if len(line) > SHOWN else line


def _begins(whole: str, cut: str) -> bool:
    return whole.startswith(cut[:-_LONGEST_CUT] + cut[-_LONGEST_CUT:].rstrip(_CUT))


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _seen(title: str | None) -> str:
    text = unicodedata.normalize("NFKC", title or "").casefold()
    # Ignore invisible characters. Among them is the word joiner that keeps Reply from reading ``{{`` as a variable.
    seen = "".join(char for char in text if char.isspace() or unicodedata.category(char) not in {"Cc", "Cf"})
    return " ".join(seen.split())


def _plain(seen: str) -> str:
    words = _BREAK.split(seen)
    # A title of nothing but punctuation is compared as it is: without any text it would fit every title.
    return "".join(word.strip(_AROUND) for word in words) or "".join(words)
