"""Whether two titles are one, however two CRMs write it (pure)."""

from __future__ import annotations

import re
import unicodedata

_BREAK = re.compile(r"\s+|(?<=[^\W\d_])-(?=[^\W\d_])")
_AROUND = ".,;:!?…'\"“”‘’()[]{}<>«»-–—_*।"


def same_title(one: str | None, other: str | None) -> bool:
    """Whether the titles do not contradict each other; none contradicts nothing.

    Case, spaces, the hyphen between letters and the punctuation around words do not count. All else does: a vowel
    sign, an emoji, the dot within a number.
    """
    plain_one, plain_other = _plain(one), _plain(other)
    return not plain_one or not plain_other or plain_one == plain_other


def _plain(title: str | None) -> str:
    text = unicodedata.normalize("NFKC", title or "").casefold()
    # What people cannot see: among it what keeps Reply from reading a template.
    seen = "".join(char for char in text if char.isspace() or unicodedata.category(char) not in {"Cc", "Cf"})
    words = _BREAK.split(seen)
    return "".join(word.strip(_AROUND) for word in words) or "".join(words)
