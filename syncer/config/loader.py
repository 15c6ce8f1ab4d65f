"""Find, read and check account files, and turn them into settings.

A file is TOML. It is checked completely before anything is sent, and all errors are reported at once in `ConfigError`.
"""

from __future__ import annotations

import os
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from syncer.config.clashes import clashes
from syncer.config.problems import Complaints, ConfigError, suggestion
from syncer.config.registry import (
    BUILT_IN,
    UnknownSystem,
    installed_systems,
    make_adapter,
    settings_model,
    shows_messages,
)
from syncer.config.schema import Account, AccountTable, AlarmsTable, EventsTable, LedgerTable, SyncSettings, User
from syncer.contract.settings import ConnectionSettings, SecretReference
from syncer.domain.model import MESSAGE_KINDS, Kind
from syncer.files import read_whole

if TYPE_CHECKING:
    from syncer.contract.adapter import Adapter

__all__ = ["Account", "ConfigError", "Found", "SyncSettings", "User", "build_adapters", "find_accounts", "load_account"]

EXAMPLE: Final = "config.example.toml"
VARIABLE: Final = "SYNCER_CONFIG"
DEFAULT_FILE: Final = Path("config.toml")
LEAST_CONNECTIONS: Final = 2

_ADVICE: Final = (
    f"write one with `syncer init`, or copy {EXAMPLE} to config.toml and fill it in; "
    "`syncer demo` shows everything without any account"
)
# More is no account file, but perhaps a log that a folder was named for.
_LONGEST: Final = 1024 * 1024
_TOO_LONG_FOR_AN_ID: Final = 2**63
_SECTIONS: Final = ("account", "ledger", "sync", "events", "alarms", "routes", "users")
_M = TypeVar("_M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Found:
    """The valid accounts, and one error for each other file or folder.

    ``files`` are the account files and the secret files that were read.
    """

    accounts: tuple[Account, ...]
    broken: tuple[ConfigError, ...]
    files: frozenset[Path]


def find_accounts(configs: Sequence[Path], env: Mapping[str, str], *, secrets: bool = True) -> Found:
    """Load the accounts of these files and folders, else of ``SYNCER_CONFIG``, else of ``./config.toml``.

    If ``secrets`` is false, secrets are looked up later, when a connection is opened.
    """
    files, broken = account_files(configs, env)
    accounts: list[Account] = []
    for path in files:
        try:
            accounts.append(load_account(path, secrets=secrets))
        except ConfigError as error:
            broken.append(error)
    clashing = clashes(accounts)
    broken += clashing.values()
    secret_files = {secret.file for account in accounts for secret in account.references if secret.file}
    fine = tuple(account for account in accounts if account.path not in clashing)
    return Found(fine, tuple(broken), frozenset((*files, *secret_files)))


def load_account(path: Path, *, secrets: bool = True) -> Account:
    """Read and check one account file. Raises `ConfigError` with all errors."""
    complaints = Complaints(path)
    tables = _read(path, complaints)
    # A file that is no TOML has no tables; every one of them would be another complaint.
    complaints.raise_if_any()
    return _Reader(path, tables, complaints, secrets=secrets).account()


def check_tables(path: Path, tables: dict[str, Any]) -> Account:
    """The account of a file that is not written yet, from its tables. Raises `ConfigError`."""
    return _Reader(path, tables, Complaints(path), secrets=True).account()


def build_adapters(account: Account, transports: Mapping[str, Any] | None = None) -> dict[str, Adapter]:
    """The account's adapters by system, in the account's order. ``transports`` replace the network in tests.

    Raises `ConfigError` for a missing secret, or if the proxy of the environment cannot be used.
    """
    complaints = Complaints(account.path)
    for key, secret in secrets_of(account):
        try:
            # All of them at once. Otherwise each try would tell one more that is missing.
            secret.get_secret_value()
        except ValueError as error:
            complaints.add(key, str(error))
    complaints.raise_if_any()
    try:
        return {
            system: make_adapter(
                system,
                settings,
                region=account.region,
                zone=account.zone,
                transport=(transports or {}).get(system),
            )
            for system, settings in account.connections.items()
        }
    except ValueError as error:
        raise ConfigError([f"{account.path}: {error}"]) from error


def secrets_of(account: Account) -> Iterator[tuple[str, SecretReference]]:
    """The secrets of an account, each with its dotted key in the file."""
    tables: dict[str, BaseModel] = {**account.connections, "events": account.events, "alarms": account.alarms}
    for table, settings in tables.items():
        for key in type(settings).model_fields:
            value = getattr(settings, key)
            for secret in value if isinstance(value, tuple) else (value,):
                if isinstance(secret, SecretReference):
                    yield f"{table}.{key}", secret


def named_paths(configs: Sequence[Path], env: Mapping[str, str]) -> list[Path]:
    """The files and folders that are meant: these, else those of ``SYNCER_CONFIG``, else ``./config.toml``."""
    named = list(configs) or [Path(part) for part in env.get(VARIABLE, "").split(os.pathsep) if part.strip()]
    return named or [DEFAULT_FILE]


def account_files(configs: Sequence[Path], env: Mapping[str, str]) -> tuple[list[Path], list[ConfigError]]:
    """The account files, each once, and the errors of folders. A folder stands for all account files in it."""
    files: dict[str, Path] = {}
    broken: list[ConfigError] = []
    for path in named_paths(configs, env):
        found = [path]
        if os.path.isdir(path):  # noqa: PTH112 - raises nothing
            try:
                found = sorted(path / name for name in os.listdir(path) if _is_account_file(name))  # noqa: PTH208
            except OSError as error:
                broken.append(ConfigError([f"{path}: the folder cannot be read: {error.strerror}"]))
                continue
            if not found:
                broken.append(ConfigError([f"{path}: this folder has no account file (*.toml); {_ADVICE}"]))
        for file in found:
            # A file that is named twice, or once more through a link, is one account.
            files.setdefault(os.path.realpath(file), file)
    return list(files.values()), broken


def _is_account_file(name: str) -> bool:
    # An editor's hidden draft is no account, and the example is none, either.
    return name.endswith(".toml") and not name.startswith(".") and name != EXAMPLE


def _read(path: Path, complaints: Complaints) -> dict[str, Any]:
    try:
        # Some editors begin a file with a byte order mark, which TOML does not know.
        return tomllib.loads(read_whole(path, limit=_LONGEST).decode("utf-8-sig"))
    except FileNotFoundError:
        complaints.add("", f"there is no such file; {_ADVICE}")
    except OSError as error:
        complaints.add("", f"the file cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        complaints.add("", "the file is not UTF-8 text")
    except tomllib.TOMLDecodeError as error:
        complaints.add("", f"this is not TOML: {error}")
    except ValueError:
        complaints.add("", "a number in this file has thousands of digits")
    except RecursionError:
        complaints.add("", "the values in this file are nested too deep")
    return {}


class _Reader:
    """Reads the tables of one file, and collects the errors."""

    def __init__(self, path: Path, tables: dict[str, Any], complaints: Complaints, *, secrets: bool) -> None:
        self._path = path
        self._references: list[SecretReference] = []
        self._context = {
            "folder": path.absolute().parent,
            "secrets": secrets,
            "references": self._references,
        }
        self._tables = tables
        self._complaints = complaints
        self._chosen: set[Kind] = set()

    def account(self) -> Account:
        account = self._table("account", AccountTable, {"name": self._path.stem})
        name = account.name if account else self._path.stem
        ledger = self._table("ledger", LedgerTable, {"url": f"sqlite:///{name}.db"})
        sync = self._table("sync", SyncSettings, {})
        events, alarms = self._table("events", EventsTable, {}), self._table("alarms", AlarmsTable, {})
        connections = self._connections()
        routes = self._routes(connections)
        users = self._users()
        self._complaints.raise_if_any()
        # Never: whatever is missing has left a complaint.
        if account is None or ledger is None or sync is None or events is None or alarms is None:
            raise AssertionError
        return Account(
            name=account.name,
            path=self._path,
            timezone=account.timezone,
            region=account.region,
            ledger_url=ledger.url,
            ledger_keep=ledger.keep,
            ledger_backup=ledger.backup,
            sync=sync,
            connections={system: settings for system, settings in connections.items() if settings},
            routes={kind: tuple(name for name in systems if name in connections) for kind, systems in routes.items()},
            # Kept for a warning: somebody meant a CRM that this file does not connect.
            routes_off=tuple(
                (kind, name)
                for kind, systems in routes.items()
                for name in systems
                if name not in connections and kind in self._tables.get("routes", {})
            ),
            chosen_routes=frozenset(self._chosen),
            users=users,
            events=events,
            alarms=alarms,
            references=tuple(self._references),
        )

    def _table(self, name: str, model: type[_M], defaults: dict[str, Any]) -> _M | None:
        """One table as this model; ``None`` if it is invalid."""
        table = self._tables.get(name, {})
        if not isinstance(table, dict):
            self._complaints.add(name, f"expected a table [{name}]")
            return None
        try:
            return model.model_validate({**defaults, **table}, context=self._context)
        except ValidationError as error:
            self._complaints.add_errors(name, model, error)
            return None

    def _connections(self) -> dict[str, ConnectionSettings | None]:
        """The settings of each connection, the built-in ones first; ``None`` if they are invalid."""
        present = [name for name in self._tables if name not in _SECTIONS]
        # This is the order of `Policy.systems`: the CRM that knows most kinds comes first.
        ordered = [name for name in BUILT_IN if name in present] + [name for name in present if name not in BUILT_IN]
        found: dict[str, ConnectionSettings | None] = {}
        for system in ordered:
            if _is_known(system):
                found[system] = self._connection(system)
            else:
                known = (*_SECTIONS, *installed_systems())
                self._complaints.add(system, f"unknown table{suggestion(system, known)}")
        if len(found) < LEAST_CONNECTIONS:
            there = ", ".join(f"[{name}]" for name in found) or "none"
            wanted = ", ".join(f"[{name}]" for name in BUILT_IN)
            self._complaints.add("", f"expected the tables of at least two connections ({wanted}), found {there}")
        return found

    def _connection(self, system: str) -> ConnectionSettings | None:
        try:
            model = settings_model(system)
        except UnknownSystem as error:
            self._complaints.add(system, str(error))
            return None
        return self._table(system, model, {})

    def _routes(self, connections: Iterable[str]) -> dict[Kind, tuple[str, ...]]:
        """The systems of each kind's route, including systems without a connection."""
        on = tuple(connections)
        for_messages = tuple(system for system in on if shows_messages(system))
        routes = {kind: for_messages if kind in MESSAGE_KINDS else on for kind in Kind}
        table = self._tables.get("routes", {})
        if not isinstance(table, dict):
            self._complaints.add("routes", "expected a table [routes]")
            table = {}
        for kind, systems in table.items():
            if kind in set(Kind):
                self._chosen.add(Kind(kind))
                routes[Kind(kind)] = self._systems(f"routes.{kind}", systems)
            else:
                self._complaints.add(f"routes.{kind}", f"unknown kind of task{suggestion(kind, Kind)}")
        return routes

    def _systems(self, key: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            self._complaints.add(key, f'expected a list of connections such as ["{next(iter(BUILT_IN))}"]')
            return ()
        for name in value:
            if not _is_known(name):
                self._complaints.add(key, f"{name} is no connection{suggestion(name, installed_systems())}")
        return tuple(dict.fromkeys(value))

    def _users(self) -> tuple[User, ...]:
        tables = self._tables.get("users", [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self._complaints.add("users", "expected tables [[users]]")
            return ()
        users = tuple(self._user(f"users[{index}]", table) for index, table in enumerate(tables))
        self._note_repeated("users.name", (user.name for user in users))
        for system in sorted({system for user in users for system in user.ids}):
            self._note_repeated(f"users.{system}", (user.ids[system] for user in users if system in user.ids))
        return users

    def _user(self, key: str, table: dict[str, Any]) -> User:
        name = table.get("name")
        if not isinstance(name, str) or not name.strip():
            self._complaints.add(f"{key}.name", "expected a name in quotes")
            # Goes on, so that all errors are told at once. An empty name is no second complaint, see `_note_repeated`.
            name = ""
        ids = {system: value for system, value in table.items() if system != "name"}
        for system, value in ids.items():
            if not _is_known(system):
                known = ("name", *installed_systems())
                self._complaints.add(f"{key}.{system}", f"unknown key{suggestion(system, known)}")
            elif not _is_user_id(value):
                self._complaints.add(f"{key}.{system}", "expected a user's id, a whole number or a text in quotes")
        return User(
            name=name.strip(), ids={system: str(value).strip() for system, value in ids.items() if _is_user_id(value)}
        )

    def _note_repeated(self, key: str, values: Iterable[str]) -> None:
        for value, count in Counter(values).items():
            if count > 1 and value:
                self._complaints.add(key, f"{count} users have {value}; each person has one entry")


def _is_known(system: str) -> bool:
    # In this order, because looking at all installed packages takes long.
    return system in BUILT_IN or system in installed_systems()


def _is_user_id(value: object) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    # Python refuses to write out a number of thousands of digits.
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _TOO_LONG_FOR_AN_ID
