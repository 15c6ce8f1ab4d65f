"""Who may import whom: imports point one way, and the pure parts have neither a clock nor I/O."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PURE = (
    "agreement",
    "contacts",
    "merge",
    "merging",
    "firstsight",
    "closures",
    "identity",
    "grouping",
    "lanecopies",
    "matching",
    "rebuild",
    "likeness",
    "ledgerids",
    "lane",
    "plan",
    "obstacles",
    "guard",
    "policy",
    "reasons",
    "observations",
    "failing",
    "readinglist",
)
ENGINE = ("run", "context", "opening")
RUN = (*ENGINE, "demo_story")
DOORS = ("daemon", "cli", "commands", "web")
VALUES = ("syncer.model", "syncer.state", "syncer.keys", "adapters.base")

IMPURE = {
    "adapters.http",
    "alembic",
    "apscheduler",
    "asyncio",
    "httpx",
    "logging",
    "os",
    "pathlib",
    "psutil",
    "random",
    "socket",
    "sqlalchemy",
    "sqlite3",
    "sqlmodel",
    "stamina",
    "starlette",
    "structlog",
    "subprocess",
    "threading",
    "time",
}

SOURCES = sorted(path for folder in ("syncer", "adapters") for path in (ROOT / folder).rglob("*.py"))
MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in SOURCES}


def imports(module: str) -> set[str]:
    """Every module that this one imports, at its top or inside a function, with all modules on the way to it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            whole = {f"{node.module}.{name.name}" for name in node.names}
            submodules = {name for name in whole if name in MODULES}
            found |= submodules or {str(node.module)}
            if len(submodules) < len(whole):
                found.add(str(node.module))
    return found


def ours(module: str) -> set[str]:
    return {name for name in imports(module) if name.split(".")[0] in {"syncer", "adapters"}}


def matching(*patterns: str) -> Iterator[str]:
    return (module for module in MODULES if any(fnmatch(module, pattern) for pattern in patterns))


def within(name: str, *parents: str) -> bool:
    return any(name == parent or name.startswith(f"{parent}.") for parent in parents)


def test_the_values_import_next_to_nothing_of_ours() -> None:
    assert ours("syncer.model") == set()
    assert ours("syncer.keys") == set()
    assert ours("syncer.state") <= {"syncer.model"}
    assert ours("adapters.base") <= {"syncer.model"}
    assert ours("adapters.settings") | ours("adapters.redact") == set()


@pytest.mark.parametrize("module", sorted(matching(*(f"syncer.{name}" for name in PURE))))
def test_pure_modules_know_values_and_each_other_alone(module: str) -> None:
    """Neither a CRM's name, nor the network, nor the ledger, nor the time of day is within their reach."""
    for name in ours(module) - set(VALUES):
        assert name in MODULES, f"{module} imports {name}"
        assert name.startswith("syncer."), f"{module} imports {name}"
    for reached in closure(module):
        impure = {name for name in imports(reached) if within(name, *IMPURE)}
        assert not impure, f"{module} reaches {impure} by {reached}"
        assert not within(reached, "syncer.ledger", "syncer.config", "syncer.run", "adapters.http"), reached


def closure(module: str) -> set[str]:
    """This module of ours and all of ours that it leads to."""
    reached: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in reached and name in MODULES:
            reached.add(name)
            waiting += ours(name)
    return reached


@pytest.mark.parametrize("module", sorted(matching(*(f"syncer.{name}" for name in PURE))))
def test_pure_modules_ask_no_clock(module: str) -> None:
    for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))):
        if isinstance(node, ast.Attribute):
            assert node.attr not in {"now", "utcnow", "today"} or not is_class(node.value), f"{module}:{node.lineno}"


def is_class(node: ast.expr) -> bool:
    """Whether this names a class of ``datetime``: ``plan.now`` is a value, ``datetime.now`` a clock."""
    return isinstance(node, ast.Name) and node.id in {"datetime", "date"}


@pytest.mark.parametrize("module", sorted(matching("adapters", "adapters.*")))
def test_adapters_know_the_model_and_nothing_of_the_engine(module: str) -> None:
    engine = {name for name in ours(module) if within(name, "syncer")}
    assert engine <= {"syncer", "syncer.model", "syncer.keys"}


@pytest.mark.parametrize("system", ["superfone", "reply", "highlevel"])
def test_a_crm_knows_nothing_of_another(system: str) -> None:
    others = [f"adapters.{other}" for other in ("superfone", "reply", "highlevel") if other != system]
    for module in matching(f"adapters.{system}", f"adapters.{system}.*"):
        assert not {name for name in ours(module) if within(name, *others)}


def test_httpx_is_imported_in_few_places() -> None:
    found = {module for module in MODULES if any(within(name, "httpx") for name in imports(module))}
    assert found == {"adapters.http", "adapters.network", "adapters.sandbox_transport"}


@pytest.mark.parametrize("module", sorted(matching("syncer", "syncer.*")))
def test_only_the_run_and_its_doors_reach_the_ledger(module: str) -> None:
    if within(module, "syncer.ledger", *(f"syncer.{name}" for name in (*RUN, *DOORS))):
        return
    assert not {name for name in imports(module) if within(name, "syncer.ledger")}


@pytest.mark.parametrize("module", sorted(matching("syncer", "syncer.*")))
def test_only_the_ledger_knows_sql(module: str) -> None:
    if not within(module, "syncer.ledger"):
        assert not {name for name in imports(module) if within(name, "sqlmodel", "sqlalchemy", "alembic", "sqlite3")}


def test_a_crm_is_named_by_its_adapter_the_registry_and_the_words_for_people_alone() -> None:
    """The engine asks what an adapter declares, never which CRM it is."""
    engine = (*PURE, *ENGINE, "observe", "settle", "apply", "requests", "newcontacts", "sameperson")
    for module in matching(*(f"syncer.{name}" for name in engine)):
        for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))):
            if isinstance(node, ast.Constant):
                assert node.value not in {"superfone", "reply", "highlevel"}, f"{module}:{node.lineno}"
