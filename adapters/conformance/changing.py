"""Trials of the change cursor: no contact whose tasks changed may be left out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from adapters.conformance.bench import Bench
from adapters.conformance.trial import (
    EMAIL,
    Trials,
    Trouble,
    a_moment,
    must_raise,
    need,
    refusing,
    some_tasks,
    somebody,
    trial,
)
from adapters.sandbox import Fault
from syncer.contract.errors import BadAnswer, Refused, Unavailable


def _tells(bench: Bench) -> None:
    if not bench.adapter.capabilities.tells_changes:
        pytest.skip("it does not tell whose tasks changed")


class ChangeTrials(Trials):
    """``list_changed``."""

    @trial
    async def test_whose_tasks_changed_is_told_since_the_cursor(self, bench: Bench) -> None:
        """Creating, closing, reopening or deleting a task is a change, and moves the cursor."""
        _tells(bench)
        contact = somebody(bench)
        tasks = some_tasks(bench, contact)
        await a_moment()
        cursor = (await bench.adapter.list_changed(None)).cursor
        await a_moment()
        quiet = await bench.adapter.list_changed(cursor)
        # An adapter that names everybody each time would be right, and every run would read every contact.
        need(contact not in quiet.contacts, "nothing has changed since the cursor, and somebody is named")
        acts: dict[str, Callable[[], object]] = {
            "makes a task": lambda: some_tasks(bench, contact, 1),
            "closes a task": lambda: bench.complete(tasks[0]),
            "reopens a task": lambda: bench.reopen(tasks[0]),
            "deletes a task": lambda: bench.delete(tasks[1]),
        }
        for what, act in acts.items():
            await a_moment()
            try:
                act()
            # Not everybody can reopen or delete a task there.
            except NotImplementedError:
                continue
            await a_moment()
            changed = await bench.adapter.list_changed(cursor)
            need(changed.contacts == {contact}, f"somebody {what}, and these contacts are named: {changed.contacts}")
            cursor = changed.cursor
        await a_moment()
        quiet = await bench.adapter.list_changed(cursor)
        need(contact not in quiet.contacts, "a change is told again: the cursor stays where it was")

    @trial
    async def test_changes_are_read_to_their_last_page(self, bench: Bench) -> None:
        _tells(bench)
        cursor = (await bench.adapter.list_changed(None)).cursor
        await a_moment()
        contacts = [
            bench.add_contact(f"Asha {n}", f"{n}.{EMAIL}", f"+9198765{n:05}") for n in range(2 * bench.page + 1)
        ]
        for contact in contacts:
            some_tasks(bench, contact, 1)
        changed = await bench.adapter.list_changed(cursor)
        lost = set(contacts) - changed.contacts
        need(not lost, f"the tasks of {len(contacts)} contacts changed, and {len(lost)} of them are not named")

    @trial
    async def test_a_cursor_that_is_refused_is_refused(self, bench: Bench) -> None:
        """Then the engine begins anew. After any other error it would come with this cursor in every run."""
        _tells(bench)
        cursor = (await bench.adapter.list_changed(None)).cursor
        with refusing(bench.sandbox, bench.sandbox.refused(400, "no such cursor")):
            work = bench.adapter.list_changed(cursor)
            await must_raise(work, Refused, "list_changed, answered by the sandbox's `refused(400, …)`,")

    @trial
    async def test_changes_that_break_off_are_none(self, bench: Bench) -> None:
        """The cursor must not move on past what was not read."""
        _tells(bench)
        cursor = (await bench.adapter.list_changed(None)).cursor
        some_tasks(bench, somebody(bench))
        for fault, error in ((Fault.ERROR_BEFORE, Unavailable), (Fault.TRUNCATED, BadAnswer)):
            bench.sandbox.fault = Trouble(fault)
            await must_raise(bench.adapter.list_changed(cursor), error, f"a list of changes that is {fault}")
