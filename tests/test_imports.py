"""Who may import whom, folder by folder, and what stays in one room: see BELOW."""

from __future__ import annotations

import ast
import importlib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CRMS = sorted(path.parent.name for path in (ROOT / "adapters").glob("*/adapter.py"))

VALUES = {"syncer.domain", "syncer.contract"}
TOOLS = VALUES | {"adapters.events", "adapters.instants", "adapters.sandbox", "adapters.text"}
DECISIONS = VALUES | {"syncer.reconcile", "syncer.config", "syncer.ledger"}
BELOW = {
    "syncer": set[str](),
    "syncer.domain": set[str](),
    "syncer.contract": {"syncer.domain"},
    "syncer.reconcile": VALUES,
    "syncer.config": VALUES | {"syncer"},
    "syncer.ledger": VALUES | {"syncer"},
    "syncer.engine": DECISIONS | {"syncer"},
    "syncer.web": DECISIONS | {"syncer", "syncer.engine"},
    "syncer.demo": DECISIONS | {"syncer", "syncer.engine", "adapters.sandbox", *(f"adapters.{crm}" for crm in CRMS)},
    "syncer.cli": DECISIONS | {"syncer", "syncer.engine", "syncer.web", "syncer.demo"},
    "syncer.__main__": {"syncer.cli"},
    "adapters": set[str](),
    "adapters.events": VALUES,
    "adapters.instants": VALUES,
    "adapters.text": VALUES,
    "adapters.sandbox": VALUES,
    "adapters.skeleton": VALUES,
    "adapters.http": TOOLS | {"syncer"},
    # Authors of adapters try whole runs with it. No adapter may import it, for it needs pytest, too.
    "adapters.conformance": TOOLS | {"adapters.skeleton", "syncer.config", "syncer.engine", "syncer.ledger"},
    **{f"adapters.{crm}": TOOLS | {"adapters.http"} for crm in CRMS},
}
"""What each folder may import of ours beside itself; ``syncer`` is the version and `syncer.files`."""

ONLY_IN = {
    "httpx": {"adapters.http"},
    "alembic": {"syncer.ledger"},
    "sqlalchemy": {"syncer.ledger"},
    "sqlite3": {"syncer.ledger"},
    "sqlmodel": {"syncer.ledger"},
}
PURE = {"syncer.domain", "syncer.reconcile"}
IMPURE = {"asyncio", "logging", "os", "pathlib", "random", "secrets", "socket", "stamina", "structlog", "subprocess"}
IMPURE |= {"threading", "time"}
NAMES_CRMS = ("syncer.config.events", "syncer.config.registry", "syncer.demo", "adapters")

SOURCES = sorted(path for folder in ("syncer", "adapters") for path in (ROOT / folder).rglob("*.py"))
MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in SOURCES}


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text("utf-8"))


def room(module: str) -> str:
    """The folder of a module; the module itself where it lies in none of its own."""
    top = ".".join(module.split(".")[:2])
    return top if top in BELOW else module.split(".")[0]


def imports(module: str) -> set[str]:
    """Every module that this one imports, at its top, inside a function or for its types alone."""
    found: set[str] = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            whole = {f"{node.module}.{name.name}" for name in node.names}
            found |= {name if name in MODULES else str(node.module) for name in whole}
    return found


def reached(module: str) -> set[str]:
    """This module and all of ours that it leads to."""
    found, waiting = set[str](), [module]
    while waiting:
        name = waiting.pop()
        if name in MODULES and name not in found:
            found.add(name)
            waiting += imports(name)
    return found


def test_each_folder_is_known() -> None:
    folders = {".".join(path.parent.relative_to(ROOT).parts[:2]) for path in SOURCES}
    assert folders <= BELOW.keys(), "a new folder needs a line in BELOW"


def test_every_module_can_be_imported() -> None:
    """Also those that nothing else imports before they are needed, and whatever a folder offers only when asked."""
    for name in MODULES:
        # Alembic runs its scripts by itself, in a context of its own.
        if ".migrations." not in name and not name.endswith("__main__"):
            module = importlib.import_module(name)
            for offered in getattr(module, "__all__", ()):
                getattr(module, offered)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_downwards(module: str) -> None:
    own = room(module)
    others = {name for name in imports(module) if name.split(".")[0] in {"syncer", "adapters"} and room(name) != own}
    assert {name for name in others if room(name) not in BELOW[own]} == set()


@pytest.mark.parametrize("module", MODULES)
def test_what_belongs_to_one_folder_stays_there(module: str) -> None:
    tops = {name.split(".")[0] for name in imports(module)}
    assert {top for top in tops if room(module) not in ONLY_IN.get(top, {room(module)})} == set()


@pytest.mark.parametrize("module", [module for module in MODULES if room(module) in PURE])
def test_values_and_decisions_reach_no_io_and_no_log(module: str) -> None:
    for name in reached(module):
        assert {top for top in (found.split(".")[0] for found in imports(name)) if top in IMPURE} == set(), name


@pytest.mark.parametrize("module", [module for module in MODULES if room(module) in PURE])
def test_values_and_decisions_ask_no_clock(module: str) -> None:
    clocks = {f"{name}.{asked}" for name in ("datetime", "date") for asked in ("now", "utcnow", "today")}
    asked = {ast.unparse(node) for node in ast.walk(tree(module)) if isinstance(node, ast.Attribute)}
    assert asked & clocks == set()


@pytest.mark.parametrize("module", [module for module in MODULES if not module.startswith(NAMES_CRMS)])
def test_no_other_folder_names_a_crm(module: str) -> None:
    """What a CRM can do is asked of its adapter, never which CRM it is."""
    for node in ast.walk(tree(module)):
        assert not (isinstance(node, ast.Constant) and node.value in CRMS), f"{module}:{node.lineno}"
