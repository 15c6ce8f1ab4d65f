"""Where the daemon listens: the address, the token and the public address, and the checks of these options."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from syncer.contract.settings import Secret, check_base_url
from syncer.domain.redact import protect

_TOKEN: Final = TypeAdapter(Secret)
_LEAST_TOKEN: Final = 16
_BACKLOG: Final = 16_384
"""The most connections that wait to be accepted. The system may allow fewer, and resets further ones."""
_LAST_PORT: Final = 65535


class CannotListen(Exception):
    """The page cannot be served with these options. The text says why, and what to type instead."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where to listen, and the token. ``token`` is empty if none is needed, ``public_url`` if there is none.

    ``public_url`` has no slash at its end. ``read_token`` reads the token again if it is in a file, and raises
    `CannotListen`.
    """

    host: str
    port: int
    token: str = ""
    public_url: str = ""
    read_token: Callable[[], str] | None = field(default=None, repr=False)

    @property
    def public_host(self) -> str:
        return (urlsplit(self.public_url).hostname or "") if self.public_url else ""

    @property
    def secure(self) -> bool:
        """Whether others open the page by https."""
        return self.public_url.startswith("https:")


def listening_of(listen: str, token: str | None, public_url: str | None) -> Listening:
    """Check the options of the command line. Raises `CannotListen`."""
    host, port = _address(listen)
    # The folder of now: the file is read again and again.
    read = partial(_token, token, Path.cwd()) if token else None
    secret = read() if read else ""
    url = _public(public_url) if public_url else ""
    if not secret and not is_loopback(host):
        msg = f"--listen {listen}: others can reach this address, so a token is needed: add --token file:PATH"
        raise CannotListen(msg)
    if not secret and url:
        msg = "--public-url: others can reach the page there, so a token is needed: add --token file:PATH"
        raise CannotListen(msg)
    return Listening(host, port, secret, url, read if token and token.startswith("file:") else None)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach this name or address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower().removesuffix(".") == "localhost"


def open_socket(listening: Listening) -> socket.socket:
    """Open the listening socket. Raises `CannotListen`, which names the address."""
    where = f"{listening.host}:{listening.port}"
    try:
        found = socket.getaddrinfo(listening.host, listening.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # IPv4 first: a name such as localhost has both, and one socket serves one of them.
        family, kind, protocol, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
        # Without the protocol's number asyncio would not switch off Nagle's algorithm.
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        msg = f"cannot listen on {where}: {error.strerror or error}"
        raise CannotListen(msg) from error
    try:
        # Else a daemon that is started again would have to wait until the system has forgotten old connections.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        msg = f"cannot listen on {where}: {error.strerror or error}; choose another address, or stop what uses it"
        raise CannotListen(msg) from error
    return listener


def _address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if not colon or not host or not port.isdecimal() or not port.isascii() or int(port) > _LAST_PORT:
        msg = f"--listen {listen}: expected HOST:PORT, such as 127.0.0.1:8080"
        raise CannotListen(msg)
    if ":" in host and not listen.startswith("["):
        msg = f"--listen {listen}: an IPv6 address is written in brackets, such as [::1]:8080"
        raise CannotListen(msg)
    return host, int(port)


def _token(reference: str, folder: Path) -> str:
    try:
        secret = _TOKEN.validate_python(reference, context={"folder": folder}).get_secret_value()
    except ValidationError as error:
        msg = f"--token: {error.errors()[0]['msg'].removeprefix('Value error, ')}"
        raise CannotListen(msg) from None
    if len(secret) < _LEAST_TOKEN:
        msg = f"--token: it is too short to be safe; expected at least {_LEAST_TOKEN} characters"
        raise CannotListen(msg)
    protect(secret)
    return secret


def _public(url: str) -> str:
    try:
        # Plain http is allowed here, for example inside a private network.
        scheme, _, rest = url.partition("://")
        address = check_base_url(f"https://{rest}")
        plain = scheme in {"http", "https"} and not urlsplit(address).path
    except ValueError as error:
        msg = f"--public-url: {error}"
        raise CannotListen(msg) from None
    if not plain:
        msg = "--public-url: expected an address without a path, such as https://syncer.example.com"
        raise CannotListen(msg)
    return f"{scheme}{address.removeprefix('https')}"
