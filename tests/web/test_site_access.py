"""Who is let in to the pages, and whose forms are taken, asked as a browser or a program asks."""

from __future__ import annotations

import re

import pytest

from syncer.domain.alarms import Alarm
from syncer.web.access import COOKIE
from tests.support.clock import START
from tests.support.shown_page import TOKEN, ShownPage
from tests.support.world import World


@pytest.mark.parametrize("path", ["run", "retry"])
def test_a_form_from_elsewhere_does_nothing(shown: ShownPage, path: str) -> None:
    form = {"form_token": shown.access.form_token}
    post = shown.client.post
    where = f"{shown.home}/{path}"
    assert post(where).status_code == 403
    assert post(where, data={"form_token": "guessed"}).status_code == 403
    assert post(where, data=form, headers={"Origin": "https://evil.example.com"}).status_code == 403
    assert post(where, data=form, headers={"Origin": "null"}).status_code == 403
    assert post(where, data=form, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert post(where, json=form).status_code == 403
    assert post(where, data={**form, "task": "x" * 20_000}).status_code == 413
    assert post(where, data={**form, "task": "x" * 20_000}, headers={"Content-Length": "0"}).status_code == 413
    assert post(where, data=form, headers={"Content-Length": "many"}).status_code == 413
    assert post(where, data={**form, **{f"field{n}": "x" for n in range(20)}}).status_code == 400
    assert shown.client.get(where).status_code in {404, 405}
    assert shown.wishes.runs == []
    assert post(where, data=form, headers={"Origin": "http://127.0.0.1:8080"}).status_code == 303


@pytest.fixture
def closed(world: World) -> ShownPage:
    return ShownPage(world, TOKEN, "https://syncer.example.com")


def test_the_page_asks_for_the_token_once(closed: ShownPage) -> None:
    asked = closed.client.get(closed.home)
    assert asked.status_code == 401
    assert "Open tasks" not in asked.text
    wrong = closed.client.post("/token", data={"token": "guess"})
    assert (wrong.status_code, "That is not the token." in wrong.text) == (401, True)
    assert "set-cookie" not in wrong.headers
    right = closed.client.post("/token", data={"token": TOKEN})
    cookie = right.headers["set-cookie"]
    assert right.status_code == 303
    assert {"HttpOnly", "SameSite=strict", "Secure"} <= {part.strip() for part in cookie.split(";")}
    assert TOKEN not in cookie
    cookies = {"Cookie": cookie.partition(";")[0]}
    assert closed.client.get(closed.home, headers=cookies).status_code == 200
    assert closed.client.post(f"{closed.home}/run", headers=cookies).status_code == 403
    assert closed.client.post("/token", data={"token": TOKEN}, headers={"Origin": "null"}).status_code == 403


@pytest.mark.parametrize("other", ['consent={"ads":0, "all":1}', "a@b=1", "flag", 'open="', "=x", "\u00fc=1", ""])
def test_cookies_of_other_programs_on_the_host_end_no_session(closed: ShownPage, other: str) -> None:
    """A browser sends them to every port of a host, in whatever form they were set."""
    ours = f"{COOKIE}={closed.access.cookie}"
    for cookies in (f"{other}; {ours}", f"{ours}; {other}"):
        assert closed.client.get("/", headers={"Cookie": cookies.encode()}).status_code == 200
    assert closed.client.get("/", headers={"Cookie": f"{other}; {COOKIE}=guess".encode()}).status_code == 401


def test_programs_send_the_token(closed: ShownPage) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    refused = closed.client.get("/metrics")
    assert (refused.status_code, refused.text) == (401, "A token is needed: Authorization: Bearer TOKEN\n")
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="syncer"'
    assert closed.client.get("/metrics", headers=bearer).status_code == 200
    assert closed.client.get("/", headers=bearer).status_code == 200
    assert closed.client.post(f"{closed.home}/run", data={"form_token": closed.access.form_token}).status_code == 401
    assert closed.wishes.runs == []


def test_health_needs_no_token_and_tells_nothing_more(closed: ShownPage) -> None:
    assert closed.client.get("/healthz").text == "ok\n"
    assert closed.client.get("/readyz").text == "ok\n"
    closed.board.change(closed.name, had_run=False, alarms=(Alarm("stuck", START, "d", "r"),))
    for path in ("/healthz", "/readyz"):
        answer = closed.client.get(path)
        assert (answer.status_code, answer.text) == (503, "not ok\n")
    closed.board.change(closed.name, elsewhere=True, alarms=())
    assert closed.client.get("/readyz").status_code == 200
    closed.board.beaten_at -= 60
    assert closed.client.get("/healthz").status_code == 503
    closed.board.beat()
    assert closed.client.get("/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/static/page.css", "/events/acme/x"])
def test_a_host_that_is_not_ours_is_misdirected(closed: ShownPage, path: str) -> None:
    answer = closed.client.get(path, headers={"Host": "evil.example.com"})
    assert answer.status_code == 421
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_nothing_is_asked_of_another_host(shown: ShownPage) -> None:
    for path in ("/", shown.home, f"{shown.home}/tasks"):
        page = shown.get(path)
        assert not re.findall(r'(?:src|href|action)="(?:https?:)?//', page)
        assert not re.findall(r"<script(?! src)|style=|<style|\son\w+=", page)
    assert shown.client.get("/static/htmx.min.js").status_code == 200
    assert shown.client.get("/static/../app.py").status_code == 404
