"""The numbers: their names, labels and rules, and what they count."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client.parser import text_string_to_metric_families

from syncer.contract.adapter import Adapter
from syncer.domain.alarms import Alarm
from syncer.web.board import AccountState
from syncer.web.metrics import Metrics
from tests.support.account_files import ALL, KEYS, load
from tests.support.clock import START

ROOT = Path(__file__).parents[2]
NAMES = {
    "syncer_runs_total": {"account", "status"},
    "syncer_run_duration_seconds": set[str](),
    "syncer_last_success_timestamp_seconds": {"account"},
    "syncer_operations_total": {"account", "system", "action", "outcome"},
    "syncer_requests_total": {"account", "system", "outcome"},
    "syncer_open_tasks": {"account", "system"},
    "syncer_waiting": {"account", "reason"},
    "syncer_attention": {"account", "reason"},
    "syncer_incidents_total": {"account"},
    "syncer_propagation_seconds": {"system"},
    "syncer_budget_used_ratio": {"account", "system", "window"},
    "syncer_events_total": {"account", "system", "outcome"},
    "syncer_alarm": {"account", "alarm"},
}
REPORT: dict[str, Any] = {
    "status": "partial",
    "duration_s": 1.5,
    "created": {"reply": 2, "highlevel": 0},
    "completed": {"reply": 1},
    "delays": {"reply": [3.0, 40.0]},
    "connections": {"reply": {"state": "ok", "open": 7}, "superfone": {"state": "off", "open": 0}},
    "waiting": [{"reason": "budget"}, {"reason": "budget"}, {"reason": "slot_taken"}],
    "attention": [{"reason": "refused"}],
    "incidents": [{"reason": "closed_by_race"}],
}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AccountState:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    alarm = Alarm("stuck", START, "No run has ended well.", "Look.")
    return AccountState(load(tmp_path, ALL), alarms=(alarm,), budgets={"reply": {"60s": 0.25}})


class FakeAdapter:
    def __init__(self, outcomes: dict[str, int]) -> None:
        self.wire = SimpleNamespace(outcomes=Counter(outcomes))


def adapters(**outcomes: int) -> dict[str, Adapter]:
    return {"reply": cast("Adapter", FakeAdapter(outcomes))}


@pytest.fixture
def metrics() -> Metrics:
    found = Metrics()
    found.begin("acme")
    found.note_run("acme", REPORT, 1779179400.0)
    found.note_event("acme", "highlevel", "accepted")
    found.note_requests("acme", adapters(ok=3, throttled=1))
    return found


def numbers(metrics: Metrics, *states: AccountState) -> dict[str, float]:
    """Each line of the text, and its value."""
    lines = metrics.text(states).decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def test_names_and_labels_are_the_contracts(metrics: Metrics, state: AccountState) -> None:
    found = {}
    for family in text_string_to_metric_families(metrics.text([state]).decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = {label for sample in family.samples for label in sample.labels} - {"le"}
    assert found == NAMES


def test_the_text_keeps_prometheus_rules(metrics: Metrics, state: AccountState) -> None:
    text = metrics.text([state]).decode()
    assert text.endswith("\n")
    assert "_created" not in text
    for family in text_string_to_metric_families(text):
        assert family.documentation.endswith("."), family.name
        assert family.type in {"counter", "gauge", "histogram"}
        assert not re.search(r"_(milliseconds|minutes|hours|bytes_total_total|info_total)$", family.name)
        assert len({(sample.name, *sorted(sample.labels.items())) for sample in family.samples}) == len(family.samples)


def test_a_run_is_counted(metrics: Metrics, state: AccountState) -> None:
    found = numbers(metrics, state)
    assert found['syncer_runs_total{account="acme",status="partial"}'] == 1
    assert found['syncer_runs_total{account="acme",status="ok"}'] == 0
    assert found['syncer_last_success_timestamp_seconds{account="acme"}'] == 1779179400
    assert found['syncer_operations_total{account="acme",action="create",outcome="done",system="reply"}'] == 2
    assert found['syncer_operations_total{account="acme",action="complete",outcome="done",system="reply"}'] == 1
    assert found['syncer_waiting{account="acme",reason="budget"}'] == 2
    assert found['syncer_propagation_seconds_bucket{le="5.0",system="reply"}'] == 1
    assert found['syncer_propagation_seconds_count{system="reply"}'] == 2
    assert found['syncer_open_tasks{account="acme",system="reply"}'] == 7
    assert not [name for name in found if "superfone" in name], "what is off has no numbers"
    assert found['syncer_budget_used_ratio{account="acme",system="reply",window="60s"}'] == 0.25
    assert found['syncer_alarm{account="acme",alarm="stuck"}'] == 1
    assert found['syncer_alarm{account="acme",alarm="ledger"}'] == 0


def test_a_reason_that_is_gone_is_gone(metrics: Metrics) -> None:
    metrics.note_run("acme", {**REPORT, "waiting": [], "attention": []}, 1779179460.0)
    assert not [name for name in numbers(metrics) if name.startswith(("syncer_waiting", "syncer_attention"))]


def test_a_run_for_a_few_contacts_counts_what_it_did_and_nothing_else(metrics: Metrics) -> None:
    before = numbers(metrics)
    metrics.note_part("acme", {"created": {"reply": 3}, "edited": {"reply": 1}, "delays": {"highlevel": [0.5]}})
    after = numbers(metrics)
    created, edited = (
        f'syncer_operations_total{{account="acme",action="{action}",outcome="done",system="reply"}}'
        for action in ("create", "edit")
    )
    assert (after[created] - before[created], after[edited] - before.get(edited, 0.0)) == (3, 1)
    assert after['syncer_propagation_seconds_count{system="highlevel"}'] == 1
    same = [name for name in before if not name.startswith(("syncer_operations", "syncer_propagation"))]
    assert {name: after[name] for name in same} == {name: before[name] for name in same}


def test_a_budget_that_nobody_uses_any_more_is_told_no_more(metrics: Metrics, state: AccountState) -> None:
    used = 'syncer_budget_used_ratio{account="acme",system="reply",window="60s"}'
    assert used in numbers(metrics, state)
    assert used not in numbers(metrics, replace(state, budgets={}))


def test_requests_are_counted_once(metrics: Metrics) -> None:
    key = 'syncer_requests_total{account="acme",outcome="ok",system="reply"}'
    same = adapters(ok=5)
    for _ in range(2):
        metrics.note_requests("acme", same)
    assert numbers(metrics)[key] == 8


def test_new_adapters_are_counted_from_the_start(metrics: Metrics) -> None:
    """An account whose keys changed gets new adapters, which may lie where a closed one lay in memory."""
    key = 'syncer_requests_total{account="acme",outcome="ok",system="reply"}'
    for _ in range(20):
        metrics.note_requests("acme", adapters(ok=5))
    assert numbers(metrics)[key] == 3 + 20 * 5


def test_an_account_that_left_has_no_present(metrics: Metrics) -> None:
    metrics.end("acme")
    left = {name.partition("{")[0] for name in numbers(metrics) if 'account="acme"' in name}
    assert left == {name for name in NAMES if name.endswith("_total")}


def test_the_samples_name_no_metric_that_there_is_not() -> None:
    for file in ("grafana.json", "alerts.yml", "serving.md"):
        named = set(re.findall(r"syncer_[a-z_]+", (ROOT / "docs" / file).read_text("utf-8")))
        named = {re.sub(r"_(bucket|count|sum)$", "", name) for name in named}
        assert named <= NAMES.keys(), file
    assert named == NAMES.keys(), "all stand in the documentation"
