"""Who may import whom, folder by folder, and what stays in one room: see BELOW."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Mapping, Set
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeVar

Key = TypeVar("Key")

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


class Source(NamedTuple):
    """What a module says of which a rule may speak. Its tree is not kept: all of them are half a million objects."""

    imports: set[str]
    """Every module that this one imports, at its top, inside a function or for its types alone."""
    attributes: set[str]
    crms: set[int]
    """The lines in which a CRM is named."""


@cache
def source(module: str) -> Source:
    found = Source(set(), set(), set())
    for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.imports.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            whole = {f"{node.module}.{name.name}" for name in node.names}
            found.imports.update(name if name in MODULES else str(node.module) for name in whole)
        elif isinstance(node, ast.Attribute) and module in PURE_MODULES:
            found.attributes.add(ast.unparse(node))
        elif isinstance(node, ast.Constant) and node.value in CRMS:
            found.crms.add(node.lineno)
    return found


def room(module: str) -> str:
    """The folder of a module; the module itself where it lies in none of its own."""
    top = ".".join(module.split(".")[:2])
    return top if top in BELOW else module.split(".")[0]


PURE_MODULES = [module for module in MODULES if room(module) in PURE]


def reached(module: str) -> set[str]:
    """This module and all of ours that it leads to."""
    found, waiting = set[str](), [module]
    while waiting:
        name = waiting.pop()
        if name in MODULES and name not in found:
            found.add(name)
            waiting += source(name).imports
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


# One test a rule, which names all that break it: a test for each module would take longer than its look.


def nothing(broken: Mapping[Key, Set[object]]) -> None:
    """Fail with all that breaks a rule, each by where it stands."""
    told = [f"{where}: {what}" for where, what in broken.items() if what]
    assert not told, "\n".join(told)


def test_imports_go_downwards() -> None:
    upwards = {}
    for module in MODULES:
        own = room(module)
        ours = {name for name in source(module).imports if name.split(".")[0] in {"syncer", "adapters"}}
        upwards[module] = {name for name in ours if room(name) not in BELOW[own] | {own}}
    nothing(upwards)


def test_what_belongs_to_one_folder_stays_there() -> None:
    strayed = {}
    for module in MODULES:
        tops = {name.split(".")[0] for name in source(module).imports}
        strayed[module] = {top for top in tops if room(module) not in ONLY_IN.get(top, {room(module)})}
    nothing(strayed)


def test_values_and_decisions_reach_no_io_and_no_log() -> None:
    tops = {module: {name.split(".")[0] for name in source(module).imports} for module in MODULES}
    nothing({(pure, name): tops[name] & IMPURE for pure in PURE_MODULES for name in reached(pure)})


def test_values_and_decisions_ask_no_clock() -> None:
    clocks = {f"{name}.{asked}" for name in ("datetime", "date") for asked in ("now", "utcnow", "today")}
    nothing({module: source(module).attributes & clocks for module in PURE_MODULES})


def test_no_other_folder_names_a_crm() -> None:
    """What a CRM can do is asked of its adapter, never which CRM it is."""
    nothing({module: source(module).crms for module in MODULES if not module.startswith(NAMES_CRMS)})
