"""The questions of ``syncer init``. A key is never shown, and stays in memory until everything is answered."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import AfterValidator, SecretStr, TypeAdapter, ValidationError

from syncer.cli.screens import Screen
from syncer.config.schema import check_name, check_region, check_timezone
from syncer.contract.profile import Choice, Profile
from syncer.domain.redact import protect

_CHECKS: Final = {"name": check_name, "timezone": check_timezone, "region": check_region}
_REFERENCE: Final = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:.+|keyring:.+/.+")
_ZONES: Final = "zoneinfo/"


def ask_account(file: Path) -> dict[str, str]:
    """The table ``[account]``."""
    name = file.stem if file.stem != "config" else "main"
    return {
        "name": _ask("Name of this account", "name", name),
        "timezone": _ask("Time zone in which times are shown", "timezone", _local_zone()),
        "region": _ask("Region of phone numbers without a country code", "region", "IN"),
    }


def _ask(text: str, key: str, default: str) -> str:
    while True:
        answer = str(typer.prompt(text, default=default)).strip()
        try:
            return str(TypeAdapter(Annotated[str, AfterValidator(_CHECKS[key])]).validate_python(answer))
        except ValidationError as error:
            typer.echo(error.errors()[0]["msg"].removeprefix("Value error, "), err=True)


def _local_zone() -> str:
    """The machine's own zone, where it can be told; else UTC."""
    for named in (os.environ.get("TZ", ""), os.path.realpath("/etc/localtime").partition(_ZONES)[2]):
        try:
            return check_timezone(named)
        except ValueError:
            continue
    return "UTC"


def tell_about(screen: Screen, profile: Profile) -> None:
    """Where the key is found, and which permissions it needs."""
    screen.say()
    screen.say(profile.title, "bold")
    screen.say(f"The key is {profile.where}.", indent=2)
    if profile.permissions:
        screen.say(f"It needs the permissions {', '.join(profile.permissions)}.", indent=2)
    if profile.team_permissions:
        screen.say(f"With {', '.join(profile.team_permissions)}, too, your team is offered here.", indent=2)


def wants(profile: Profile) -> bool:
    """Whether this CRM is to be connected."""
    return typer.confirm(f"Connect {profile.title}?", default=True)


def ask_secret(profile: Profile, before: str | SecretStr | None) -> str | SecretStr:
    """A key as it was pasted, or a reference to one. ``before`` is what was answered when this was asked last."""
    typer.echo("  Paste it (nothing is shown), or type where it is:")
    typer.echo("  env:NAME, file:PATH or keyring:SERVICE/USER")
    default: str | SecretStr | None = before
    if before is not None:
        typer.echo("  Enter keeps the one from before.")
    elif os.environ.get(profile.variable):
        default = f"env:{profile.variable}"
        typer.echo(f"  Enter takes the one in the environment variable {profile.variable}.")
    while True:
        # Without a terminal nothing is shown anyway, and hiding it would fail with a warning.
        answer = str(typer.prompt("  Key", default="", show_default=False, hide_input=sys.stdin.isatty())).strip()
        if not answer and default is not None:
            return default
        if _REFERENCE.fullmatch(answer):
            return answer
        if answer and answer.isascii() and answer.isprintable():
            protect(answer)
            return SecretStr(answer)
        typer.echo("  That is no key." if answer else "  Nothing arrived.", err=True)


def ask_more(profile: Profile, before: Mapping[str, Any]) -> dict[str, str]:
    """The other settings that a connection cannot do without."""
    return {
        key: str(typer.prompt(f"  {key} ({words})", default=before.get(key))).strip()
        for key, words in profile.more.items()
    }


def ask_choice(screen: Screen, choice: Choice) -> str:
    """The value of a setting, asked in words of people's work."""
    screen.say()
    screen.say(choice.question)
    values = list(choice.answers)
    for number, words in enumerate(choice.answers.values(), start=1):
        screen.say(f"{number}  {words}", indent=2)
    return values[int(_number("Your answer", len(values))) - 1]


def _number(text: str, most: int) -> str:
    while True:
        answer = str(typer.prompt(text, default="1")).strip()
        if answer in {str(number) for number in range(1, most + 1)}:
            return answer
        typer.echo(f"expected a number from 1 to {most}", err=True)


def ask_yes(text: str) -> bool:
    """A question that is answered with yes by Enter."""
    return typer.confirm(text, default=True)


def ask_each(texts: Mapping[str, str]) -> list[str]:
    """Those of these, by key, that are answered with yes."""
    return [key for key, text in texts.items() if typer.confirm(f"  {text}?", default=True)]
