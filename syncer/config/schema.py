"""The models of an account file: account, ledger, sync, connections, routes, users, events and alarms."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, InstanceOf, StrictBool, ValidationInfo

from syncer.config.regions import REGIONS
from syncer.contract.settings import (
    ConnectionSettings,
    Duration,
    Secret,
    SecretReference,
    StrictModel,
    check_base_url,
    resolve_secret,
)
from syncer.domain.fields import TaskField
from syncer.domain.model import Kind
from syncer.domain.redact import protect
from syncer.files import read_whole

LEAST_STUCK: Final = timedelta(minutes=15)
_LONGEST_KEY: Final = 64 * 1024
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_NAME: Final = re.compile(r"[^\W_][\w .@+-]{0,99}")


def check_name(name: str) -> str:
    """Accept names that can be a file name: letters, digits, spaces and ``_.@+-``, a letter or digit first."""
    # The ledger and the key files are named after the account.
    if not _NAME.fullmatch(name):
        msg = "expected a name of letters, digits, spaces and _ . @ + -, of at most 100 characters"
        raise ValueError(msg)
    return name


def check_timezone(name: str) -> str:
    """Accept a time zone of the IANA database."""
    try:
        return ZoneInfo(name).key
    # The name of a folder of the database, such as Europe, is an `OSError`.
    except (KeyError, ValueError, OSError):
        msg = "expected a time zone such as Asia/Kolkata, Europe/Berlin or UTC"
        raise ValueError(msg) from None


def check_region(region: str) -> str:
    """Accept a region with a telephone numbering plan."""
    if region not in REGIONS:
        msg = "expected a region of two capital letters such as IN, US or DE"
        raise ValueError(msg)
    return region


def check_interval(value: timedelta) -> timedelta:
    """Accept pauses of at least a second, to spare the CRMs and the processor."""
    if value < timedelta(seconds=1):
        msg = "expected at least 1s"
        raise ValueError(msg)
    return value


def check_keep(value: timedelta) -> timedelta:
    """Accept at least a day, so that the history shows what happened yesterday."""
    if value < timedelta(days=1):
        msg = "expected at least 1d"
        raise ValueError(msg)
    return value


def check_ledger(value: str, info: ValidationInfo) -> str:
    """Make the URL absolute. Relative files start at the account file's folder (``info.context["folder"]``).

    Raises `ValueError` for other databases, and for a URL with a password in the file.
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
    # Options after a question mark would become part of the file's name.
    if file == value or file in {"", ":memory:"} or "?" in file:
        msg = "expected sqlite:///FILE or postgresql+psycopg://HOST/DATABASE"
        raise ValueError(msg)
    folder = Path((info.context or {}).get("folder", "."))
    # The last part is not resolved: whoever opens the file checks first whether it is a link.
    path = folder / os.path.expanduser(file)  # noqa: PTH111 - raises nothing
    return f"sqlite:///{path.parent.resolve() / path.name}"


def _password(url: str) -> str:
    try:
        parts = urlsplit(url)
        # PostgreSQL takes a password among the parameters, too.
        return parts.password or "".join(parse_qs(parts.query).get("password", ()))
    except ValueError:
        return ""


class AccountTable(StrictModel):
    """``[account]``: its name, the time zone for display, and the region of phone numbers."""

    name: Annotated[str, AfterValidator(check_name)]
    timezone: Annotated[str, AfterValidator(check_timezone)] = "UTC"
    region: Annotated[str, AfterValidator(check_region)] = "IN"


class LedgerTable(StrictModel):
    """``[ledger]``: where the database is, how long history is kept, and whether it is backed up."""

    url: Annotated[str, AfterValidator(check_ledger)]
    keep: Annotated[Duration, AfterValidator(check_keep)] = timedelta(days=365)
    backup: Literal["daily", "off"] = "daily"


Count = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]


class SyncSettings(StrictModel):
    """``[sync]``: how often runs are made, and what they may do.

    A ``run_limit`` of 0 is no limit. A ``twin_window`` of 0 matches no twins. ``cancelled`` says whether a task that
    was cancelled in Reply is completed elsewhere; ``deleted`` says the same of a task with a deleted copy. ``edits``
    are the fields whose changes are copied.
    """

    interval: Annotated[Duration, AfterValidator(check_interval)] = timedelta(seconds=60)
    # Without it, a task that an automation creates in two CRMs would appear twice in each.
    twin_window: Duration = timedelta(seconds=60)
    default_due: Duration = timedelta(days=1)
    # Longer than we wait for the answer to a write, because a request may arrive after we gave it up.
    doubt_grace: Duration = timedelta(seconds=30)
    run_limit: Duration = timedelta(minutes=10)
    cancelled: Literal["close", "keep"] = "close"
    # A task that is missing may have been deleted by mistake, and a completion elsewhere cannot always be taken back.
    deleted: Literal["keep", "close"] = "keep"
    edits: tuple[TaskField, ...] = tuple(TaskField)
    # More at once is usually a first run or a mistake, so a person looks at the plan first.
    max_creates_per_run: Count = 500
    max_completions_per_run: Count = 500
    max_edits_per_run: Count = 500


def check_webhook(value: str, info: ValidationInfo) -> str:
    """Accept an address for alarms: https, or http on loopback, or a reference to a secret with such an address."""
    if value.startswith(("env:", "file:", "keyring:")):
        secret = resolve_secret(value, info)
        if not (info.context or {}).get("secrets", True):
            return value
        value = secret.get_secret_value()
        protect(value)
    parts = urlsplit(value)
    check_base_url(f"{parts.scheme}://{parts.netloc}")
    if not value.isascii() or not value.isprintable() or " " in value or parts.fragment:
        msg = "expected an address such as https://alarms.example.com/syncer"
        raise ValueError(msg)
    return value


def check_header(name: str) -> str:
    """Accept the name of an HTTP header."""
    if not _HEADER.fullmatch(name):
        msg = "expected the name of a header such as Authorization"
        raise ValueError(msg)
    return name


def read_public_key(value: str, info: ValidationInfo) -> str:
    """The text of the PEM file of ``file:PATH``. Relative paths start at the account file's folder."""
    context = info.context or {}
    if not value.startswith("file:") or value == "file:":
        msg = "expected a file with a public key, file:PATH"
        raise ValueError(msg)
    reference = SecretReference(value, Path(context.get("folder", ".")))
    context.get("references", []).append(reference)
    path = reference.file or Path()
    if not context.get("secrets", True):
        return ""
    try:
        text = read_whole(path, limit=_LONGEST_KEY).decode("ascii")
    except OSError as error:
        msg = f"the file {path} cannot be read: {error.strerror}"
        raise ValueError(msg) from None
    except UnicodeDecodeError:
        text = ""
    # Imported only if a key is set, because the import takes time.
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        load_pem_public_key(text.encode())
    except (ValueError, TypeError):
        msg = f"the file {path} does not contain a public key (PEM)"
        raise ValueError(msg) from None
    return text


class EventsTable(StrictModel):
    """``[events]``: the CRMs whose events the daemon accepts. Each is off by default."""

    superfone_secret: Secret | None = None
    superfone_header: Annotated[str, AfterValidator(check_header)] = "Authorization"
    reply_secret: Secret | None = None
    highlevel: StrictBool = False
    highlevel_public_key: Annotated[str, AfterValidator(read_public_key)] | None = None


class AlarmsTable(StrictModel):
    """``[alarms]``: when an account counts as stuck, and who receives its alarms.

    The default of ``stuck_after`` is three intervals, at least 15 minutes.
    """

    stuck_after: Annotated[Duration, AfterValidator(check_interval)] | None = None
    command: Annotated[str, Field(min_length=1)] | None = None
    webhook: Annotated[str, AfterValidator(check_webhook)] | None = Field(default=None, repr=False)
    notify: tuple[Secret, ...] = ()


class User(StrictModel):
    """One person of ``[[users]]``. ``ids`` are the person's user ids, as text, by system."""

    name: str
    ids: dict[str, str]


class Account(StrictModel):
    """One valid account file. ``path`` is the file.

    ``routes`` has all kinds, with the systems that have a connection. ``routes_off`` are the other systems that
    ``[routes]`` names. ``chosen_routes`` are the kinds in ``[routes]``; the others have the default route.
    ``ledger_url`` is absolute and may contain a password. ``references`` are all references of the file: those to
    secrets, and that to a public key.
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
    events: EventsTable = EventsTable()
    alarms: AlarmsTable = AlarmsTable()
    references: tuple[InstanceOf[SecretReference], ...] = ()

    @property
    def stuck_after(self) -> timedelta:
        """An alarm is sent if no run has succeeded for this time."""
        # One run may fail, and a CRM may be down for some minutes, without anybody having to act.
        return self.alarms.stuck_after or max(3 * self.sync.interval, LEAST_STUCK)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which times are shown."""
        return ZoneInfo(self.timezone)
