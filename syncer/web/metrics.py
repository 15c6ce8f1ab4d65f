"""The daemon's numbers for Prometheus, in a registry of its own. Names and labels are a contract."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from syncer.contract.adapter import Adapter
from syncer.domain.alarms import AlarmName
from syncer.domain.base import Action
from syncer.web.board import AccountState

TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_RUN_SECONDS: Final = (0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_DELAY_SECONDS: Final = (1, 2, 5, 10, 30, 60, 120, 300, 900, 3600, 14400, 86400)
_DONE: Final = {"created": Action.CREATE.value, "completed": Action.COMPLETE.value, "edited": "edit"}

# They would double the lines, and no rule of ours asks when a counter began.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """Counted up as runs end; what is true now is taken from the board when somebody asks."""

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
        self._seen: dict[int, Tally[str]] = {}

    def begin(self, account: str) -> None:
        """An account is served: what was never counted of it is 0, not missing."""
        self.incidents.labels(account)
        for status in ("ok", "partial", "stopped", "failed"):
            self.runs.labels(account, status)

    def note_run(self, account: str, report: Mapping[str, Any], ended_at: float) -> None:
        """A run ended with this report, at this instant since 1970."""
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
        """A run for a few contacts ended: what it did counts, and it says nothing of how the account stands."""
        self._note_writes(account, report)

    def note_failure(self, account: str) -> None:
        """A run ended without a report."""
        self.runs.labels(account, "failed").inc()

    def note_requests(self, account: str, adapters: Mapping[str, Adapter]) -> None:
        """Count the requests that were sent since this was last called with these adapters."""
        for system, adapter in adapters.items():
            now = Tally(adapter.wire.outcomes)
            new = now - self._seen.get(id(adapter), Tally())
            self._seen[id(adapter)] = now
            for outcome, number in new.items():
                self.requests.labels(account, system, outcome).inc(number)

    def forget_adapters(self, adapters: Mapping[str, Adapter]) -> None:
        """These are closed; others may get their place in memory."""
        for adapter in adapters.values():
            self._seen.pop(id(adapter), None)

    def note_event(self, account: str, system: str, outcome: str) -> None:
        """A delivery came, to an account or, if ``account`` is empty, to none that there is."""
        self.events.labels(account, system, outcome).inc()

    def end(self, account: str) -> None:
        """An account is served no more: nothing is true of it now."""
        for gauge in (self.last_success, self.open_tasks, self.waiting, self.attention):
            _forget(gauge, account)

    def text(self, states: Iterable[AccountState]) -> bytes:
        """All numbers in Prometheus' text format."""
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
    """Remove what a gauge says of one account."""
    gauge.remove_by_labels({"account": account})
