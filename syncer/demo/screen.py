"""The demo's output: lines, and the three lists side by side."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from syncer.demo.desks import LABELS, DeskTask
from syncer.domain.model import Replica, ReplicaState, State, Task
from syncer.domain.reasons import Item, Reason
from syncer.domain.report import Report

View = tuple[Task, list[Replica], str]
"""A task, its copies and the person's name, as the ledger returns them."""
_STYLES: Final = {"open": "bold", "waits": "yellow", "done": "green", "closed": "dim", "-": "dim"}


def say(console: Console, text: str = "", style: str = "") -> None:
    """Print a line without wrapping it, so that commands can be copied."""
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def tell(console: Console, text: str, style: str = "", indent: int = 0) -> None:
    """Print a sentence, wrapped to the screen."""
    for line in Text(text, style=style).wrap(console, min(console.width, 100) - indent):
        console.print(Text(" " * indent) + line, soft_wrap=True)


def program(folder: Path) -> str:
    """The command that starts this program from this folder."""
    started = Path(sys.argv[0])
    # Started as ``python -m syncer``: no command of that name need be there.
    if started.stem != "syncer":
        return f"{shlex.quote(sys.executable)} -m syncer"
    # The short form only if it is this very program: another one may be installed beside it.
    found = shutil.which("syncer")
    if found is not None and Path(found).resolve() == started.resolve():
        return "syncer"
    return shlex.quote(os.path.relpath(started.absolute(), folder.absolute()))


@dataclass(frozen=True, slots=True)
class ScreenRow:
    """One task, and what each CRM shows of it."""

    name: str
    cells: tuple[str, ...]

    @property
    def settled(self) -> bool:
        """Whether the task is neither open nor waiting anywhere."""
        return not any(cell.startswith(("open", "waits")) for cell in self.cells)


def rows_of(views: Sequence[View], shown: Iterable[DeskTask], waiting: Iterable[Item]) -> list[ScreenRow]:
    """The three lists side by side. The states come from the CRMs; the ledger tells which copies belong together."""
    tasks = {(task.system, task.id): task for task in shown}
    waits = {(item.task, item.system) for item in waiting}
    return [
        ScreenRow(
            name_of(view, tasks),
            tuple(_cell(view, system, tasks, waits=(view[0].id, system) in waits) for system in LABELS),
        )
        for view in views
    ]


def name_of(view: View, tasks: Mapping[tuple[str, str], DeskTask]) -> str:
    """The person and the title of the task, as its creator wrote it."""
    task, copies, person = view
    origin = next((tasks[copy.key] for copy in copies if copy.system == task.origin and copy.key in tasks), None)
    title = task.title or (origin.title if origin else "") or task.kind.label
    return f"{person.partition(' ')[0]}: {title}"


def _cell(view: View, system: str, tasks: Mapping[tuple[str, str], DeskTask], *, waits: bool) -> str:
    task, replicas, _ = view
    copies = [replica for replica in replicas if replica.system == system and replica.key in tasks]
    for copy in copies:
        if tasks[copy.key].open:
            return f"open {tasks[copy.key].type}".rstrip()
    if waits:
        return "waits, closed" if copies else "waits"
    return _closed(task, copies)


def _closed(task: Task, copies: Sequence[Replica]) -> str:
    if not copies:
        return "-"
    replaced = all(replica.state is ReplicaState.SUPERSEDED for replica in copies)
    return "closed" if replaced and task.state is State.OPEN else "done"


def show_rows(console: Console, rows: Iterable[ScreenRow]) -> None:
    """Print a table on a terminal, else aligned plain text."""
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False, padding=(0, 1))
    table.add_column("task", overflow="fold", min_width=24)
    for label in LABELS.values():
        table.add_column(label, overflow="fold")
    for row in rows:
        table.add_row(row.name, *(Text(cell, _STYLES.get(_first(cell), "")) for cell in row.cells))
    console.print(table)


def _first(cell: str) -> str:
    return cell.partition(" ")[0].rstrip(",")


def show_report(console: Console, report: Report, names: Mapping[str, str], known: Collection[Item]) -> None:
    """Print what the run did and what waits. Items in ``known`` were shown before and are only counted."""
    did = [
        f"{word} {', '.join(f'{number} in {LABELS[system]}' for system, number in counts.items() if number)}"
        for word, counts in (
            ("created", report.created),
            ("completed", report.completed),
            ("edited", report.edited),
        )
        if any(counts.values())
    ]
    reads = sum(connection.reads for connection in report.connections.values())
    writes = sum(connection.writes for connection in report.connections.values())
    tell(console, f"syncer: {'; '.join(did) or 'nothing to do'} ({reads} reads, {writes} writes)", "cyan", 2)
    new = [item for item in report.waiting if item not in known]
    _show_items(console, "waits", new, names)
    if len(new) < len(report.waiting):
        tell(console, f"still waiting: {len(report.waiting) - len(new)}", "yellow", 4)
    _show_items(console, "needs attention", report.attention, names)
    _show_items(console, "incident", report.incidents, names)


def _show_items(console: Console, head: str, items: Iterable[Item], names: Mapping[str, str]) -> None:
    groups: dict[tuple[str, Reason], list[str]] = {}
    for item in items:
        groups.setdefault((item.system, item.reason), []).append(f"“{names.get(item.task or '', item.detail)}”")
    for (system, reason), tasks in groups.items():
        tell(console, f"{head} in {LABELS[system]}: {', '.join(tasks)}", "yellow", 4)
        tell(console, f"{reason.value}: {reason.sentence}", "dim", 6)
