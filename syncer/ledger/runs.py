"""Store runs and their reports."""

from __future__ import annotations

import json
from datetime import datetime
from itertools import takewhile
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, insert, or_, select, update

from syncer.ledger import direct, reportlists
from syncer.ledger.marks import PART
from syncer.ledger.tables import METADATA
from syncer.ledger.values import to_json

RUNNING: Final = "running"
_DONE: Final = ("created", "completed", "edited")
_run: Final = METADATA.tables["run"]
_LAST: Final = select(func.coalesce(func.max(_run.c.number), 0))
_START: Final = insert(_run)
_FINISH: Final = (
    update(_run)
    .where(_run.c.id == bindparam("of_run"))
    .values({name: bindparam(name) for name in ("finished_at", "status", "report", "lists", "quiet")})
)
_NEWEST: Final = _run.c.number.desc()
_WHOLE: Final = _run.c.status != PART
_LISTS_BEFORE: Final = select(_run.c.lists).where(_run.c.finished_at.is_not(None), _WHOLE).order_by(_NEWEST).limit(1)
# Interrupted runs in a row. Whoever has more of them has other trouble than old incidents.
_LOOK_BACK: Final = 20
# Every whole report has this key, in itself or among its long lists. What is stored of an interrupted run has not.
_REPORTED: Final = '"incidents":'
_OF_PART: Final = '"part":true'
_HAS_REPORTED: Final = (
    select(
        _run.c.id,
        or_(_run.c.report.contains(_REPORTED), _run.c.lists.contains(_REPORTED)),
        _run.c.report.contains(_OF_PART),
    )
    .where(_WHOLE)
    .order_by(_run.c.number.desc())
    .limit(_LOOK_BACK)
)
_LAST_REPORT: Final = select(func.coalesce(func.max(_run.c.number), 0)).where(
    or_(_run.c.report.contains(_REPORTED), _run.c.lists.contains(_REPORTED)), _WHOLE
)
_UNTOLD: Final = '"untold":true'
_PARTS_TO_TELL: Final = select(_run.c.id).where(
    _run.c.status == PART, _run.c.number > _LAST_REPORT.scalar_subquery(), _run.c.report.contains(_UNTOLD)
)


def start(connection: Connection, run: str, started_at: datetime, *, part: bool = False) -> None:
    # Counted, because run ids and times follow a clock that may be set back.
    number = direct.scalar(connection, _LAST) + 1
    row = {"id": run, "number": number, "started_at": started_at, "finished_at": None, "status": RUNNING}
    # Replaced when it ends by itself. Of a run that is broken off, it tells that it was for a few contacts.
    report = to_json({"part": True} if part else {})
    direct.change(connection, _START, {**row, "report": report, "lists": "{}", "quiet": False})


def finish(connection: Connection, run: str, finished_at: datetime, status: str, report: dict[str, Any]) -> None:
    """Store the report of a run. Of long lists, only the difference to the run before is stored."""
    before = json.loads(direct.scalar(connection, _LISTS_BEFORE) or "{}")
    rest, lists = reportlists.take_out(connection, report, before)
    done = {"finished_at": finished_at, "status": status, "report": to_json(rest), "lists": to_json(lists)}
    direct.change(connection, _FINISH, {"of_run": run, **done, "quiet": _is_quiet(status, report)})


def _is_quiet(status: str, report: dict[str, Any]) -> bool:
    # Most runs of a daemon find nothing to do. Only of these some are deleted after a day.
    done = any(any(report.get(name, {}).values()) for name in _DONE)
    return status in {"ok", PART} and not done and not report.get("incidents") and not report.get("untold")


def broken_off(connection: Connection) -> dict[str, bool]:
    """Return the last runs in a row that were interrupted, so that no report tells of them.

    The value is whether it was one of the whole account.
    """
    rows = takewhile(lambda row: not row[1], direct.rows(connection, _HAS_REPORTED))
    return {run: not part for run, _, part in rows}


def parts_to_tell(connection: Connection) -> list[str]:
    """Return the runs for a few contacts that no whole report tells of."""
    return [row[0] for row in direct.rows(connection, _PARTS_TO_TELL)]
