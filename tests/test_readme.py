"""What the documentation says is what there is: commands, statuses, reasons, settings, links."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from adapters.sandbox import Fault
from syncer.cli.app import app
from syncer.config.registry import BUILT_IN, adapter_class
from syncer.config.schema import SyncSettings
from syncer.demo.desks import VERBS
from syncer.domain.model import Kind
from syncer.domain.reasons import Reason
from syncer.domain.report import Exit
from syncer.domain.task_ids import Marker

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
EVERYTHING = "\n".join(page.read_text("utf-8") for page in PAGES)
REASONS = (ROOT / "docs/reasons.md").read_text("utf-8")
REFERENCE = (ROOT / "docs/reference.md").read_text("utf-8")
VENV = "python3 -m venv .venv && .venv/bin/pip install -c constraints.txt -e"
DEMO = f"{VENV} . && .venv/bin/syncer demo"
TESTS = f"{VENV} '.[dev]' && .venv/bin/pytest"
_ROOT: Any = typer.main.get_command(app)
COMMANDS = sorted(_ROOT.commands)
LEDGER = sorted(_ROOT.commands["ledger"].commands)


@pytest.mark.parametrize("command", [DEMO, TESTS])
def test_the_two_commands_can_be_copied_as_they_stand(command: str) -> None:
    assert f"```sh\n{command}\n```" in README
    assert README.index(command) < README.index("## Contents"), "on the first screen"


def test_the_checks_run_the_test_command_to_the_letter() -> None:
    script = (ROOT / ".ci/run").read_text("utf-8")
    assert f'tests="{TESTS}"' in script
    assert 'bash -euxc "$tests"' in script


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command: str) -> None:
    assert f"| `syncer {command}" in REFERENCE
    assert re.search(rf"syncer {command}\b", README)


@pytest.mark.parametrize("command", LEDGER)
def test_every_command_of_the_ledger_is_documented(command: str) -> None:
    assert f"| `syncer ledger {command}" in REFERENCE
    assert f"\nsyncer ledger {command}" in README
    assert set(re.findall(r"syncer ledger ([a-z-]+)", EVERYTHING)) <= set(LEDGER)


def test_no_command_is_documented_that_does_not_exist() -> None:
    named = set(re.findall(r"`syncer ([a-z]+)", EVERYTHING)) | set(re.findall(r"^syncer ([a-z]+)", README, re.M))
    assert named <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_documented(command: str) -> None:
    parameters = _ROOT.commands[command].params
    options = {name for parameter in parameters for name in parameter.opts if name.startswith("--")}
    shown = {"--config", "--json", "--verbose", "--quiet", "--help"}
    assert {name for name in options - shown if f"{name}" not in REFERENCE} == set()


def test_every_exit_status_is_documented() -> None:
    statuses = re.findall(r"^\| (\d+) \|", REFERENCE, re.M)
    assert [int(status) for status in statuses] == sorted(Exit)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_documented_with_its_sentence(reason: Reason) -> None:
    assert REASONS.count(f"| `{reason}` | {reason.sentence} |\n") == 1


def test_no_reason_is_documented_that_does_not_exist() -> None:
    assert len(re.findall(r"^\| `\w+` \|", REASONS, re.M)) == len(Reason)


def test_the_laws_are_eleven() -> None:
    table = README[README.index("## The laws") : README.index("## Who did what")]
    assert len(re.findall(r"^\| (?!law |---)", table, re.M)) == 11


def test_the_marker_is_told_as_it_is_written() -> None:
    marker = Marker("1k2m9ab3xq", "reply:5").line
    assert marker in README
    assert marker in REFERENCE


def test_the_pages_name_no_file_that_is_not_there() -> None:
    named = re.findall(r"`((?:tests|adapters|syncer|docs)/[\w/.*-]+|test_[\w*]+\.py)`", EVERYTHING)
    assert named
    for name in named:
        assert list(ROOT.glob(name if "/" in name else f"tests/**/{name}")), name


def test_words_in_the_decision_table_exist() -> None:
    table = README[README.index("## Who did what") : README.index("## What the CRMs cannot do")]
    told = set(
        re.findall(r"`([a-z]+_[a-z_]+|scheduled|refused|failing|unauthorized|duplicate|loop|unmatched)`[:;,) ]", table)
    )
    settings = {*SyncSettings.model_fields, *(field for one in BUILT_IN for field in _settings(one))}
    assert told <= {*Reason, *settings}
    assert {Reason.SLOT_TAKEN, Reason.NEWER_ABOVE, Reason.CLOSED_BY_RACE} <= told


def _settings(system: str) -> set[str]:
    return set(adapter_class(system).settings_model.model_fields)


@pytest.mark.parametrize(
    ("table", "key", "default"),
    [
        ("superfone", "superseded", '"keep"'),
        ("superfone", "slot", '"earliest_due"'),
        ("superfone", "discovery", '"contacts"'),
        ("sync", "cancelled", '"close"'),
        ("reply", "sequence_tasks", '"sync"'),
        ("sync", "twin_window", '"60s"'),
    ],
)
def test_choices_have_the_default_that_the_readme_says(table: str, key: str, default: str) -> None:
    assert f"| `[{table}] {key}` | `{default}`" in README
    assert f"\n{key} = {default}\n" in (ROOT / "config.example.toml").read_text("utf-8")


def test_choices_about_completing_and_contacts_are_there() -> None:
    assert "| `[reply] complete_kinds` |" in README
    assert "| `create_missing_contacts` (each CRM) | `false`" in README


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_documented(kind: Kind) -> None:
    assert f"`{kind}`" in REFERENCE[REFERENCE.index("## Routes and kinds") :]


def test_the_doors_of_the_sandbox_are_documented() -> None:
    doors = REFERENCE[REFERENCE.index("## The sandbox's doors") :]
    assert all(verb in doors for verb in VERBS)
    assert set(re.findall(r'`"([a-z_]+)"`', doors)) <= set(Fault)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_inside_resolves(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")) if "://" not in link]
    assert links
    for link in links:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), link
        if anchor:
            assert anchor in anchors(target), link


def test_the_scenario_that_is_shown_is_one_of_ours() -> None:
    [shown] = re.findall(r"```python\n(.*?)```", CONTRIBUTING, re.S)
    assert any(shown in module.read_text("utf-8") for module in (ROOT / "tests/scenarios").glob("test_*.py"))


def test_every_make_command_that_is_named_is_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    named = " ".join(re.findall(r"(?:^|`)make ([^`\n#]+)", CONTRIBUTING, re.M)).split()
    assert {"fast", "test", "simulation"} <= {word for word in named if word.isalpha()} <= targets


def anchors(page: Path) -> set[str]:
    """What GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
