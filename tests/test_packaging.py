"""What is packaged: the wheel holds all that the program reads, and the image's recipe names what is there."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import typer

from syncer import __version__
from syncer.cli.app import app

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
IGNORED = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line]


def instructions() -> list[tuple[str, str]]:
    """Each instruction of the Dockerfile with what follows it, continued lines joined."""
    text = re.sub(r"\\\n", " ", "\n".join(line for line in DOCKERFILE.splitlines() if not line.startswith("#")))
    return [(name, rest.strip()) for line in text.splitlines() if line for name, _, rest in [line.partition(" ")]]


def test_every_file_that_is_no_code_is_in_the_wheel() -> None:
    globs = PROJECT["tool"]["setuptools"]["package-data"]
    for package in ("syncer", "adapters"):
        for path in (ROOT / package).rglob("*"):
            if path.is_dir() or path.suffix in {".py", ".pyc"}:
                continue
            covered = [
                glob
                for name, patterns in globs.items()
                for glob in patterns
                if fnmatch(path.relative_to(ROOT).as_posix(), f"{name.replace('.', '/')}/{glob}")
            ]
            assert covered, f"{path} is in no wheel"


def test_the_documents_that_come_with_it_are_there() -> None:
    for patterns in PROJECT["tool"]["setuptools"]["data-files"].values():
        for pattern in patterns:
            assert list(ROOT.glob(pattern)), pattern


def test_the_name_is_that_of_the_advice() -> None:
    name = PROJECT["project"]["name"]
    extras = PROJECT["project"]["optional-dependencies"]
    files = [path for folder in ("syncer", "adapters") for path in (ROOT / folder).rglob("*.py")]
    # Another package has the command's name.
    files += [*ROOT.glob("*.md"), *ROOT.glob("*.toml"), *(ROOT / "docs").rglob("*.md")]
    sources = [path.read_text("utf-8") for path in files]
    told = [found for text in sources for found in re.findall(r"pip install '([\w-]+)\[(\w+)\]'", text)]
    assert told
    assert all(package == name and extra in extras for package, extra in told)
    assert __version__.count(".") == 2


def test_the_image_copies_what_is_there_and_is_not_ignored() -> None:
    copied = [shlex.split(rest)[:-1] for name, rest in instructions() if name == "COPY" and "--from" not in rest]
    sources = [source for sources in copied for source in sources]
    assert {"pyproject.toml", "adapters", "syncer"} <= {source.removeprefix("./") for source in sources}
    for source in sources:
        assert (ROOT / source).exists(), source
        assert IGNORED[0] == "*"
        assert f"!{PurePosixPath(source)}" in IGNORED, f"{source} does not reach the build"


def test_the_image_has_all_that_the_build_reads() -> None:
    needed = {PROJECT["project"]["readme"], *PROJECT["project"]["license-files"], "constraints.txt"}
    for patterns in PROJECT["tool"]["setuptools"]["data-files"].values():
        needed |= {pattern.partition("/")[0] for pattern in patterns}
    assert {f"!{name}" for name in needed} <= set(IGNORED)


def test_the_image_installs_extras_that_exist() -> None:
    (extras,) = re.findall(r'"\.\[([\w,]+)\]"', DOCKERFILE)
    assert set(extras.split(",")) <= PROJECT["project"]["optional-dependencies"].keys()
    bases = {rest.split()[0] for name, rest in instructions() if name == "FROM"}
    (version,) = {tuple(map(int, re.findall(r"python:(\d+)\.(\d+)", base)[0])) for base in bases}
    assert version >= (3, 11)


def test_the_image_runs_as_nobody_in_particular_with_a_volume_and_a_health_check() -> None:
    found = dict(instructions())
    assert found["USER"] == "syncer"
    assert re.search(r"useradd .*--uid 10001 .*\bsyncer\b", found["RUN"])
    assert found["VOLUME"] == found["WORKDIR"] == "/accounts"
    assert "SYNCER_CONFIG=/accounts" in found["ENV"]
    assert "MALLOC_ARENA_MAX=2" in found["ENV"]
    order = [name for name, _ in instructions()]
    assert order.index("USER") > max(number for number, name in enumerate(order) if name in {"COPY", "RUN"})


def test_the_image_s_commands_are_commands() -> None:
    found = dict(instructions())
    root = typer.main.get_command(app)
    assert json.loads(found["ENTRYPOINT"]) == ["syncer"]
    health = found["HEALTHCHECK"]
    for words in (["syncer", *json.loads(found["CMD"])], json.loads(health[health.index("[") :])):
        program, name, *options = words
        command = root.commands[name]  # type: ignore[attr-defined]
        assert program == "syncer"
        assert set(options) <= {option for parameter in command.params for option in parameter.opts}
