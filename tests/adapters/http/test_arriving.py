"""Answers that are too large, too deep, packed, marked or written in a strange way, while they arrive."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import subprocess
import sys
import time
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.http import arriving
from adapters.http.answers import EXCERPT, excerpt, readable
from adapters.http.arriving import LARGEST, STEP, Unfit, receive
from adapters.http.client import Http
from syncer.contract.errors import AdapterError, BadAnswer, InDoubt, Unavailable
from tests.support.clock import run_virtual
from tests.support.http_client import KEY, WIDE, Thing, answers, got, http, nested, outcome, read

ROOT = Path(__file__).parents[3]


def packed(body: bytes) -> bytes:
    """In gzip, without the time: the bytes are in the names of the tests, which all workers must agree on."""
    return gzip.compress(body, mtime=0)


BOMB = packed(b" " * (3 * LARGEST))


class Pieces(httpx.AsyncByteStream):
    """A body that comes in these pieces; ``given`` counts what was taken of it."""

    def __init__(self, pieces: Callable[[], AsyncIterator[bytes]]) -> None:
        self.given = 0
        self.closed = False
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._pieces():
            self.given += len(piece)
            yield piece

    async def aclose(self) -> None:
        self.closed = True


async def endless(piece: bytes = b'{"id": 1}' * 1000) -> AsyncIterator[bytes]:
    while True:
        yield piece


def streaming(stream: Pieces, **headers: str) -> Http:
    return http(lambda _request: httpx.Response(200, headers=headers, stream=stream))


@pytest.mark.parametrize(("method", "error"), [("GET", BadAnswer), ("POST", InDoubt)])
@pytest.mark.parametrize("encoding", ["identity", "gzip", "deflate"])
def test_an_answer_without_an_end_is_broken_off(method: str, error: type[AdapterError], encoding: str) -> None:
    packer = zlib.compressobj(0, wbits={"gzip": 31}.get(encoding, 15))

    async def pieces() -> AsyncIterator[bytes]:
        async for piece in endless():
            yield piece if encoding == "identity" else packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)

    stream = Pieces(pieces)
    client = streaming(stream, **{"Content-Encoding": encoding})
    with pytest.raises(error, match="more than 32 MiB") as caught:
        run_virtual(got(client, method))
    assert type(caught.value) is error
    assert stream.closed
    assert LARGEST - 1_000_000 < stream.given < LARGEST + 1_000_000
    assert client.reads + client.writes == 1


def test_an_answer_that_says_it_is_too_long_is_not_even_read() -> None:
    stream = Pieces(endless)
    with pytest.raises(BadAnswer, match="more than 32 MiB"):
        run_virtual(got(streaming(stream, **{"Content-Length": str(LARGEST + 1)}), "GET"))
    assert stream.given == 0


@pytest.mark.parametrize("status", [400, 404, 503])
def test_a_refusal_without_an_end_is_no_refusal(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arriving, "LARGEST", 1 << 20)
    for method, error in (("GET", Unavailable), ("POST", InDoubt)):
        client = http(lambda _request: httpx.Response(status, stream=Pieces(endless)))
        assert type(run_virtual(outcome(client, method))) is error


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_bomb_is_unpacked_no_further_than_allowed(method: str) -> None:
    client = http(
        lambda _request: httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(BOMB))
    )
    with pytest.raises(BadAnswer if method == "GET" else InDoubt, match="more than 32 MiB"):
        run_virtual(got(client, method))


def test_what_is_just_small_enough_is_read() -> None:
    body = b'"' + b"x" * (LARGEST - 2) + b'"'
    assert len(str(read(body))) == LARGEST - 2
    assert len(str(read(gzip.compress(body), **{"Content-Encoding": "gzip"}))) == LARGEST - 2
    with pytest.raises(BadAnswer):
        read(body + b" ")


RAW = zlib.compressobj(wbits=-15)
THING = b'{"id": 7, "text": "' + b"abcdefghij" * 20_000 + b'"}'


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("", THING),
        ("identity", THING),
        ("gzip", packed(THING)),
        ("GZIP", packed(THING)),
        ("x-gzip", packed(THING)),
        ("gzip, identity", packed(THING)),
        ("gzip", packed(THING[:9]) + packed(THING[9:])),
        ("gzip", packed(THING) + b"\0" * 500),
        ("deflate", zlib.compress(THING)),
        ("deflate", RAW.compress(THING) + RAW.flush()),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1000, 10**9])
def test_what_was_asked_for_is_unpacked(encoding: str, body: bytes, size: int) -> None:
    if size == 1 and encoding == "deflate":
        size = 2

    async def main() -> bytes:
        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(body), size):
                yield body[start : start + size]

        return await receive(pieces(), {"Content-Encoding": encoding} if encoding else {})

    assert asyncio.run(main()) == THING


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("br", THING),
        ("zstd", THING),
        ("gzip, gzip", packed(packed(THING))),
        ("gzip", THING),
        ("gzip", packed(THING)[:-20]),
        ("gzip", packed(THING) + b"more"),
        ("deflate", b"\xff" * 100),
        ("chunked, \xff", THING),
    ],
)
def test_what_cannot_be_unpacked_is_garbage(encoding: str, body: bytes) -> None:
    for method, error in (("GET", BadAnswer), ("POST", InDoubt)):
        headers = [(b"Content-Encoding", encoding.encode("latin-1"))]
        client = http(lambda _request: httpx.Response(200, headers=headers, stream=httpx.ByteStream(body)))  # noqa: B023
        with pytest.raises(error):
            run_virtual(got(client, method))


# notations -------------------------------------------------------------------------------------------

WORDS = '{"id": 7, "name": "Aśa 📞"}'


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf" + WORDS.encode(),
        b"\xef\xbb\xbf\xef\xbb\xbf" + WORDS.encode(),
        b" \r\n\xef\xbb\xbf\n" + WORDS.encode() + b"\n\0\0",
        b"\0\0" + WORDS.encode() + b"\0",
        WORDS.encode("utf-16"),
        WORDS.encode("utf-16-le"),
        WORDS.encode("utf-16-be"),
        b"\xfe\xff" + WORDS.encode("utf-16-be"),
        WORDS.encode("utf-32"),
        WORDS.encode("utf-32-be"),
        b"\0\0\xfe\xff" + WORDS.encode("utf-32-be"),
        (" \n" + WORDS + "\0").encode("utf-16"),
    ],
)
def test_what_can_surely_be_read_is_read(body: bytes) -> None:
    assert read(body) == json.loads(WORDS)


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe" + WORDS.encode(),
        b"\xff\xfe{}",
        WORDS.encode("utf-16") + b"x",
        b"\xef\xbb\xbf",
        b"\0\0\0\0",
        b"",
        b"\xfe\xff",
        "[".encode("utf-16") * 5000,
        nested(150).decode().encode("utf-16"),
    ],
)
def test_what_cannot_surely_be_read_is_garbage(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        read(body)


@given(st.binary(max_size=50))
def test_any_bytes_are_read_or_garbage(body: bytes) -> None:
    with contextlib.suppress(Unfit):
        readable(body)


# texts of ours ---------------------------------------------------------------------------------------


def test_no_text_repeats_more_than_an_excerpt() -> None:
    long = "x y " * 1_000_000
    for reply in (
        httpx.Response(400, json={"message": long}),
        httpx.Response(400, json={"message": [long, {"a": long}]}),
        httpx.Response(400, text=long),
        httpx.Response(400, json={"title": "No", "errors": {long: [long]}}),
        httpx.Response(502, text=long),
        httpx.Response(200, json={"id": long}),
        httpx.Response(200, json={long: 1}),
        httpx.Response(200, text=long),
        httpx.ReadError(long),
        httpx.ConnectError(long),
        httpx.Response(503, extensions={"reason_phrase": long.encode()}),
    ):

        async def main(client: Http) -> AdapterError:
            with pytest.raises(AdapterError) as caught:
                (await client.write("POST", "/things")).parse(Thing)
            return caught.value

        error = run_virtual(main(http(answers(reply))))
        assert len(error.words) < 2 * EXCERPT + 200
        assert len(str(error)) < 2 * EXCERPT + 200


def test_a_key_that_is_cut_by_an_excerpt_is_not_told() -> None:
    http(answers(httpx.Response(200)))
    for cut in range(1, len(KEY)):
        body = KEY.encode() * 200 + b" " * (STEP - 200 * len(KEY) - cut) + KEY.encode()
        assert "k3y" not in excerpt(body)


@pytest.mark.parametrize("piece", ["no such ", "location ", "not found", "does ", "\x1b[2J", "[", "k3y/+ with "])
def test_a_long_refusal_is_understood_in_no_time(piece: str) -> None:
    from adapters.highlevel.adapter import RULES

    started = time.process_time()
    for body in (json.dumps({"message": piece * 100_000}), piece * 100_000, json.dumps({"message": piece * 5000})):
        client = http(answers(httpx.Response(400, content=body.encode())), rules=RULES)
        run_virtual(outcome(client, "POST"))
    assert time.process_time() - started < 1.5


# memory, on sockets ----------------------------------------------------------------------------------

PROGRAM = """
import asyncio, gzip, resource, sys
import structlog
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
from syncer.contract.errors import AdapterError
from adapters.http.client import Http
from syncer.contract.settings import Rate

BOMB = gzip.compress(bytes(1 << 20)) * 2000  # 2 MB that become 2 GB

async def serve(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    try:
        if sys.argv[1] == "bomb":
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Encoding: gzip\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(BOMB))
            writer.write(BOMB)
            await writer.drain()
        else:
            writer.write(b"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n")
            row = b'{"id": 1},' * 6000
            for _ in range(500_000_000 // len(row)):
                writer.write(b"%x\\r\\n%s\\r\\n" % (len(row), row))
                await writer.drain()
    except (ConnectionError, asyncio.CancelledError):
        pass
    writer.close()

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    http = Http(system="acme", base_url=f"http://127.0.0.1:{port}", headers={}, secrets=[], rates=[Rate(9, 1.0)])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for method in ("GET", "POST"):
        try:
            await (http.read if method == "GET" else http.write)(method, "/list")
        except AdapterError as error:
            print(type(error).__name__, error.words)
    await http.aclose()
    server.close()
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, "MB")

asyncio.run(main())
"""


@pytest.mark.parametrize("what", ["bomb", "list"])
def test_memory_stays_flat(what: str) -> None:
    command = [sys.executable, "-c", PROGRAM, what]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)  # noqa: S603
    *said, grown = done.stdout.splitlines()
    assert said == ["BadAnswer an answer of more than 32 MiB", "InDoubt an answer of more than 32 MiB"], done
    assert int(grown.split()[0]) < 120


def test_a_client_of_a_network_reads_an_answer_in_pieces() -> None:
    """On a socket, packed, in pieces of one byte."""
    body = gzip.compress(b'{"id": 7}')

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
        for byte in body:
            writer.write(b"1\r\n%c\r\n" % byte)
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        writer.close()

    async def main() -> Thing:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        client = Http(system="acme", base_url=f"http://127.0.0.1:{port}", headers={}, secrets=[KEY], rates=WIDE)
        answer = await client.read("GET", "/things")
        await client.aclose()
        server.close()
        return answer.parse(Thing)

    assert asyncio.run(main()) == Thing(id=7)
