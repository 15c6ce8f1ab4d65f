"""The page as people use it: with a mouse, a keyboard, a phone, in the dark, without scripts."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncer.domain.reasons import Reason
from syncer.web.listening import Listening, open_socket
from syncer.web.server import WebThread
from tests.support.browser import Visit, browser, find
from tests.support.cli_kit import Served, until
from tests.support.shown_page import EVIL, ShownPage
from tests.support.world import World
from tests.web.test_serving import ANY, address


@pytest.fixture(autouse=True)
def _there_is_a_browser() -> None:
    find()


def test_a_task_that_is_stuck_is_read_of_freed_and_gone(served: Served) -> None:
    """Sees it, reads why, presses the button, and sees it go, without loading the page again.

    Its title is a script and stays a title. A click does not wait for the page that it leads to, so each look waits.
    """
    _, _, contact = served.person()
    served.superfone.allowed_types = ()
    served.task(contact, EVIL)
    daemon = served.start("sync", "--json", "--listen", ANY)
    url = address(daemon)
    until(lambda: daemon.answers and daemon.answers[-1]["attention"])
    allowed = type(served.superfone)(served.now).allowed_types
    with browser() as one:
        visit = Visit(one, url)
        visit.page.clock.install()
        visit.go("/")
        visit.page.get_by_text("Something needs attention").wait_for()
        visit.page.get_by_role("link", name="acme").click()
        needs = visit.page.get_by_role("region", name="Needs attention")
        needs.get_by_role("link", name=EVIL).wait_for()
        needs.get_by_text(Reason.REFUSED.sentence).wait_for()
        served.superfone.allowed_types = allowed
        needs.get_by_role("button", name="Try again").click()
        visit.page.get_by_role("status").get_by_text("The next run tries again.", exact=True).wait_for()
        until(lambda: not daemon.answers[-1]["attention"])
        visit.renew()
        visit.page.get_by_text("All is well").wait_for()
        assert visit.page.get_by_text(Reason.REFUSED.sentence).count() == 0
        visit.page.get_by_role("link", name="All tasks").click()
        visit.page.get_by_role("link", name=EVIL).click()
        visit.page.get_by_text("We let it be tried again").wait_for()
        visit.close()
    daemon.send(signal.SIGTERM)
    assert daemon.status == 143


@pytest.fixture
def shown(tmp_path: Path, simulation: None) -> Iterator[ShownPage]:
    """Somebody's task is refused, another one waits."""
    world = World(tmp_path)
    _, _, contact = world.everywhere()
    world.superfone.allowed_types = ()
    world.highlevel.person_creates(contact, EVIL, world.due(), "About the flat")
    nobody = world.highlevel.add_contact("Nobody", "Else", "nobody@example.com", "")
    world.highlevel.person_creates(nobody, "Send the plan " + "and so on " * 20, world.due())
    world.sync()
    yield ShownPage(world)
    world.close()


@pytest.fixture
def url(shown: ShownPage) -> Iterator[str]:
    listener = open_socket(Listening("127.0.0.1", 0))
    thread = WebThread(shown.client.app, listener)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    thread.stop()


def test_everybody_can_use_it(shown: ShownPage, url: str) -> None:
    """On a phone and a desk, by day and by night: nothing serious that axe finds, nothing to be scrolled sideways."""
    with browser() as one:
        for width, scheme in ((390, "light"), (1280, "dark")):
            visit = Visit(one, url, viewport={"width": width, "height": 800}, color_scheme=scheme)
            for path in ("/", shown.home, f"{shown.home}/tasks"):
                visit.go(path)
                assert not visit.is_too_wide, (path, width)
                assert visit.barriers() == [], (path, width, scheme)
            visit.page.get_by_role("link", name=EVIL).click()
            visit.page.get_by_role("heading", name=EVIL).wait_for()
            assert not visit.is_too_wide
            assert visit.barriers() == []
            visit.close()


def test_with_the_keyboard_alone(shown: ShownPage, url: str) -> None:
    """To the content, along the links, and to the buttons; what is pressed keeps its place when the page is renewed."""
    with browser() as one:
        visit = Visit(one, url)
        visit.page.clock.install()
        visit.go(shown.home)
        keyboard, here = visit.page.keyboard, visit.page.locator(":focus")
        keyboard.press("Tab")
        assert here.inner_text() == "Skip to the content"
        keyboard.press("Enter")
        for _ in range(12):
            keyboard.press("Tab")
            if here.inner_text().startswith("Try again"):
                break
        assert here.inner_text().startswith("Try again")
        assert here.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"
        shown.board.change(shown.name, running=True)
        visit.renew()
        visit.page.get_by_text("A run is in progress").wait_for()
        assert here.inner_text().startswith("Try again")
        keyboard.press("Enter")
        visit.page.get_by_text("The next run tries again.").wait_for()
        visit.close()


def test_without_scripts(shown: ShownPage, url: str) -> None:
    with browser() as one:
        visit = Visit(one, url, java_script_enabled=False)
        visit.go(shown.home)
        visit.page.get_by_role("button", name="Run now").click()
        visit.page.get_by_role("status").get_by_text("A run begins now.", exact=True).wait_for()
        assert shown.wishes.runs == [shown.name]
        visit.page.get_by_role("link", name="All tasks").click()
        visit.page.get_by_label("Name, title, e-mail").fill("plan")
        visit.page.get_by_role("button", name="Show").click()
        visit.page.get_by_role("heading", name="Tasks 1").wait_for()
        visit.close()
