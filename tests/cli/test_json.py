"""What the commands print with `--json` is what `docs/schema.json` says: no more, and no less."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from adapters.sandbox import Fault
from tests.support.cli_kit import ROOT, Command, Served

SCHEMA = ROOT / "docs/schema.json"


@cache
def schema() -> dict[str, Any]:
    """As it stands there, and no key beyond it: programs take what is new, the documentation has to say it."""

    def closed(value: Any) -> Any:
        if isinstance(value, dict):
            inner = {key: closed(one) for key, one in value.items()}
            return {"additionalProperties": False} | inner if "required" in value else inner
        return [closed(one) for one in value] if isinstance(value, list) else value

    found: dict[str, Any] = closed(json.loads(SCHEMA.read_text("utf-8")))
    return found


def fits(command: Command, name: str) -> bool:
    for answer in command.answers:
        jsonschema.validate(answer, schema() | {"$ref": f"#/$defs/{name}"})
    return bool(command.answers)


@pytest.fixture
def busy(served: Served) -> Served:
    """Something waits, something needs attention, something has an own title and something has none."""
    _, _, contact = served.person()
    served.task(contact)
    served.task(contact, "Call again", hours=9)
    served.person("Ravi", "+919876543210")
    return served


def test_a_good_day(busy: Served) -> None:
    assert fits(busy.do("status", "--json"), "status")
    assert fits(busy.do("check", "--json"), "check")
    assert fits(busy.do("plan", "--out", "plan.json", "--json"), "plan")
    done = busy.do("sync", "--once", "--json")
    assert fits(done, "sync")
    assert fits(busy.do("status", "--json"), "status")
    tasks = busy.do("tasks", "--json")
    assert fits(tasks, "tasks")
    assert fits(busy.do("explain", tasks.answer["tasks"][1]["task"], "--json"), "explain")
    assert fits(busy.do("retry", "--json"), "retry")
    assert fits(busy.do("apply", "plan.json", "--json"), "apply")


def test_the_ledger(busy: Served) -> None:
    assert fits(busy.do("ledger", "backup", "copy.db", "--json"), "failure"), "there is none yet"
    busy.do("sync", "--once")
    assert fits(busy.do("ledger", "backup", "copy.db", "--json"), "ledger-backup")
    assert fits(busy.do("ledger", "restore", "copy.db", "--json"), "ledger-restore")
    assert fits(busy.do("ledger", "take-over", "--json"), "ledger-take-over")


def test_a_bad_day(busy: Served) -> None:
    busy.superfone.allowed_types = ()
    busy.highlevel.fault = lambda call: Fault.UNAUTHORIZED if "contacts" in call.path else None
    assert fits(busy.do("check", "--json"), "check")
    for _ in range(2):
        assert fits(busy.do("sync", "--once", "--json"), "sync")
    assert fits(busy.do("status", "--json"), "status")
    busy.highlevel.fault = lambda _call: None
    assert fits(busy.do("sync", "--once", "--json", "--allow-creates", "0"), "sync")
    assert fits(busy.do("status", "--json"), "status")
    assert fits(busy.do("retry", "--json"), "retry")
    assert fits(busy.do("sync", "--once", "--json", RE_KEY=""), "failure")
    assert fits(busy.do("explain", "reply:nothing", "--json"), "failure")
    busy.reply.user_id = 99
    assert fits(busy.do("sync", "--once", "--json"), "failure")
    assert fits(busy.do("status", "--json"), "status")
