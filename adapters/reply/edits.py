"""Build the request that edits a task in Reply (pure).

In Reply an update replaces the whole task, so everything that does not change is sent back as it was read. Unchanged
lines of the text stay verbatim, with their variables and their markup. Text from another CRM is neutralised.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from adapters.reply.mapping import NO_TITLE, SYSTEM, TYPES, cleaned, is_as_written, is_of_sequence, neutral, start
from adapters.reply.wire import WireTask, instant
from adapters.reply.words import TASK_TYPE, Dialect
from adapters.text import body_text, plain_text, plain_words, same_text_value
from syncer.contract.errors import Refused
from syncer.domain.fields import TaskField, Value
from syncer.domain.model import MESSAGE_KINDS, Edit, Kind, Reading
from syncer.domain.task_ids import split_marker

# Not the assignee: a replacement has no such field, and what the call that reassigns takes is not documented.
EDITS: Final[Mapping[TaskField, frozenset[Kind]]] = {
    TaskField.DUE: frozenset(Kind),
    TaskField.TITLE: frozenset(Kind) - MESSAGE_KINDS,
    TaskField.BODY: frozenset(Kind) - MESSAGE_KINDS,
}
TEXTS: Final = frozenset({TaskField.TITLE, TaskField.BODY})
"""Fields that may be sent to customers if the task is a message or belongs to a sequence."""
# What is left out is lost. The status and the assignee are no fields of a replacement.
_KEPT: Final = ("startAt", "dueTo", "contactId", "linkedInTaskType")
_LINE_END: Final = re.compile(r"(<br\s*+/?>|</(?:p|div|li|h[1-6]|tr|ul|ol|blockquote)\s*+>|\r?\n)", re.IGNORECASE)
_BLOCK: Final = re.compile(r"\s*+<(?:p|div|li|h[1-6]|tr|ul|ol|blockquote)\b", re.IGNORECASE)
_MESSAGES: Final = frozenset(TYPES[kind] for kind in MESSAGE_KINDS)


def same_in_reply(field: TaskField, one: Value, other: Value) -> bool:
    """Whether two values are the same in Reply. A title without words counts as different from none."""
    # The title is the first line of the text: to take it away is an edit, for the next line becomes the title.
    if field is TaskField.TITLE and not all(plain_words(str(value or "")) for value in (one, other)):
        return (one is None) is (other is None)
    return same_text_value(field, one, other)


def check_fields(edit: Edit, task: Reading) -> None:
    """Raise `Refused` for a text that would go to a customer, and for fields that Reply cannot change."""
    wanted = set(edit.wanted)
    texts = wanted & TEXTS
    # Nobody plans such an edit. If a bug does, it must not reach a customer.
    if texts and (task.raw_type in _MESSAGES or task.sequence):
        msg = f"the text of task {task.remote_id} is sent to a customer, so it is never changed"
        raise Refused(msg, system=SYSTEM)
    if unknown := wanted - EDITS.keys():
        msg = f"Reply cannot change {', '.join(sorted(unknown))}"
        raise Refused(msg, system=SYSTEM)


def replacement(raw: Mapping[str, Any], task: WireTask, edit: Edit, dialect: Dialect) -> dict[str, Any]:
    """The request that replaces the task that was read as ``raw``. Raises `Refused` for a due that is too early."""
    # A type that we do not know goes back as it came: an edit of a due date must not change what kind of task it is.
    known = TASK_TYPE.read(task.task_type) is not None
    request = {"taskType": TASK_TYPE.write(task.task_type, dialect) if known else raw.get("taskType")}
    request |= {name: raw[name] for name in _KEPT if raw.get(name) is not None}
    if isinstance(due := edit.wanted.get(TaskField.DUE), datetime):
        request["dueTo"] = instant(due)
        # Reply requires a start before the due. Any other start is theirs and stays.
        if task.start_at is None or task.start_at >= due:
            request["startAt"] = instant(start(due, edit.now))
    # With the subject and the attachments, which Reply would drop.
    template = {name: value for name, value in (raw.get("template") or {}).items() if value is not None}
    if TEXTS & edit.wanted.keys():
        template["body"] = rewritten(str(template.get("body") or ""), edit)
    # Reply takes no empty text, so without this no due could be moved. A text for customers stays as it is.
    if not (str(template.get("body") or "").strip() or task.task_type in _MESSAGES or is_of_sequence(task)):
        template["body"] = NO_TITLE
    return {**request, "template": template}


def rewritten(text: str, edit: Edit) -> str:
    """The text with another title, another body, or both. A marker line stays; else that of the edit is added."""
    read = _Text.read(text)
    title, body = edit.wanted.get(TaskField.TITLE), edit.wanted.get(TaskField.BODY)
    head, tail = read.head, read.tail
    if isinstance(title, str):
        # Reply takes no empty text, and the first line is the title.
        words = cleaned(title).replace("\n", " ").strip() or edit.kind.label
        head = [read.like(words, head[:1])]
    if isinstance(body, str):
        tail = [*read.changed(cleaned(body))]
        if any(tail) and not (isinstance(title, str) or read.has_title):
            head = [read.like(NO_TITLE, ())]
    marker = read.marker or ([read.like(edit.marker.line, ())] if edit.marker is not None else [])
    return read.join([*head, *tail, *marker])


@dataclass(frozen=True, slots=True)
class _Text:
    """The lines of a text, verbatim: title, body and marker. In HTML a line ends with a block or a line break."""

    head: list[str]
    tail: list[str]
    marker: list[str]
    has_title: bool
    is_html: bool

    @classmethod
    def read(cls, text: str) -> _Text:
        lines, is_html = _lines(text)
        markers = [line for line in lines if _is_marker(line)]
        rest = [line for line in lines if not _is_marker(line)]
        # As `read_text` reads it: what ends as we write it is no markup.
        words = str.strip if is_as_written(body_text(text)) else plain_words
        # Empty lines before the title belong to it, so that they stay in place.
        first = next((number for number, line in enumerate(rest) if NO_TITLE in line or words(line)), len(rest))
        # Of several markers the last one counts, as in `split_marker`.
        return cls(rest[: first + 1], rest[first + 1 :], markers[-1:], first < len(rest), is_html)

    def changed(self, body: str) -> Iterable[str]:
        """The lines of another body. Lines that were there before stay verbatim."""
        before: dict[str, list[str]] = {}
        for line in self.tail:
            before.setdefault(plain_words(line), []).append(line)
        for line in body.split("\n") if body else ():
            same = before.get(plain_words(line))
            if same and plain_words(line):
                # Each line once, so that one that occurs twice stays twice.
                yield same.pop(0)
            elif line.strip() or not self.is_html:
                yield self.like(line, self.tail[:1] or self.head[-1:])

    def like(self, line: str, example: Iterable[str]) -> str:
        """A new line. In HTML it gets the same block element as the example."""
        if not self.is_html:
            return neutral(line)
        inside = html.escape(neutral(line), quote=False)
        ending = next((found[1] for line in example if (found := _LINE_END.search(line))), "</p>")
        if not ending.startswith("</"):
            return f"{inside}{ending}"
        return f"<{ending[2:]}{inside}{ending}"

    def join(self, lines: list[str]) -> str:
        if not self.is_html:
            return "\n".join(lines)
        there = [line for line in lines if line]
        joined = there[:1]
        for before, line in pairwise(there):
            # The last line of a text has no end, and may stand before another one now.
            apart = _LINE_END.search(before) or _BLOCK.match(line)
            joined.append(line if apart else f"<br>{line}")
        return "".join(joined)


def _is_marker(line: str) -> bool:
    """Whether a line is a marker and nothing else."""
    return _has_marker(line) and not plain_words(line)


def _has_marker(line: str) -> bool:
    return split_marker(plain_text(line, unescape=True))[1] is not None


def _lines(text: str) -> tuple[list[str], bool]:
    """The lines, verbatim, and whether the text is HTML. Lines of HTML include their ends.

    HTML that cannot be split into lines safely becomes plain text.
    """
    literal = body_text(text)
    if is_as_written(literal) or plain_text(text) == literal:
        return _plain_lines(literal), False
    parts = _LINE_END.split(text)
    lines = ["".join(parts[at : at + 2]) for at in range(0, len(parts), 2)]
    read = _plain_lines(plain_text(text, unescape=True))
    # The two ways of splitting must find the same words, or a line sent back could lose some of them.
    return (read, False) if _is_mixed(lines) or _all_words(lines) != _all_words(read) else (lines, True)


def _plain_lines(text: str) -> list[str]:
    """The lines of a plain text, with the marker on a line of its own."""
    lines = text.split("\n")
    if not _is_mixed(lines):
        return lines
    rest, marker = split_marker(text)
    return [*(rest or "").split("\n"), *([] if marker is None else [marker.line])]


def _is_mixed(lines: Iterable[str]) -> bool:
    """Whether the marker shares a line with other words: an editor has joined them, or people have typed behind it."""
    return any(_has_marker(line) and not _is_marker(line) for line in lines)


def _all_words(lines: Iterable[str]) -> list[str]:
    return [words for line in lines if (words := plain_words(line))]
