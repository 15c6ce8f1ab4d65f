"""What an account file says, checked: the account, its ledger, its runs, its connections, routes and people."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import phonenumbers
from pydantic import AfterValidator, Field, ValidationInfo

from syncer.contract.settings import ConnectionSettings, Duration, StrictModel, resolve_secret
from syncer.domain.model import Kind
from syncer.domain.redact import protect

_NAME: Final = re.compile(r"[^\W_][\w .@+-]{0,99}")


def check_name(name: str) -> str:
    """Accept what can be a file's name: letters, digits, spaces and ``_.@+-``, a letter or digit first."""
    if not _NAME.fullmatch(name):
        msg = "expected a name of letters, digits, spaces and _ . @ + -, of at most 100 characters"
        raise ValueError(msg)
    return name


def check_timezone(name: str) -> str:
    """Accept a zone of the IANA database."""
    try:
        return ZoneInfo(name).key
    except (KeyError, ValueError, OSError):
        msg = "expected a time zone such as Asia/Kolkata, Europe/Berlin or UTC"
        raise ValueError(msg) from None


def check_region(region: str) -> str:
    """Accept a region that has a telephone numbering plan."""
    if region not in phonenumbers.SUPPORTED_REGIONS:
        msg = "expected a region of two capital letters such as IN, US or DE"
        raise ValueError(msg)
    return region


def check_interval(value: timedelta) -> timedelta:
    """Accept pauses that leave the CRMs and the processor some rest."""
    if value < timedelta(seconds=1):
        msg = "expected at least 1s"
        raise ValueError(msg)
    return value


def check_keep(value: timedelta) -> timedelta:
    """Accept what is long enough to tell what happened yesterday."""
    if value < timedelta(days=1):
        msg = "expected at least 1d"
        raise ValueError(msg)
    return value


def check_ledger(value: str, info: ValidationInfo) -> str:
    """Make the URL absolute; relative files start at the account file's folder (``info.context["folder"]``).

    Raises `ValueError` for other databases, and for a password that is written out.
    """
    if value.startswith(("env:", "file:", "keyring:")):
        value = resolve_secret(value, info).get_secret_value()
        protect(_password(value))
    elif _password(value):
        msg = "a password does not belong in this file: write env:NAME and put the whole URL there, or use ~/.pgpass"
        raise ValueError(msg)
    if value.startswith("postgresql+psycopg://"):
        return value
    file = value.removeprefix("sqlite:///")
    if file == value or file in {"", ":memory:"} or "?" in file:
        msg = "expected sqlite:///FILE or postgresql+psycopg://HOST/DATABASE"
        raise ValueError(msg)
    folder = Path((info.context or {}).get("folder", "."))
    # The name itself is not resolved: whoever opens it looks first whether it is a link.
    path = folder / os.path.expanduser(file)  # noqa: PTH111 - raises nothing
    return f"sqlite:///{path.parent.resolve() / path.name}"


def _password(url: str) -> str:
    try:
        parts = urlsplit(url)
        return parts.password or "".join(parse_qs(parts.query).get("password", ()))
    except ValueError:
        return ""


class AccountTable(StrictModel):
    """``[account]``: what the account is called, how its times are shown, how its phone numbers are read."""

    name: Annotated[str, AfterValidator(check_name)]
    timezone: Annotated[str, AfterValidator(check_timezone)] = "UTC"
    region: Annotated[str, AfterValidator(check_region)] = "IN"


class LedgerTable(StrictModel):
    """``[ledger]``: where the account's database is, how long it keeps history, and whether it is copied."""

    url: Annotated[str, AfterValidator(check_ledger)]
    keep: Annotated[Duration, AfterValidator(check_keep)] = timedelta(days=365)
    backup: Literal["daily", "off"] = "daily"


Count = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]


class SyncSettings(StrictModel):
    """``[sync]``: how often a run is made, and what it may do.

    A ``run_limit`` of 0 is no limit; a ``twin_window`` of 0 adopts no twins. ``cancelled`` says whether a task
    that was cancelled in Reply is closed elsewhere.
    """

    interval: Annotated[Duration, AfterValidator(check_interval)] = timedelta(seconds=60)
    twin_window: Duration = timedelta(seconds=60)
    default_due: Duration = timedelta(days=1)
    doubt_grace: Duration = timedelta(seconds=30)
    run_limit: Duration = timedelta(minutes=10)
    cancelled: Literal["close", "keep"] = "close"
    max_creates_per_run: Count = 500
    max_completions_per_run: Count = 500


class User(StrictModel):
    """One person of ``[[users]]``: ``ids`` are this person's user ids, as text, by system."""

    name: str
    ids: dict[str, str]


class Account(StrictModel):
    """One account file, checked. ``path`` is the file.

    ``routes`` has every kind; systems that are off are left out, and stand in ``routes_off`` where the file names them.
    ``chosen_routes`` are the kinds of which ``[routes]`` says so; the others go wherever they can be made.
    ``ledger_url`` is absolute and may hold a password.
    """

    name: str
    path: Path
    timezone: str
    region: str
    ledger_url: str = Field(repr=False)
    ledger_keep: timedelta = timedelta(days=365)
    ledger_backup: Literal["daily", "off"] = "daily"
    sync: SyncSettings
    connections: dict[str, ConnectionSettings]
    routes: dict[Kind, tuple[str, ...]]
    routes_off: tuple[tuple[Kind, str], ...] = ()
    chosen_routes: frozenset[Kind] = frozenset()
    users: tuple[User, ...] = ()

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which times are shown."""
        return ZoneInfo(self.timezone)
