"""A task's history in words for people."""

from __future__ import annotations

import re
from pathlib import Path

from syncer.domain.events import Event
from syncer.domain.history import deed_of
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
