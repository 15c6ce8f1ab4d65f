"""What becomes of a person's values when two persons turn out to be one, and what a base answers from its indexes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.domain.base import Base, Changes, Failing
from syncer.domain.cursors import BEHIND, cursors_after
from syncer.domain.model import Kind, Record
from syncer.domain.operations import Action, OpState
from tests.support.ledgers import NOW, make_operation, make_replica, make_task

MERGED: Mapping[str, str] = {"a": "b", "b": "c"}


@pytest.mark.parametrize(
    ("before", "changed"),
    [
        ({"behind:a": "1"}, {"behind:a": "", "behind:c": "1"}),
        ({"behind:a": "1", "behind:b": "1", "behind:c": "1"}, {"behind:a": "", "behind:b": "", "behind:c": "1"}),
        ({"behind:c": "1", "behind:a": ""}, {}),
        ({"left:reply:b": "+1 x@y.z"}, {"left:reply:b": "", "left:reply:c": "+1 x@y.z"}),
        (
            {"left:reply:c": "+1 +2", "left:reply:a": "+2 +3", "left:superfone:a": "+4"},
            {"left:reply:a": "", "left:reply:c": "+1 +2 +3", "left:superfone:a": "", "left:superfone:c": "+4"},
        ),
        ({"contacts:a": "2026-01-01", "behind:d": "1", "left:reply:d": "+5"}, {}),
    ],
)
def test_what_is_kept_of_a_person_follows_them(before: dict[str, str], changed: dict[str, str]) -> None:
    assert cursors_after(before, MERGED) == changed
    assert cursors_after(before | changed, MERGED) == {}


def test_a_link_merged_into_itself_keeps_its_values() -> None:
    before = {"behind:a": "1", "left:reply:a": "+1"}
    assert before | cursors_after(before, {"a": "a"}) == before


def test_all_that_names_a_person_follows_them() -> None:
    """Their tasks, their contacts of any CRM, that they are behind, and how many of their tasks are alike."""
    base = Base(
        tasks={"t": make_task("t", contact="a"), "u": make_task("u", contact="d")},
        links={("reply", "1"): "a", ("highlevel", "2"): "b", ("superfone", "3"): "c", ("reply", "4"): "d"},
        behind={"b", "d"},
        recent={(link, Kind.TODO, "Ring", NOW): 2 for link in "acd"},
    )

    base.update(Changes(tasks={"v": make_task("v", contact="b")}, links={("reply", "1"): "c"}, merged=dict(MERGED)))

    assert {task.id: task.contact for task in base.tasks.values()} == {"t": "c", "u": "d", "v": "c"}
    assert {key[1]: link for key, link in base.links.items()} == {"1": "c", "2": "c", "3": "c", "4": "d"}
    assert base.behind == {"c", "d"}
    assert base.recent == {("c", Kind.TODO, "Ring", NOW): 4, ("d", Kind.TODO, "Ring", NOW): 2}


def test_a_loop_between_merged_links_counts_nothing_twice() -> None:
    base = Base(recent={("a", Kind.TODO, "Ring", NOW): 2})
    base.update(Changes(merged={"a": "a"}))
    assert base.recent == {("a", Kind.TODO, "Ring", NOW): 2}


def test_what_was_stored_is_known_at_once() -> None:
    """What is forgotten goes first, and what can be read again fails no more."""
    fails, still = (Failing("reply", "task", key, 1, NOW, "503") for key in ("1", "2"))
    gone, new = make_replica("1", "t"), make_replica("2", "t")
    base = Base(replicas={gone.key: gone}, failing={fails.place: fails}, cursors={"a": "1", "b": "1"})
    changes = Changes(
        replicas={new.key: new},
        forgotten={gone.key, new.key},
        lookups={("superfone", "+1"): NOW},
        visits={("reply", "9"): NOW},
        cursors={"b": "2"},
        failing={still.place: still},
        readable={fails.place},
    )

    base.update(changes)

    assert base.replicas == {new.key: new}
    assert (base.lookups, base.visits) == (changes.lookups, changes.visits)
    assert base.cursors == {"a": "1", "b": "2"}
    assert base.failing == {still.place: still}


# indexes -------------------------------------------------------------------------------------------

FEW: Final = ("a", "b", "c")
SYSTEMS: Final = ("reply", "superfone")
NAMES: Final = st.sampled_from(FEW)
PLACES: Final = st.tuples(st.sampled_from(SYSTEMS), NAMES)
SLOTS: Final = [(task, system, action) for task in FEW for system in SYSTEMS for action in Action]
TASKS: Final = st.builds(lambda task, link: make_task(task, contact=link), NAMES, NAMES)
REPLICAS: Final = st.builds(
    lambda place, task, contact: replace(make_replica(place[1], task), system=place[0], contact=contact),
    PLACES,
    NAMES,
    NAMES,
)
OPERATIONS: Final = st.builds(
    lambda name, slot, contact, state: replace(
        make_operation(name, slot[0], state), system=slot[1], action=slot[2], contact=contact
    ),
    NAMES,
    st.sampled_from(SLOTS),
    NAMES,
    st.sampled_from(OpState),
)
RECORDS: Final = st.builds(
    lambda place, phones, emails: Record(place[0], place[1], "Asha", tuple(phones), tuple(emails)),
    PLACES,
    st.lists(NAMES, max_size=2),
    st.lists(NAMES, max_size=2),
)
MERGES: Final = st.dictionaries(NAMES, NAMES, max_size=1)
CHANGES: Final = st.builds(
    lambda tasks, replicas, operations, records, links, merged, forgotten: Changes(
        tasks={task.id: task for task in tasks},
        replicas={replica.key: replica for replica in replicas},
        operations={operation.id: operation for operation in operations},
        records={record.key: record for record in records},
        links=links,
        merged=merged,
        cursors={BEHIND + link: "1" for link in merged},
        forgotten=forgotten,
    ),
    st.lists(TASKS, max_size=3),
    st.lists(REPLICAS, max_size=3),
    st.lists(OPERATIONS, max_size=3),
    st.lists(RECORDS, max_size=3),
    st.dictionaries(PLACES, NAMES, max_size=3),
    MERGES,
    st.sets(PLACES, max_size=2),
)


def answers(base: Base) -> dict[str, list[object]]:
    """All that a base can be asked, each answer in an order of its own."""

    def sort(found: Iterable[object]) -> list[object]:
        return sorted(found, key=repr)

    return {
        "copies": [sort(base.copies(task, system)) for task in FEW for system in SYSTEMS],
        "replicas": [sort(base.replicas_of(system, contact)) for system in SYSTEMS for contact in FEW],
        "operations": [sort(base.operations_in(slot)) for slot in SLOTS],
        "unsettled": [sort(base.unsettled(system, contact)) for system in SYSTEMS for contact in FEW],
        "tasks": [sort(base.tasks_of(link)) for link in FEW],
        "contacts": [sort(base.contacts_of(link)) for link in FEW],
        "records": [list(base.records_of(link)) for link in FEW],
        "holders": [sort(base.records_with(key)) for key in FEW],
        "recent": [sort(base.recent_of(link)) for link in FEW],
    }


def walked(base: Base) -> dict[str, list[object]]:
    """The same, found by looking at everything."""

    def sort(found: Iterable[object]) -> list[object]:
        return sorted(found, key=repr)

    replicas, operations = base.replicas.values(), base.operations.values()
    places = [(system, contact) for system in SYSTEMS for contact in FEW]
    doubts = [op for op in operations if op.is_unsettled]
    records = sorted(base.records.items())
    return {
        "copies": [
            sort(one for one in replicas if (one.task, one.system) == (task, system))
            for task in FEW
            for system in SYSTEMS
        ],
        "replicas": [sort(one for one in replicas if (one.system, one.contact) == place) for place in places],
        "operations": [sort(op for op in operations if op.slot == slot) for slot in SLOTS],
        "unsettled": [sort(op for op in doubts if (op.system, op.contact) == place) for place in places],
        "tasks": [sort(task for task in base.tasks.values() if task.contact == link) for link in FEW],
        "contacts": [sort(key for key, whose in base.links.items() if whose == link) for link in FEW],
        "records": [[record for key, record in records if base.links.get(key) == link] for link in FEW],
        "holders": [sort(record for _, record in records if key in (*record.phones, *record.emails)) for key in FEW],
        "recent": [sort(alike for alike in base.recent if alike[0] == link) for link in FEW],
    }


@given(steps=st.lists(CHANGES, min_size=1, max_size=4), links=st.dictionaries(PLACES, NAMES))
def test_a_base_answers_as_if_it_had_looked_at_everything(
    steps: list[Changes], links: dict[tuple[str, str], str]
) -> None:
    base = Base(links=links, recent={(link, Kind.TODO, "Ring", NOW): 1 for link in FEW})
    for changes in steps:
        base.update(changes)
        copy = base.copy()
        for task in changes.tasks.values():
            copy.tasks[task.id] = replace(task, contact="c")
        assert answers(copy) == walked(copy)
        assert answers(base) == walked(base)


@given(changes=CHANGES, link=NAMES, tasks=st.lists(NAMES, max_size=2), places=st.lists(PLACES, max_size=2))
def test_a_narrowed_base_knows_all_of_its_persons(
    changes: Changes, link: str, tasks: list[str], places: list[tuple[str, str]]
) -> None:
    base = Base()
    base.update(changes)
    narrow = base.narrowed(link, tasks, places)

    assert set(narrow.tasks) == {task.id for task in base.tasks_of(link)} | (set(tasks) & base.tasks.keys())
    for task in narrow.tasks.values():
        assert narrow.copies_of(task.id) == base.copies_of(task.id)
        assert narrow.operations_of(task.id) == base.operations_of(task.id)
    persons = {link, *(task.contact for task in narrow.tasks.values()), *(base.links.get(place) for place in places)}
    for person in persons - {None}:
        assert narrow.contacts_of(person or "") == base.contacts_of(person or "")
        assert narrow.records_of(person or "") == base.records_of(person or "")
        assert narrow.cursors.get(f"{BEHIND}{person}") == base.cursors.get(f"{BEHIND}{person}")
    assert all(narrow.records.get(place) == base.records.get(place) for place in places)
    assert {replica.task for replica in narrow.replicas.values()} <= set(narrow.tasks)
