"""Answers that do not come, come late, or come in drops: what they cost, and what is known afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

import adapters.http.network
from adapters.http.client import Http
from syncer.contract.errors import AdapterError, InDoubt, NoConnection, NotSent, Unavailable
from tests.support.clock import run_virtual
from tests.support.http_client import KEY, WIDE, answers, http

BODY = b'{"id": 7, "text": "' + b"x" * 1000 + b'"}'


class Slow(httpx.AsyncBaseTransport):
    """A CRM that thinks for ``before`` seconds, then gives its answer in drops with ``between`` seconds in between."""

    def __init__(self, before: float, between: float = 0.0, status: int = 200) -> None:
        self.before = before
        self.between = between
        self.status = status
        self.asked: list[float] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:  # noqa: ARG002
        self.asked.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.before)
        return httpx.Response(self.status, stream=_Drops(self.between))


class _Drops(httpx.AsyncByteStream):
    def __init__(self, between: float) -> None:
        self._between = between

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(BODY), 50):
            await asyncio.sleep(self._between)
            yield BODY[start : start + 50]


def before(transport: httpx.AsyncBaseTransport) -> Http:
    client = http(answers(httpx.Response(200)))
    client._transport = transport
    return client


def cost(transport: Slow, method: str, *, page: bool = False) -> tuple[AdapterError | None, float]:
    """What one request ends with, and how long it takes."""

    async def main() -> tuple[AdapterError | None, float]:
        client = before(transport)
        call = client.read("GET", "/x", page=page) if method == "GET" else client.write("POST", "/x")
        error = None
        try:
            await call
        except AdapterError as caught:
            error = caught
        return error, asyncio.get_running_loop().time()

    return run_virtual(main())


@pytest.mark.parametrize(("method", "error"), [("GET", Unavailable), ("POST", InDoubt)])
@pytest.mark.parametrize("page", [False, True])
def test_an_answer_that_never_begins_is_given_up(method: str, error: type[AdapterError], page: bool) -> None:
    crm = Slow(10_000)
    caught, seconds = cost(crm, method, page=page)
    assert type(caught) is error
    assert str(caught) == "no answer began within 10 s"
    assert seconds == pytest.approx(10, abs=0.1)
    assert len(crm.asked) == 1


@pytest.mark.parametrize(("method", "page", "limit"), [("GET", False, 10), ("POST", False, 10), ("GET", True, 30)])
def test_an_answer_that_drips_is_given_up(method: str, page: bool, limit: float) -> None:
    crm = Slow(9, 2)
    caught, seconds = cost(crm, method, page=page)
    assert type(caught) is (Unavailable if method == "GET" else InDoubt)
    assert str(caught) == f"the answer was not whole within {limit:.0f} s"
    assert seconds == pytest.approx(9 + limit, abs=0.1)
    assert len(crm.asked) == 1


@pytest.mark.parametrize(("page", "between"), [(False, 0.4), (True, 1.3)])
def test_what_comes_in_time_is_read(page: bool, between: float) -> None:
    caught, _ = cost(Slow(9.5, between), "GET", page=page)
    assert caught is None


def test_an_error_that_takes_long_is_not_asked_for_four_times() -> None:
    crm = Slow(9, status=503)
    caught, seconds = cost(crm, "GET")
    assert type(caught) is Unavailable
    assert len(crm.asked) == 2
    assert seconds < 25


def test_some_things_that_hang_do_not_take_the_connection_along() -> None:
    """It may be these things alone: whoever asks for many of them decides when the CRM itself is out of order."""

    async def main() -> None:
        client = before(Slow(10_000))
        for _ in range(4):
            with pytest.raises(Unavailable) as caught:
                await client.read("GET", "/x")
            assert type(caught.value) is Unavailable
        assert asyncio.get_running_loop().time() == pytest.approx(40, abs=0.1)

    run_virtual(main())


@pytest.mark.parametrize("before_cancel", [0.5, 5.0])
def test_a_request_that_hangs_can_be_cancelled_at_once(before_cancel: float) -> None:
    async def main() -> None:
        for crm in (Slow(10_000), Slow(0, 10_000)):
            task = asyncio.ensure_future(before(crm).read("GET", "/x"))
            await asyncio.sleep(before_cancel)
            task.cancel()
            began = asyncio.get_running_loop().time()
            await asyncio.wait({task})
            assert task.cancelled()
            assert asyncio.get_running_loop().time() == began

    run_virtual(main())


@pytest.mark.parametrize("crm", [Slow(10_000), Slow(0, 9)], ids=["silent", "dripping"])
def test_where_the_run_is_over_a_request_in_flight_has_some_seconds(crm: Slow) -> None:
    async def main() -> None:
        client = before(crm)
        task = asyncio.ensure_future(client.write("POST", "/x"))
        await asyncio.sleep(1)
        client.set_deadline(0.0)
        with pytest.raises(InDoubt, match="the run was over"):
            await task
        assert asyncio.get_running_loop().time() == pytest.approx(9, abs=0.1)

    run_virtual(main())


def test_an_answer_that_comes_in_these_seconds_is_taken() -> None:
    async def main() -> None:
        client = before(Slow(7))
        task = asyncio.ensure_future(client.write("POST", "/x"))
        await asyncio.sleep(1)
        client.set_deadline(0.0)
        assert (await task).status == 200

    run_virtual(main())


# sockets ---------------------------------------------------------------------------------------------


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters.http.network, "FIRST_BYTE", 0.2)
    monkeypatch.setattr(adapters.http.network, "CONNECTED", 0.09)
    monkeypatch.setattr(adapters.http.network, "WHOLE", 0.2)
    monkeypatch.setattr(adapters.http.network, "WHOLE_PAGE", 0.5)
    monkeypatch.setattr("adapters.http.retries.PATIENCE", 0.05)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200", HEAD[:-2], HEAD, HEAD + b'{"id"'])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_server_that_stops_in_the_middle(sent: bytes, method: str) -> None:
    requests: list[bytes] = []
    gone = asyncio.Semaphore(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(sent)
        await reader.read()
        writer.close()
        gone.release()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        client = Http(system="acme", base_url=f"http://127.0.0.1:{port}", headers={}, secrets=[KEY], rates=WIDE)
        with pytest.raises(Unavailable if method == "GET" else InDoubt):
            await (client.read("GET", "/x") if method == "GET" else client.write("POST", "/x"))
        await client.aclose()
        await gone.acquire()
        server.close()

    asyncio.run(asyncio.wait_for(main(), 5))
    assert len(requests) == 1


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("proxied", [False, True])
def test_a_connection_that_is_never_made_sent_nothing(proxied: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that listens and says nothing, before which encryption never begins, or a proxy that never answers."""
    heard: list[bytes] = []
    gone = asyncio.Semaphore(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(10_000))
        await reader.read()
        writer.close()
        gone.release()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        if proxied:
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        base = "https://crm.invalid" if proxied else f"https://127.0.0.1:{port}"
        client = Http(system="acme", base_url=base, headers={}, secrets=[KEY], rates=WIDE)
        with pytest.raises(NotSent) as caught:
            await client.write("POST", "/x")
        assert "no connection" in caught.value.words
        with pytest.raises(NoConnection):
            await client.read("GET", "/x")
        await client.aclose()
        await gone.acquire()
        await gone.acquire()
        server.close()

    asyncio.run(asyncio.wait_for(main(), 5))
    assert heard
    assert not any(b"POST" in said for said in heard)


def test_the_fence_is_asked_again_once_the_connection_of_a_write_stands() -> None:
    """To connect takes seconds, in which the lease may be lost, or the ledger replaced."""
    heard: list[bytes] = []
    asked: list[str] = []

    class Lost(Exception):
        pass

    def fence() -> None:
        asked.append("write")
        if len(asked) == 2:
            raise Lost

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.read(10_000):
            heard.append(request)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        client = Http(system="acme", base_url=f"http://127.0.0.1:{port}", headers={}, secrets=[KEY], rates=WIDE)
        client.set_fence(fence)
        with pytest.raises(Lost):
            await client.write("POST", "/x")
        assert not heard
        await client.read("GET", "/x")
        assert len(asked) == 2
        # The connection is there already.
        await client.write("POST", "/x")
        assert len(asked) == 3
        await client.aclose()
        server.close()

    asyncio.run(asyncio.wait_for(main(), 5))
    assert [request.split()[0] for request in heard] == [b"GET", b"POST"]
