"""``syncer init``: ask for the connections, test each, and write an account file that its owner alone can read."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from itertools import chain, count
from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import typer
from pydantic import AfterValidator, TypeAdapter, ValidationError

from syncer.cli.commands.check import show_checks, try_connection, without_retries
from syncer.cli.errors import UsageError
from syncer.cli.session import Session
from syncer.config.loader import LEAST_CONNECTIONS
from syncer.config.problems import Complaints
from syncer.config.registry import make_adapter, offers, settings_model
from syncer.config.schema import check_name, check_region, check_timezone
from syncer.contract.adapter import Check
from syncer.contract.profile import Profile
from syncer.contract.settings import ConnectionSettings
from syncer.domain.report import Exit
from syncer.files import write_new

_CHECKS: Final = {"name": check_name, "timezone": check_timezone, "region": check_region}
_HEAD: Final = "# Written by `syncer init`. config.example.toml shows every key with its default.\n"


def init(session: Session, file: Path, addresses: Mapping[str, str]) -> int:
    """Ask, test, write. ``addresses`` are base URLs other than the CRMs' own, for a sandbox.

    Where nothing comes of it, no key stays behind, either.
    """
    session.configure_log()
    keys: set[Path] = set()
    try:
        _refuse_existing(file)
        tables = {"account": _ask_account(file)}
        folder = file.absolute().parent
        tables |= _ask_connections(session, folder, tables["account"], addresses, keys)
        _write_private(file, _HEAD + _toml(tables))
    except UsageError as error:
        _remove(keys)
        return session.fail(None, error)
    except BaseException:
        _remove(keys)
        raise
    option = "" if file == Path("config.toml") else f" --config {file}"
    session.screen.say(f"wrote {file}", "bold green")
    session.screen.say("look at what a first run would do, which writes nothing:")
    session.screen.say(f"syncer plan{option}", "bold", indent=2)
    session.screen.say("then run once, or for good:")
    session.screen.say(f"syncer sync --once{option}", "bold", indent=2)
    session.screen.say(f"syncer sync{option}", "bold", indent=2)
    return Exit.DONE


def _refuse_existing(file: Path) -> None:
    if os.path.lexists(file):
        msg = f"{file} is there already and is not overwritten; name another one with: syncer init --file PATH"
        raise UsageError(msg)
    if not os.path.isdir(file.absolute().parent):  # noqa: PTH112 - raises nothing
        msg = f"the folder {file.absolute().parent} does not exist; make it first"
        raise UsageError(msg)


def _ask_account(file: Path) -> dict[str, str]:
    name = file.stem if file.stem != "config" else "main"
    return {
        "name": _ask("Name of this account", "name", name),
        "timezone": _ask("Time zone in which times are shown", "timezone", os.environ.get("TZ") or "UTC"),
        "region": _ask("Region of phone numbers without a country code", "region", "IN"),
    }


def _ask(text: str, key: str, default: str) -> str:
    while True:
        answer = str(typer.prompt(text, default=default)).strip()
        try:
            return str(TypeAdapter(Annotated[str, AfterValidator(_CHECKS[key])]).validate_python(answer))
        except ValidationError as error:
            typer.echo(error.errors()[0]["msg"].removeprefix("Value error, "), err=True)


def _ask_connections(
    session: Session, folder: Path, account: Mapping[str, str], addresses: Mapping[str, str], keys: set[Path]
) -> dict[str, dict[str, str]]:
    tables: dict[str, dict[str, str]] = {}
    for system, question in offers():
        while typer.confirm(f"Connect {question.title}?", default=True):
            table = _ask_connection(folder, system, question, addresses, keys)
            if _works(session, folder, system, table, account):
                tables[system] = table
                break
            typer.echo("Answer again, or leave it out for now.", err=True)
    if len(tables) < LEAST_CONNECTIONS:
        msg = "an account needs at least two connections; nothing was written, begin again with: syncer init"
        raise UsageError(msg)
    return tables


def _ask_connection(
    folder: Path, system: str, question: Profile, addresses: Mapping[str, str], keys: set[Path]
) -> dict[str, str]:
    table = {question.setting: _ask_secret(folder, system, question, keys)}
    for key, words in question.more.items():
        table[key] = str(typer.prompt(f"{key} ({words})")).strip()
    if system in addresses:
        table["base_url"] = addresses[system]
    return table


def _ask_secret(folder: Path, system: str, question: Profile, keys: set[Path]) -> str:
    """A reference to the secret; a key that is typed in goes into a file of its own, which is one of ``keys``."""
    typer.echo(f"The key is {question.where}.")
    words = "Environment variable that holds it (or - to type it in, into a file of its own)"
    variable = str(typer.prompt(words, default=question.variable)).strip()
    if variable != "-":
        return f"env:{variable}"
    # Without a terminal nothing is shown anyway, and hiding it would fail with a warning.
    secret = str(typer.prompt("Key", hide_input=sys.stdin.isatty())).strip()
    file = _key_file(folder, system, keys)
    file.unlink(missing_ok=True)
    _write_private(file, secret + "\n")
    keys.add(file)
    return f"file:{file.name}"


def _key_file(folder: Path, system: str, ours: Collection[Path]) -> Path:
    """A file for a key: one that we wrote before, or one that is not there; what is there is another account's."""
    names = chain([f"{system}.key"], (f"{system}-{number}.key" for number in count(2)))
    return next(file for file in map(folder.joinpath, names) if file in ours or not os.path.lexists(file))


def _remove(keys: Iterable[Path]) -> None:
    for file in keys:
        with suppress(OSError):
            file.unlink()


def _works(session: Session, folder: Path, system: str, table: dict[str, str], account: Mapping[str, str]) -> bool:
    """Whether the settings are well formed and every check passes; what is wrong is said."""
    model = settings_model(system)
    try:
        settings = model.model_validate(table, context={"folder": folder})
    except ValidationError as error:
        complaints = Complaints(Path("answers"))
        complaints.add_errors(system, model, error)
        for line in complaints.lines:
            typer.echo(line, err=True)
        return False
    checks = asyncio.run(_check(system, settings, account))
    show_checks(session.screen, system, checks)
    return all(check.ok is not False for check in checks)


async def _check(system: str, settings: ConnectionSettings, account: Mapping[str, str]) -> list[Check]:
    adapter = make_adapter(system, settings, region=account["region"], zone=ZoneInfo(account["timezone"]))
    try:
        with without_retries():
            return await try_connection(adapter)
    finally:
        await adapter.aclose()


def _write_private(file: Path, content: str) -> None:
    try:
        write_new(file, content)
    except OSError as error:
        msg = f"{file} cannot be written: {error.strerror}"
        raise UsageError(msg) from error


def _toml(tables: Mapping[str, Mapping[str, str]]) -> str:
    # JSON's strings are TOML's, too.
    return "".join(
        f"\n[{name}]\n" + "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in table.items())
        for name, table in tables.items()
    )
