"""Trials of reading tasks: lists are complete or fail, deleted tasks are missing, and strange rows are reported."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from adapters.conformance.bench import Bench
from adapters.conformance.trial import (
    EMAIL,
    TITLE,
    SetsField,
    Trials,
    Trouble,
    a_kind,
    a_moment,
    answering,
    error_of,
    hand,
    in_hours,
    must_raise,
    need,
    read_back,
    reads_of,
    ref,
    some_tasks,
    somebody,
    the_list,
    trial,
    with_field,
)
from adapters.sandbox import Call, Fault, Reply
from syncer.contract.adapter import ListsTasks
from syncer.contract.errors import BadAnswer, Missing, Unauthorized, Unavailable
from syncer.domain.model import Kind, Listing, Reading, State

_BREAKS = {
    Fault.NO_CONNECTION: Unavailable,
    Fault.LOST_ANSWER: Unavailable,
    Fault.ERROR_BEFORE: Unavailable,
    Fault.THROTTLED: Unavailable,
    Fault.UNAUTHORIZED: Unauthorized,
    Fault.GARBAGE: BadAnswer,
    Fault.TRUNCATED: BadAnswer,
}


# CRMs and the libraries of their clients write these for "no date".
_NO_DUES = (datetime(1, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))


_HOUR = 3600.0
_A_MINUTE = 60.0


def _ids(listing: Listing[Reading]) -> list[str]:
    return [row.remote_id for row in listing.rows]


def _is_exactly(listing: Listing[Reading], wanted: Collection[str]) -> None:
    __tracebackhide__ = True
    found = _ids(listing)
    need(not listing.unreadable, f"rows that it cannot read: {listing.unreadable}")
    need(len(found) == len(set(found)), "a task is in the list twice")
    lost, strange = set(wanted) - set(found), set(found) - set(wanted)
    need(not lost, f"{len(lost)} of {len(wanted)} tasks are not in the list")
    need(not strange, f"the list has tasks that do not belong there: {sorted(strange)}")


class ReadingTrials(Trials):
    """Lists of tasks, one contact's tasks, one task."""

    @trial
    async def test_a_list_is_read_to_its_last_page(self, bench: Bench) -> None:
        contact = somebody(bench)
        tasks = some_tasks(bench, contact, 2 * bench.page + 1)
        _is_exactly(await the_list(bench, contact), tasks)
        need(len(bench.calls) > 2 or not bench.page, "this list should have had three pages: is bench.page right?")

    @trial
    async def test_a_list_has_no_task_twice_though_it_moves(self, bench: Bench) -> None:
        """A task that is created while the pages are read moves the rows of the following pages."""
        contact = somebody(bench)
        tasks = some_tasks(bench, contact, 2 * bench.page + 1)
        late: list[str] = []

        def somebody_acts(_call: Call, _reply: Reply) -> None:
            if not late:
                late.append(bench.add_task(contact, a_kind(bench), in_hours(9), TITLE))

        bench.sandbox.after = somebody_acts
        found = _ids(await the_list(bench, contact))
        need(len(found) == len(set(found)), "a task is in the list twice")
        # Whether the new one is in the list does not matter: the next run reads it.
        need(set(tasks) <= set(found) <= {*tasks, *late}, "a task was lost because the list moved")

    @pytest.mark.parametrize("seen", [0, -1], ids=["oldest", "newest"])
    @trial
    async def test_a_list_loses_no_task_though_another_leaves_it(self, bench: Bench, seen: int) -> None:
        """A task that is closed while the pages are read moves later rows, perhaps to a page that was read already."""
        contact = somebody(bench)
        tasks = some_tasks(bench, contact, 2 * bench.page + 1)
        left: list[str] = []

        def somebody_acts(_call: Call, _reply: Reply) -> None:
            if not left:
                # The oldest one lies on the last page, the newest one on the first. Depending on the order of the list,
                # one of them moves rows of pages that are still to come.
                left.append(tasks[seen])
                bench.complete(tasks[seen])

        bench.sandbox.after = somebody_acts
        found = _ids(await the_list(bench, contact))
        need(len(found) == len(set(found)), "a task is in the list twice")
        need(set(tasks) - set(left) <= set(found) <= set(tasks), "a task was lost because the list moved")

    @trial
    async def test_a_list_of_all_tasks_has_open_ones_only(self, bench: Bench) -> None:
        if bench.adapter.capabilities.lists_tasks is not ListsTasks.ALL:
            pytest.skip("there is no list of all tasks")
        contact = somebody(bench)
        closed, *still_open = some_tasks(bench, contact)
        bench.complete(closed)
        listing = await the_list(bench, contact)
        _is_exactly(listing, still_open)
        need(all(row.contact == contact for row in listing.rows), "a row names another contact than its own")

    @pytest.mark.parametrize("fault", _BREAKS, ids=str)
    @trial
    async def test_a_list_that_breaks_off_is_no_list(self, bench: Bench, fault: Fault) -> None:
        """If the second page fails, the first one must not be taken for the whole list."""
        contact = somebody(bench)
        some_tasks(bench, contact, 2 * bench.page + 1)
        # Without pages, it is the only answer that breaks off.
        bench.sandbox.fault = Trouble(fault, spared=1 if bench.page else 0)
        await must_raise(the_list(bench, contact), _BREAKS[fault], f"a list whose second page is {fault}")

    @trial
    async def test_a_row_of_an_unknown_state_is_named_and_spoils_no_other(self, bench: Bench) -> None:
        contact = somebody(bench)
        tasks = set(some_tasks(bench, contact))
        for value in bench.strange_states:
            with answering(bench.sandbox, with_field(bench.state_field, value, once=True)):
                listing = await the_list(bench, contact)
            lost = tasks - set(_ids(listing))
            named = {row.remote_id for row in listing.unreadable}
            need(len(lost) == 1, f"of {len(tasks)} rows one has the state {value!r}: {len(lost)} are not in the list")
            need(named == lost, f"the row of the state {value!r} must be among the unreadable ones, by its id")
            # By these the engine knows which tasks this row may be, and lets no others wait for it. In a lane all wait.
            for row in listing.unreadable if bench.adapter.capabilities.lane is None else ():
                told, true = (row.contact, row.due), (contact, bench.tasks()[row.remote_id or ""].due)
                need(told == true, f"an unreadable row must tell its contact and its due, {true}, and tells {told}")

    @trial
    async def test_each_state_of_the_documentation_is_read_as_what_it_means(self, bench: Bench) -> None:
        """What was given up is not done, and what somebody began is still open."""
        contact = somebody(bench)
        task = some_tasks(bench, contact, 1)[0]
        states = {
            State.OPEN: bench.open_states,
            State.DONE: bench.done_states,
            State.CANCELLED: bench.cancelled_states,
        }
        for wanted, values in states.items():
            for value in values:
                with answering(bench.sandbox, with_field(bench.state_field, value)):
                    state = (await read_back(bench, task, contact)).state
                need(state is wanted, f"a task whose state is {value!r} must be {wanted}, and is read as {state}")

    @trial
    async def test_the_times_of_a_task_are_when_it_was_made_and_changed(self, bench: Bench) -> None:
        """As far as they are told. They decide whose edit wins, and which task was there first."""
        contact, begun = somebody(bench), self.now()
        task = some_tasks(bench, contact, 1)[0]
        await asyncio.sleep(_HOUR)
        bench.complete(task)
        reading = await read_back(bench, task, contact)
        for name, told, wanted in (
            ("created_at", reading.created_at, begun),
            ("updated_at", reading.updated_at, self.now()),
        ):
            fine = told is None or abs((told - wanted).total_seconds()) < _A_MINUTE
            need(fine, f"a task made at {begun} and completed at {self.now()} has {name} {told}")

    @trial
    async def test_an_unknown_state_of_one_task_is_a_bad_answer(self, bench: Bench) -> None:
        if not bench.adapter.capabilities.gets_task:
            pytest.skip("there is no reading of one task")
        contact = somebody(bench)
        task = some_tasks(bench, contact, 1)[0]
        for value in bench.strange_states:
            with answering(bench.sandbox, with_field(bench.state_field, value)):
                reading = bench.adapter.get_task(ref(bench, task, contact))
                await must_raise(reading, BadAnswer, f"reading a task whose state is {value!r}")

    @trial
    async def test_a_contacts_tasks_are_its_own_open_and_closed(self, bench: Bench) -> None:
        contact = somebody(bench)
        other = bench.add_contact("Ravi Iyer", f"ravi.{EMAIL}", "+919876500000")
        mine, _theirs = some_tasks(bench, contact), some_tasks(bench, other)
        bench.complete(mine[1])
        listing = await bench.adapter.list_contact_tasks(contact)
        _is_exactly(listing, mine)
        closed = {row.remote_id for row in listing.rows if row.state is not State.OPEN}
        need(closed == {mine[1]}, f"one task is closed, and the list says that {len(closed)} are")
        need(all(row.contact == contact for row in listing.rows), "a row names another contact than its own")

    @trial
    async def test_a_lane_is_listed_newest_first(self, bench: Bench) -> None:
        if bench.adapter.capabilities.lists_tasks is not ListsTasks.PER_CONTACT:
            pytest.skip("only lanes need an order")
        contact = somebody(bench)
        tasks = []
        for count in range(bench.page + 2):
            tasks.append(bench.add_task(contact, a_kind(bench), in_hours(50 - count), TITLE))
            # The clock stands still, and two tasks of one instant have no order of creation.
            await a_moment()
        listing = await bench.adapter.list_contact_tasks(contact)
        need(_ids(listing) == tasks[::-1], "a contact's tasks must come newest created first")

    @trial
    async def test_a_contact_without_tasks_has_an_empty_list(self, bench: Bench) -> None:
        listing = await bench.adapter.list_contact_tasks(somebody(bench))
        need(not listing.rows, "a contact without tasks has some")

    @trial
    async def test_the_tasks_of_nobody_are_missing(self, bench: Bench) -> None:
        """An empty list would mean that the contact exists and has no tasks."""
        await must_raise(bench.adapter.list_contact_tasks(bench.no_contact), Missing, "the tasks of nobody")

    @trial
    async def test_a_task_is_read_as_it_is(self, bench: Bench) -> None:
        contact = somebody(bench)
        task = bench.add_task(contact, a_kind(bench), in_hours(5), TITLE)
        reading = await read_back(bench, task, contact)
        need(reading.system == bench.adapter.system, "a reading names the adapter's system")
        need(reading.key == (bench.adapter.system, task), "a reading has the task's id")
        need(reading.contact == contact, "a reading has the contact's id")
        need(reading.due == bench.tasks()[task].due, f"the due is {bench.tasks()[task].due}, and read as {reading.due}")
        need(reading.due is None or reading.due.utcoffset() is not None, "a due must know its time zone")
        # A CRM may have no titles at all.
        need(reading.title in (TITLE, None), f"the title is {TITLE!r}, and read as {reading.title!r}")
        need(reading.mirrored and reading.whole, "a task that was read by itself must be whole, and is to be mirrored")
        need(reading.state is State.OPEN, "an open task is read as closed")

    @trial
    async def test_a_due_that_is_a_day_is_the_last_minute_of_that_day(self, bench: Bench) -> None:
        """In the account's time zone. So it agrees with tasks of that day elsewhere, and is overdue only after it."""
        contact = somebody(bench)
        tomorrow = in_hours(24).date()
        task = ""

        def add() -> None:
            nonlocal task
            task = bench.add_task_of_day(contact, tomorrow, TITLE)

        hand(add, "make a task that is due on a day")
        dues = bench.adapter.capabilities.dues
        need(dues.zone is not None, "a due may be a day: declare due_zone, the time zone that the constructor gets")
        reading = await read_back(bench, task, contact)
        wanted = dues.of_day(tomorrow)
        need(reading.due == wanted, f"what is due on {tomorrow} must be due at {wanted}, and is read as {reading.due}")

    @trial
    async def test_a_type_that_is_not_known_is_a_to_do_kept_verbatim(self, bench: Bench) -> None:
        """A CRM may add new types at any time. The report shows people which type it was."""
        if not bench.type_field:
            pytest.skip("its tasks have no types")
        contact = somebody(bench)
        task = some_tasks(bench, contact, 1)[0]
        for value in bench.strange_types:
            with answering(bench.sandbox, with_field(bench.type_field, value)):
                reading = await read_back(bench, task, contact)
            need(reading.kind is Kind.TODO, f"a task of the unknown type {value!r} must be a to-do, not {reading.kind}")
            need(reading.raw_type == str(value), f"the type {value!r} must be in raw_type, not {reading.raw_type!r}")
            need(reading.state is State.OPEN, f"an open task of the unknown type {value!r} is read as closed")

    @trial
    async def test_a_task_of_nobody_is_given_to_nobody(self, bench: Bench) -> None:
        """It is read without a contact or reported as unreadable. Other rows are not affected."""
        if not bench.contact_fields or bench.adapter.capabilities.lists_tasks is not ListsTasks.ALL:
            pytest.skip("no list has tasks without a contact")
        contact = somebody(bench)
        tasks = some_tasks(bench, contact)
        with ExitStack() as changes:
            for name in bench.contact_fields:
                changes.enter_context(answering(bench.sandbox, with_field(name, None, once=True)))
            listing = await the_list(bench, contact)
        named = {row.remote_id for row in listing.unreadable}
        theirs = {row.remote_id for row in listing.rows if row.contact is not None}
        without = {row.remote_id for row in listing.rows if row.contact is None}
        need(named | theirs | without == set(tasks), "a task without a contact is not in the list, or took another out")
        need(len(theirs) == len(tasks) - 1, "a task without a contact was given to somebody")

    @trial
    async def test_a_task_that_is_marked_as_deleted_is_not_there(self, bench: Bench) -> None:
        if not bench.deleted_field:
            pytest.skip("what is deleted is not sent any more")
        contact = somebody(bench)
        tasks = some_tasks(bench, contact)
        with answering(bench.sandbox, with_field(bench.deleted_field, value=True, once=True)):
            listing = await the_list(bench, contact)
        need(len(_ids(listing)) == len(tasks) - 1, "a task that is marked as deleted is in the list")
        need(not listing.unreadable, f"a task that is marked as deleted can be read: {listing.unreadable}")
        mark = SetsField(bench.deleted_field, value=True)
        with answering(bench.sandbox, mark):
            error = await error_of(read_back(bench, tasks[0], contact))
        # Some CRMs mark in their lists alone, and do not send a deleted task by itself.
        fine = isinstance(error, Missing) or not mark.was_there
        need(fine, f"a task that is marked as deleted must raise Missing, and gave {error!r}")

    @pytest.mark.parametrize("none", _NO_DUES, ids=str)
    @trial
    async def test_a_due_that_stands_for_none_is_none(self, bench: Bench, none: datetime) -> None:
        """As a real date it would be overdue by two thousand years, or due in eight thousand."""
        contact = somebody(bench)
        task = bench.add_task(contact, a_kind(bench), none, TITLE)
        reading = await read_back(bench, task, contact)
        need(reading.due is None, f"a due of {none} stands for none, and is read as {reading.due}")

    @trial
    async def test_a_task_is_open_until_it_is_closed_and_again_after(self, bench: Bench) -> None:
        contact = somebody(bench)
        task = some_tasks(bench, contact, 1)[0]
        bench.complete(task)
        need((await read_back(bench, task, contact)).state is State.DONE, "a completed task is not read as done")
        hand(lambda: bench.reopen(task), "open a completed task again")
        need((await read_back(bench, task, contact)).state is State.OPEN, "a task that was reopened is read as closed")

    @trial
    async def test_a_task_that_is_not_there_is_missing(self, bench: Bench) -> None:
        contact = somebody(bench)
        await must_raise(read_back(bench, bench.no_task, contact), Missing, "a task that never was")
        task, other = some_tasks(bench, contact, 2)
        hand(lambda: bench.delete(task), "delete a task")
        await must_raise(read_back(bench, task, contact), Missing, "a task that was deleted")
        need(task not in _ids(await bench.adapter.list_contact_tasks(contact)), "a deleted task is in a list")
        need((await read_back(bench, other, contact)).state is State.OPEN, "deleting one task closed another")

    @trial
    async def test_reads_change_nothing(self, bench: Bench) -> None:
        contact = somebody(bench)
        task = some_tasks(bench, contact)[0]
        before = dict(bench.tasks())
        for name, read in reads_of(bench, contact, task).items():
            need(await error_of(read()) is None, f"{name} fails though nothing is wrong")
            need(not bench.writes, f"{name} sent a write")
        need(dict(bench.tasks()) == before, "a read changed a task")

    @trial
    async def test_requests_are_counted(self, bench: Bench) -> None:
        """``wire`` tells the report how many requests were spent."""
        contact = somebody(bench)
        task = some_tasks(bench, contact)[0]
        for read in reads_of(bench, contact, task).values():
            await read()
        await bench.adapter.complete_task(ref(bench, task, contact))
        counted = (bench.adapter.wire.reads, bench.adapter.wire.writes)
        served = (len(bench.calls) - len(bench.writes), len(bench.writes))
        need(counted == served, f"wire counts (reads, writes) = {counted}, the CRM served {served}")
