"""Show results: as tables on a terminal, as plain lines elsewhere. Both have the same content."""

from __future__ import annotations

import re
import shlex
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from itertools import pairwise, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from syncer.config.registry import label_of
from syncer.domain.fields import TaskField
from syncer.domain.history import lost_in_words
from syncer.domain.reasons import Reason
from syncer.domain.redact import redact
from syncer.domain.times import moment_at, span, with_local_dues
from syncer.domain.titles import short

if TYPE_CHECKING:
    from syncer.cli.terminal import Terminal
    from syncer.domain.base import Base
    from syncer.domain.model import Task
    from syncer.ledger import TaskView

DETAILS: Final = 10
"""How many lines a section of a run's screen may have."""

_NEXT: Final = re.compile(r"(?<=: )syncer (?=(?:apply|check|explain|ledger|plan|retry|status|sync|tasks)\b)")
"""A command that a sentence tells people to type next."""
_named: Final[list[str]] = []
_JOINERS: Final = "\u200c\u200d"
_SHORTEST_ID: Final = 14
"""How many characters of an id are shown in a table, if they are enough to tell it from the others."""
_STATES: Final = {"ok": "green", "unavailable": "red", "unauthorized": "red", "idle": "dim"}
_DONE: Final = ("created", "completed", "edited")
_SECTIONS: Final = (("waiting", "Waiting", ""), ("attention", "Attention", "yellow"), ("incidents", "Incidents", "red"))


class Screen:
    """Standard output, for people."""

    def __init__(self) -> None:
        # Decided once and by the output alone: what is piped to a program or a file has no tables and no colours.
        self.tables = sys.stdout.isatty()

    @cached_property
    def _terminal(self) -> Terminal:
        from syncer.cli.terminal import Terminal

        return Terminal()

    @property
    def width(self) -> int:
        """The number of characters in a line."""
        return self._terminal.width

    def say(self, text: str = "", style: str = "", *, indent: int = 0) -> None:
        """Print one line. On a narrow terminal it is wrapped."""
        words = clean(_with_files(text))
        if self.tables:
            self._terminal.say(words, style, indent=indent)
        else:
            print(" " * indent + words)

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[str]],
        *,
        indent: int = 2,
        styles: Mapping[str, str] | None = None,
        elastic: str = "",
    ) -> None:
        """Print rows with headings. In plain lines each value has its column's name, and empty values are left out.

        On a terminal that is too narrow for a table, plain lines are printed, too.

        A cell may have several lines. ``styles`` give a cell a colour by its text. With an ``elastic`` column, each row
        is one line on a terminal, and that column is shortened if there is no room.
        """
        cells = [[[clean(line) for line in cell.splitlines()] for cell in row] for row in rows]
        if self.tables and self._terminal.table(columns, cells, indent=indent, styles=styles or {}, elastic=elastic):
            return
        for row in cells:
            first, *rest = (", ".join(cell) for cell in row)
            named = (f"{name} {value}" for name, value in zip(columns[1:], rest, strict=True) if value)
            self.say(f"{first}: {', '.join(named)}", indent=indent)


def short_ids(ids: Sequence[str]) -> list[str]:
    """Return the shortest beginnings that differ, with at least `_SHORTEST_ID` characters."""
    in_order = sorted(ids)
    needed = dict.fromkeys(ids, _SHORTEST_ID)
    for one, other in pairwise(in_order):
        if one == other:
            continue
        alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))) + 1
        needed[one], needed[other] = max(needed[one], alike), max(needed[other], alike)
    return [one[: needed[one]] for one in ids]


class TaskNames:
    """The names by which people know a task: title, person and due date."""

    def __init__(self, tasks: Mapping[str, Task], people: Mapping[str, str], zone: tzinfo) -> None:
        """``people`` are the names of linked persons, if a CRM has one."""
        self._tasks = tasks
        self._people = people
        self._zone = zone

    @classmethod
    def in_base(cls, base: Base, zone: tzinfo) -> Self:
        """Return the names of all tasks of a base."""
        people: dict[str, str] = {}
        # In order of the CRMs, so that a person has the same name each time.
        for key, link in sorted(base.links.items()):
            name = base.records[key].name if key in base.records else ""
            if name:
                people.setdefault(link, name)
        return cls(base.tasks, people, zone)

    @classmethod
    def of(cls, views: Iterable[TaskView], zone: tzinfo) -> Self:
        """Return the names of these tasks."""
        views = list(views)
        tasks = {view.task.id: view.task for view in views}
        return cls(tasks, {view.task.contact: view.contact for view in views}, zone)

    def person(self, link: str) -> str:
        """Return the name of a linked person, or an empty text if no CRM has one."""
        return self._people.get(link, "")

    def __call__(self, task_id: str | None) -> str:
        """Return ``Follow-up call, Asha Rao, 19 May 14:00``, or an empty text for an unknown task."""
        task = self._tasks.get(task_id or "")
        if task is None:
            return ""
        who = self.person(task.contact)
        return ", ".join(part for part in (task.name, who, moment(task.due, self._zone)) if part)


def name_files(files: Iterable[Path]) -> None:
    """Name these account files in each command that people are told to type, as on their own command line."""
    _named[:] = (f"-c {shlex.quote(str(file))} " for file in files)


def _with_files(text: str) -> str:
    return _NEXT.sub(lambda found: found[0] + "".join(_named), text) if _named else text


def clean(text: str) -> str:
    """Return a text that is safe on a terminal: one line, without control characters and secrets."""
    return plain(" ".join(redact(text).split()))


def plain(text: str) -> str:
    """Return the text with a replacement character for everything that cannot be printed.

    Such characters could control a terminal or reverse the order of words. Joiners stay, because Indian scripts need
    them.
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in _JOINERS else _shown(letter) for letter in text)


def _shown(letter: str) -> str:
    # Non-breaking blanks and others of a certain width, which people type without knowing it.
    return " " if unicodedata.category(letter) == "Zs" else "�"


def harmless(value: Any) -> Any:
    """Return a JSON value whose texts can be shown anywhere: without secrets and control characters but line breaks."""
    if isinstance(value, str):
        text = redact(value)
        if text.isprintable():
            return text
        return "\n".join(plain(line) for line in text.replace("\r\n", "\n").replace("\t", " ").split("\n"))
    if isinstance(value, (dict, Mapping)):
        return {harmless(str(key)): harmless(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [harmless(inner) for inner in value]
    return value


def complain(text: str) -> None:
    """Print an error message on standard error."""
    # Redacted as a whole first, because a secret may have a line break in it.
    lines = [clean(line) for line in _with_files(redact(text)).splitlines() or [""]]
    if sys.stderr.isatty():
        from syncer.cli.terminal import wrapped

        lines = wrapped(lines)
    sys.stderr.write("".join(line + "\n" for line in lines))


def local(words: str, zone: tzinfo) -> str:
    """Return a sentence with its due dates in a time zone."""
    return with_local_dues(words, zone, datetime.now(UTC))


def moment(at: datetime, zone: tzinfo, *, seconds: bool = False) -> str:
    """Return ``19 May 14:00``, with the year if it is not the current one."""
    return moment_at(at, zone, datetime.now(UTC), seconds=seconds)


def instant(text: str) -> datetime:
    """Return the instant that a report has as text."""
    return datetime.fromisoformat(text)


def ago(at: datetime) -> str:
    """Return ``35 s ago``."""
    return f"{span(datetime.now(UTC) - at)} ago"


# runs ------------------------------------------------------------------------------------------------


def show_run(screen: Screen, report: Mapping[str, Any], names: Callable[[str | None], str], zone: tzinfo) -> None:
    """Show what a run did."""
    trouble = report["status"] != "ok"
    screen.say(f"{report['account']}: {run_in_words(report)}", "bold yellow" if trouble else "bold")
    if report.get("message"):
        screen.say(report["message"], "yellow", indent=2)
    show_connections(screen, report)
    show_items(screen, report, names, zone=zone, limit=DETAILS)
    show_overwritten(screen, report, zone)


def run_in_words(report: Mapping[str, Any]) -> str:
    """Return one run in one line."""
    counts = [(sum(report.get(name, {}).values()), name) for name in _DONE]
    counts += [(len(report[name]), words) for name, words in (("waiting", "waiting"), ("attention", "under attention"))]
    counts += [(len(report["incidents"]), "incidents"), (len(report.get("overwritten", ())), "overwritten")]
    did = ", ".join(f"{number} {words}" for number, words in counts if number)
    if report["status"] == "stopped":
        did = "stopped before its first write"
    elif not any(number for number, words in counts if words in _DONE):
        nothing = "nothing to do" if report["status"] == "ok" else "nothing written"
        did = f"{nothing}, {did}" if did else nothing
    trouble = "; not everything worked, see below" if report["status"] == "partial" else ""
    return f"{did}, in {report['duration_s']:.1f} s{trouble}"


def show_connections(screen: Screen, report: Mapping[str, Any]) -> None:
    """Show the numbers and the state of each connection, and the errors of those that could not be used."""
    on = {system: found for system, found in report["connections"].items() if found["state"] != "off"}
    done = [name for name in _DONE if name in report]
    screen.table(
        ["CRM", *done, "open", "requests", "state"],
        [
            [
                label_of(system),
                *(str(report[name].get(system, 0)) for name in done),
                str(found["open"]),
                str(found["reads"] + found["writes"]),
                found["state"],
            ]
            for system, found in on.items()
        ],
        styles=_STATES,
    )
    for system, found in on.items():
        if found.get("message"):
            words = f"{label_of(system)}: {found['message']}; to find out more, type: syncer check"
            screen.say(words, "red", indent=2)


def show_items(
    screen: Screen,
    report: Mapping[str, Any],
    names: Callable[[str | None], str],
    *,
    zone: tzinfo = UTC,
    limit: int | None = None,
    whole: str = "syncer status",
) -> None:
    """Show what waits, what needs attention, and incidents, by reason, with at most ``limit`` details each.

    ``whole`` is the command that shows all of them.
    """
    for key, title, style in _SECTIONS:
        items = report.get(key, [])
        if items:
            screen.say(f"{title}: {len(items)}", f"bold {style}".strip())
            _show_reasons(screen, items, names, zone, len(items) if limit is None else limit)
            if limit is not None and len(items) > limit:
                screen.say(f"{len(items) - limit} more; to list all, type: {whole}", "dim", indent=4)


def show_overwritten(screen: Screen, report: Mapping[str, Any], zone: tzinfo, *, heading: str = "Overwritten") -> None:
    """Show the values that people typed and that another change replaced: all of them, for no later run tells them."""
    lost = report.get("overwritten", [])
    if lost:
        screen.say(f"{heading}: {len(lost)}", "bold yellow")
        words = "the same field was changed in two CRMs; if the value that lost was the right one, type it again"
        screen.say(words, indent=2)
    for one in lost:
        screen.say(overwritten_in_words(one, zone), indent=6)


def overwritten_in_words(one: Mapping[str, Any], zone: tzinfo) -> str:
    """Return ``HighLevel: Ring, Asha Rao (reply:5): due was 19 May 14:00 there; the value that …``."""
    name = ", ".join(part for part in (short(one["title"]), one["contact"]) if part)
    value = one["value"]
    if one["field"] == TaskField.DUE and value:
        value = moment(instant(value), zone)
    task = f"{name} ({one['task']})" if name else one["task"]
    return f"{label_of(one['system'])}: {task}: {lost_in_words(one['field'], value, one['by'], label_of)}"


def _show_reasons(
    screen: Screen, items: Iterable[Mapping[str, Any]], names: Callable[[str | None], str], zone: tzinfo, left: int
) -> None:
    by_reason: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for item in items:
        by_reason[item["reason"]].append(item)
    for reason, group in by_reason.items():
        # A newer version may have stored a reason that this one does not know.
        sentence = Reason(reason).sentence if reason in set(Reason) else ""
        screen.say(f"{len(group)} {reason}: {sentence}".removesuffix(": "), indent=2)
        for item in group[:left]:
            screen.say(_item_in_words(item, sentence, names, zone), indent=6)
        left = max(0, left - len(group))


def _item_in_words(item: Mapping[str, Any], sentence: str, names: Callable[[str | None], str], zone: tzinfo) -> str:
    # A task that only a plan has seen is in no ledger yet.
    name = names(item["task"]) or ", ".join(
        part for part in (short(item.get("title") or ""), item.get("contact")) if part
    )
    task = f"{name} ({item['task']})" if name and item["task"] else item["task"] or name
    # A report gives an item without a detail the sentence of its reason. Here that stands above the items already.
    detail = local(item["detail"].removesuffix(sentence).strip(), zone)
    about = ": ".join(part for part in (task, detail) if part)
    return ": ".join(part for part in (label_of(item["system"]), about) if part)
