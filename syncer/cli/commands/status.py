"""``syncer status``: show the state of an account from its ledger, also during a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from syncer.cli import last_run, presence
from syncer.cli.errors import LedgerAlarm
from syncer.cli.last_run import BrokenRun
from syncer.cli.screens import Screen, TaskNames, ago, moment, run_in_words, show_items, show_overwritten
from syncer.cli.session import Session, for_each_account
from syncer.config.registry import label_of
from syncer.config.schema import Account
from syncer.domain.alarms import Alarm
from syncer.domain.report import Exit, as_instant
from syncer.domain.times import span
from syncer.ledger import Counts, LedgerError, Locked, Run, look
from syncer.web.alarms.facts import alarms_of

# A CRM that was not needed in the last runs was read in an earlier one.
_LOOK_BACK: Final = 50
_SECTIONS: Final = ("waiting", "attention", "incidents")


@dataclass(frozen=True, slots=True)
class _Standing:
    """What the ledger knows of one account. ``runs`` are the last runs, newest first."""

    account: Account
    where: str
    daemon: presence.Presence | None
    runs: Sequence[Run]
    counts: Counts
    under_way: Run | None
    broken_off: BrokenRun | None
    alarms: Sequence[Alarm]

    @property
    def last(self) -> Run | None:
        """The last run that ended with a report."""
        return next((run for run in self.runs if run.finished_at is not None and "connections" in run.report), None)

    @property
    def tasks(self) -> set[str]:
        """The tasks that the last report names."""
        items = [item for name in _SECTIONS for item in (self.last.report.get(name, []) if self.last else [])]
        return {item["task"] for item in items if item["task"] is not None}

    def in_step(self, system: str) -> datetime | None:
        """Return until when a CRM is synced: what happened there before is copied, or waits, or needs attention."""
        for run in self.runs:
            found = run.report.get("connections", {}).get(system)
            # A run that was stopped may have read the CRM, and has copied nothing or not everything.
            if found is not None and found["state"] == "ok" and run.status != "stopped":
                return run.started_at
        return None


def show_status(session: Session, *, check: bool = False) -> int:
    """Show the last run, the lag, open tasks, alarms, and what waits or needs attention.

    With ``check`` the exit status is 1 while an alarm is active. A ledger that cannot be read is one, too.
    """

    def work(account: Account) -> Exit:
        try:
            return look_at(account)
        except Locked:
            # Somebody else is writing, and the next check finds out.
            raise
        except LedgerError as error:
            if not check:
                raise
            raise LedgerAlarm(error) from error

    def look_at(account: Account) -> Exit:
        with look(account.ledger_url, account.name) as ledger:
            runs = ledger.runs(_LOOK_BACK)
            standing = _Standing(
                account,
                ledger.where,
                presence.find(ledger),
                runs,
                ledger.counts(),
                last_run.under_way(runs),
                last_run.broken_off(runs),
                tuple(alarms_of(ledger, account, datetime.now(UTC)).values()),
            )
            names = TaskNames.of(ledger.views_of(standing.tasks), account.zone)
        if session.json:
            session.answer(_as_json(standing))
        else:
            _show(session.screen, standing, names)
        return Exit.PARTIAL if check and standing.alarms else Exit.DONE

    return for_each_account(session, work, looking=True)


def _as_json(standing: _Standing) -> dict[str, Any]:
    last, under_way = standing.last, standing.under_way
    lags = {system: _lag(standing.in_step(system)) for system in standing.account.connections}
    known = [lag for lag in lags.values() if lag is not None]
    return {
        "account": standing.account.name,
        "ledger": standing.where,
        "daemon": standing.daemon.as_json() if standing.daemon else None,
        "under_way": {"run": under_way.id, "started_at": as_instant(under_way.started_at)} if under_way else None,
        "broken_off": standing.broken_off.as_json() if standing.broken_off else None,
        "last_run": _run_as_json(last) if last else None,
        # Unknown while one CRM was never read: whoever watches this number must not see that of the others.
        "lag_s": max(known) if known and len(known) == len(lags) else None,
        "lags_s": lags,
        "tasks": standing.counts.tasks,
        "copies": standing.counts.replicas,
        "alarms": [alarm.as_json() for alarm in standing.alarms],
        **{name: last.report.get(name, []) if last else [] for name in _SECTIONS},
    }


def _run_as_json(run: Run) -> dict[str, Any]:
    told: dict[str, Any] = {
        name: run.report[name] for name in ("exit", "duration_s", "connections", "message") if name in run.report
    }
    finished = as_instant(run.finished_at) if run.finished_at else None
    head = {"run": run.id, "status": run.status, "started_at": as_instant(run.started_at), "finished_at": finished}
    return {**head, **told}


def _lag(since: datetime | None) -> float | None:
    return None if since is None else round((datetime.now(UTC) - since).total_seconds(), 1)


def _show(screen: Screen, standing: _Standing, names: TaskNames) -> None:
    account = standing.account
    number = standing.counts.tasks.get("open", 0)
    screen.say(f"{account.name}: {number} open task{'s' if number != 1 else ''} ({account.timezone})", "bold")
    screen.say(_activity(standing), indent=2)
    screen.say(_last_run(standing), indent=2)
    if standing.last is not None and standing.last.report.get("message"):
        # What a limit stopped goes on only once somebody allows it.
        screen.say(standing.last.report["message"], "yellow", indent=2)
    for alarm in standing.alarms:
        began = f"since {moment(alarm.since, account.zone)}"
        screen.say(f"alarm: {alarm.heading}, {began}: {alarm.detail}", "bold red", indent=2)
        screen.say(alarm.remedy, "red", indent=4)
    if standing.last is not None:
        _show_systems(screen, standing)
        show_items(screen, standing.last.report, names, zone=account.zone)
        show_overwritten(screen, standing.last.report, account.zone)


def _activity(standing: _Standing) -> str:
    zone, daemon, under_way = standing.account.zone, standing.daemon, standing.under_way
    words = []
    if daemon is not None:
        words.append(
            f"the daemon has run since {moment(daemon.since, zone)} (process {daemon.owner.pid}, {daemon.host})"
        )
    if under_way is not None:
        words.append(f"a run is in progress, begun {ago(under_way.started_at)}")
    if standing.broken_off is not None:
        broken = standing.broken_off
        words.append(f"the last run, begun {ago(broken.started_at)}, broke off: {broken.message}; the next run goes on")
    return "; ".join(words) or "nothing is running; to start the daemon, type: syncer sync"


def _last_run(standing: _Standing) -> str:
    last = standing.last
    if last is None or last.finished_at is None:
        return "no run has ended yet; to run once, type: syncer sync --once"
    what = run_in_words({"incidents": [], "waiting": [], "attention": [], **last.report})
    return f"last run {moment(last.finished_at, standing.account.zone)}, {ago(last.finished_at)}: {last.status}; {what}"


def _show_systems(screen: Screen, standing: _Standing) -> None:
    seen = {state for copies in standing.counts.replicas.values() for state, number in copies.items() if number}
    states = [
        state for state in ("open", "done", "superseded", "cancelled", "gone") if state in {"open", "done"} | seen
    ]
    rows = []
    for system in standing.account.connections:
        copies = standing.counts.replicas.get(system, {})
        found = standing.last.report["connections"].get(system, {}) if standing.last else {}
        since = standing.in_step(system)
        unread = "never read" if len(standing.runs) < _LOOK_BACK else f"not read in {_LOOK_BACK} runs"
        lag = span(datetime.now(UTC) - since) if since else unread
        rows.append([label_of(system), *(str(copies.get(state, 0)) for state in states), lag, found.get("state", "")])
    screen.table(["CRM", *states, "lag", "state"], rows)
    for system, found in (standing.last.report["connections"] if standing.last else {}).items():
        if found.get("message"):
            words = f"{label_of(system)}: {found['message']}; to find out more, type: syncer check"
            screen.say(words, "red", indent=2)
