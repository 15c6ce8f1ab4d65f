"""What the daemon tells of a run that ended."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import structlog

from syncer.cli.screens import moment, overwritten_in_words, run_in_words
from syncer.cli.session import Session
from syncer.config.schema import Account

_log = structlog.get_logger("syncer.daemon")


def tell_run(session: Session, account: Account, report: dict[str, Any]) -> None:
    """Log a run that ended, and print its report: JSON, or one line and one for each value that was overwritten."""
    numbers = {name: len(report[name]) for name in ("waiting", "attention", "incidents", "overwritten")}
    done = {name: sum(report.get(name, {}).values()) for name in ("created", "completed", "edited")}
    about = {"account": account.name, "run": report["run"], "status": report["status"]}
    # On a terminal, the line printed below says the same.
    say = _log.debug if sys.stdout.isatty() and sys.stderr.isatty() else _log.info
    say("run.ended", **about, duration_s=report["duration_s"], **done, **numbers)
    if session.json:
        session.answer(report)
    else:
        words = f"{report['account']}: {report['status']}: {run_in_words(report)}"
        message = f"; {report['message']}" if report.get("message") else ""
        session.screen.say(f"{moment(datetime.now(UTC), account.zone)}  {words}{message}")
        # Told once, and the run after this one has another report.
        for one in report["overwritten"]:
            session.screen.say(f"overwritten: {overwritten_in_words(one, account.zone)}", indent=4)
