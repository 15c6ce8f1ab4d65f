"""What the page on the architecture names is there: modules, functions, tests, and every word in code type."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/architecture.md").read_text("utf-8")
DECISIONS = sorted((ROOT / "docs/decisions").glob("*.md"))
SOURCES = sorted(path for folder in ("syncer", "adapters") for path in (ROOT / folder).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
TEXTS = [path.read_text("utf-8") for path in (*SOURCES, *TESTS)]
WORDS = {word for text in TEXTS for word in re.findall(r"\w+", text)}
ROWS = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("|") and ".py)" in line]


def code(text: str) -> list[str]:
    """What stands in code type, pictures left out."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S))


def linked(text: str) -> list[Path]:
    """The modules that a text links to."""
    return [(ROOT / "docs" / path).resolve() for path in re.findall(r"\]\(([^)\s]+\.py)\)", text)]


def test_every_module_that_is_named_is_there() -> None:
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in SOURCES}
    folders = {name.rpartition(".")[0] for name in modules}
    named = [word for word in code(PAGE) if re.fullmatch(r"(syncer|adapters)(\.\w+)+", word)]
    assert [name for name in named if name not in modules | folders] == []
    paths = [word for word in code(PAGE) if re.fullmatch(r"(syncer|adapters|tests)/[\w/.]*", word)]
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:50])
def test_what_is_to_be_looked_for_is_in_the_module_that_is_named(row: list[str]) -> None:
    text = "\n".join(path.read_text("utf-8") for path in linked(" ".join(row)))
    wanted = [word for cell in row[1:3] for word in code(cell) if re.fullmatch(r"\w+", word)]
    unlinked = {"RULES", "capabilities"}
    assert [word for word in wanted if word not in unlinked and not re.search(rf"\b{word}\b", text)] == []


def test_every_test_that_is_named_is_there() -> None:
    named = [word for word in code(PAGE) if re.fullmatch(r"tests/[\w*/]+\.py", word)]
    assert len(named) > 20
    assert [name for name in named if not list(ROOT.glob(name))] == []


def test_every_word_in_code_type_is_in_the_code() -> None:
    words = [word for name in code(PAGE) for word in name.split(".") if re.fullmatch(r"[A-Za-z_]\w*", name)]
    assert [word for word in words if word not in WORDS] == []


def test_every_folder_is_named() -> None:
    folders = {path.parent.relative_to(ROOT).as_posix() for path in SOURCES}
    assert {one for one in folders if one.replace("/", ".") not in PAGE and one not in PAGE} <= {
        "syncer/ledger/migrations",
        "syncer/ledger/migrations/versions",
    }


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.name)
def test_decisions_name_modules_and_names_that_are_there(page: Path) -> None:
    files = {path.name for path in SOURCES}
    for word in code(page.read_text("utf-8")):
        if re.fullmatch(r"\w+\.py", word):
            assert word in files
        elif re.fullmatch(r"[A-Z]\w+(\.\w+)?|[a-z]+_\w+", word):
            assert set(word.split(".")) <= WORDS


def test_the_glossary_is_in_order() -> None:
    table = PAGE[PAGE.index("## Glossary") :]
    words = re.findall(r"^\| ([a-z][^|]*) \|", table, re.M)[1:]
    assert words == sorted(words)
