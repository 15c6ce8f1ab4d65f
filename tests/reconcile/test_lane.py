"""One contact's lane: what is done there never costs anybody's task, and comes to an end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.domain.reasons import Reason
from syncer.reconcile.lane import CompleteTop, CreateTask, LanePlan, OpenTask, Wish, plan_lane
from tests.support.clock import START


def hours(number: int) -> timedelta:
    return timedelta(hours=number)


def theirs(task: str | None, *, due: int = 5, reminder: bool = False) -> OpenTask:
    return OpenTask(f"r-{task}", not reminder, ours=False, close=False, task=task, due=START + hours(due))


def ours(task: str, *, due: int = 5, reminder: bool = False) -> OpenTask:
    return replace(theirs(task, due=due, reminder=reminder), ours=True)


def done(task: OpenTask) -> OpenTask:
    """The same, now done elsewhere."""
    return replace(task, close=True)


def wish(task: str, *, due: int = 5, reminder: bool = False, put_back: bool = False) -> Wish:
    return Wish(task, not reminder, START + hours(due), put_back)


def planned(lane: Iterable[OpenTask], wishes: Iterable[Wish] = (), *, replace_later: bool = True) -> LanePlan:
    return plan_lane(list(lane), wishes, replace_later=replace_later)


# the rules, one by one -----------------------------------------------------------------------------


def test_the_newest_tasks_are_completed_from_the_top_down() -> None:
    lane = [done(theirs("a", reminder=True)), done(ours("b")), theirs("c", reminder=True)]
    assert planned(lane) == LanePlan((CompleteTop("r-a", "a"), CompleteTop("r-b", "b")), ())


def test_completions_come_before_creates() -> None:
    lane = [done(theirs("a"))]
    assert planned(lane, [wish("b")]).steps == (CompleteTop("r-a", "a"), CreateTask("b"))


def test_a_finished_task_in_the_slot_under_a_reminder_is_closed_by_the_next_create() -> None:
    lane = [theirs("above", reminder=True), done(theirs("a", due=1))]
    plan = planned(lane, [wish("later", due=9), wish("b", due=8)])
    assert plan == LanePlan((CreateTask("b", ("r-a",)),), (("later", Reason.SLOT_TAKEN),))


def test_a_finished_task_under_a_reminder_waits_where_none_waits_for_its_slot() -> None:
    lane = [theirs("above", reminder=True), done(theirs("a"))]
    assert planned(lane) == LanePlan((), (("a", Reason.NEWER_ABOVE),))


def test_a_finished_reminder_under_another_task_waits() -> None:
    lane = [theirs("above"), done(ours("a", reminder=True))]
    assert planned(lane, [wish("b")]) == LanePlan((), (("b", Reason.SLOT_TAKEN), ("a", Reason.NEWER_ABOVE)))


def test_a_free_slot_takes_what_is_due_first() -> None:
    plan = planned([theirs("above", reminder=True)], [wish("b", due=7), wish("a", due=6)])
    assert plan == LanePlan((CreateTask("a"),), (("b", Reason.SLOT_TAKEN),))


@pytest.mark.parametrize("replace_later", [True, False])
def test_what_is_to_be_put_back_comes_first_and_takes_the_place_of_ours(replace_later: bool) -> None:
    wishes = [wish("a", due=1), wish("back", due=9, put_back=True)]
    plan = planned([ours("mine", due=5)], wishes, replace_later=replace_later)
    assert plan.steps == (CreateTask("back", ("r-mine",)),)
    assert plan.waits == (("mine", Reason.SLOT_TAKEN), ("a", Reason.SLOT_TAKEN))


def test_what_is_to_be_put_back_waits_for_a_task_of_theirs() -> None:
    plan = planned([theirs("new")], [wish("back", put_back=True)])
    assert plan == LanePlan((), (("back", Reason.PUT_BACK),))


@pytest.mark.parametrize(
    ("due", "replace_later", "replaced"), [(4, True, True), (5, True, False), (6, True, False), (4, False, False)]
)
def test_ours_gives_way_only_to_what_is_due_earlier(due: int, replace_later: bool, replaced: bool) -> None:
    plan = planned([ours("mine", due=5)], [wish("a", due=due)], replace_later=replace_later)
    assert plan.steps == ((CreateTask("a", ("r-mine",)),) if replaced else ())
    assert plan.waits == (("mine" if replaced else "a", Reason.SLOT_TAKEN),)


@pytest.mark.parametrize("slot", [theirs("a", due=9), theirs(None, due=9)], ids=["known", "unknown"])
def test_theirs_is_never_replaced(slot: OpenTask) -> None:
    assert planned([slot], [wish("b", due=1)]) == LanePlan((), (("b", Reason.SLOT_TAKEN),))


def test_one_of_theirs_among_several_keeps_the_slot() -> None:
    """Nothing forbids their app to leave two open where a create would have left one."""
    lane = [ours("mine", due=9), theirs("above", reminder=True), theirs("a", due=9), done(theirs("b"))]
    assert not planned(lane, [wish("c", due=1)]).steps


def test_reminders_are_created_last_in_the_order_of_their_dues() -> None:
    wishes = [wish("r2", due=2, reminder=True), wish("r1", due=1, reminder=True), wish("a", due=9)]
    assert planned([], wishes).steps == (CreateTask("a"), CreateTask("r1"), CreateTask("r2"))


def test_reminders_need_no_slot() -> None:
    plan = planned([theirs("a")], [wish("r", reminder=True), wish("b")])
    assert plan == LanePlan((CreateTask("r"),), (("b", Reason.SLOT_TAKEN),))


# any lane whatever ---------------------------------------------------------------------------------


@dataclass
class Crm:
    """The CRM's side of one lane: a stack, newest first, and everything that was ever closed in it."""

    stack: list[OpenTask]
    closed: list[OpenTask]

    def complete(self) -> OpenTask:
        self.closed.append(self.stack.pop(0))
        return self.closed[-1]

    def create(self, task: OpenTask) -> list[OpenTask]:
        closed = [other for other in self.stack if task.exclusive and other.exclusive]
        self.stack = [task, *(other for other in self.stack if other not in closed)]
        self.closed += closed
        return closed


OPEN_TASKS = st.builds(
    lambda kind, due, reminder: {
        "ours": ours("?", due=due, reminder=reminder),
        "theirs": theirs("?", due=due, reminder=reminder),
        "unknown": replace(theirs(None, due=due, reminder=reminder)),
        "done": done(theirs("?", due=due, reminder=reminder)),
        "ours, done": done(ours("?", due=due, reminder=reminder)),
    }[kind],
    st.sampled_from(["ours", "theirs", "unknown", "done", "ours, done"]),
    st.integers(0, 6),
    st.booleans(),
)
WISHES = st.builds(
    lambda due, reminder, put_back: wish("?", due=due, reminder=reminder, put_back=put_back),
    st.integers(0, 6),
    st.booleans(),
    st.sampled_from([False, False, True]),
)
LANES = st.lists(OPEN_TASKS, max_size=5).map(
    lambda lane: [
        replace(task, remote_id=f"r{number}", task=task.task and f"t{number}") for number, task in enumerate(lane)
    ]
)
WISH_LISTS = st.lists(WISHES, max_size=5).map(
    lambda wishes: [replace(one, task=f"w{number}") for number, one in enumerate(wishes)]
)
POLICIES = st.booleans()


def carry_out(plan: LanePlan, lane: list[OpenTask], wishes: list[Wish]) -> Crm:
    """Do every step in a CRM, checking each against what that CRM does by itself."""
    crm = Crm(list(lane), [])
    by_task = {one.task: one for one in wishes}
    for step in plan.steps:
        if isinstance(step, CompleteTop):
            closed = crm.complete()
            assert (closed.remote_id, closed.task) == (step.remote_id, step.task), "it closed another task"
            assert closed.close
        else:
            wanted = by_task[step.task]
            made = OpenTask(
                f"r-{wanted.task}", wanted.exclusive, not wanted.put_back, close=False, task=wanted.task, due=wanted.due
            )
            assert tuple(task.remote_id for task in crm.create(made)) == step.closes
    return crm


@given(LANES, WISH_LISTS, POLICIES)
def test_nothing_is_closed_but_what_is_done_and_what_is_rightly_replaced(
    lane: list[OpenTask], wishes: list[Wish], replace_later: bool
) -> None:
    plan = planned(lane, wishes, replace_later=replace_later)
    crm = carry_out(plan, lane, wishes)
    created = [one for step in plan.steps for one in wishes if isinstance(step, CreateTask) and one.task == step.task]
    slot = [one for one in created if one.exclusive]
    for task in crm.closed:
        if not task.close:
            [winner] = slot
            assert task.ours
            assert task.due is not None
            assert winner.put_back or (replace_later and winner.due < task.due)


@given(LANES, WISH_LISTS, POLICIES)
def test_at_most_one_exclusive_create_then_the_reminders(
    lane: list[OpenTask], wishes: list[Wish], replace_later: bool
) -> None:
    exclusive = {one.task: one.exclusive for one in wishes}
    steps = planned(lane, wishes, replace_later=replace_later).steps
    kinds = ["complete" if isinstance(s, CompleteTop) else "slot" if exclusive[s.task] else "reminder" for s in steps]
    assert kinds == sorted(kinds, key=["complete", "slot", "reminder"].index)
    assert kinds.count("slot") <= 1


@given(LANES, WISH_LISTS, POLICIES)
def test_whatever_is_asked_is_done_or_waits(lane: list[OpenTask], wishes: list[Wish], replace_later: bool) -> None:
    plan = planned(lane, wishes, replace_later=replace_later)
    crm = carry_out(plan, lane, wishes)
    waits = [task for task, _ in plan.waits]
    shown = {task.task for task in crm.stack}
    assert {one.task for one in wishes} - shown == {one.task for one in wishes} & set(waits)
    still_open = {task.task for task in crm.stack if task.close}
    replaced = {task.task for task in crm.closed if not task.close}
    assert set(waits) == {one.task for one in wishes if one.task not in shown} | still_open | replaced
    assert len(waits) == len(set(waits))


@given(LANES, WISH_LISTS, POLICIES)
def test_what_is_to_be_put_back_is_served_before_all_others(
    lane: list[OpenTask], wishes: list[Wish], replace_later: bool
) -> None:
    exclusive = {one.task: one for one in wishes if one.exclusive}
    for step in planned(lane, wishes, replace_later=replace_later).steps:
        if isinstance(step, CreateTask) and step.task in exclusive:
            first = min(exclusive.values(), key=lambda one: (not one.put_back, one.due, one.task))
            assert exclusive[step.task] == first


@given(LANES, WISH_LISTS, POLICIES)
def test_a_second_plan_finds_nothing_to_do(lane: list[OpenTask], wishes: list[Wish], replace_later: bool) -> None:
    """What was replaced asks for the slot again, and does not get it: nothing goes to and fro."""
    crm = carry_out(planned(lane, wishes, replace_later=replace_later), lane, wishes)
    there = {task.task for task in crm.stack}
    again = [one for one in wishes if one.task not in there]
    again += [
        Wish(task.task, task.exclusive, task.due)
        for task in crm.closed
        if task.task is not None and task.due is not None and not task.close
    ]
    assert not planned(crm.stack, again, replace_later=replace_later).steps


@given(LANES, WISH_LISTS, st.randoms(use_true_random=False))
def test_the_order_of_wishes_does_not_matter(lane: list[OpenTask], wishes: list[Wish], random: Random) -> None:
    shuffled = list(wishes)
    random.shuffle(shuffled)
    assert planned(lane, wishes) == planned(lane, shuffled)


@given(LANES, WISH_LISTS)
def test_holding_the_slot_replaces_nothing_for_an_earlier_due(lane: list[OpenTask], wishes: list[Wish]) -> None:
    plain = [replace(one, put_back=False) for one in wishes]
    crm = carry_out(planned(lane, plain, replace_later=False), lane, plain)
    assert all(task.close for task in crm.closed)
