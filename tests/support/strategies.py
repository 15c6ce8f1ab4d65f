"""Hypothesis strategies for the pure parts: three invented CRMs, random ledgers and random snapshots."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final

from hypothesis import strategies as st

from syncer.contract.adapter import Capabilities, Completes, LanePolicy, ListsTasks
from syncer.domain.base import Base
from syncer.domain.model import MESSAGE_KINDS, Kind, Reading, Record, Replica, ReplicaState, State, Task
from syncer.domain.operations import Action, Operation, OpState
from syncer.domain.policy import Policy
from syncer.domain.snapshot import Seen
from syncer.domain.task_ids import Marker
from syncer.reconcile.closures import NONE, Effects
from syncer.reconcile.merge import Merged, merge
from tests.support.clock import START

LANE: Final = "superfone"
TYPED: Final = "reply"
PLAIN: Final = "highlevel"
SYSTEMS: Final = (LANE, TYPED, PLAIN)
NOTES: Final = frozenset({Kind.REMINDER, Kind.TODO})
ROUTABLE: Final = tuple(kind for kind in Kind if kind not in MESSAGE_KINDS)
API: Final = "999"
LEDGER: Final = "1k2m9ab3xq"
OTHER_LEDGER: Final = "1k2m9ab3zz"

CAPABILITIES: Final = {
    LANE: Capabilities(
        lists_tasks=ListsTasks.PER_CONTACT,
        completes=Completes.TOP_OF_LANE,
        creates=frozenset(ROUTABLE),
        completes_kinds=frozenset(Kind),
        exclusive=frozenset(ROUTABLE) - NOTES,
        lane=LanePolicy(),
        gets_task=False,
        reads_marker=False,
        lists_contacts=False,
        contact_keys=("phone",),
    ),
    TYPED: Capabilities(
        lists_tasks=ListsTasks.ALL,
        completes=Completes.TASK,
        creates=frozenset(Kind),
        completes_kinds=frozenset(ROUTABLE),
        contact_keys=("email",),
    ),
    PLAIN: Capabilities(
        lists_tasks=ListsTasks.ALL,
        completes=Completes.TASK,
        creates=frozenset(Kind),
        completes_kinds=frozenset(Kind),
        has_kinds=False,
        listing_lags=True,
    ),
}
ROUTES: Final = {kind: (PLAIN,) if kind in MESSAGE_KINDS else SYSTEMS for kind in Kind}
POLICY: Final = Policy(systems=SYSTEMS, routes=ROUTES)


def with_lane(**settings: Any) -> dict[str, Capabilities]:
    """The capabilities with another policy for the lanes."""
    return CAPABILITIES | {LANE: replace(CAPABILITIES[LANE], lane=LanePolicy(**settings))}


def fresh_ids(prefix: str = "new") -> Callable[[], str]:
    """Ids in order of their making, the same every time."""
    numbers = count(1)
    return lambda: f"{prefix}{next(numbers):04d}"


def at(**span: float) -> datetime:
    """An instant so long after the start."""
    return START + timedelta(**span)


def marker_of(task: Task | str, ledger: str = LEDGER) -> Marker:
    """What this ledger, or another one, writes into its copies of this task."""
    return Marker(ledger, task if isinstance(task, str) else task.id)


def a_task(task: str = "t1", **fields: Any) -> Task:
    """An open call of the person ``p1``, from the CRM with lanes, unless told otherwise."""
    given: dict[str, Any] = {"contact": "p1", "kind": Kind.FOLLOW_UP_CALL, "due": at(hours=5), "origin": LANE}
    return Task(id=task, **(given | {"title": None, "body": None} | fields))


def a_replica(task: Task, system: str, remote_id: str = "", **fields: Any) -> Replica:
    """A copy of the task as its origin's people made it, or as our create did elsewhere."""
    home, name = marker_of(task).place
    own = name if home == system else ""
    made = fields.pop("made", system != task.origin)
    return Replica(
        system=system,
        remote_id=remote_id or own or f"{name or task.id}-{system}",
        task=task.id,
        contact=f"{task.contact}-{system}",
        made=made,
        exclusive=system == LANE and task.kind not in NOTES,
        raw_type=fields.pop("raw_type", task.kind.value if system != PLAIN else ""),
        title=fields.pop("title", task.title if system != LANE else None),
        due=fields.pop("due", task.due),
        **({"ours": made} | fields),
    )


def a_reading(system: str, remote_id: str, **fields: Any) -> Reading:
    """An open call of the person ``p1``, just made by hand, unless told otherwise."""
    person = fields.pop("person", "p1")
    kind = fields.pop("kind", Kind.FOLLOW_UP_CALL)
    given: dict[str, Any] = {
        "contact": f"{person}-{system}",
        "state": State.OPEN,
        "raw_type": kind.value if system != PLAIN else "",
        "due": at(hours=5),
        "exclusive": system == LANE and kind not in NOTES,
        "kind_known": system != PLAIN,
    }
    if system == LANE:
        given |= {"created_at": START, "updated_at": START, "created_by": "7", "updated_by": "7"}
    return Reading(system=system, remote_id=remote_id, kind=kind, **(given | fields))


def read_back(replica: Replica, task: Task, **changes: Any) -> Reading:
    """The reading of a copy that nobody has changed."""
    reading = a_reading(
        replica.system,
        replica.remote_id,
        person=task.contact,
        kind=task.kind,
        raw_type=replica.raw_type,
        title=replica.title,
        body=task.body,
        due=replica.due,
        exclusive=replica.exclusive,
        sequence=replica.sequence,
        marker=marker_of(task) if replica.made and replica.system != LANE else None,
    )
    if replica.system == LANE:
        reading = replace(reading, created_by=API if replica.made else "7", updated_by=API if replica.made else "7")
    return replace(reading, **changes)


def records_of(*people: str, systems: Iterable[str] = SYSTEMS) -> dict[tuple[str, str], Record]:
    """Every person's contact in each of these CRMs."""
    found = [Record(system, f"{person}-{system}", person) for person in people for system in systems]
    return {record.key: record for record in found}


def a_base(*tasks: Task, replicas: Iterable[Replica] = (), people: Sequence[str] = ("p1", "p2"), **more: Any) -> Base:
    """A ledger in which every person is linked in all three CRMs."""
    records = records_of(*people)
    operations: Iterable[Operation] = more.pop("operations", ())
    given: dict[str, Any] = {
        "tasks": {task.id: task for task in tasks},
        "replicas": {replica.key: replica for replica in replicas},
        "operations": {operation.id: operation for operation in operations},
        "records": records,
        "links": {key: record.name for key, record in records.items()},
        "ledger_id": LEDGER,
    }
    return Base(**(given | more))


def an_operation(task: Task, system: str, action: Action, state: OpState, **fields: Any) -> Operation:
    """One operation of this task, an hour old."""
    given: dict[str, Any] = {"contact": f"{task.contact}-{system}", "created_at": at(hours=-1), "sent_at": at(hours=-1)}
    name = fields.pop("id", f"op-{task.id}-{system}-{action}")
    return Operation(id=name, task=task.id, system=system, action=action, state=state, **(given | fields))


def seen_of(
    *readings: Reading, systems: Iterable[str] = SYSTEMS, people: Sequence[str] = ("p1", "p2")
) -> dict[str, Seen]:
    """Everything read whole: the lists, and each person's lane, newest first."""
    seen = {system: Seen(listed=True) for system in systems}
    for reading in readings:
        if reading.system in seen:
            seen[reading.system].readings[reading.remote_id] = reading
    if LANE in seen:
        for person in people:
            contact = f"{person}-{LANE}"
            rows = [row for row in readings if row.system == LANE and row.contact == contact]
            rows.sort(key=lambda row: (row.created_at or START, row.remote_id), reverse=True)
            seen[LANE].lanes[contact] = tuple(rows)
    return seen


def read_in_full(*readings: Reading, people: Sequence[str] = ("p1", "p2")) -> dict[str, Seen]:
    """The same, and each person's tasks by themselves, closed ones too."""
    seen = seen_of(*readings, people=people)
    for system in (TYPED, PLAIN):
        for person in people:
            contact = f"{person}-{system}"
            mine = tuple(row for row in readings if (row.system, row.contact) == (system, contact))
            seen[system].persons[contact] = mine
    return seen


def in_words_of(system: str, kind: Kind) -> Kind:
    """The kind as this CRM tells it of a copy of ours: two of them tell less than there is."""
    if system == LANE:
        return kind
    if system == PLAIN:
        return Kind.FOLLOW_UP_CALL
    words = {"call": Kind.FOLLOW_UP_CALL, "visit": Kind.SITE_VISIT, "note": Kind.TODO}
    return words.get(kind.family, kind)


def merged(base: Base, seen: Mapping[str, Seen], **given: Any) -> Merged:
    """One merge at the start of time, unless told otherwise. Whose lane was seen has been visited."""
    visits = {(system, contact): START for system in seen for contact in seen[system].lanes}
    base = replace(base, visits={**visits, **base.visits})
    capabilities = given.pop("capabilities", CAPABILITIES)
    policy = given.pop("policy", POLICY)
    options: dict[str, Any] = {"now": START, "run": "run1", "new_id": fresh_ids()} | given
    return merge(base, seen, capabilities, policy, **options)


# random pasts and presents -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RandomWorld:
    """What the ledger remembers and what the CRMs say now: a common past, perturbed on each side."""

    base: Base
    seen: dict[str, Seen]
    effects: Effects = NONE
    policy: Policy = POLICY
    capabilities: dict[str, Capabilities] = field(default_factory=lambda: dict(CAPABILITIES))

    def merged(self, **given: Any) -> Merged:
        return merged(
            self.base,
            self.seen,
            policy=self.policy,
            capabilities=self.capabilities,
            **({"effects": {LANE: self.effects}} | given),
        )


_DUES: Final = st.sampled_from([at(hours=5), at(hours=5, seconds=30), at(hours=6), at(days=2)])
_TITLES: Final = st.sampled_from([None, "Call about the flat", "Send papers"])
_PEOPLE: Final = st.sampled_from(["p1", "p1", "p2"])
_CLOSED: Final = [ReplicaState.DONE, ReplicaState.CANCELLED, ReplicaState.SUPERSEDED, ReplicaState.GONE]


@st.composite
def pasts(draw: st.DrawFn) -> Base:
    """A ledger as earlier runs may have left it."""
    tasks, replicas, operations = [], [], []
    for number in range(draw(st.integers(0, 4))):
        origin = draw(st.sampled_from(SYSTEMS))
        kind = draw(st.sampled_from(Kind if origin == TYPED else ROUTABLE))
        task = a_task(
            f"{origin}:t{number}",
            contact=draw(_PEOPLE),
            kind=kind,
            origin=origin,
            due=draw(_DUES),
            title=draw(_TITLES) if origin != LANE else None,
            state=draw(st.sampled_from([State.OPEN, State.OPEN, State.OPEN, State.DONE, State.CANCELLED])),
            due_synthetic=draw(st.sampled_from([False, False, True])),
        )
        tasks.append(task)
        shown_in = [s for s in dict.fromkeys((origin, *ROUTES[kind])) if s == origin or draw(st.booleans())]
        replicas += [_past_replica(draw, task, system) for system in shown_in]
        replicas_here = {replica.system for replica in replicas if replica.task == task.id and _is_open(replica)}
        for system in sorted(set(ROUTES[kind]) - replicas_here):
            if draw(st.sampled_from([False, False, False, True])):
                state = draw(st.sampled_from(OpState))
                operations.append(an_operation(task, system, Action.CREATE, state))
    return a_base(*tasks, replicas=replicas, operations=operations)


def _is_open(replica: Replica) -> bool:
    return replica.state is ReplicaState.OPEN


def _past_replica(draw: st.DrawFn, task: Task, system: str) -> Replica:
    """Mostly open. It is closed only in ways that do not change the task."""
    possible = [ReplicaState.GONE]
    if system == LANE:
        possible.append(ReplicaState.SUPERSEDED)
    if task.state is not State.OPEN:
        possible.append(ReplicaState(task.state.value))
    state = draw(st.sampled_from([ReplicaState.OPEN, ReplicaState.OPEN, ReplicaState.OPEN, *possible]))
    due = None if task.due_synthetic and system == task.origin else task.due
    made = system != task.origin
    return a_replica(
        task,
        system,
        state=state,
        due=due,
        made=made,
        ours=made and draw(st.booleans()),
        misses=2 if state is ReplicaState.GONE else draw(st.integers(0, 1)),
    )


@st.composite
def worlds(draw: st.DrawFn) -> RandomWorld:
    """A past, and in each CRM a present that grew out of it."""
    base = draw(pasts())
    readings, missing = [], set()
    for replica in base.replicas.values():
        reading = _present(draw, replica, base.tasks[replica.task])
        if reading is not None:
            readings.append(reading)
        elif draw(st.booleans()):
            missing.add(replica.key)
    readings += [_newcomer(draw, base, number) for number in range(draw(st.integers(0, 4)))]
    seen = seen_of(*readings)
    for system, remote_id in missing:
        seen[system].missing.add(remote_id)
    closed_here = [r.remote_id for r in readings if r.system == LANE and r.state is State.DONE]
    by_us = [remote_id for remote_id in closed_here if draw(st.integers(0, 5)) == 0]
    hit = frozenset(remote_id for remote_id in by_us if draw(st.booleans()))
    effects = Effects(closed=frozenset(by_us) - hit, hit=hit)
    done_then = draw(st.booleans())
    policy = replace(POLICY, cancelled_closes=draw(st.booleans()))
    return RandomWorld(base, seen, effects, policy, with_lane(superseded_is_done=done_then))


def _present(draw: st.DrawFn, replica: Replica, task: Task) -> Reading | None:
    """The current state of one copy; ``None`` if it was not read."""
    reading = read_back(replica, task, created_at=draw(_INSTANTS) if replica.system == LANE else None)
    was_open = replica.state is ReplicaState.OPEN
    now = draw(st.sampled_from(["same", "edited", "done", "cancelled", "unread"] if was_open else ["closed", "same"]))
    match now:
        case "unread":
            return None
        case "edited":
            return replace(reading, due=draw(_DUES), title=draw(_TITLES) if replica.system != LANE else None)
        case "cancelled" if replica.system == TYPED:
            return replace(reading, state=State.CANCELLED)
        case "done" | "cancelled" | "closed":
            return _closed(draw, reading)
    return reading


def _closed(draw: st.DrawFn, reading: Reading) -> Reading:
    if reading.system != LANE:
        return replace(reading, state=State.DONE)
    return replace(
        reading,
        state=State.DONE,
        updated_at=draw(_INSTANTS),
        updated_by=draw(st.sampled_from(["7", API, None])),
    )


_INSTANTS: Final = st.sampled_from([at(minutes=-30), at(minutes=-20), at(minutes=-20, seconds=1), at(minutes=-10)])


def _newcomer(draw: st.DrawFn, base: Base, number: int) -> Reading:
    """A task that no replica knows: new, a twin, a copy with a marker, history, or none of our business."""
    system = draw(st.sampled_from(SYSTEMS))
    kinds = {LANE: ROUTABLE, TYPED: tuple(Kind), PLAIN: ROUTABLE}[system]
    reading = a_reading(
        system,
        f"x{number}-{system}",
        person=draw(_PEOPLE),
        kind=draw(st.sampled_from(kinds)),
        due=draw(st.none() | _DUES) if system != LANE else draw(_DUES),
        title=draw(_TITLES) if system != LANE else None,
        mirrored=system != TYPED or draw(st.integers(0, 5)) > 0,
        whole=system == LANE or draw(st.integers(0, 5)) > 0,
    )
    if system == LANE:
        reading = replace(reading, created_at=draw(_INSTANTS), created_by=draw(st.sampled_from(["7", API, None])))
        if draw(st.integers(0, 3)) == 0:
            reading = _closed(draw, reading)
        return reading
    marked = draw(st.booleans())
    if base.tasks and marked:
        reading = replace(
            reading, marker=draw(st.sampled_from([marker_of(task) for task in (*sorted(base.tasks), f"{TYPED}:t9")]))
        )
    odd = draw(st.sampled_from([None, None, None, "nobody", "unread"]))
    if odd is not None:
        reading = replace(reading, contact=None if odd == "nobody" else f"stranger-{system}")
    return reading
