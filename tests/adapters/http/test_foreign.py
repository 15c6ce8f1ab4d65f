"""What a proxy or a gateway says in a CRM's place: nothing follows from it, whatever its status."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import httpx
import pytest

from syncer.contract.errors import (
    AdapterError,
    Forbidden,
    InDoubt,
    Missing,
    NoConnection,
    NotSent,
    Refused,
    Unauthorized,
    Unavailable,
)
from tests.support.clock import run_virtual
from tests.support.hostile import CALLS, ask, saying
from tests.support.http_client import KEY, answers, http, outcome

SYSTEMS = tuple(CALLS)
STATUSES = (301, 302, 304, 307, 400, 401, 403, 404, 405, 409, 410, 422, 451, 502, 511)
PAGES = (
    b"<html><head><title>404 Not Found</title></head><body>lead not found, task does not exist</body></html>",
    b"<!DOCTYPE html>",
    b"404 page not found",
    b"error code: 1010",
    b"No open task found for this lead",
    b'"Lead not found"',
    b'["Lead not found"]',
    b"null",
    b"404",
    b"{}",
    b'{"status": "error", "reason": "Lead not found"}',
    b'{"message": null}',
    b'{"message": ""}',
    b'{"message": {"text": "Lead not found"}}',
    b'{"message": "Lead not found"',
    b'{"message": "Lead not found"} <!-- cached -->',
    b'{"message": "' + b"Lead not found " * 10_000 + b'"}',
    b'{"message": ' + b"[" * 150 + b"]" * 150 + b"}",
    b"\x1f\x8b\x08",
    b"",
)
WRITES = ("create", "complete")


def documented(system: str, status: int, body: bytes) -> bool:
    return system == "reply" and (status, body) == (401, b"")


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("status", STATUSES)
def test_a_page_that_is_not_the_crms_says_nothing(system: str, status: int) -> None:
    for page in PAGES if status == 404 else PAGES[STATUSES.index(status) % 5 :: 5]:
        if documented(system, status, page):
            continue
        for call in sorted(CALLS[system].keys() - {"check", "new contact"}):
            result, requests = ask(system, call, saying(status, page))
            if requests == 0:
                continue
            assert type(result) is (InDoubt if call in WRITES else Unavailable), (call, page[:60], result)
            assert requests == 1 if call in WRITES else requests <= 4


OWN: dict[str, list[tuple[int, Any, type[AdapterError]]]] = {
    "superfone": [
        (401, {"message": "UnAuthorized, Please Provide Valid API Key"}, Unauthorized),
        (403, {"message": "Forbidden"}, Forbidden),
        (404, {"message": "Lead not found"}, Missing),
    ],
    "reply": [
        (401, None, Unauthorized),
        (401, {"title": "Unauthorized", "status": 401, "code": "USER_NOT_FOUND"}, Unauthorized),
        (403, {"title": "Forbidden", "code": "insufficient_scope"}, Forbidden),
        (404, {"type": "about:blank", "title": "Not Found", "status": 404, "code": "contact.notFound"}, Missing),
        (404, {"detail": "no such contact"}, Missing),
    ],
    "highlevel": [
        (401, {"statusCode": 401, "message": "Invalid JWT", "error": "Unauthorized"}, Unauthorized),
        (401, {"statusCode": 401, "message": "The token is not authorized for this scope."}, Forbidden),
        (403, {"statusCode": 403, "message": ["The token has no access to this location"]}, Forbidden),
        (400, {"statusCode": 400, "message": "Contact with id C1 not found"}, Missing),
        (404, {"message": "Cannot GET /x"}, Refused),
        (404, {"error": {"code": "not_found", "message": "There is no such contact"}}, Missing),
    ],
}


@pytest.mark.parametrize(
    ("system", "status", "body", "error"), [(system, *rest) for system, cases in OWN.items() for rest in cases]
)
@pytest.mark.parametrize("media", ["application/json", "application/problem+json", "text/html"])
def test_what_a_crm_documents_is_believed(
    system: str, status: int, body: Any, error: type[AdapterError], media: str
) -> None:
    content = b"" if body is None else json.dumps(body).encode()
    for mark in (b"", b"\xef\xbb\xbf") if content else (b"",):
        call = "tasks of contact" if system != "reply" or error is not Missing else "contact"
        result, _ = ask(system, call, saying(status, mark + content, {"Content-Type": media}))
        assert type(result) is error


def test_a_proxy_that_wants_a_key_let_nothing_through() -> None:
    for body in (b"", b"<html>", b'{"message": "no"}'):
        assert type(run_virtual(outcome(http(answers(httpx.Response(407, content=body))), "POST"))) is NotSent
        assert type(run_virtual(outcome(http(answers(httpx.Response(407, content=body))), "GET"))) is NoConnection


@pytest.mark.parametrize("status", [302, 400, 404, 407, 503])
def test_a_reason_tells_no_secret_and_moves_no_terminal(status: int) -> None:
    reason = f"No\x1b[2J {b64encode(KEY.encode()).decode()} {'x' * 5000}".encode()
    for method in ("GET", "POST"):
        error = run_virtual(
            outcome(http(lambda _request: httpx.Response(status, extensions={"reason_phrase": reason})), method)
        )
        assert "No\ufffd[2J [secret] x" in error.words
        assert len(error.words) < 600
