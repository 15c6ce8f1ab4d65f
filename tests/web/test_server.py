"""The thread that serves, on a real socket: so many connections at once, and none for good."""

from __future__ import annotations

import resource
import socket
from collections.abc import Callable, Iterator

import pytest
from starlette.responses import PlainTextResponse

from syncer.web import server
from syncer.web.listening import Listening, open_socket
from syncer.web.server import WebThread, connections_at_once
from tests.support.cli_kit import PATIENCE

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
Connect = Callable[[], socket.socket]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Makes connections to a server that has room for two."""
    monkeypatch.setattr(server, "AT_ONCE", 2)
    listener = open_socket(Listening("127.0.0.1", 0))
    thread = WebThread(PlainTextResponse("here"), listener)
    thread.start()
    opened: list[socket.socket] = []

    def one() -> socket.socket:
        opened.append(socket.create_connection(listener.getsockname(), timeout=PATIENCE))
        return opened[-1]

    yield one
    for connection in opened:
        connection.close()
    thread.stop()


def asked(connection: socket.socket, rest: bytes = REQUEST) -> bytes:
    connection.sendall(rest)
    answer = b""
    while part := connection.recv(4096):
        answer += part
    return answer


def test_whoever_comes_when_there_is_no_room_waits_and_is_answered(connect: Connect) -> None:
    first, second = connect(), connect()
    for one in (first, second):
        one.sendall(REQUEST[:5])
    third = connect()
    third.sendall(REQUEST)
    third.settimeout(0.2)
    with pytest.raises(TimeoutError):
        third.recv(1)
    assert asked(first, REQUEST[5:]).endswith(b"here")
    third.settimeout(PATIENCE)
    assert third.recv(12) == b"HTTP/1.1 200"
    assert asked(second, REQUEST[5:]).endswith(b"here")


def test_who_never_ends_a_request_makes_room(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "ASKS_WITHIN", 0.1)
    slow = [connect(), connect()]
    for one in slow:
        one.sendall(REQUEST[:5])
    assert asked(connect()).endswith(b"here")
    assert [one.recv(1) for one in slow] == [b"", b""]


@pytest.mark.parametrize(
    ("limits", "raised", "room"),
    [
        ((256, 512), 512, 128),
        ((1024, 1_000_000), 4000, 1000),
        ((256, resource.RLIM_INFINITY), 4000, 1000),
        ((20_000, 20_000), None, 1000),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), None, 1000),
    ],
)
def test_a_run_has_files_left(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], raised: int | None, room: int
) -> None:
    """Ten thousand deliveries at once once took all files that the process may open, and every run failed."""
    asked_for: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _what: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _what, wanted: asked_for.append(wanted))
    assert connections_at_once() == room
    assert asked_for == ([] if raised is None else [(raised, limits[1])])


def test_where_the_limit_cannot_be_raised_there_are_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_what: int, _wanted: tuple[int, int]) -> None:
        raise OSError

    monkeypatch.setattr(resource, "getrlimit", lambda _what: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", refused)
    assert connections_at_once() == 256
