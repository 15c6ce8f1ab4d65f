"""Reply has one text for title and body: an edit of one of them leaves the other as it is, however it is written."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from typing import Any

import pytest

from adapters.sandbox import Fault
from tests.support.editing import body_of, everywhere
from tests.support.scenario import Make, waiting


def test_a_text_for_a_reply_task_that_has_none_does_not_become_its_title(stage: Make) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(), "")
    world.good()
    [origin], [copy] = world.reply_open(), world.highlevel_open()
    title = copy.title
    world.highlevel.person_rewrites(copy.id, f"Ask for the price\n{str(copy.body).splitlines()[-1]}")

    report = world.good()

    assert not waiting(report)
    assert str(origin.template["body"]).split("\n")[1:] == ["Ask for the price"]
    world.quiet(2)
    assert world.highlevel.task(copy.id).title == title
    assert str(world.highlevel.task(copy.id).body).startswith("Ask for the price\n")


def test_a_due_of_a_reply_task_that_has_no_text_can_be_moved(stage: Make) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(), "")
    world.good()
    [origin], [copy] = world.reply_open(), world.highlevel_open()
    later = world.due() + timedelta(hours=3)
    world.highlevel.person_reschedules(copy.id, later)

    world.good()

    assert origin.due_to == later
    world.quiet(2)
    assert world.highlevel.task(copy.id).title == copy.title


def test_a_title_is_replaced_where_an_editor_has_put_the_marker_into_a_block(stage: Make) -> None:
    """Browsers leave the first line of a text without a block, and put each further one into a ``div``."""
    world = stage()
    task, copy, _ = everywhere(world)
    world.highlevel.person_rewrites(task, "")
    world.good()
    title, *_, marker = str(copy.template["body"]).split("\n")
    world.reply.person_edits_body(str(copy.id), f"{title}<div>{marker}</div>")
    world.good()

    world.highlevel.person_retitles(task, "Ring twice")
    world.good()
    world.quiet(2)

    now = world.highlevel.task(task)
    assert (now.title, now.body or "") == ("Ring twice", "")


def test_the_address_of_a_link_is_not_lost_when_the_text_is_edited_in_another_crm(stage: Make) -> None:
    world = stage()
    task, copy, _ = everywhere(world, body='<p>Join <a href="https://meet.example/abc">here</a></p>')
    assert body_of(copy) == ["Ring", "Join here (https://meet.example/abc)"]
    lines = str(copy.template["body"]).split("\n")
    world.reply.person_edits_body(str(copy.id), "\n".join([*lines[:-1], "Bring the plan", lines[-1]]))

    world.good()
    world.quiet(2)

    assert world.highlevel.task(task).body == "Join here (https://meet.example/abc)\nBring the plan"


def test_braces_that_we_keep_apart_in_reply_come_back_as_people_typed_them(stage: Make) -> None:
    """What people change beside them in the copy reaches the origin, and the word joiners do not."""
    world = stage()
    task, copy, _ = everywhere(world, title="Say {{price}}", body="Hi {{contact.name}}\nat {%noon%}\nand {{{x}}}")
    text = str(copy.template["body"])
    assert "{{" not in text
    world.reply.person_edits_body(str(copy.id), text.replace("at ", "before "))
    world.good()
    assert world.highlevel.task(task).body == "Hi {{contact.name}}\nbefore {%noon%}\nand {{{x}}}"
    world.quiet(2)

    world.reply.person_edits_body(str(copy.id), str(copy.template["body"]).replace("Say ", "Tell "))
    world.good()
    assert world.highlevel.task(task).title == "Tell {{price}}"
    assert "{{" not in str(copy.template["body"])
    world.quiet(2)


def test_a_crm_that_stores_accents_in_another_form_has_edited_nothing(stage: Make) -> None:
    """The answer to the create is lost, so what the copy shows is compared with what was sent."""
    world = stage()
    world.highlevel.stores_text = lambda text: unicodedata.normalize("NFC", text)
    _, contact, _ = world.everywhere()
    text = unicodedata.normalize("NFD", "Ring\nCafé für Zoë")
    world.reply.person_creates(contact, "Call", world.due(), text)
    world.fail("highlevel", "create", Fault.LOST_ANSWER)
    world.again(3)
    world.quiet(2)
    assert [origin.template["body"] for origin in world.reply_open()] == [text]
    assert not any(write.endswith("edit") for write in world.written())


@pytest.mark.parametrize("nothing", ["", None])
def test_a_text_that_is_removed_is_removed_everywhere(stage: Make, nothing: str | None) -> None:
    world = stage()
    task, copy, _ = everywhere(world)
    world.highlevel.person_rewrites(task, nothing)

    world.good()

    assert body_of(copy) == ["Ring"]
    world.quiet(2)

    world.reply.person_edits_body(str(copy.id), "Ring\nBring the plan")
    world.good()
    assert world.highlevel.task(task).body == "Bring the plan"
    world.quiet(2)


def test_a_text_that_is_removed_with_its_marker_is_removed_everywhere(stage: Make) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(), "Ring\nBring the plan")
    world.good()
    [origin], [copy] = world.reply_open(), world.highlevel_open()
    world.highlevel.person_rewrites(copy.id, "")

    world.good()

    assert origin.template["body"] == "Ring"
    world.quiet(2)


def test_texts_that_a_search_of_highlevel_does_not_show_are_read_in_turn(stage: Make) -> None:
    """What its rows show is not documented. Read with every run, the texts would use up its requests."""
    world = stage()

    def without_texts(answer: Any) -> None:
        for row in answer["tasks"]:
            row.pop("body", None)

    world.mangle("highlevel", "tasks", without_texts)
    _, _, person = world.everywhere()
    tasks = [world.highlevel.person_creates(person, "Ring", world.due(hours=n), "Ask" * (n % 2)) for n in range(20)]
    world.good()
    before = world.count("highlevel", "task")
    world.quiet()
    in_a_run = world.count("highlevel", "task") - before
    assert 0 < in_a_run < 10

    world.highlevel.person_rewrites(tasks[0], "Bring the plan")
    world.highlevel.person_rewrites(tasks[1], "")
    world.again(20 // in_a_run + 1)

    texts = {task.due_to: body_of(task)[1:] for task in world.reply_open()}
    assert [texts[due] for due in sorted(texts)] == [["Bring the plan"], [], *([], ["Ask"]) * 9]
    world.quiet(2)
