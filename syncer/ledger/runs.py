"""The runs and what they reported."""

from __future__ import annotations

import json
from datetime import datetime
from itertools import takewhile
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update

from syncer.ledger.rows import to_json
from syncer.ledger.tables import METADATA

RUNNING: Final = "running"
_run: Final = METADATA.tables["run"]
_START: Final = insert(_run)
_FINISH: Final = (
    update(_run)
    .where(_run.c.id == bindparam("of_run"))
    .values(finished_at=bindparam("finished_at"), status=bindparam("status"), report=bindparam("report"))
)
_RECENT: Final = select(_run.c.id, _run.c.started_at, _run.c.finished_at, _run.c.status, _run.c.report).order_by(
    _run.c.started_at.desc(), _run.c.id.desc()
)
_LOOK_BACK: Final = 20
_HAS_REPORTED: Final = (
    select(_run.c.id, _run.c.report.contains('"incidents":')).order_by(_run.c.started_at.desc()).limit(_LOOK_BACK)
)


class Run(NamedTuple):
    """One run: ``status`` is ``"running"`` until it was finished, ``report`` what it then reported."""

    id: str
    started_at: datetime
    finished_at: datetime | None
    status: str
    report: dict[str, Any]


def start(connection: Connection, run: str, started_at: datetime) -> None:
    row = {"id": run, "started_at": started_at, "finished_at": None, "status": RUNNING, "report": "{}"}
    connection.execute(_START, row)


def finish(connection: Connection, run: str, finished_at: datetime, status: str, report: dict[str, Any]) -> None:
    done = {"of_run": run, "finished_at": finished_at, "status": status, "report": to_json(report)}
    connection.execute(_FINISH, done)


def unreported(connection: Connection) -> list[str]:
    """The runs that broke off since the last one that reported what it saw."""
    return [run for run, _ in takewhile(lambda row: not row[1], connection.execute(_HAS_REPORTED))]


def recent(connection: Connection, limit: int) -> list[Run]:
    """The last runs, the newest first."""
    return [Run(*row[:4], json.loads(row.report)) for row in connection.execute(_RECENT.limit(limit))]
