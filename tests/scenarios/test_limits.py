"""What stops a run: limits, time, request budgets, another account on the other side."""

from __future__ import annotations

import pytest

from adapters.sandbox import Call, Fault, Reply
from syncer.contract.errors import WrongAccount
from syncer.domain.report import Exit, Report
from syncer.domain.snapshot import ConnectionState
from syncer.engine.opening import AccountInHand
from syncer.engine.run import Options, run
from syncer.ledger import Busy, Owner
from syncer.ledger.owner import LEASE_TERM
from tests.support.lasting import forbid, of_leads
from tests.support.scenario import Make, Stage, name_of, waiting

SYSTEMS = ("superfone", "reply", "highlevel")


def some(world: Stage, count: int) -> list[tuple[str, str, str]]:
    people = [world.everywhere(f"Person{number}", f"+9198765{number:05d}") for number in range(count)]
    for lead, _, _ in people:
        world.superfone.person_creates(lead, "BOOKING", world.due())
    return people


# limits ----------------------------------------------------------------------------------------------


def test_too_many_creates_stop_the_run_before_its_first_write(stage: Make) -> None:
    world = stage(sync="max_creates_per_run = 5")
    some(world, 3)

    report = world.again()

    assert (report.exit, report.status) == (Exit.LIMIT, "stopped")
    assert world.written() == []
    assert "--allow-creates 6" in report.message
    assert report.created == report.completed == report.edited == {"superfone": 0, "reply": 0, "highlevel": 0}
    assert report.operations is not None
    assert len(report.operations) == 6
    assert world.again().exit is Exit.LIMIT

    world.good(Options(allow_creates=6))
    assert world.open() == (3, 3, 3)
    world.quiet()


def test_what_a_stopped_run_has_seen_and_somebody_replaced_since_is_still_open(stage: Make) -> None:
    """In Superfone a newer task closes the one before: a task that was never seen open would be history."""
    world = stage(sync="max_creates_per_run = 1")
    [(lead, _, _)] = some(world, 1)
    assert world.again().exit is Exit.LIMIT
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due(hours=9))

    world.good(Options(allow_creates=6))

    assert world.open() == (1, 2, 2)


def test_what_a_stopped_run_has_seen_is_still_open_where_another_task_was_edited(stage: Make) -> None:
    """The edited value does not become the base: the next run finds the edit again."""
    world = stage(sync="max_creates_per_run = 1")
    some(world, 1)
    world.good(Options(allow_creates=6))
    [edited] = world.highlevel_open()
    later = world.due(hours=30)
    world.highlevel.person_reschedules(edited.id, later)
    second, _, _ = world.everywhere("Meera", "+919876512345")
    world.superfone.person_creates(second, "BOOKING", world.due())
    assert world.again().exit is Exit.LIMIT
    world.superfone.person_creates(second, "FOLLOW_UP_CALL", world.due(hours=9))

    world.good(Options(allow_creates=6))

    assert world.open() == (2, 3, 3)
    assert later in {task.due_to for task in world.reply_open()}


def test_too_many_completions_stop_the_run_before_its_first_write(stage: Make) -> None:
    world = stage(sync="max_completions_per_run = 3")
    some(world, 2)
    world.good()
    written = world.written()
    world.complete_in("superfone")

    report = world.again()

    assert report.exit is Exit.LIMIT
    assert "--allow-completions 4" in report.message
    assert world.written() == written
    world.good(Options(allow_completions=4))
    assert world.open() == (0, 0, 0)
    world.quiet()


def test_exactly_as_many_as_allowed_is_allowed(stage: Make) -> None:
    world = stage(sync="max_creates_per_run = 6")
    some(world, 3)
    world.good()
    assert world.open() == (3, 3, 3)


def test_a_plan_writes_nothing_anywhere(stage: Make) -> None:
    world = stage()
    some(world, 2)

    report = world.plan()

    assert world.written() == []
    assert report.operations is not None
    assert {(op.system, op.action) for op in report.operations} == {("reply", "create"), ("highlevel", "create")}
    world.good()
    assert world.open() == (2, 2, 2)


def test_a_plan_counts_what_each_write_takes(stage: Make) -> None:
    """A create is read about before and after in a lane, before it where lists lag, and nowhere else."""
    world = stage()
    some(world, 1)
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due())

    plan = world.plan()

    asked = {system: plan.cost[system].requests - plan.connections[system].reads for system in plan.cost}
    assert asked == {"superfone": 3, "reply": 1, "highlevel": 4}


def test_a_plan_counts_that_a_replacement_asks_who_the_lead_is(stage: Make) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    task = world.reply.person_creates(contact, "Call", world.due())
    world.good()
    world.reply.person_reschedules(str(task), world.due(hours=9))
    plan = world.plan()
    report = world.good()
    known = report.connections["superfone"]
    assert plan.cost["superfone"].requests == known.reads + known.writes


# another account -------------------------------------------------------------------------------------


@pytest.mark.parametrize("system", SYSTEMS)
def test_another_account_on_the_other_side_is_refused(stage: Make, system: str) -> None:
    world = stage()
    some(world, 1)
    world.good()
    written = world.written()
    if system == "superfone":
        world.superfone.org_id = 43
    elif system == "reply":
        world.reply.user_id = 99
    else:
        world.highlevel.location_id = "another0location0000"
        text = world.account.path.read_text().replace("ve9EPM428h8vShlRW1KT", "another0location0000")
        world.account.path.write_text(text)
        world.reload()
    world.complete_in("superfone")

    for _ in range(2):
        world.wait(minutes=1)
        with pytest.raises(WrongAccount):
            world.sync()

    assert world.written() == written


# time and budgets ------------------------------------------------------------------------------------


def test_a_run_ends_in_time_and_the_next_one_goes_on(stage: Make) -> None:
    world = stage(sync='run_limit = "2s"')
    some(world, 20)
    seen = set()
    for _ in range(40):
        report = world.again()
        seen |= waiting(report)
        assert report.duration_s < 5
        if not report.waiting and world.open() == (20, 20, 20):
            break

    assert world.open() == (20, 20, 20)
    assert ("reply", "budget") in seen or ("highlevel", "budget") in seen
    world.quiet()


def test_a_run_that_waits_as_long_as_it_is_told_keeps_its_lease(stage: Make) -> None:
    world = stage()
    some(world, 1)
    world.reply.retry_after = 300
    world.fail("reply", "create", Fault.THROTTLED)
    refused: list[float] = []

    def ask() -> None:
        try:
            world.open_ledger().acquire(Owner("other", "another machine", 1, 0.0), world.now(), LEASE_TERM)
        except Busy:
            refused.append(world.loop.time())

    for seconds in (130, 200, 290):
        world.loop.call_later(seconds + 60, ask)
    report = world.good()

    assert report.duration_s > 300
    assert len(refused) == 3
    assert world.open() == (1, 1, 1)


def test_completions_go_before_creates(stage: Make) -> None:
    world = stage()
    people = some(world, 4)
    world.good()
    world.superfone.person_completes(world.superfone.open_tasks(people[0][0])[0].id)
    for _, contact, _ in people:
        world.reply.person_creates(contact, "ToDo", world.due(hours=1))
    start = len(world.highlevel.calls)

    world.good()

    sent = [name_of("highlevel", call) for call, _ in world.highlevel.calls[start:] if world.highlevel.is_write(call)]
    assert sent == ["complete", "create", "create", "create", "create"]
    world.quiet()


def slow(stage: Make, *, tasks: int = 0) -> Stage:
    """A world whose CRMs take one request a second, in runs of half a minute; with so many tasks everywhere already."""
    world = stage(sync='run_limit = "30s"')
    if tasks:
        some(world, tasks)
        world.good()
    text = world.account.path.read_text().replace('rate = "1000/s"', 'rate = "1/s"')
    world.account.path.write_text(text)
    world.reload()
    return world


def test_a_large_first_run_under_a_small_budget_goes_on_over_several_runs(stage: Make) -> None:
    world = slow(stage)
    some(world, 30)

    for _ in range(30):
        report = world.again()
        assert report.exit is Exit.DONE
        assert report.duration_s < 35
        if world.open() == (30, 30, 30):
            break

    assert world.open() == (30, 30, 30)
    world.quiet(2)


def test_what_there_was_no_time_to_read_is_named(stage: Make) -> None:
    world = slow(stage)
    _, contact, _ = world.everywhere()
    ids = {world.reply.person_creates(contact, "ToDo", world.due(hours=hour)) for hour in range(40)}
    report = world.sync()
    named = {item.detail.removeprefix("Reply.io task ") for item in report.waiting if item.system == "reply"}
    with world.open_ledger(read_only=True) as ledger:
        known = {copy.remote_id for view in ledger.tasks() for copy in view.replicas if copy.system == "reply"}
    assert named
    assert named | known == ids
    assert not named & known


def test_leads_with_open_tasks_are_read_in_turn_where_one_run_cannot_read_all(stage: Make) -> None:
    world = slow(stage, tasks=40)
    leads = world.superfone.leads()
    for lead in (leads[0], leads[-1]):
        world.superfone.person_completes(world.superfone.open_tasks(lead.id)[0].id)

    world.again(4)

    assert world.open() == (38, 38, 38)


def test_reading_for_as_long_as_it_may_leaves_time_to_write(stage: Make) -> None:
    world = slow(stage, tasks=40)
    world.complete_in("reply")

    assert world.again().completed["superfone"] > 0


def quiet_leads(stage: Make) -> tuple[Stage, list[str]]:
    """Sixty leads that were all found, in a world in which a run has the time to read thirty of them."""
    world = stage(sync='run_limit = "60s"', superfone="")
    text = world.account.path.read_text().replace('rate = "1000/s"', 'rate = "1/s"', 1)
    world.account.path.write_text(text)
    world.reload()
    leads = [world.everywhere(f"Person{number}", f"+9198765{number:05d}")[0] for number in range(60)]
    world.again(6)
    return world, leads


def test_quiet_leads_are_read_in_turn(stage: Make) -> None:
    world, leads = quiet_leads(stage)
    world.superfone.person_creates(leads[59], "BOOKING", world.due())
    world.superfone.person_creates(leads[0], "BOOKING", world.due())

    world.again(6)

    assert world.open() == (2, 2, 2)


def test_a_lead_that_failed_is_tried_again_though_the_quiet_ones_take_all_their_time(stage: Make) -> None:
    world, leads = quiet_leads(stage)
    honest = world.superfone.handle
    forbid(world, "superfone", of_leads(leads[30:31]))
    world.again(4)
    with world.open_ledger(read_only=True) as ledger:
        assert ledger.load().failing
    world.superfone.handle = honest  # type: ignore[method-assign]
    world.superfone.person_creates(leads[30], "BOOKING", world.due())

    world.again(2)

    assert world.open() == (1, 1, 1)


@pytest.mark.parametrize("hurry", [False, True])
def test_quiet_leads_are_read_until_an_event_waits_for_the_end_of_the_run(stage: Make, hurry: bool) -> None:
    world, leads = quiet_leads(stage)
    read: list[set[str]] = []

    async def work(account: AccountInHand) -> Report:
        if hurry:
            account.hurry.set()
        return await run(account)

    for _ in range(2):
        world.wait(minutes=1)
        start = len(world.superfone.calls)
        report = world.do(world._with_account(work))
        assert report.exit is Exit.DONE
        assert (report.duration_s < 10) is hurry
        lists = [call for call, _ in world.superfone.calls[start:]]
        read.append({lead for lead in leads if any(map(of_leads([lead]), lists))})

    assert all(read)
    assert not read[0] & read[1], "those come first that were read longest ago"


def test_no_limit_is_no_limit(stage: Make) -> None:
    world = stage(sync="run_limit = 0")
    some(world, 3)
    world.fail("reply", "create", Fault.THROTTLED, times=3)
    world.good()
    assert world.open() == (3, 3, 3)


@pytest.mark.parametrize("system", ["superfone", "reply"])
def test_a_crm_that_asks_to_wait_beyond_the_run_cannot_be_used_in_it(stage: Make, system: str) -> None:
    """Whether it has a list of all tasks or not, nothing of it was read."""
    world = stage()
    some(world, 3)
    world.good()
    sandbox = world.sandboxes[system]
    honest = sandbox.handle
    busy = Reply(429, b'{"message": "Too Many Requests"}', {"content-type": "application/json", "retry-after": "1800"})

    def handle(call: Call) -> Reply:
        return honest(call) if sandbox.is_write(call) else busy

    sandbox.handle = handle  # type: ignore[method-assign]
    report = world.again()
    connection = report.connections[system]
    assert (report.exit, connection.state) == (Exit.PARTIAL, ConnectionState.UNAVAILABLE)
    assert "1800 s" in connection.message
    sandbox.handle = honest  # type: ignore[method-assign]
    world.quiet(2)
