"""``syncer init``: ask for the connections, test each, and write an account file that only its owner can read."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import typer
from pydantic import SecretStr

from syncer.cli.commands.check import show_checks
from syncer.cli.errors import UsageError
from syncer.cli.progress_bars import shown_progress
from syncer.cli.screens import Screen
from syncer.cli.session import Session
from syncer.cli.setup.account_file import refuse_existing, write_account
from syncer.cli.setup.asking import (
    Answered,
    ask_account,
    ask_choice,
    ask_credentials,
    ask_each,
    ask_more,
    ask_way,
    ask_yes,
    tell_about,
    wants,
)
from syncer.cli.setup.people import Match, match
from syncer.cli.setup.trying import KeyTried, settings_of, try_settings
from syncer.config.loader import LEAST_CONNECTIONS, check_tables
from syncer.config.problems import Complaints, ConfigError
from syncer.config.registry import label_of, offers, profile
from syncer.contract.profile import Profile
from syncer.domain.model import Kind
from syncer.domain.report import Exit
from syncer.files import read_whole

_LONGEST: Final = 1024 * 1024


def init(session: Session, file: Path, addresses: Mapping[str, str]) -> int:
    """Ask, test and write. ``addresses`` are base URLs for a sandbox, by system.

    Nothing is written before the last answer, so an interrupted command leaves nothing behind.
    """
    session.configure_log()
    try:
        refuse_existing(file)
        tables, keys = _Questions(session.screen, file, addresses).ask()
        write_account(file, tables, keys)
    except UsageError as error:
        return session.fail(None, error)
    _tell_what_is_next(session.screen, file)
    return Exit.DONE


def init_from(session: Session, answers: Path, file: Path, addresses: Mapping[str, str]) -> int:
    """Do the same without questions, with the tables in ``answers``. Returns 1 if a connection does not work."""
    session.configure_log()
    try:
        refuse_existing(file)
        tables = _answers(answers)
        for system, address in addresses.items():
            # Anything else than a table is told by the check of the tables.
            if isinstance(tables.get(system), dict):
                tables[system] = {**tables[system], "base_url": address}
        account = check_tables(file, tables)
        # An account without a name has that of its file, and the names of key files begin with it.
        tables["account"] = {**tables.get("account", {}), "name": account.name}
        works = True
        for system, settings in account.connections.items():
            with shown_progress(label_of(system), {}, shown=not session.quiet) as progress:
                progress("testing the key")
                tried = try_settings(system, settings, region=account.region, timezone=account.timezone)
            show_checks(session.screen, system, tried.checks)
            works &= tried.works
        if not works:
            session.screen.say(
                f"{file} was not written, because not everything works; correct {answers} and type it again", "red"
            )
            return Exit.PARTIAL
        # The account comes first, as in the example.
        write_account(file, dict(sorted(tables.items(), key=lambda table: table[0] != "account")), {})
    except (UsageError, ConfigError) as error:
        return session.fail(None, error)
    _tell_what_is_next(session.screen, file)
    return Exit.DONE


def _answers(answers: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_whole(answers, limit=_LONGEST).decode("utf-8-sig"))
    except OSError as error:
        msg = f"{answers}: the answers cannot be read: {error.strerror}"
        raise UsageError(msg) from error
    except (ValueError, RecursionError) as error:
        msg = f"{answers}: this is not TOML: {error}; it must have the tables of an account file"
        raise UsageError(msg) from error


def _tell_what_is_next(screen: Screen, file: Path) -> None:
    option = "" if file == Path("config.toml") else f" -c {file}"
    screen.say()
    screen.say(f"wrote {file}", "bold green")
    screen.say("see what a first run would do (this writes nothing):")
    screen.say(f"syncer plan{option}", "bold", indent=2)
    screen.say("then run once, or start the daemon:")
    screen.say(f"syncer sync --once{option}", "bold", indent=2)
    screen.say(f"syncer sync{option}", "bold", indent=2)


class _Questions:
    """The questions, and the answers so far."""

    def __init__(self, screen: Screen, file: Path, addresses: Mapping[str, str]) -> None:
        self._screen = screen
        self._file = file
        self._addresses = addresses
        self._tables: dict[str, Any] = {}
        self._keys: dict[tuple[str, str], str] = {}
        self._tried: dict[str, KeyTried] = {}

    def ask(self) -> tuple[dict[str, Any], dict[tuple[str, str], str]]:
        """Return the tables of an account file, and the pasted keys by table and setting. Raises `UsageError`."""
        self._tables["account"] = ask_account(self._file)
        for system, about in offers():
            tell_about(self._screen, about)
            self._connect(system, about)
        if len(self._tried) < LEAST_CONNECTIONS:
            msg = "an account needs at least two connections; nothing was written; to begin again, type: syncer init"
            raise UsageError(msg)
        self._choose()
        self._offer_kinds()
        self._offer_people()
        return self._tables, self._keys

    def _connect(self, system: str, about: Profile) -> None:
        answered: dict[str, Answered] = {}
        more: dict[str, str] = {}
        while wants(about):
            credentials = ask_credentials(ask_way(about), answered)
            # Kept, so that whoever mistyped one of them need not paste the others again.
            answered |= credentials
            more = ask_more(about, more)
            address = {"base_url": self._addresses[system]} if system in self._addresses else {}
            table = {**credentials, **more, **address}
            tried = self._try(system, table)
            if tried is not None and tried.works:
                for setting, answer in credentials.items():
                    if isinstance(answer, SecretStr):
                        self._keys[system, setting] = answer.get_secret_value()
                self._tables[system] = table
                self._tried[system] = tried
                return
            typer.echo("Answer again, or skip this CRM for now.", err=True)

    def _try(self, system: str, table: Mapping[str, Any]) -> KeyTried | None:
        complaints = Complaints(self._file)
        settings = settings_of(system, table, complaints)
        for line in complaints.lines:
            typer.echo(line.removeprefix(f"{self._file}: "), err=True)
        if settings is None:
            return None
        account = self._tables["account"]
        try:
            with shown_progress(label_of(system), {}, shown=True) as progress:
                progress("testing the key and reading open tasks")
                tried = try_settings(system, settings, region=account["region"], timezone=account["timezone"])
        except ValueError as error:
            raise UsageError(str(error)) from error
        show_checks(self._screen, system, tried.checks)
        return tried

    def _choose(self) -> None:
        """Ask for the settings that depend on how people work."""
        for system in self._tried:
            for choice in profile(system).choices:
                self._tables[system][choice.setting] = ask_choice(self._screen, choice)

    def _offer_kinds(self) -> None:
        """Ask which kinds of open tasks to sync. Each of the others gets an empty route in ``[routes]``."""
        found: dict[Kind, list[str]] = {}
        for system, tried in self._tried.items():
            for kind, number in (tried.kinds or {}).items():
                found.setdefault(kind, []).append(f"{number} in {label_of(system)}")
        if not found:
            return
        in_order = sorted(found, key=list(Kind).index)
        texts = {kind.value: f"{kind.label} ({kind.value}): {', '.join(found[kind])}" for kind in in_order}
        self._screen.say()
        self._screen.say("These kinds of task are open now:")
        for text in texts.values():
            self._screen.say(text, indent=2)
        if not ask_yes("Sync all of them?"):
            left_out = texts.keys() - set(ask_each(texts))
            if left_out:
                self._tables["routes"] = {kind: [] for kind in texts if kind in left_out}

    def _offer_people(self) -> None:
        """Ask which users are one person, matched by e-mail and name. Others can be added to ``[[users]]`` by hand."""
        matches, left = match({system: tried.team for system, tried in self._tried.items() if tried.team})
        if not matches:
            return
        self._screen.say()
        self._screen.say(
            "Each line seems to be one person. A task that they have in one CRM is assigned to them in the others:"
        )
        systems = [system for system in self._tried if any(system in one.ids for one in matches)]
        rows = [[one.name, *(one.ids.get(system, "") for system in systems)] for one in matches]
        self._screen.table(["person", *map(label_of, systems)], rows)
        # They can be the same person all the same, under another address. People add those by hand.
        for system, member in left:
            self._screen.say(f"only in {label_of(system)}: {member.name} ({member.id})", indent=2)
        right = [one.name for one in matches]
        if not ask_yes("Are all of these right?"):
            right = ask_each({one.name: one.name for one in matches})
        if right:
            self._tables["users"] = [_user(one) for one in matches if one.name in right]


def _user(one: Match) -> dict[str, int | str]:
    return {"name": one.name, **{system: _as_id(user) for system, user in one.ids.items()}}


def _as_id(user: str) -> int | str:
    # A number as people see it there. With leading zeros it would be another id.
    return int(user) if user.isascii() and user.isdigit() and len(user) < 19 and str(int(user)) == user else user
