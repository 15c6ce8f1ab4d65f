"""A task's history in words for people."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from syncer.domain.events import Event
from syncer.domain.history import deed_of, event_in_words
from tests.support.clock import START

SYNCER = Path(__file__).parents[2] / "syncer"
WRITTEN = re.compile(r'(?:\.event\(|Event\()[^"]{0,60}"([a-z_]+)"')


def test_every_event_that_is_written_has_words_for_people() -> None:
    """Where they are missing, the program's own word is shown, such as "we duplicate"."""
    sources = [path.read_text() for path in SYNCER.rglob("*.py")]
    words = {word for source in sources for word in WRITTEN.findall(source)} - {"us", "them"}
    assert "duplicate" in words
    plain = {word for word in words if deed_of(Event(START, word, "us")) == f"we {word.replace('_', ' ')}"}
    assert plain <= {"failed"}


@pytest.mark.parametrize(
    ("what", "detail", "words"),
    [
        ("edited", "edited in highlevel: title “A” → “B”", "we changed it in HighLevel (x): title “A” → “B”"),
        ("created", "created in highlevel", "we created it in HighLevel (x)"),
        ("seen", "first seen in highlevel", "we saw it for the first time in HighLevel (x)"),
        ("created", "created; its answer was lost", "we created it in HighLevel (x): created; its answer was lost"),
    ],
)
def test_a_line_names_the_crm_once_and_as_people_write_it(what: str, detail: str, words: str) -> None:
    event = Event(START, what, "us", detail, "reply:5", "highlevel", "x")
    assert event_in_words(event, {"highlevel": "HighLevel"}.__getitem__) == words
