"""What holds for every call to Reply: no answer breaks the adapter, and nothing is ever really sent."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import adapters.reply
from adapters.reply.adapter import ReplyAdapter
from syncer.contract.errors import AdapterError
from syncer.domain.model import Kind, Record
from tests.support.clock import run_virtual
from tests.support.reply_world import WHOLE, ReplyWorld, answering, draft, ref


def every_call(adapter: ReplyAdapter) -> list[Callable[[], Coroutine[Any, Any, object]]]:
    """Every method that sends something."""
    target = ref("5")
    wanted = Record("", "", "Asha", (), ("asha@example.com",))
    return [
        adapter.identity,
        adapter.list_tasks,
        lambda: adapter.list_contact_tasks("7"),
        lambda: adapter.get_task(target),
        lambda: adapter.create_task(draft("7")),
        lambda: adapter.complete_task(target),
        adapter.list_contacts,
        lambda: adapter.get_contact("7"),
        lambda: adapter.find_contacts("asha@example.com"),
        lambda: adapter.create_contact(wanted),
        adapter.check,
    ]


def test_nothing_that_we_do_sends_a_message_or_takes_a_prospect_out_of_a_sequence() -> None:
    world = ReplyWorld(call_resolution=0, complete_kinds=list(Kind))
    contact = world.crm.add_contact("Asha", "asha@example.com")
    for kind in Kind:
        made = asyncio.run(world.reply.create_task(draft(contact, kind=kind)))
        asyncio.run(world.reply.complete_task(ref(made.remote_id)))
    for call in every_call(world.reply):
        try:
            asyncio.run(call())
        except AdapterError:
            continue
    assert world.crm.executed == []
    assert not any("execute" in path for path in world.paths())
    assert not any(b"finishProspectInSequence" in call.body for call, _status in world.crm.calls)


def test_the_code_knows_no_way_to_send_a_message() -> None:
    folder = Path(adapters.reply.__file__).parent
    sources = [path for path in folder.glob("*.py") if not path.name.startswith("sandbox")]
    texts = [
        node.value
        for path in sources
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    assert len(sources) > 4
    assert not [text for text in texts if "execute" in text.lower() or "finishprospect" in text.lower()]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from([*WHOLE, "userId", "email", "phone", "firstName", "items", "hasMore"])
OBJECTS = st.dictionaries(FIELDS, JSON | st.sampled_from(list(WHOLE.values())), max_size=10)
ANSWERS = JSON | OBJECTS | st.builds(lambda changes: {**WHOLE, **changes}, OBJECTS)
PAGES = st.fixed_dictionaries({"items": st.lists(ANSWERS, max_size=4), "hasMore": st.just(False) | st.booleans()})


@given(answer=ANSWERS | PAGES | st.binary(max_size=20))
def test_no_answer_whatever_raises_anything_but_the_contracts_errors(answer: Any) -> None:
    async def scenario() -> None:
        for number in range(len(every_call(answering(answer)))):
            try:
                await every_call(answering(answer))[number]()
            except AdapterError:
                continue

    run_virtual(scenario())
