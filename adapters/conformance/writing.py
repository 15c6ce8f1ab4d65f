"""Trials of writing: one request, exactly the declared effect, and everything comes back as it went."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from adapters.conformance.bench import Bench
from adapters.conformance.dues import is_kept, some_dues
from adapters.conformance.trial import (
    BODY,
    LONG_TITLE,
    MARKER,
    TITLE,
    SetsField,
    Trials,
    a_kind,
    a_moment,
    answering,
    draft,
    error_of,
    in_hours,
    must_raise,
    need,
    read_back,
    ref,
    some_tasks,
    somebody,
    trial,
    with_field,
)
from adapters.sandbox import Lie
from syncer.contract.adapter import Completes, ListsTasks
from syncer.contract.errors import AdapterError, InDoubt, Missing, NothingOpen, Refused
from syncer.domain.dues import SECOND
from syncer.domain.fields import TaskField
from syncer.domain.model import Draft, Kind, Reading, State
from syncer.domain.task_ids import MARKER_PREFIX, Marker

_OTHER = Marker(MARKER.ledger, "elsewhere:8").line


def _lane(bench: Bench) -> bool:
    return bench.adapter.capabilities.completes is Completes.TOP_OF_LANE


def _pairs(bench: Bench) -> list[tuple[Kind, Kind]]:
    """Pairs of kinds, one to be created after the other. If no kind is exclusive, each kind is in two pairs only."""
    kinds = sorted(bench.adapter.capabilities.creates)
    if bench.adapter.capabilities.exclusive:
        return list(product(kinds, kinds))
    return list(zip(kinds, kinds[1:] + kinds[:1], strict=True))


def _check_text(bench: Bench, reading: Reading, wanted: Draft) -> None:
    """Check that title, body and marker were read back, each in its own field."""
    __tracebackhide__ = True
    shown = f"{reading.title}\n{reading.body}"
    need(MARKER_PREFIX not in shown, f"the marker is shown to people: {shown!r}")
    if not bench.adapter.capabilities.reads_marker:
        need(reading.marker is None, "reads_marker is not declared, but a marker was read")
        return
    need(reading.marker == wanted.marker, f"reads_marker is declared, but the marker was read as {reading.marker!r}")
    need(reading.title == wanted.title, f"the title {wanted.title!r} came back as {reading.title!r}")
    need(reading.body == wanted.body, f"the body {wanted.body!r} came back as {reading.body!r}")


class WritingTrials(Trials):
    """Create and complete."""

    @trial
    async def test_a_create_is_one_request_and_makes_one_task(self, bench: Bench) -> None:
        contact = somebody(bench)
        made = await bench.adapter.create_task(draft(contact, a_kind(bench)))
        need(len(bench.writes) == 1, f"a create must be one write, and was {len(bench.writes)}")
        need(set(bench.tasks()) == {made.remote_id}, "a create must make one task, and answer with its id")
        need(bench.tasks()[made.remote_id].contact == contact, "the task was made for another contact")
        need(made.contact == contact, "the answer names another contact")
        need(made.state is State.OPEN and bench.tasks()[made.remote_id].open, "a new task must be open")

    @trial
    async def test_every_kind_keeps_its_type_for_life(self, bench: Bench) -> None:
        can = bench.adapter.capabilities
        contact = somebody(bench)
        for kind in sorted(can.creates):
            made = await bench.adapter.create_task(draft(contact, kind))
            back = await read_back(bench, made.remote_id, contact)
            need(made.raw_type == back.raw_type, f"{kind}: made as {made.raw_type!r}, read as {back.raw_type!r}")
            need(made.exclusive == back.exclusive, f"{kind}: exclusive in one reading and not in the other")
            need(back.exclusive == (kind in can.exclusive), f"{kind}: exclusive is declared {kind in can.exclusive}")
            told = bench.adapter.raw_type(kind)
            need(told in ("", back.raw_type), f"{kind}: raw_type says {told!r}, the CRM {back.raw_type!r}")
            # A CRM may have one type for several kinds. The ledger knows which one was meant.
            one_type = bool(told) and told == bench.adapter.raw_type(back.kind)
            fits = back.kind.compatible(kind) or not back.kind_known or one_type
            need(fits, f"{kind}: what we created comes back as {back.kind}, another family")

    @trial
    async def test_a_kind_that_is_not_declared_is_refused_before_it_is_sent(self, bench: Bench) -> None:
        contact = somebody(bench)
        for kind in sorted(set(Kind) - bench.adapter.capabilities.creates):
            await must_raise(bench.adapter.create_task(draft(contact, kind)), Refused, f"creating the kind {kind}")
        need(not bench.writes, "a kind that is not declared was sent")

    @trial
    async def test_a_due_is_kept_as_declared(self, bench: Bench) -> None:
        """To the ``due_step``, or as a day of the ``due_zone``. If less is kept, dues move. If more is, declare it."""
        contact = somebody(bench)
        can = bench.adapter.capabilities
        for wanted in some_dues(bench):
            made = await bench.adapter.create_task(draft(contact, a_kind(bench), due=wanted))
            back = await read_back(bench, made.remote_id, contact)
            for due, where in (
                (bench.tasks()[made.remote_id].due, "in the CRM"),
                (made.due, "in the answer"),
                (back.due, "when read"),
            ):
                words = f"a task due at {wanted} is due at {due} {where}: due_step and due_zone declare what is kept"
                need(is_kept(can, due, wanted), words)
            coarse = can.due_step > SECOND and not can.dues.is_day(wanted)
            need(not coarse or back.due != wanted, f"due_step is {can.due_step}, but {wanted} is kept to the second")

    @trial
    async def test_the_assignee_that_is_sent_arrives(self, bench: Bench) -> None:
        if not bench.user:
            pytest.skip("tasks cannot be given to a user")
        contact = somebody(bench)
        made = await bench.adapter.create_task(draft(contact, a_kind(bench), assignee=bench.user))
        there = bench.tasks()[made.remote_id].assignee
        need(there == bench.user, f"the task was to be given to user {bench.user}, and is given to {there}")
        back = await read_back(bench, made.remote_id, contact)
        need(back.assignee == bench.user, f"the task of user {bench.user} is read as that of {back.assignee!r}")

    @trial
    async def test_title_body_and_marker_come_back(self, bench: Bench) -> None:
        contact = somebody(bench)
        wanted = draft(contact, a_kind(bench))
        made = await bench.adapter.create_task(wanted)
        text = bench.tasks()[made.remote_id].text
        for part in (TITLE, *BODY.split("\n")):
            need(part in text, f"people must be able to read {part!r}; they see {text!r}")
        has_marker = bench.adapter.capabilities.reads_marker
        need(
            (wanted.marker.line in text) == has_marker,
            "the marker is written where it can be read back, and only there",
        )
        _check_text(bench, await read_back(bench, made.remote_id, contact), wanted)

    @trial
    async def test_a_task_without_a_body_comes_back_without_one(self, bench: Bench) -> None:
        contact = somebody(bench)
        wanted = draft(contact, a_kind(bench), body=None)
        made = await bench.adapter.create_task(wanted)
        _check_text(bench, await read_back(bench, made.remote_id, contact), wanted)

    @trial
    async def test_a_long_title_is_kept_as_declared(self, bench: Bench) -> None:
        """A title that is cut off must not be taken for one that people shortened."""
        can, contact = bench.adapter.capabilities, somebody(bench)
        made = await bench.adapter.create_task(draft(contact, a_kind(bench), title=LONG_TITLE))
        back = await read_back(bench, made.remote_id, contact)
        for title, where in ((made.title, "in the answer"), (back.title, "when read")):
            # A CRM may have no titles at all.
            kept = title is None or can.keeps(TaskField.TITLE, LONG_TITLE, title)
            length = len(title or "")
            words = f"a title of {len(LONG_TITLE)} characters has {length} {where}: declare title_kept={length}"
            need(kept, words)

    @trial
    async def test_the_marker_of_another_task_is_not_copied(self, bench: Bench) -> None:
        contact = somebody(bench)
        copied = draft(contact, a_kind(bench), body=f"Bring the plan\n{_OTHER}")
        made = await bench.adapter.create_task(copied)
        back = await read_back(bench, made.remote_id, contact)
        need(back.marker in (MARKER, None), f"the body's own marker line was taken for ours: {back.marker}")
        # With two markers, a copy would be taken for that of another task.
        need(_OTHER not in bench.tasks()[made.remote_id].text, "the marker of another task was copied into the CRM")

    @trial
    async def test_a_create_closes_exactly_what_is_declared(self, bench: Bench) -> None:
        """A contact's second task closes the first one if both are exclusive, and only then."""
        exclusive = bench.adapter.capabilities.exclusive
        for number, (first, second) in enumerate(_pairs(bench)):
            contact = bench.add_contact("Asha Rao", f"asha{number}@example.com", f"+9198765{number:05}")
            old = (await bench.adapter.create_task(draft(contact, first))).remote_id
            new = (await bench.adapter.create_task(draft(contact, second))).remote_id
            need(new in bench.open_tasks(), f"a new {second} is closed at once")
            closes, declared = old not in bench.open_tasks(), {first, second} <= exclusive
            does = "closes" if closes else "does not close"
            need(closes == declared, f"creating {second} {does} an open {first}, which is not what is declared")

    @trial
    async def test_a_create_leaves_other_contacts_alone(self, bench: Bench) -> None:
        contact = somebody(bench)
        other = bench.add_contact("Ravi Iyer", "ravi@example.com", "+919876500000")
        theirs = set(some_tasks(bench, other))
        for kind in sorted(bench.adapter.capabilities.creates):
            await bench.adapter.create_task(draft(contact, kind))
        need(theirs <= bench.open_tasks(), "a create closed the task of another contact")

    @trial
    async def test_creating_for_nobody_is_refused(self, bench: Bench) -> None:
        await must_raise(
            bench.adapter.create_task(draft(bench.no_contact, a_kind(bench))), Refused, "creating for nobody"
        )

    @trial
    async def test_a_created_task_is_listed_at_once_unless_lists_lag(self, bench: Bench) -> None:
        contact = somebody(bench)
        await a_moment()
        made = (await bench.adapter.create_task(draft(contact, a_kind(bench)))).remote_id
        rows = (await bench.adapter.list_contact_tasks(contact)).rows
        need(
            made in {row.remote_id for row in rows},
            "a contact's own tasks must never lag, and one just made is not there",
        )
        can = bench.adapter.capabilities
        if can.lists_tasks is ListsTasks.ALL and not can.listing_lags:
            rows = (await bench.adapter.list_tasks()).rows
            need(made in {row.remote_id for row in rows}, "a task just made is not in the list: declare listing_lags")

    @trial
    async def test_a_completion_is_seen_at_once_by_its_own_read(self, bench: Bench) -> None:
        contact = somebody(bench)
        task = some_tasks(bench, contact, 1)[0]
        await a_moment()
        await bench.adapter.complete_task(ref(bench, task, contact))
        back = await read_back(bench, task, contact)
        need(back.state is State.DONE, "the read of one task must never lag, and shows a completed one open")

    @trial
    async def test_a_completion_closes_what_it_addresses(self, bench: Bench) -> None:
        """It closes the task that is named, or the contact's newest open one, as declared. It closes nothing else."""
        contact = somebody(bench)
        tasks = []
        for _ in range(3):
            tasks += some_tasks(bench, contact, 1)
            await a_moment()
        before = dict(bench.tasks())
        closed = await bench.adapter.complete_task(ref(bench, tasks[1], contact))
        wanted = tasks[2] if _lane(bench) else tasks[1]
        declared = bench.adapter.capabilities.completes
        gone = set(tasks) - bench.open_tasks()
        need(gone == {wanted}, f"a completion is declared to close {declared}; it closed {sorted(gone)} of {tasks}")
        # By this id the engine sees that its request hit another task than the one that was meant.
        need(closed.remote_id == wanted, f"it closed {wanted}, and answered with {closed.remote_id}")
        need(closed.state is State.DONE, "the answer to a completion must say that the task is done")
        need(len(bench.writes) == 1, f"a completion must be one write, and was {len(bench.writes)}")
        changed = [task for task, shown in bench.tasks().items() if replace(shown, open=True) != before.get(task)]
        need(not changed, f"a completion closes a task and changes nothing else, and it changed {changed}")

    @trial
    async def test_every_kind_that_is_declared_can_be_completed(self, bench: Bench) -> None:
        can = bench.adapter.capabilities
        for number, kind in enumerate(sorted(can.completes_kinds & can.creates)):
            contact = bench.add_contact("Asha Rao", f"asha{number}@example.com", f"+9198765{number:05}")
            task = bench.add_task(contact, kind, in_hours(5), TITLE)
            error = await error_of(bench.adapter.complete_task(ref(bench, task, contact)))
            need(error is None, f"completing the kind {kind} is declared, and raised {error!r}")
            need(task not in bench.open_tasks(), f"a completed {kind} stays open")

    @trial
    async def test_completing_what_is_closed_closes_nothing_else(self, bench: Bench) -> None:
        contact = somebody(bench)
        task, *others = some_tasks(bench, contact, 1 if _lane(bench) else 3)
        bench.complete(task)
        error = await error_of(bench.adapter.complete_task(ref(bench, task, contact)))
        if _lane(bench):
            need(
                isinstance(error, NothingOpen), f"with no open task a completion must raise NothingOpen, not {error!r}"
            )
        else:
            need(error is None, f"completing a task that is closed is no error, and raised {error!r}")
        need(bench.open_tasks() == set(others), "completing a closed task closed another one")

    @trial
    async def test_completing_what_is_not_there_is_missing_or_refused(self, bench: Bench) -> None:
        contact = bench.no_contact if _lane(bench) else somebody(bench)
        error = await error_of(bench.adapter.complete_task(ref(bench, bench.no_task, contact)))
        need(isinstance(error, Missing | Refused), f"completing what is not there must be refused, and gave {error!r}")

    @trial
    async def test_a_completion_of_unknown_outcome_is_in_doubt(self, bench: Bench) -> None:
        contact = somebody(bench)
        for value in bench.strange_states:
            task = some_tasks(bench, contact, 1)[0]
            told = SetsField(bench.state_field, value)
            with answering(bench.sandbox, told, bench.sandbox.is_write):
                error = await error_of(bench.adapter.complete_task(ref(bench, task, contact)))
            # Where the answer does not have the state, the adapter has read it elsewhere.
            fine = isinstance(error, InDoubt) or not told.was_there
            need(fine, f"a completion that is answered with the state {value!r} must raise InDoubt, and gave {error!r}")

    @trial
    async def test_a_create_of_unknown_outcome_is_in_doubt_or_open(self, bench: Bench) -> None:
        """We created it as open. An answer with an unknown state does not show that it is closed."""
        contact = somebody(bench)
        for value in bench.strange_states:
            with answering(bench.sandbox, with_field(bench.state_field, value), bench.sandbox.is_write):
                made: Reading | AdapterError
                try:
                    made = await bench.adapter.create_task(draft(contact, a_kind(bench)))
                except AdapterError as error:
                    made = error
            fine = isinstance(made, InDoubt) or (isinstance(made, Reading) and made.state is State.OPEN)
            need(fine, f"a create that is answered with the state {value!r} gave {made!r}")

    @pytest.mark.parametrize("lie", ["task", "contact", "due"])
    @trial
    async def test_a_create_that_is_answered_with_another_task_hides_nothing(self, bench: Bench, lie: Lie) -> None:
        """The reading shows the id, the contact and the due of the answer, so that the caller can compare them.

        An adapter that compares them itself raises `InDoubt`. The sandbox answers a create with `Sandbox.told`.
        """
        contact = somebody(bench)
        for whose in (contact, bench.add_contact("Ravi Iyer", "ravi@example.com", "+919876500000")):
            # Due at another time than what is created, or a due of theirs in the answer would not show.
            bench.add_task(whose, a_kind(bench), in_hours(50), TITLE)
        others = set(bench.tasks())
        bench.sandbox.lying_create = lie
        wanted = draft(contact, a_kind(bench))
        try:
            made = await bench.adapter.create_task(wanted)
        except InDoubt:
            return
        dues = bench.adapter.capabilities.dues
        moved = not dues.same(made.due, wanted.due)
        seen = {"task": made.remote_id in others, "contact": made.contact != contact, "due": moved}
        need(seen[lie], f"the answer names another {lie} than was sent, and the adapter does not tell")
