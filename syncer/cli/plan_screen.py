"""Show a plan: what a run would do in one sentence, then each operation, then the number of requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta, tzinfo
from itertools import groupby
from typing import Any, Final

from syncer.cli.screens import (
    DETAILS,
    Screen,
    instant,
    moment,
    short_ids,
    show_connections,
    show_items,
    show_overwritten,
)
from syncer.config.registry import label_of
from syncer.domain.times import span
from syncer.domain.titles import short

_COLUMNS: Final = ("do", "what", "for", "due", "because", "ID")
_SHOWN: Final = 40
_VERBS: Final = {"create": "create", "complete": "complete", "edit": "change"}


def show_plan(
    screen: Screen,
    report: Mapping[str, Any],
    names: Callable[[str | None], str],
    zone: tzinfo,
    run_limit: timedelta = timedelta(0),
) -> None:
    """Show what a run would do, by system, and what that would cost. A ``run_limit`` of 0 means no limit."""
    operations = report["operations"]
    trouble = report["status"] == "partial"
    screen.say(f"{report['account']}: {_in_one_sentence(report)}", "bold yellow" if trouble else "bold")
    if operations:
        screen.say(_duration_in_words(report, run_limit), indent=2)
    if report.get("message"):
        screen.say(report["message"], "yellow", indent=2)
    _show_operations(screen, operations, zone)
    for system, cost in report.get("cost", {}).items():
        screen.say(f"{label_of(system)} costs {cost_in_words(cost)}", indent=2)
    show_connections(screen, report)
    # A plan stores nothing, so the status knows nothing of it.
    show_items(screen, report, names, zone=zone, limit=DETAILS, whole="syncer plan --json")
    show_overwritten(screen, report, zone, heading="Would be overwritten")


def _show_operations(screen: Screen, operations: Sequence[Mapping[str, Any]], zone: tzinfo) -> None:
    """Show the operations: on a terminal grouped by reason, one line each; elsewhere each with its reason."""
    if not screen.tables:
        for system, of_system in groupby(sorted(operations, key=_system), _system):
            screen.say(f"{label_of(system)}:", indent=2)
            screen.table(_COLUMNS, [_planned(operation, zone) for operation in of_system], indent=4)
        return
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for operation in operations:
        groups.setdefault((operation["system"], operation["action"], operation["reason"]), []).append(operation)
    # Shortened together, so that no two of the screen look the same.
    whole = [operation["task"] for operation in operations]
    ids = dict(zip(whole, short_ids(whole), strict=True))
    for (system, action, reason), group in groups.items():
        head = f"{label_of(system)}: {_VERBS.get(action, action)} {len(group)}, because {reason}"
        screen.say(head, "bold", indent=2)
        rows = [[moment(instant(o["due"]), zone), _whose(o, zone), ids[o["task"]]] for o in group]
        screen.table(["due", "task", "ID"], rows, indent=4, elastic="task")


def _whose(operation: Mapping[str, Any], zone: tzinfo) -> str:
    return ": ".join(part for part in (operation["contact"], _what(operation, zone)) if part)


def _what(operation: Mapping[str, Any], zone: tzinfo) -> str:
    """Return the task, and for an edit the old and the new values: ``Ring (due 19 May 14:00 → 20 May 14:00)``."""
    title = short(operation["title"] or operation["kind"])
    changes = [
        f"{name} {' → '.join(_value(name, value, zone) for value in values)}"
        for name, values in operation.get("changes", {}).items()
    ]
    return f"{title} ({'; '.join(changes)})" if changes else title


def _value(name: str, value: str | None, zone: tzinfo) -> str:
    if not value:
        return "nothing"
    if name == "due":
        return moment(instant(value), zone)
    words = " ".join(value.split())
    return words if len(words) <= _SHOWN else f"{words[:_SHOWN]}…"


def _in_one_sentence(report: Mapping[str, Any]) -> str:
    unread = "; not everything could be read, see below" if report["status"] == "partial" else ""
    if not report["operations"]:
        return ("nothing that can be done now" if unread else "nothing to do") + unread
    return f"a run would {' and '.join(_acts(report['operations']))}; nothing was written{unread}"


def _acts(operations: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """``create 3 tasks (2 in Superfone, 1 in Reply.io)``, for each verb."""
    numbers: dict[str, Counter[str]] = {}
    for operation in operations:
        numbers.setdefault(operation["action"], Counter())[operation["system"]] += 1
    for action in sorted(numbers, key=lambda action: [*_VERBS, action].index(action)):
        found = numbers[action]
        total = found.total()
        where = ", ".join(
            f"{number} in {label_of(system)}" if len(found) > 1 else f"in {label_of(system)}"
            for system, number in found.items()
        )
        yield f"{_VERBS.get(action, action)} {total} task{'s' if total != 1 else ''} ({where})"


def _duration_in_words(report: Mapping[str, Any], run_limit: timedelta) -> str:
    """Return how long it takes: as long as the request rates require, but not less than the reading of this plan."""
    # The CRMs are written to side by side, so the slowest one counts.
    seconds = max(report["duration_s"], *(cost["seconds"] for cost in report.get("cost", {}).values()), 1.0)
    words = f"this takes about {span(timedelta(seconds=seconds))}"
    limit = run_limit.total_seconds()
    if limit and seconds > limit:
        words += f", or {-int(-seconds // limit)} runs of {span(run_limit)}"
    # The time is known only for what was read.
    if any(item["reason"] == "budget" for item in report["waiting"]):
        words += "; what could not be read yet takes longer"
    return words


def cost_in_words(cost: Mapping[str, Any]) -> str:
    """``23 requests, about 5 s``."""
    number = cost["requests"]
    words = f"{number} request{'s' if number != 1 else ''}"
    return f"{words}, about {span(timedelta(seconds=max(cost['seconds'], 1.0)))}" if number else words


def _system(operation: Mapping[str, Any]) -> str:
    return str(operation["system"])


def _planned(operation: Mapping[str, Any], zone: tzinfo) -> list[str]:
    what = _what(operation, zone)
    due = moment(instant(operation["due"]), zone)
    return [operation["action"], what, operation["contact"], due, operation["reason"], operation["task"]]
