"""Ids of tasks, and the marker: the line in a copy that carries one.

The id of a task is the place where it was first seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

MARKER_PREFIX: Final = "syncer:"
MARKER_TOKEN: Final = r"[0-9a-z]{10}:[0-9A-Za-z_-]{1,40}:[0-9A-Za-z_.%~-]{1,400}"  # noqa: S105 - no password
"""What follows the prefix: the ledger that wrote the marker, and the task's id. ASCII, so that no editor changes it."""
# Blanks that editors put at the end of a text, some of them without width.
_BLANK: Final = r"[ \t\r\xa0\u2000-\u200b\u202f\u2060\u3000\ufeff]"
# A marker is a line of its own: within an HTML element, after a line break, or plain. People type behind it, where an
# editor puts the cursor when a text is opened; what they type is the rest of that line. The possessive quantifiers
# (``*+``) never backtrack, so a hostile text cannot make the search slow.
_MARKER: Final = re.compile(
    rf"<(?P<tag>\w++)[^<>]*+>\s*+syncer:(?P<inside>{MARKER_TOKEN})\s*+</(?P=tag)>"
    rf"|<br\s*+/?>\s*+syncer:(?P<after>{MARKER_TOKEN})(?=\s*+(?:<|$))"
    rf"|^{_BLANK}*+(?:<[^<>]*+>)*+syncer:(?P<line>{MARKER_TOKEN})(?:<[^<>]*+>)*+{_BLANK}*+$"
    rf"|^{_BLANK}*+syncer:(?P<typed>{MARKER_TOKEN}(?<!\.))\.?+(?![0-9A-Za-z_.%~:-]){_BLANK}*+",
    re.MULTILINE,
)
# The first task at a place has no number, so ``~1`` at the end is a part of a remote id.
_INCARNATION: Final = re.compile(r"~([2-9]|[1-9][0-9]{1,8})\Z")


def place_of(system: str, remote_id: str) -> str:
    """``system:remote id``. The id of a task is the place where it was first seen."""
    return f"{system}:{remote_id}"


def split_task_id(task: str) -> tuple[str, int]:
    """A task's place and its number there: ``"reply:5~2"`` is the second task of ``"reply:5"``."""
    match = _INCARNATION.search(task)
    return (task, 1) if match is None else (task[: match.start()], int(match[1]))


def next_task_id(task: str) -> str:
    """The id of the next task at the same place, when this one was reopened there."""
    place, number = split_task_id(task)
    return f"{place}~{number + 1}"


def earlier_task_ids(task: str) -> Iterator[str]:
    """The ids of the tasks that were at the same place before this one, one by one: anybody can write a huge number."""
    earlier = split_task_id(task)[0]
    while earlier != task:
        yield earlier
        earlier = next_task_id(earlier)


@dataclass(frozen=True, slots=True)
class Marker:
    """The line in a copy that names the task that it is a copy of.

    ``ledger`` is the id of the ledger that wrote it, see `syncer.domain.ledger_ids`. ``task`` is the id of the task.
    It names the place of the origin, so a ledger that does not know the task can read it there.
    """

    ledger: str
    task: str

    @property
    def line(self) -> str:
        """``syncer:1k2m9ab3xq:reply:5``. The remote id is percent-encoded, so that no editor changes it."""
        system, _, remote_id = self.task.partition(":")
        return f"{MARKER_PREFIX}{self.ledger}:{system}:{quote(remote_id, safe='~')}"

    @property
    def place(self) -> tuple[str, str]:
        """(system, remote id) of the task's origin."""
        system, _, remote_id = split_task_id(self.task)[0].partition(":")
        return system, remote_id

    @classmethod
    def read(cls, token: str) -> Marker:
        """The marker in a text of the form `MARKER_TOKEN`."""
        ledger, system, remote_id = token.split(":", 2)
        return cls(ledger, f"{system}:{unquote(remote_id)}")


def split_marker(text: str | None) -> tuple[str | None, Marker | None]:
    """Split a body into (body without marker lines, marker). Either is ``None`` if there is none.

    All marker lines are removed, and the last one counts. Carriage returns and HTML around the lines are accepted.
    """
    if text is None:
        return None, None
    last = None
    for match in _MARKER.finditer(text):
        last = match["inside"] or match["after"] or match["line"] or match["typed"]
    return (_MARKER.sub("", text).strip() or None), Marker.read(last) if last else None
