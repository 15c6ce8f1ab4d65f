"""Which operations of a fresh plan are those that a saved one names, and what is said of the others (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from syncer.contract.adapter import Capabilities
from syncer.domain.base import Base
from syncer.domain.fields import Change, TaskField
from syncer.domain.model import Kind, ReplicaState
from syncer.domain.operations import Action
from syncer.domain.policy import Policy
from syncer.domain.reasons import Item, Reason
from syncer.domain.report import TaskName
from syncer.engine.context import RunContext
from syncer.engine.saved_plan import SavedAccount, SavedOperation, content_of
from syncer.reconcile.planned import Plan, Planned
from tests.support.clock import START
from tests.support.strategies import CAPABILITIES, LANE, PLAIN, POLICY, TYPED, a_base, a_replica, a_task, at

TASK = a_task(f"{TYPED}:1", origin=TYPED, title="Call", body="soon", assignee="Asha")
IN_TYPED, IN_PLAIN = (a_replica(TASK, system) for system in (TYPED, PLAIN))
CREATE = Planned(TASK.id, LANE, Action.CREATE, TASK.kind, "p1-superfone", TASK.due, "not yet there")
COMPLETE = Planned(TASK.id, PLAIN, Action.COMPLETE, TASK.kind, "p1-highlevel", TASK.due, "done", IN_PLAIN.remote_id)
USERS = replace(POLICY, users={(LANE, "7"): "Asha", (LANE, "8"): "Ravi"})
DUES = (Change(TaskField.DUE, at(hours=5), at(hours=9)), Change(TaskField.TITLE, None, "Ring"))
EDIT = replace(COMPLETE, action=Action.EDIT, changes=DUES)


@dataclass
class Run:
    """What of a run is asked."""

    base: Base = field(default_factory=lambda: a_base(TASK, replicas=[IN_TYPED, IN_PLAIN]))
    policy: Policy = USERS
    capabilities: dict[str, Capabilities] = field(default_factory=lambda: dict(CAPABILITIES))
    waiting: list[Item] = field(default_factory=list)
    planned_as: dict[str, TaskName] = field(default_factory=dict)
    ledger: Any = field(default_factory=lambda: SimpleNamespace(extend=lambda *_args, **_more: None))

    @property
    def context(self) -> RunContext:
        return cast("RunContext", self)


def saved(planned: Planned, **changes: Any) -> SavedOperation:
    """As the plan's file has it."""
    content = content_of(Run().context, planned)
    texts = {one.field: tuple(map(_text, (one.old, one.new))) for one in planned.changes}
    given: dict[str, Any] = {
        "changes": texts,
        "sources": [f"{TYPED}:1", f"{PLAIN}:{IN_PLAIN.remote_id}"],
        "content": content,
        **{name: getattr(planned, name) for name in ("task", "system", "action", "kind", "due", "remote_id")},
    }
    return SavedOperation.model_validate(given | changes)


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else value.isoformat().replace("+00:00", "Z")


def selected(one: SavedOperation, *planned: Planned, run: Run | None = None) -> str:
    """What becomes of it: it is chosen, was done already, or has moved."""
    run = run or Run()
    done: list[SavedOperation] = []
    account = SavedAccount(account="acme", run="01", made_at=START, operations=(one,))
    chosen = account.select(run.context, Plan(planned, (), ()), done)
    assert len(chosen) + len(done) + len(run.waiting) == 1
    if run.waiting:
        assert run.planned_as == {one.task: TaskName(one.title or one.kind.label, one.contact)}
        assert run.waiting[0].reason is Reason.MOVED
    return "chosen" if chosen else "done" if done else "moved"


@pytest.mark.parametrize("planned", [CREATE, COMPLETE, EDIT], ids=["create", "complete", "edit"])
def test_what_is_as_it_was_is_chosen_and_nothing_else_of_the_plan(planned: Planned) -> None:
    other = replace(planned, task="another", due=at(hours=1))
    run = Run()
    run.base.tasks["another"] = replace(TASK, id="another")
    assert selected(saved(planned), other, planned, run=run) == "chosen"


@pytest.mark.parametrize(
    ("planned", "now"),
    [
        (CREATE, replace(CREATE, system=PLAIN)),
        (CREATE, replace(CREATE, kind=Kind.TODO)),
        (CREATE, replace(CREATE, due=at(hours=5, seconds=1))),
        (CREATE, replace(CREATE, contact="another")),
        (CREATE, replace(CREATE, contact=None)),
        (COMPLETE, replace(COMPLETE, remote_id="another")),
        (COMPLETE, replace(COMPLETE, action=Action.EDIT)),
        (EDIT, replace(EDIT, remote_id="another")),
        (EDIT, replace(EDIT, changes=DUES[:1])),
        (EDIT, replace(EDIT, changes=(replace(DUES[0], new=at(hours=8)), DUES[1]))),
        (EDIT, replace(EDIT, changes=(replace(DUES[0], old=at(hours=4)), DUES[1]))),
    ],
)
def test_what_differs_from_the_plan_is_left_out(planned: Planned, now: Planned) -> None:
    one = saved(planned, contact="Asha Rao")
    # A create whose task is there was done, whoever did it; there is no copy in the lane.
    one = one if planned is not CREATE else one.model_copy(update={"system": LANE})
    assert selected(one, now) == "moved"


def test_what_was_not_read_when_the_plan_was_made_may_be_known_by_now() -> None:
    """The plan replaces whatever the title was, and says so."""
    assert selected(saved(EDIT), replace(EDIT, changes=(DUES[0], replace(DUES[1], old="Call")))) == "chosen"


@pytest.mark.parametrize(
    ("changes", "user", "creates", "edits"),
    [
        ({}, "7", "chosen", "chosen"),
        ({"title": "Ring"}, "7", "moved", "chosen"),
        ({"body": "later"}, "7", "moved", "chosen"),
        ({"assignee": "Ravi"}, "7", "moved", "chosen"),
        ({}, "9", "moved", "chosen"),
        ({"notify_at": at(hours=1)}, "7", "chosen", "chosen"),
    ],
)
def test_all_texts_of_what_is_made_are_as_they_were(
    changes: dict[str, Any], user: str, creates: str, edits: str
) -> None:
    """A plan does not show all of them. An edit shows what it changes; in a lane it makes the task again."""
    for planned, expected in ((CREATE, creates), (replace(EDIT, lane=True), creates), (EDIT, edits)):
        run = Run(a_base(replace(TASK, **changes), replicas=[IN_TYPED, IN_PLAIN]))
        users = {(system, user): "Asha" for system in (LANE, PLAIN)} | {(LANE, "8"): "Ravi", (PLAIN, "8"): "Ravi"}
        given = Run(policy=replace(POLICY, users={(LANE, "7"): "Asha", (PLAIN, "7"): "Asha"}))
        run.policy = replace(POLICY, users=users)
        one = saved(planned, content=content_of(given.context, planned))
        assert selected(one, planned, run=run) == expected


def test_a_contact_that_is_still_to_be_made_is_its_persons_other_contacts() -> None:
    planned = replace(CREATE, contact=None)
    run = Run()
    del run.base.links[LANE, "p1-superfone"]
    one = saved(planned, content=content_of(run.context, planned))
    assert selected(one, planned, run=run) == "chosen"
    run = Run()
    del run.base.links[LANE, "p1-superfone"], run.base.links[PLAIN, "p1-highlevel"]
    assert selected(one, planned, run=run) == "moved"


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ([f"{TYPED}:1"], "chosen"),
        ([f"{PLAIN}:9", f"{PLAIN}:1-highlevel"], "chosen"),
        ([f"{TYPED}:2"], "moved"),
        ([], "moved"),
    ],
)
def test_a_task_that_only_the_plan_had_seen_is_known_by_its_copies(sources: list[str], expected: str) -> None:
    """The ledger gave it another id, because it saw another copy first."""
    assert selected(saved(CREATE, task=f"{PLAIN}:1", sources=sources), CREATE) == expected


def test_a_task_without_a_copy_is_known_by_its_id() -> None:
    assert selected(saved(CREATE, sources=[]), CREATE, run=Run(a_base(TASK))) == "chosen"


@pytest.mark.parametrize("due", ["2026-05-19T13:30:00", "soon", "2026-05-19"])
def test_a_due_in_a_plan_has_a_time_zone(due: str) -> None:
    with pytest.raises(ValueError, match="changes"):
        saved(EDIT, changes={"due": [None, due]})


@pytest.mark.parametrize(
    ("seconds", "synthetic", "expected"),
    [
        (0, True, "chosen"),
        (-1, True, "chosen"),
        (-2, True, "moved"),
        (600, True, "chosen"),
        (601, True, "moved"),
        (0, False, "moved"),
    ],
)
def test_a_due_that_we_made_up_may_be_that_of_another_reading(seconds: int, synthetic: bool, expected: str) -> None:
    """It is a day after the task was first read, and the plan read it within ten minutes."""
    run = Run(a_base(replace(TASK, due_synthetic=synthetic), replicas=[IN_TYPED]))
    due = START + POLICY.default_due + timedelta(seconds=seconds)
    assert selected(saved(CREATE, due=due), replace(CREATE, due=at(days=1, hours=3)), run=run) == expected


DONE, GONE = ReplicaState.DONE, ReplicaState.GONE
NEW: dict[str, Any] = {"due": at(hours=9), "title": "Ring"}


@pytest.mark.parametrize(
    ("planned", "copies", "expected"),
    [
        (CREATE, [a_replica(TASK, LANE)], "done"),
        (CREATE, [a_replica(TASK, LANE, state=DONE)], "done"),
        (CREATE, [a_replica(TASK, LANE, state=ReplicaState.SUPERSEDED)], "moved"),
        (CREATE, [IN_PLAIN], "moved"),
        (COMPLETE, [replace(IN_PLAIN, state=DONE)], "done"),
        (COMPLETE, [replace(IN_PLAIN, state=GONE)], "moved"),
        (COMPLETE, [replace(IN_PLAIN, remote_id="another", state=DONE)], "moved"),
        (COMPLETE, [IN_PLAIN], "moved"),
        (EDIT, [replace(IN_PLAIN, **NEW)], "done"),
        (EDIT, [replace(IN_PLAIN, state=GONE), replace(IN_PLAIN, remote_id="again", **NEW)], "done"),
        (EDIT, [replace(IN_PLAIN, title="Ring")], "moved"),
        (EDIT, [replace(IN_PLAIN, **NEW, state=DONE)], "moved"),
        (EDIT, [], "moved"),
    ],
)
def test_what_is_there_by_now_was_done_whoever_did_it(planned: Planned, copies: list[Any], expected: str) -> None:
    assert selected(saved(planned), run=Run(a_base(TASK, replicas=[IN_TYPED, *copies]))) == expected


def test_an_edit_in_a_crm_that_is_off_by_now_has_moved() -> None:
    run = Run(a_base(TASK, replicas=[IN_TYPED, replace(IN_PLAIN, **NEW)]))
    del run.capabilities[PLAIN]
    assert selected(saved(EDIT), run=run) == "moved"


def test_two_saved_operations_do_not_allow_one_twice() -> None:
    run = Run()
    account = SavedAccount(account="acme", run="01", made_at=START, operations=(saved(CREATE), saved(CREATE)))
    assert account.select(run.context, Plan((CREATE,), (), ())) == (CREATE,)
    assert [item.detail for item in run.waiting] == ["create Follow-up call, due 2026-05-19T13:30:00Z"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({}, "complete Follow-up call, due 2026-05-19T13:30:00Z"),
        ({"title": "Ring", "contact": "Asha"}, "complete Ring for Asha, due 2026-05-19T13:30:00Z"),
    ],
)
def test_what_has_moved_is_named_as_the_plan_names_it(names: dict[str, str], words: str) -> None:
    run = Run()
    assert selected(saved(COMPLETE, **names), run=run) == "moved"
    assert [item.detail for item in run.waiting] == [words]
