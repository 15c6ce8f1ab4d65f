"""The HTTP client: what each answer and each failure means, retries of reads, redaction, the request log."""

from __future__ import annotations

import asyncio
import itertools

import httpx
import pytest
import structlog
from pydantic import TypeAdapter

from adapters.http.client import Rule, excerpt, said
from adapters.http.retries import READ_ATTEMPTS
from syncer.contract.errors import (
    AdapterError,
    BadAnswer,
    Forbidden,
    Full,
    InDoubt,
    Missing,
    NoConnection,
    NotSent,
    Refused,
    Unauthorized,
    Unavailable,
)
from tests.support.clock import run_virtual
from tests.support.http_client import KEY, Thing, answers, http, outcome

NOT_SENT = [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol]
BROKEN = [
    httpx.ReadError,
    httpx.ReadTimeout,
    httpx.WriteError,
    httpx.WriteTimeout,
    httpx.CloseError,
    httpx.RemoteProtocolError,
    httpx.LocalProtocolError,
    httpx.DecodingError,
]


def test_every_httpx_error_has_an_outcome() -> None:
    """A new release of httpx with a new way to fail must not go unnoticed."""

    def leaves(error: type[Exception]) -> set[type[Exception]]:
        below = error.__subclasses__()
        return set().union(*map(leaves, below)) if below else {error}

    followed_only = {httpx.TooManyRedirects}
    assert leaves(httpx.RequestError) == {*NOT_SENT, *BROKEN, *followed_only}


@pytest.mark.parametrize("failure", NOT_SENT)
def test_a_write_without_a_connection_was_not_sent(failure: type[Exception]) -> None:
    client = http(answers(failure("no")))
    assert type(run_virtual(outcome(client, "POST"))) is NotSent
    assert client.writes == 3


@pytest.mark.parametrize("failure", BROKEN)
def test_a_write_that_breaks_is_in_doubt_and_never_repeated(failure: type[Exception]) -> None:
    client = http(answers(failure("no")))
    assert type(run_virtual(outcome(client, "POST"))) is InDoubt
    assert client.writes == 1


@pytest.mark.parametrize("failure", [*NOT_SENT, *BROKEN])
def test_a_read_that_never_succeeds_is_unavailable(failure: type[Exception]) -> None:
    client = http(answers(failure("no")))
    assert type(run_virtual(outcome(client, "GET"))) is (NoConnection if failure in NOT_SENT else Unavailable)
    assert (client.reads, client.writes) == (READ_ATTEMPTS, 0)


@pytest.mark.parametrize(
    ("status", "of_read", "of_write"),
    [
        (301, Unavailable, InDoubt),
        (400, Refused, Refused),
        (401, Unauthorized, Unauthorized),
        (403, Forbidden, Forbidden),
        (404, Missing, Missing),
        (407, NoConnection, NotSent),
        (408, Unavailable, InDoubt),
        (409, Refused, Refused),
        (422, Refused, Refused),
        (500, Unavailable, InDoubt),
        (503, Unavailable, InDoubt),
        (799, BadAnswer, InDoubt),
    ],
)
def test_what_a_status_means(status: int, of_read: type[AdapterError], of_write: type[AdapterError]) -> None:
    for method, expected in (("GET", of_read), ("POST", of_write)):
        error = run_virtual(outcome(http(answers(httpx.Response(status, json={"message": "No."}))), method))
        assert type(error) is expected
        assert (error.status, error.system) == (None if status == 407 and method == "GET" else status, "acme")
        assert error.words.endswith("No.")


def test_an_adapter_overrules_by_status_and_words() -> None:
    rules = (Rule(404, Full, ("storage is FULL",)), Rule(range(400, 405), Refused))
    full = http(answers(httpx.Response(404, json={"message": "Lead storage is full"})), rules=rules)
    other = http(answers(httpx.Response(404, json={"message": "Lead not found"})), rules=rules)
    assert type(run_virtual(outcome(full, "POST"))) is Full
    assert type(run_virtual(outcome(other, "POST"))) is Refused


@pytest.mark.parametrize("content", [b"", b"<html>", b'{"id": ', b'{"id": "x"}', b"[]", b"\xff"])
def test_an_unreadable_success(content: bytes) -> None:
    async def main() -> None:
        client = http(answers(httpx.Response(200, content=content)))
        answer = await client.read("GET", "/things")
        with pytest.raises(BadAnswer):
            answer.parse(Thing)
        answer = await client.write("POST", "/things")
        with pytest.raises(InDoubt):
            answer.parse(Thing)
        with pytest.raises(InDoubt):
            answer.parse_as(TypeAdapter(list[Thing]) if content != b"[]" else TypeAdapter(Thing))

    run_virtual(main())


def test_a_readable_success() -> None:
    async def main() -> None:
        answer = await http(answers(httpx.Response(200, content=b'{"id": 7}'))).read("GET", "/things")
        assert answer.parse(Thing) == Thing(id=7)
        assert answer.parse_as(TypeAdapter(Thing)) == Thing(id=7)

    run_virtual(main())


def test_reads_are_repeated_with_growing_waits_until_one_succeeds() -> None:
    asked: list[float] = []

    def handle(_request: httpx.Request) -> httpx.Response:
        asked.append(asyncio.get_running_loop().time())
        return httpx.Response(200 if len(asked) == READ_ATTEMPTS else 502)

    client = http(handle)
    run_virtual(client.read("GET", "/things"))
    waits = [after - before for before, after in itertools.pairwise(asked)]
    assert client.reads == READ_ATTEMPTS
    assert all(least <= wait <= least + 1.1 for wait, least in zip(waits, (0.5, 1.0, 2.0), strict=True))


def test_a_write_is_repeated_while_it_surely_was_not_sent() -> None:
    client = http(answers(httpx.ConnectError("no"), httpx.Response(201, json={"id": 1})))
    assert run_virtual(client.write("POST", "/things")).status == 201
    assert client.writes == 2


def test_an_address_that_cannot_be_built_is_refused() -> None:
    client = http(answers(httpx.Response(200)))
    with pytest.raises(Refused, match="no request can be made"):
        run_virtual(client.write("POST", "/things/\x00"))


def test_redirects_are_not_followed() -> None:
    seen: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(307, headers={"Location": "https://elsewhere.example/"})

    assert type(run_virtual(outcome(http(handle), "GET"))) is Unavailable
    assert set(seen) == {"https://crm.example/api/things"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"message": "No such lead"}', "No such lead"),
        (b'{"message": ["a is empty", "b is empty"]}', "a is empty b is empty"),
        (b'{"title": "Bad", "detail": "Worse", "code": "E1"}', "Worse E1"),
        (b'{"title": "Bad", "errors": {"dueTo": ["Required"]}}', "Bad {'dueTo': ['Required']}"),
        (b'{"error": "E7", "error_info": "The lead is gone"}', "E7 The lead is gone"),
        (b'{"error": {"message": "No such lead", "code": 7}}', "No such lead"),
        (b'{"unknown": 1}', '{"unknown": 1}'),
        (b"<html>\n  gateway</html>", "<html> gateway</html>"),
        (b"", ""),
        (b"\xff\xfe", "��"),
    ],
)
def test_the_crms_own_words(content: bytes, words: str) -> None:
    assert said(content) == words


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"fault": {"text": "No such lead"}, "ref": 7, "message": "see fault"}', "No such lead 7"),
        (b'{"message": "see above"}', "see above"),
        (b'{"fault": "none", "ref": ["a", "b"]}', "a b"),
    ],
)
def test_an_adapter_declares_where_its_crm_says_what_is_wrong(content: bytes, words: str) -> None:
    assert said(content, ("fault.text", "ref")) == words


def test_an_error_in_a_field_that_is_declared_is_the_crms_own() -> None:
    replies = answers(httpx.Response(404, json={"fault": {"text": "No such lead"}}))
    assert type(run_virtual(outcome(http(replies, says=("fault.text",)), "GET"))) is Missing
    assert type(run_virtual(outcome(http(replies), "GET"))) is Unavailable


def test_an_excerpt_is_one_short_line() -> None:
    assert excerpt(b"a\n" * 5000) == "a " * 150 + "…"
    assert excerpt(b"a" * 300) == "a" * 300
    assert excerpt(b"a" * 301) == "a" * 300 + "…"
    assert excerpt(b"a" + b" " * 1200) == "a…", "more may follow behind the blanks"


@pytest.mark.parametrize("pad", [0, 290, 299, 1190, 1199])
def test_no_excerpt_holds_a_part_of_a_secret(pad: int) -> None:
    http(answers(httpx.Response(200)))
    assert "k3y" not in excerpt(b" " * pad + KEY.encode()) + excerpt(b"x" * pad + KEY.encode())


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_error_and_no_log_line_shows_a_key(method: str) -> None:
    in_json = httpx.Response(400, json={"message": f"bad key {KEY}"})
    replies: list[httpx.Response | Exception] = [
        in_json,
        httpx.Response(500, text=KEY),
        httpx.ReadError(f"broken: {KEY}"),
        httpx.ConnectError(KEY),
    ]
    for reply in replies:
        with structlog.testing.capture_logs() as logs:
            error = run_virtual(outcome(http(answers(reply)), method))
        shown = f"{error} {error.words} {error!r} {logs}"
        assert "secrets" not in shown
        assert "[secret]" in shown


def test_a_complaint_about_an_answer_shows_no_key() -> None:
    async def main() -> None:
        answer = await http(answers(httpx.Response(200, json={"id": KEY}))).read("GET", "/things")
        with pytest.raises(BadAnswer) as caught:
            answer.parse(Thing)
        assert caught.value.words.startswith("id: ")
        assert "secrets" not in caught.value.words

    run_virtual(main())


def test_every_request_is_logged_with_its_own_id() -> None:
    async def main() -> None:
        client = http(answers(httpx.Response(200), httpx.Response(503), httpx.ReadError("no"), httpx.Response(200)))
        await client.read("GET", "/things", params={"phone": "+919876543210"})
        await client.read("GET", "/things")

    with structlog.testing.capture_logs() as logs:
        run_virtual(main())
    requests = [line for line in logs if line["event"].startswith("request.")]
    assert [line["event"] for line in requests] == [
        "request.answered",
        "request.answered",
        "request.broken",
        "request.answered",
    ]
    assert len({line["request"] for line in requests}) == 4
    assert all(line["system"] == "acme" and line["path"] == "/things" for line in requests)
    assert "919876543210" not in str(requests)


def test_what_is_sent() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=dict(request.headers) | {"body": request.content.decode()})

    async def main() -> None:
        answer = await http(handle).write("POST", "/things", json={"a": "é"})
        sent = answer.parse_as(TypeAdapter(dict[str, str]))
        assert sent["user-agent"].startswith("syncer/")
        assert (sent["x-api-key"], sent["content-type"], sent["body"]) == ("k", "application/json", '{"a":"é"}')

    run_virtual(main())
