"""The runs and what they reported."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, insert, select, update

from syncer.ledger.rows import to_json
from syncer.ledger.tables import METADATA

RUNNING: Final = "running"
_run: Final = METADATA.tables["run"]
_RECENT: Final = select(_run.c.id, _run.c.started_at, _run.c.finished_at, _run.c.status, _run.c.report).order_by(
    _run.c.started_at.desc(), _run.c.id.desc()
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
    connection.execute(insert(_run), row)


def finish(connection: Connection, run: str, finished_at: datetime, status: str, report: dict[str, Any]) -> None:
    done = {"finished_at": finished_at, "status": status, "report": to_json(report)}
    connection.execute(update(_run).where(_run.c.id == run).values(done))


def recent(connection: Connection, limit: int) -> list[Run]:
    """The last runs, the newest first."""
    return [Run(*row[:4], json.loads(row.report)) for row in connection.execute(_RECENT.limit(limit))]
