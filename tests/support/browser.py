"""A browser that looks at pages as people do: Debian's chromium, or the one that ``SYNCER_TEST_BROWSER`` names.

Where there is none the tests are skipped, and say so. With ``SYNCER_TEST_BROWSER_REQUIRED`` they fail instead.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.cli_kit import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
GRAVE: Final = frozenset({"serious", "critical"})


def find() -> str:
    """The path of a browser. Skips or fails the test if there is none."""
    found = os.environ.get("SYNCER_TEST_BROWSER") or next(filter(None, map(shutil.which, _NAMES)), None)
    try:
        import playwright  # noqa: F401
    except ImportError:
        found = None
    if found is None:
        words = "no browser: install chromium, and the extra dev"
        if os.environ.get("SYNCER_TEST_BROWSER_REQUIRED"):
            pytest.fail(words)
        pytest.skip(words)
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """Started for this test alone: while it is, no other event loop may run in this thread."""
    path = find()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        try:
            yield one
        finally:
            one.close()


class Visit:
    """One person's visit, of which nothing may go wrong: no dialog, no error, no request to anybody else."""

    def __init__(self, browser: Browser, url: str, **context: Any) -> None:
        self.url = url
        self._context = browser.new_context(**context)
        self.page: Page = self._context.new_page()
        self.page.set_default_timeout(PATIENCE * 1000)
        self.trouble: list[str] = []
        self.page.on("dialog", lambda dialog: self.trouble.append(f"dialog {dialog.message}"))
        self.page.on("pageerror", lambda error: self.trouble.append(f"error {error}"))
        self.page.on("console", lambda said: self.trouble.append(said.text) if said.type == "error" else None)
        self.page.on("request", lambda request: self._note(request.url))

    def _note(self, url: str) -> None:
        if not url.startswith(f"{self.url}/"):
            self.trouble.append(f"request to {url}")

    def go(self, path: str) -> None:
        self.page.goto(self.url + path)

    def renew(self) -> None:
        """Let the page's next renewal come, without waiting for it."""
        with self.page.expect_response(lambda answer: "seen=" in answer.url):
            self.page.clock.fast_forward(5_000)

    @property
    def is_too_wide(self) -> bool:
        """Whether it must be scrolled sideways."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))

    def barriers(self) -> list[str]:
        """The serious accessibility problems that axe finds, in its words."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return [f"{one['id']}: {node['html']}" for one in found if one["impact"] in GRAVE for node in one["nodes"]]

    def close(self) -> None:
        self._context.close()
        assert self.trouble == []
