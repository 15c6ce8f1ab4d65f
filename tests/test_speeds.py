"""What ``pytest --fast`` runs is fast: nothing of it needs a sandbox, a ledger, a socket or a process."""

from __future__ import annotations

import ast
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.conftest import FAST, HERE, is_fast

MODULES = sorted(HERE.rglob("test_*.py"))
SLOW = (
    "adapters.*.sandbox",
    "socket",
    "subprocess",
    "syncer.ledger",
    "tests.support.cli_kit",
    "tests.support.scenario",
    "tests.support.world",
)


@pytest.mark.parametrize("pattern", FAST)
def test_every_pattern_names_a_module(pattern: str) -> None:
    assert any(fnmatch(module.relative_to(HERE).as_posix(), pattern) for module in MODULES)


@pytest.mark.parametrize("module", [module for module in MODULES if is_fast(module)], ids=lambda m: m.name)
def test_a_fast_module_imports_nothing_slow(module: Path) -> None:
    names = set[str]()
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    assert not [name for name in names if any(fnmatch(name, slow) for slow in SLOW)]
