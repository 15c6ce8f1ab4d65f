"""The settings that every connection has, and the types of values in account files."""

from __future__ import annotations

import os
import re
import stat
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, NamedTuple, TypeGuard
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr, StrictBool, ValidationInfo

from syncer.contract.profile import Profile

_AT_ONCE: Final = getattr(os, "O_NONBLOCK", 0)
"""Without this flag, opening a pipe would wait for a writer."""
_LONGEST_SECRET: Final = 64 * 1024
# A hundred years. An instant plus a much longer time would be after the end of the calendar.
_LONGEST: Final = timedelta(days=36_500)
# A name in DNS has at most 253 characters, and may end with a dot.
_LONGEST_NAME: Final = 254
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}
_DURATION: Final = re.compile(r"(\d++(?:\.\d++)?)\s*+(ms|s|m|h|d|w|y)")
_RATE: Final = re.compile(r"(\d{1,9})\s*+/\s*+(\d{1,9})?\s*+(ms|s|m|h|d)")
_URL: Final = re.compile(r"(?:(?![?#])[!-~])+")
# The last part has a letter: of numbers alone, such as 127.1, many programs make an IP address.
_NAME: Final = re.compile(r"(?:[a-z0-9_-]++\.)*+[0-9]*+[a-z_-][a-z0-9_-]*+", re.IGNORECASE)


class Rate(NamedTuple):
    """At most ``requests`` in any ``seconds``."""

    requests: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.requests}/{self.seconds:g}s"


def parse_duration(value: Any) -> timedelta:
    """Parse ``"90s"``, ``"1.5h"`` or ``0``. Raises `ValueError` with what was expected."""
    if isinstance(value, timedelta):
        return value
    if value == 0 and not isinstance(value, bool):
        return timedelta(0)
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None and value != "0":
        msg = 'expected a duration such as "90s", "10m" or "24h" (ms, s, m, h, d, w, y)'
        raise ValueError(msg)
    if match is None:
        return timedelta(0)
    seconds = float(match[1]) * _UNITS[match[2]]
    if seconds > _LONGEST.total_seconds():
        msg = f"expected a duration of at most {_LONGEST.days}d"
        raise ValueError(msg)
    return timedelta(seconds=seconds)


def parse_rates(value: Any) -> tuple[Rate, ...]:
    """Parse ``"5/s"``, ``"100/10s"`` or a list of them. Raises `ValueError` with what was expected."""
    texts = list(value) if isinstance(value, (list, tuple)) else [value]
    rates = []
    for text in texts:
        if isinstance(text, Rate):
            rates.append(text)
            continue
        match = _RATE.fullmatch(text.strip()) if isinstance(text, str) else None
        if match is None or not int(match[1]) or not int(match[2] or 1):
            msg = 'expected a rate such as "5/s" or "100/10s", or a list of them'
            raise ValueError(msg)
        rates.append(Rate(int(match[1]), int(match[2] or 1) * _UNITS[match[3]]))
    if not rates:
        msg = 'expected at least one rate such as "5/s"'
        raise ValueError(msg)
    return tuple(rates)


def check_base_url(url: str) -> str:
    """Accept https, and http on loopback only. Returns the URL without a trailing slash."""
    if "@" in url:
        msg = "expected a base URL without a user name or a password in it"
        raise ValueError(msg)
    try:
        parts = urlsplit(url)
        # The port is asked for its error: one that is no number raises only here.
        host, _port = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in {"http", "https"} or not _is_host(host) or not _URL.fullmatch(url):
        msg = "expected a base URL such as https://api.example.com"
        raise ValueError(msg)
    if parts.scheme == "http" and not _is_loopback(host):
        msg = f"expected https: plain http is allowed on loopback only, and {host} is not loopback"
        raise ValueError(msg)
    return url.rstrip("/")


def _is_host(host: str | None) -> TypeGuard[str]:
    """Whether this is a host name or an IP address. International names must be in their ``xn--`` form."""
    if not host:
        return False
    if len(host) <= _LONGEST_NAME and _NAME.fullmatch(host.removesuffix(".")):
        return True
    try:
        return bool(ip_address(host))
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class SecretReference(SecretStr):
    """A secret and its reference. The secret is looked up when it is first needed, unless `look_up` was called.

    ``place`` identifies the variable, file or keyring entry; it is equal for all account files that refer to the same
    one. ``file`` is the secret file, if there is one.
    """

    def __init__(self, reference: str, folder: Path) -> None:
        super().__init__("")
        self._scheme, _, self._name = reference.partition(":")
        self.file = folder / os.path.expanduser(self._name) if self._scheme == "file" else None  # noqa: PTH111 - raises nothing
        self.place = f"{self._scheme}:{os.path.realpath(self.file) if self.file else self._name}"

    @property
    def known(self) -> bool:
        """Whether the secret has been looked up."""
        return bool(self._secret_value)

    def look_up(self) -> None:
        """Look up the secret. Raises `ValueError` with what is missing; the text never contains the secret."""
        if self.file is not None:
            secret, missing = read_secret_file(self.file), f"the secret file {self.file} is empty"
        elif self._scheme == "env":
            secret = os.environ.get(self._name, "")
            missing = f"the environment variable {self._name} is not set; set it to the key and try again"
        else:
            # At the last slash, because the name of a service may contain some.
            secret, missing = _read_keyring(*self._name.rsplit("/", 1))
        if not secret.strip():
            raise ValueError(missing)
        if not secret.strip().isascii() or not secret.strip().isprintable():
            msg = f"{self._scheme}:{self._name} does not contain a key: it has characters that a header cannot have"
            raise ValueError(msg)
        # A file that an editor wrote ends with a newline, which would become part of the header.
        self._secret_value = secret.strip()

    def get_secret_value(self) -> str:
        """The secret. Raises what `look_up` raises."""
        if not self.known:
            self.look_up()
        return self._secret_value

    def __eq__(self, other: object) -> bool:
        """Whether both secrets are equal. If one is not looked up yet, whether both have the same place."""
        if not isinstance(other, SecretReference):
            return NotImplemented
        if self.known and other.known:
            from hmac import compare_digest

            return compare_digest(self._secret_value, other._secret_value)
        return self.place == other.place

    def __hash__(self) -> int:
        # Two secrets may become equal when they are looked up, and equal objects must have equal hashes.
        return 0


def resolve_secret(value: Any, info: ValidationInfo) -> SecretStr:
    """Turn ``env:NAME``, ``file:PATH`` or ``keyring:SERVICE/USER`` into the secret.

    Relative paths start at the account file's folder (``info.context["folder"]``). Raises `ValueError` with what is
    missing; the text never contains the secret. A literal secret is rejected. If ``info.context["secrets"]`` is false,
    the secret is looked up when it is used.
    """
    if isinstance(value, SecretStr):
        return value
    context = info.context or {}
    scheme, _, name = value.partition(":") if isinstance(value, str) else ("", "", "")
    if scheme not in {"env", "file", "keyring"} or not name or (scheme == "keyring" and "/" not in name):
        msg = "expected a reference to a secret, env:NAME, file:PATH or keyring:SERVICE/USER, never the secret itself"
        raise ValueError(msg)
    secret = SecretReference(value, Path(context.get("folder", ".")))
    # Whoever reads a whole account file collects them.
    context.get("references", []).append(secret)
    if context.get("secrets", True):
        secret.look_up()
    return secret


def read_secret_file(path: Path) -> str:
    """The text of a file of at most 64 KiB that only its owner can read. Raises `ValueError`."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | _AT_ONCE), "rb") as file:
            # Check the open file and not its path: another file may be there by now.
            found = os.fstat(file.fileno())
            # Windows has no such bits; there everybody would seem to read the file.
            if os.name == "posix" and found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                msg = f"others can read the secret file {path}; run: chmod 600 {path}"
                raise ValueError(msg)
            if not stat.S_ISREG(found.st_mode):
                msg = f"the secret file {path} cannot be read: it is not a file"
                raise ValueError(msg)
            secret = file.read(_LONGEST_SECRET + 1)
    except OSError as error:
        msg = f"the secret file {path} cannot be read: {error.strerror}"
        raise ValueError(msg) from None
    if len(secret) > _LONGEST_SECRET:
        msg = f"the secret file {path} cannot be read: it is too long to be a key"
        raise ValueError(msg)
    try:
        return secret.decode("utf-8")
    # Raised without its cause, which contains what was read.
    except UnicodeDecodeError:
        msg = f"the secret file {path} cannot be read: it is not a text"
        raise ValueError(msg) from None


def resolve_optional(value: Any, info: ValidationInfo) -> SecretStr | None:
    """Like `resolve_secret`, for a secret that may be left out."""
    return None if value is None else resolve_secret(value, info)


def _read_keyring(service: str, user: str) -> tuple[str, str]:
    try:
        # An extra, and slow to import: only an account whose key is kept there pays for it.
        import keyring
        import keyring.errors
    except ImportError:
        msg = "keyring: needs the keyring package; run: pip install 'crm-task-syncer[keyring]'"
        raise ValueError(msg) from None
    try:
        secret = keyring.get_password(service, user) or ""
    except keyring.errors.KeyringError as error:
        msg = f"the system's keyring cannot be read ({error}); use env: or file: instead"
        raise ValueError(msg) from None
    return secret, f"the keyring has no password of {service} for {user}; run: keyring set {service} {user}"


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Rates = Annotated[tuple[Rate, ...], BeforeValidator(parse_rates)]
BaseUrl = Annotated[str, AfterValidator(check_base_url)]
Secret = Annotated[SecretStr, BeforeValidator(resolve_secret)]
OptionalSecret = Annotated[SecretStr | None, BeforeValidator(resolve_optional)]


class StrictModel(BaseModel):
    """A frozen model that rejects unknown keys."""

    # Without the input: what somebody typed by mistake may be a secret.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ConnectionSettings(StrictModel):
    """The settings that every connection has. ``profile`` describes the CRM."""

    profile: ClassVar[Profile]

    base_url: BaseUrl
    rate: Rates
    create_missing_contacts: StrictBool = False

    @property
    def usual_rate(self) -> Rates:
        """The limits that apply if the account file names none."""
        usual = type(self).model_fields["rate"]
        return self.rate if usual.is_required() else usual.default

    @property
    def place(self) -> str | None:
        """The remote account, if the settings name it. ``None`` if only the key decides."""
        return None
