"""A CRM that shortens long titles: what it cuts off is nobody's edit, wherever it cuts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from adapters.sandbox import Fault
from tests.support.scenario import Make, Stage, waiting

MOST = 255
LONG = f"{'Ask Asha about the flat in Pune, ' * 9}please"


def in_javascript(title: str) -> str:
    """The first characters as JavaScript counts them, which may end with half of an emoji."""
    return title.encode("utf-16-le", "surrogatepass")[: 2 * MOST].decode("utf-16-le", "surrogatepass")


def with_dots(title: str) -> str:
    return title if len(title) <= MOST else f"{title[: MOST - 1].rstrip()}…"


def early(title: str) -> str:
    return title[:60]


CUTS: list[Callable[[str], str]] = [in_javascript, with_dots, early]


def cutting(world: Stage, monkeypatch: pytest.MonkeyPatch, cut: Callable[[str], str]) -> None:
    """From now on HighLevel shortens titles, whoever writes them."""
    add, put = world.highlevel._add_task, world.highlevel._put_task
    monkeypatch.setattr(
        world.highlevel, "_add_task", lambda contact, title, *rest, **more: add(contact, cut(title), *rest, **more)
    )
    monkeypatch.setattr(
        world.highlevel,
        "_put_task",
        lambda task, **changes: put(
            task, **changes | ({"title": cut(changes["title"])} if changes.get("title") else {})
        ),
    )


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("title", [LONG, "🙂" * 300, f"{'x' * 254}{'🙂' * 20}"], ids=["text", "emojis", "emoji"])
def test_a_long_title_stays_whole_where_it_was_typed(
    stage: Make, monkeypatch: pytest.MonkeyPatch, cut: Callable[[str], str], title: str
) -> None:
    world = stage()
    cutting(world, monkeypatch, cut)
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(), title)
    report = world.good()
    assert not waiting(report)
    assert world.open() == (1, 1, 1)
    world.quiet(2)
    [origin], [copy] = world.reply_open(), world.highlevel_open()
    assert origin.template["body"] == title
    longer = f"{title} again and again"

    world.reply.person_edits_body(str(origin.id), longer)
    world.good()
    world.quiet(2)
    assert origin.template["body"] == longer
    world.highlevel.person_reschedules(copy.id, world.due(hours=30))
    world.good()
    world.quiet(2)
    assert origin.template["body"] == longer

    world.highlevel.person_retitles(copy.id, "Ring")
    world.good()
    world.quiet(2)
    assert origin.template["body"] == "Ring"
    world.reply.person_edits_body(str(origin.id), title)
    world.good()
    world.quiet(2)
    assert (origin.template["body"], copy.title) == (title, cut(title))


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("lost", ["answer", "ledger"])
def test_a_shortened_copy_is_found_again(
    stage: Make, monkeypatch: pytest.MonkeyPatch, cut: Callable[[str], str], lost: str
) -> None:
    world = stage()
    cutting(world, monkeypatch, cut)
    title = f"{'x' * 254}{'🙂' * 20}"
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(), title)
    if lost == "answer":
        world.fail("highlevel", "create", Fault.LOST_ANSWER)
        world.sync()
    else:
        world.good()
        world.lose_ledger()
    world.again(4)
    assert world.open() == (1, 1, 1)
    world.quiet(2)
    [origin], [copy] = world.reply_open(), world.highlevel_open()
    assert (origin.template["body"], copy.title) == (title, cut(title))


@pytest.mark.parametrize("where", ["reply", "highlevel"])
def test_what_people_add_to_a_long_title_or_take_from_its_end_travels(stage: Make, where: str) -> None:
    """In Reply the title is the first line of the text, and may be a whole paragraph."""
    world = stage()
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(), LONG)
    world.good()
    [origin], [copy] = world.reply_open(), world.highlevel_open()
    for title in (f"{LONG}, tomorrow at five", LONG[:230]):
        if where == "reply":
            world.reply.person_edits_body(str(origin.id), title)
        else:
            world.highlevel.person_retitles(copy.id, title)
        report = world.good()
        assert (origin.template["body"], world.highlevel.task(copy.id).title) == (title, title)
        assert report.overwritten == ()
        world.quiet(2)
