"""What every connection's table in an account file has, and the units that are written there."""

from __future__ import annotations

import os
import re
import stat
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, TypeGuard
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr, StrictBool, ValidationInfo

_LONGEST: Final = timedelta(days=36_500)
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_RATE: Final = re.compile(r"(\d{1,9})\s*/\s*(\d{1,9})?\s*(ms|s|m|h|d)")
_URL: Final = re.compile(r"(?:(?![?#])[!-~])+")
_NAME: Final = re.compile(r"(?:[a-z0-9_-]+\.)*[a-z0-9_-]*[a-z_-][a-z0-9_-]*\.?", re.IGNORECASE)


class Rate(NamedTuple):
    """At most ``requests`` in any ``seconds``."""

    requests: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.requests}/{self.seconds:g}s"


def parse_duration(value: Any) -> timedelta:
    """Read ``"90s"``, ``"1.5h"`` or ``0``; raise `ValueError` with what was expected."""
    if isinstance(value, timedelta):
        return value
    if value == 0 and not isinstance(value, bool):
        return timedelta(0)
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None and value != "0":
        msg = 'expected a duration such as "90s", "10m" or "24h" (ms, s, m, h, d)'
        raise ValueError(msg)
    if match is None:
        return timedelta(0)
    seconds = float(match[1]) * _UNITS[match[2]]
    if seconds > _LONGEST.total_seconds():
        msg = f"expected a duration of at most {_LONGEST.days}d"
        raise ValueError(msg)
    return timedelta(seconds=seconds)


def parse_rates(value: Any) -> tuple[Rate, ...]:
    """Read ``"5/s"``, ``"100/10s"`` or a list of them; raise `ValueError` with what was expected."""
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
    """Accept https anywhere and http on loopback; give it back without a trailing slash."""
    if "@" in url:
        msg = "expected a base URL without a user name or a password in it"
        raise ValueError(msg)
    try:
        parts = urlsplit(url)
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
    """Whether it is a name or an address; names of other scripts are written in their ``xn--`` form."""
    if not host:
        return False
    if _NAME.fullmatch(host):
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


def resolve_secret(value: Any, info: ValidationInfo) -> SecretStr:
    """Turn ``env:NAME``, ``file:PATH`` or ``keyring:SERVICE/USER`` into the secret it names.

    Relative paths start at the account file's folder (``info.context["folder"]``). Raises `ValueError`
    that says what is missing, never with the secret in it; a literal secret is refused.
    """
    if isinstance(value, SecretStr):
        return value
    scheme, _, name = value.partition(":") if isinstance(value, str) else ("", "", "")
    if scheme == "env" and name:
        secret = os.environ.get(name, "")
        missing = f"the environment variable {name} is not set; set it to the key and try again"
    elif scheme == "file" and name:
        folder = Path((info.context or {}).get("folder", "."))
        secret, missing = _read_secret_file(folder / os.path.expanduser(name))  # noqa: PTH111 - raises nothing
    elif scheme == "keyring" and "/" in name:
        secret, missing = _read_keyring(*name.rsplit("/", 1))
    else:
        msg = "expected a reference to a secret, env:NAME, file:PATH or keyring:SERVICE/USER, never the secret itself"
        raise ValueError(msg)
    if not secret.strip():
        raise ValueError(missing)
    if not secret.strip().isascii() or not secret.strip().isprintable():
        msg = f"what {scheme}:{name} holds is no key: it has characters that cannot be sent in a header"
        raise ValueError(msg)
    return SecretStr(secret.strip())


def _read_secret_file(path: Path) -> tuple[str, str]:
    try:
        if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            msg = f"others can read the secret file {path}; run: chmod 600 {path}"
            raise ValueError(msg)
        return path.read_text("utf-8"), f"the secret file {path} is empty"
    except (OSError, UnicodeDecodeError) as error:
        msg = f"the secret file {path} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}"
        raise ValueError(msg) from None


def _read_keyring(service: str, user: str) -> tuple[str, str]:
    try:
        import keyring
        import keyring.errors
    except ImportError:
        msg = "keyring: needs the keyring package; run: pip install 'syncer[keyring]'"
        raise ValueError(msg) from None
    try:
        secret = keyring.get_password(service, user) or ""
    except keyring.errors.KeyringError as error:
        msg = f"the system's keyring cannot be read ({error}); env: or file: work everywhere"
        raise ValueError(msg) from None
    return secret, f"the keyring has no password of {service} for {user}; run: keyring set {service} {user}"


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Rates = Annotated[tuple[Rate, ...], BeforeValidator(parse_rates)]
BaseUrl = Annotated[str, AfterValidator(check_base_url)]
Secret = Annotated[SecretStr, BeforeValidator(resolve_secret)]


class StrictModel(BaseModel):
    """Frozen, and a key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ConnectionSettings(StrictModel):
    """The keys that every connection's table has."""

    base_url: BaseUrl
    rate: Rates
    create_missing_contacts: StrictBool = False
