"""Texts as people and their editors write them."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

PIECES: Final = (
    "Call",
    "about the visit",
    "{{firstName}}",
    "{% if x %}",
    "<b>bold</b>",
    "<p>para</p>",
    "a < b & c > d",
    "&amp;",
    "&lt;p&gt;",
    "👩‍👩‍👧‍👦",
    "çà ﬁ",
    "\u2060",
    "\u202eabc",
    "\t",
    "  ",
    "نص",
    "x" * 300,
)
LINES: Final = ("\n", "\r\n", "\n\n", "\r", "<br>")

_words = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map(" ".join)
_separated = st.lists(st.tuples(_words, st.sampled_from(LINES)), max_size=5).map(
    lambda pairs: "".join(text for pair in pairs for text in pair)
)

titles = st.one_of(
    _words.filter(lambda text: any(letter.isalnum() for letter in text)),
    st.tuples(_words, _words, _words).map(lambda lines: "Visit " + "\n".join(lines)),
    st.just("T" * 10_000),
)
"""Of one line and of three, with something to read."""
bodies = st.one_of(_separated, st.just("b" * 10_000), st.just("line\r\n" * 50), st.just(""))
