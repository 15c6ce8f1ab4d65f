"""The daemon's metrics for Prometheus, in a registry of their own. Dashboards depend on their names and labels."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from syncer.contract.adapter import Adapter
from syncer.domain.alarms import AlarmName
from syncer.domain.operations import Action
from syncer.web.board import AccountState

TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_RUN_SECONDS: Final = (0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_DELAY_SECONDS: Final = (1, 2, 5, 10, 30, 60, 120, 300, 900, 3600, 14400, 86400)
_DONE: Final = {"created": Action.CREATE.value, "completed": Action.COMPLETE.value, "edited": Action.EDIT.value}

# The time series of creation times would double the lines, and no rule uses them.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The daemon's metrics. Counters grow when runs end; gauges are read from the board on request."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        account, system = ("account",), ("account", "system")

        def counter(name: str, words: str, labels: Iterable[str]) -> Counter:
            return Counter(name, words, tuple(labels), registry=registry)

        def gauge(name: str, words: str, labels: Iterable[str]) -> Gauge:
            return Gauge(name, words, tuple(labels), registry=registry)

        self.runs = counter("syncer_runs", "Runs that ended, by how.", (*account, "status"))
        self.run_seconds = Histogram(
            "syncer_run_duration_seconds", "How long runs took.", registry=registry, buckets=_RUN_SECONDS
        )
        self.last_success = gauge("syncer_last_success_timestamp_seconds", "When a run last ended well.", account)
        self.operations = counter(
            "syncer_operations", "Writes that are known to be carried out.", (*system, "action", "outcome")
        )
        words = "Requests that reached a CRM, repeated ones too, by what came of them."
        self.requests = counter("syncer_requests", words, (*system, "outcome"))
        self.open_tasks = gauge("syncer_open_tasks", "Open tasks that are known in a CRM.", system)
        self.waiting = gauge("syncer_waiting", "What waits and frees itself, by reason.", (*account, "reason"))
        self.attention = gauge("syncer_attention", "What needs a person, by reason.", (*account, "reason"))
        self.incidents = counter("syncer_incidents", "Tasks that a write of ours closed by mistake.", account)
        self.propagation = Histogram(
            "syncer_propagation_seconds",
            "From what somebody did in one CRM to its confirmed copy in another one, by that other one.",
            ("system",),
            registry=registry,
            buckets=_DELAY_SECONDS,
        )
        self.budget = gauge(
            "syncer_budget_used_ratio", "Which part of a rate's budget is used up, from 0 to 1.", (*system, "window")
        )
        self.events = counter(
            "syncer_events", "Events that CRMs delivered, by what became of them.", (*system, "outcome")
        )
        self.alarm = gauge("syncer_alarm", "1 while an alarm is on, else 0.", (*account, "alarm"))
        # Weak: a closed adapter leaves by itself, and a later one that gets its address is not taken for it.
        self._seen: WeakKeyDictionary[Adapter, Tally[str]] = WeakKeyDictionary()

    def begin(self, account: str) -> None:
        """Begin the counters of an account with 0, so that they exist before the first event."""
        self.incidents.labels(account)
        # A counter that appears only with its first event has no rate for that event.
        for status in ("ok", "partial", "stopped", "failed"):
            self.runs.labels(account, status)

    def note_run(self, account: str, report: Mapping[str, Any], ended_at: float) -> None:
        """Count a run that ended with this report, at this time in seconds since 1970."""
        status = report["status"]
        self.runs.labels(account, status).inc()
        self.run_seconds.observe(report["duration_s"])
        if status in {"ok", "partial"}:
            self.last_success.labels(account).set(ended_at)
        self.incidents.labels(account).inc(len(report["incidents"]))
        self._note_writes(account, report)
        for system, found in report["connections"].items():
            if found["state"] != "off":
                self.open_tasks.labels(account, system).set(found["open"])
        for gauge, items in ((self.waiting, report["waiting"]), (self.attention, report["attention"])):
            # A reason that nothing has any more would keep its last number.
            _forget(gauge, account)
            for reason, number in Tally(item["reason"] for item in items).items():
                gauge.labels(account, reason).set(number)

    def _note_writes(self, account: str, report: Mapping[str, Any]) -> None:
        for name, action in _DONE.items():
            for system, number in report.get(name, {}).items():
                self.operations.labels(account, system, action, "done").inc(max(0, number))
        for system, delays in report.get("delays", {}).items():
            for seconds in delays:
                self.propagation.labels(system).observe(seconds)

    def note_part(self, account: str, report: Mapping[str, Any]) -> None:
        """Count what a run for a few contacts did. It says nothing about the state of the whole account."""
        self._note_writes(account, report)

    def note_failure(self, account: str) -> None:
        """Count a run that ended without a report."""
        self.runs.labels(account, "failed").inc()

    def note_requests(self, account: str, adapters: Mapping[str, Adapter]) -> None:
        """Count the requests that were sent since this was last called with these adapters."""
        for system, adapter in adapters.items():
            now = Tally(adapter.wire.outcomes)
            new = now - self._seen.get(adapter, Tally())
            self._seen[adapter] = now
            for outcome, number in new.items():
                self.requests.labels(account, system, outcome).inc(number)

    def note_event(self, account: str, system: str, outcome: str) -> None:
        """Count a delivery for an account, or for an unknown one if ``account`` is empty."""
        self.events.labels(account, system, outcome).inc()

    def end(self, account: str) -> None:
        """Remove the gauges of an account that is no longer served."""
        for gauge in (self.last_success, self.open_tasks, self.waiting, self.attention):
            _forget(gauge, account)

    def text(self, states: Iterable[AccountState]) -> bytes:
        """Return all metrics in the Prometheus text format."""
        # Else accounts that are no longer served would keep their last values.
        self.alarm.clear()
        self.budget.clear()
        for state in states:
            on = {alarm.name for alarm in state.alarms}
            for name in AlarmName:
                self.alarm.labels(state.name, name.value).set(name in on)
            for system, windows in state.budgets.items():
                for window, ratio in windows.items():
                    self.budget.labels(state.name, system, window).set(round(ratio, 6))
        return generate_latest(self.registry)


def _forget(gauge: Gauge, account: str) -> None:
    """Remove one account from a gauge."""
    gauge.remove_by_labels({"account": account})
