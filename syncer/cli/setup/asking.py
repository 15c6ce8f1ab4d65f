"""The questions of ``syncer init``. A key is never shown, and is only written when everything is answered."""

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
from syncer.contract.profile import Choice, Credential, Profile, WayIn
from syncer.domain.redact import protect

_CHECKS: Final = {"name": check_name, "timezone": check_timezone, "region": check_region}
_REFERENCE: Final = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:.+|keyring:.+/.+")
_ZONES: Final = "zoneinfo/"

Answered = str | SecretStr
"""A credential: a reference or plain text, or a secret that was pasted."""


def ask_account(file: Path) -> dict[str, str]:
    """Ask for the table ``[account]``."""
    # ``config.toml`` is the usual name, and as the name of an account it says nothing.
    name = file.stem if file.stem != "config" else "main"
    return {
        "name": _ask("Name of this account", "name", name),
        "timezone": _ask("Time zone in which times are shown", "timezone", _local_zone()),
        "region": _ask("Country of phone numbers without a country code (two letters)", "region", "IN"),
    }


def _ask(text: str, key: str, default: str) -> str:
    while True:
        answer = str(typer.prompt(text, default=default)).strip()
        try:
            return str(TypeAdapter(Annotated[str, AfterValidator(_CHECKS[key])]).validate_python(answer))
        except ValidationError as error:
            typer.echo(error.errors()[0]["msg"].removeprefix("Value error, "), err=True)


def _local_zone() -> str:
    """Return the machine's time zone if it can be found, else UTC."""
    for named in (os.environ.get("TZ", ""), os.path.realpath("/etc/localtime").partition(_ZONES)[2]):
        try:
            return check_timezone(named)
        except ValueError:
            continue
    return "UTC"


def tell_about(screen: Screen, profile: Profile) -> None:
    """Show where the key is found, and which permissions it needs."""
    screen.say()
    screen.say(profile.title, "bold")
    for way in profile.ways:
        screen.say(f"{_what_it_is(way, profile)} {way.where}.", indent=2)
    if profile.permissions:
        screen.say(f"It needs the permissions {', '.join(profile.permissions)}.", indent=2)
    if profile.team_permissions:
        screen.say(f"With {', '.join(profile.team_permissions)} as well, your team is offered here.", indent=2)


def _what_it_is(way: WayIn, profile: Profile) -> str:
    if len(profile.ways) == 1:
        return f"The {way.title} is"
    return f"{way.title}:"


def wants(profile: Profile) -> bool:
    """Ask whether to connect this CRM."""
    return typer.confirm(f"Connect {profile.title}?", default=True)


def ask_way(profile: Profile) -> WayIn:
    """Ask how to log in, if there are several ways."""
    ways = profile.ways
    if len(ways) == 1:
        return ways[0]
    typer.echo(f"  How does syncer log in to {profile.title}?")
    for number, way in enumerate(ways, start=1):
        typer.echo(f"  {number}  {way.title}")
    return ways[_number("  Your answer", len(ways)) - 1]


def ask_credentials(way: WayIn, before: Mapping[str, Answered]) -> dict[str, Answered]:
    """Ask for the settings of a way to log in. ``before`` are the answers of the last time."""
    if any(credential.secret for credential in way.credentials):
        it = "it" if len(way.credentials) == 1 else "each secret"
        typer.echo(f"  Paste {it} (nothing is shown), or type where it is:")
        typer.echo("  env:NAME, file:PATH or keyring:SERVICE/USER")
    if way.note:
        typer.echo(f"  {way.note}")
    return {
        one.setting: _ask_secret(one, before.get(one.setting)) if one.secret else _ask_plain(one, before)
        for one in way.credentials
    }


def _ask_plain(credential: Credential, before: Mapping[str, Answered]) -> str:
    return str(typer.prompt(f"  {_headed(credential)}", default=before.get(credential.setting))).strip()


def _ask_secret(credential: Credential, before: Answered | None) -> Answered:
    """Ask for a secret or a reference to one."""
    default = before
    if before is not None:
        typer.echo("  Press Enter to keep the one from before.")
    elif os.environ.get(credential.variable):
        default = f"env:{credential.variable}"
        typer.echo(f"  Press Enter to use the environment variable {credential.variable}.")
    while True:
        # Without a terminal nothing is shown anyway, and hiding the input would print a warning.
        asked = f"  {_headed(credential)}"
        answer = str(typer.prompt(asked, default="", show_default=False, hide_input=sys.stdin.isatty())).strip()
        if not answer and default is not None:
            return default
        if _REFERENCE.fullmatch(answer):
            return answer
        # A key is sent in a header, which takes nothing else.
        if answer and answer.isascii() and answer.isprintable():
            # From here on it is masked, in whatever error the test of the key may end.
            protect(answer)
            return SecretStr(answer)
        typer.echo(
            f"  That is not a valid {credential.words}; paste it again."
            if answer
            else "  Nothing was typed or pasted.",
            err=True,
        )


def _headed(credential: Credential) -> str:
    return credential.words[:1].upper() + credential.words[1:]


def ask_more(profile: Profile, before: Mapping[str, Any]) -> dict[str, str]:
    """Ask for the other required settings of a connection."""
    return {
        key: str(typer.prompt(f"  {key} ({words})", default=before.get(key))).strip()
        for key, words in profile.more.items()
    }


def ask_choice(screen: Screen, choice: Choice) -> str:
    """Ask for the value of a setting, in the words of people's work."""
    screen.say()
    screen.say(choice.question)
    values = list(choice.answers)
    for number, words in enumerate(choice.answers.values(), start=1):
        screen.say(f"{number}  {words}", indent=2)
    return values[_number("Your answer", len(values)) - 1]


def _number(text: str, most: int) -> int:
    while True:
        answer = str(typer.prompt(text, default="1")).strip()
        if answer in {str(number) for number in range(1, most + 1)}:
            return int(answer)
        typer.echo(f"type a number from 1 to {most}", err=True)


def ask_yes(text: str) -> bool:
    """Ask a question. Enter means yes."""
    return typer.confirm(text, default=True)


def ask_each(texts: Mapping[str, str]) -> list[str]:
    """Ask for each of these. Returns the keys that were answered with yes."""
    return [key for key, text in texts.items() if typer.confirm(f"  {text}?", default=True)]
