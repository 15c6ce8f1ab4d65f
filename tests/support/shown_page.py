"""The site of a world's account, and a client that asks it."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import quote

from syncer.web.access import Access
from syncer.web.app import make_app
from syncer.web.board import Board
from syncer.web.listening import Listening
from syncer.web.metrics import Metrics
from syncer.web.site import Site
from tests.support.web_client import WebClient
from tests.support.world import World

EVIL = "<script>alert(1)</script>"
TOKEN = "a-token-of-some-length"


class Wishes:
    """In place of the daemon."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.woken: list[str] = []

    def run_now(self, account: str) -> None:
        self.runs.append(account)

    def wake(self, account: str) -> None:
        self.woken.append(account)


class ShownPage:
    """A site for a world's account."""

    def __init__(self, world: World, token: str = "", public_url: str = "") -> None:
        self.wishes = Wishes()
        self.board = Board()
        self.board.put(world.account)
        self.board.change(world.account.name, had_run=True)
        self.name = world.account.name
        self.access = Access(Listening("127.0.0.1", 8080, token, public_url))
        self.site = Site(self.board, self.access, Metrics(), self.wishes, world.now)
        self.client = WebClient(make_app(self.site), "http://127.0.0.1:8080")

    @property
    def home(self) -> str:
        return f"/accounts/{quote(self.name)}"

    def get(self, path: str) -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def press(self, path: str, **fields: str) -> int:
        return self.client.post(path, data={"form_token": self.access.form_token, **fields}).status_code


def words_of(page: str) -> str:
    """What a person reads."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", re.sub(r"<head>.*?</head>", "", page, flags=re.S))).split())
