"""Whether two things that CRMs show are alike, as far as they can show them (pure)."""

from __future__ import annotations

from syncer.domain.dues import same_due
from syncer.domain.model import Reading, Replica, Task
from syncer.domain.titles import same_title


def is_like(reading: Reading, known: Reading | Task | Replica) -> bool:
    """Whether title and due are the same."""
    return same_due(reading.due, known.due) and same_title(reading.title, known.title)


def unlikeness(reading: Reading, known: Reading | Task) -> tuple[bool, bool]:
    """Of several with one marker, the lowest is ours: what is as the task is, then what is called as it is."""
    return (not is_like(reading, known), not same_title(reading.title, known.title))
