"""What is kept of a person whom no run had the time to read in full, what is used of it, and when it is forgotten."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from syncer.domain.base import Base, Changes
from syncer.domain.model import Reading
from syncer.domain.snapshot import Seen
from syncer.engine.context import RunContext
from syncer.engine.kept_texts import keep_texts, kept_text
from tests.support.strategies import SYSTEMS, TYPED, a_base, a_reading, a_replica, a_task, at

NAME = f"kept:{TYPED}:p1-{TYPED}"


def row_of(remote_id: str, **fields: Any) -> Reading:
    """As the list shows it: without its text, and alone with the time of its creation."""
    return a_reading(TYPED, remote_id, whole=False, created_at=at(hours=-9), **fields)


def text_of(row: Reading, body: str = "About the flat") -> Reading:
    """As its own read shows it."""
    return replace(row, whole=True, body=body, created_at=None)


class Run:
    """One run of a person's, of whom some tasks were read by themselves, and what it stores."""

    def __init__(self, *read: tuple[Reading, Reading], base: Base | None = None, finished: bool = False) -> None:
        self.base = base or a_base()
        self.turned: dict[str, str] = {}
        self.stored: dict[str, str] = {}
        self.connections = {}
        for system in SYSTEMS:
            there: dict[str, tuple[Reading, ...]] = {f"p1-{system}": (), f"p2-{system}": ()}
            seen = Seen(listed=True, persons=there if finished or system != TYPED else {})
            alone = {row.remote_id: (row, text) for row, text in read if row.system == system}
            self.connections[system] = SimpleNamespace(seen=seen, read_alone=alone)

    def record(self, changes: Changes) -> None:
        self.stored |= changes.cursors
        self.base.update(changes)

    def keep(self, *persons: str) -> Run:
        keep_texts(cast("RunContext", self), persons)
        return self

    def used(self, row: Reading) -> Reading | None:
        return kept_text(cast("RunContext", self), row)


def test_a_kept_text_is_used_with_what_only_the_list_shows() -> None:
    row = row_of("1")
    run = Run((row, text_of(row))).keep("p1")
    assert run.used(row) == replace(text_of(row), created_at=row.created_at)
    assert run.used(replace(row, due=at(hours=7))) is None, "the list shows something new"
    assert run.used(row_of("2")) is None


def test_what_is_read_later_is_added_and_counts() -> None:
    one, two = row_of("1"), row_of("2")
    first = Run((one, text_of(one)), (two, text_of(two))).keep("p1")
    moved = replace(one, due=at(hours=7))
    then = Run((moved, text_of(moved, "Anew")), base=first.base).keep("p1")
    assert (then.used(moved), then.used(one)) == (replace(text_of(moved, "Anew"), created_at=one.created_at), None)
    assert then.used(two) is not None


def test_nothing_is_kept_of_known_tasks_nor_of_whom_was_read_in_full() -> None:
    row = row_of("1")
    known = a_base(a_task(origin=TYPED), replicas=[a_replica(a_task(origin=TYPED), TYPED, "1")])
    assert Run((row, text_of(row)), base=known).keep("p1").stored == {}
    assert Run((row, text_of(row)), finished=True).keep("p1").stored == {}
    assert Run((row, text_of(row))).keep("p2").stored == {}, "nobody was to read this one in full"


def test_it_is_forgotten_only_with_what_is_merged_from_it() -> None:
    """A run that ends before that loses nothing."""
    row = row_of("1")
    base = Run((row, text_of(row))).keep("p1").base
    done = Run(base=base, finished=True).keep("p1")
    assert (done.stored, done.turned) == ({}, {NAME: ""})


def test_nothing_is_forgotten_while_its_crm_is_silent() -> None:
    row = row_of("1")
    silent = Run(base=Run((row, text_of(row))).keep("p1").base)
    silent.connections[TYPED].seen.listed = False
    assert silent.keep().turned == {}
    silent.connections[TYPED].seen.listed = True
    assert silent.keep().turned == {NAME: ""}
    del silent.connections[TYPED]
    silent.turned.clear()
    assert silent.keep().turned == {NAME: ""}, "it was taken out of the account file"
