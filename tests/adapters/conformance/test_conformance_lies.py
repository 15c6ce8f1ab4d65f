"""Adapters that say one thing and do another are found out by the kit."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import adapters
from adapters.conformance import AdapterConformance, Bench
from adapters.conformance.trial import Trials
from adapters.highlevel.adapter import HighLevelAdapter
from adapters.reply.adapter import ReplyAdapter
from adapters.reply.lists import Lists
from adapters.reply.rows import listing_of, task_row
from adapters.superfone.adapter import SuperfoneAdapter
from syncer.contract.adapter import Capabilities, Completes, LanePolicy
from syncer.contract.errors import BadAnswer, InDoubt, Missing, NotSent, Refused, Unavailable
from syncer.domain.model import Draft, Kind, Listing, Reading, Record, State, TaskRef
from tests.support.crm_benches import KEY, HighLevelBench, ReplyBench, SuperfoneBench


def claiming(honest: Any, **claims: Any) -> Any:
    """An adapter that does what this one does, and declares something else."""

    def capabilities(adapter: Any) -> Capabilities:
        declared: Capabilities = honest.capabilities.fget(adapter)
        return replace(declared, **claims)

    return type(f"Claiming{honest.__name__}", (honest,), {"capabilities": property(capabilities)})


class ClosesAnother(HighLevelAdapter):
    async def complete_task(self, ref: TaskRef) -> Reading:
        rows = (await self.list_contact_tasks(ref.contact)).rows
        others = [row for row in rows if row.state is State.OPEN and row.remote_id != ref.remote_id]
        await super().complete_task(replace(ref, remote_id=others[0].remote_id))
        return replace(others[0], remote_id=ref.remote_id, state=State.DONE)


class WipesTheText(HighLevelAdapter):
    async def complete_task(self, ref: TaskRef) -> Reading:
        path = f"/contacts/{ref.contact}/tasks/{ref.remote_id}"
        await self._http.write("PUT", path, json={"title": "Done", "completed": True})
        return await self.get_task(ref)


class CannotCompleteVisits(SuperfoneAdapter):
    async def complete_task(self, ref: TaskRef) -> Reading:
        rows = (await self.list_contact_tasks(ref.contact)).rows
        if any(row.kind is Kind.SITE_VISIT for row in rows):
            raise Refused("not a visit")
        return await super().complete_task(ref)


class SaysTheNamedOneWasClosed(SuperfoneAdapter):
    async def complete_task(self, ref: TaskRef) -> Reading:
        return replace(await super().complete_task(ref), remote_id=ref.remote_id)


class _FirstPages(Lists):
    async def _scan(self, method: str, path: str, **more: Any) -> tuple[dict[str, Any], int]:
        page = await self._http.read(method, path, params={"top": 1000, "skip": 0}, json=more.get("json"))
        return {str(row["id"]): row for row in json.loads(page.content)["items"]}, 1


class TakesAPartForTheWhole(ReplyAdapter):
    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._lists = _FirstPages(self._http)


class _ListsReadOnce(Lists):
    async def tasks(self, wanted: Mapping[str, str | int], *, most: int | None = None) -> list[Any]:
        rows, _ = await self._scan("POST", "/tasks/filter", json=wanted, most=most)
        return list(rows.values())


class ReadsEachPageOnce(ReplyAdapter):
    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._lists = _ListsReadOnce(self._http)


class GivesUpQuietly(HighLevelAdapter):
    async def list_tasks(self) -> Listing[Reading]:
        try:
            return await super().list_tasks()
        except Unavailable:
            return Listing(())


class ListsTwice(ReplyAdapter):
    async def list_tasks(self) -> Listing[Reading]:
        listing = await super().list_tasks()
        return replace(listing, rows=listing.rows + listing.rows[-1:])


class ListsClosedOnes(ReplyAdapter):
    async def list_tasks(self) -> Listing[Reading]:
        return listing_of(await self._lists.tasks({}), task_row)


class DropsTheStrange(SuperfoneAdapter):
    async def list_contact_tasks(self, contact: str) -> Listing[Reading]:
        return replace(await super().list_contact_tasks(contact), unreadable=())


class ShowsTheMarker(ReplyAdapter):
    async def get_task(self, ref: TaskRef) -> Reading:
        reading = await super().get_task(ref)
        return replace(reading, body=f"{reading.body}\n{reading.marker.line if reading.marker else None}")


class TriesAgain(SuperfoneAdapter):
    async def complete_task(self, ref: TaskRef) -> Reading:
        try:
            return await super().complete_task(ref)
        except InDoubt:
            return await super().complete_task(ref)


class IsTooSure(HighLevelAdapter):
    async def create_task(self, draft: Draft) -> Reading:
        try:
            return await super().create_task(draft)
        except InDoubt as error:
            raise NotSent(error.words) from error


class TakesAbsenceForDone(HighLevelAdapter):
    async def get_task(self, ref: TaskRef) -> Reading:
        try:
            return await super().get_task(ref)
        except Missing:
            return Reading("highlevel", ref.remote_id, ref.contact, State.DONE, Kind.TODO, "")


class FindsNobodyByPhone(ReplyAdapter):
    async def find_contacts(self, key: str) -> tuple[Record, ...]:
        return await super().find_contacts(key) if "@" in key else ()


class Blabs(ReplyAdapter):
    async def list_tasks(self) -> Listing[Reading]:
        try:
            return await super().list_tasks()
        except BadAnswer as error:
            raise BadAnswer(f"{error.words}, with the key {KEY}") from error


class WritesWhileReading(HighLevelAdapter):
    async def get_task(self, ref: TaskRef) -> Reading:
        await self._http.write("PUT", f"/contacts/{ref.contact}/tasks/{ref.remote_id}", json={"body": "seen"})
        return await super().get_task(ref)


CALLS = frozenset({Kind.FOLLOW_UP_CALL, Kind.CALLBACK})
LIES: tuple[tuple[Any, Any, str], ...] = (
    (HighLevelBench, ClosesAnother, "a_completion_closes_what"),
    (SuperfoneBench, claiming(SuperfoneAdapter, completes=Completes.TASK), "a_completion_closes_what"),
    (SuperfoneBench, SaysTheNamedOneWasClosed, "a_completion_closes_what"),
    (HighLevelBench, WipesTheText, "a_completion_closes_what"),
    (SuperfoneBench, CannotCompleteVisits, "every_kind_that_is_declared_can_be_completed"),
    (
        HighLevelBench,
        claiming(HighLevelAdapter, completes=Completes.TOP_OF_LANE),
        "a_completion_closes_what",
    ),
    (HighLevelBench, claiming(HighLevelAdapter, completes=Completes.TOP_OF_LANE), "capabilities_fit_together"),
    (SuperfoneBench, claiming(SuperfoneAdapter, exclusive=CALLS), "a_create_closes_exactly_what_is_declared"),
    (
        SuperfoneBench,
        claiming(SuperfoneAdapter, exclusive=frozenset(), lane=None),
        "every_kind_keeps_its_type",
    ),
    (ReplyBench, claiming(ReplyAdapter, exclusive=CALLS), "a_create_closes_exactly_what_is_declared"),
    (
        SuperfoneBench,
        claiming(SuperfoneAdapter, creates=frozenset({Kind.TODO})),
        "a_kind_that_is_not_declared",
    ),
    (ReplyBench, TakesAPartForTheWhole, "a_list_is_read_to_its_last_page"),
    (ReplyBench, TakesAPartForTheWhole, "every_contact_is_listed_once"),
    (ReplyBench, ReadsEachPageOnce, "a_list_loses_no_task"),
    (HighLevelBench, GivesUpQuietly, "a_list_that_breaks_off_is_no_list"),
    (ReplyBench, ListsTwice, "a_list_has_no_task_twice"),
    (ReplyBench, ListsClosedOnes, "a_list_of_all_tasks_has_open_ones_only"),
    (SuperfoneBench, DropsTheStrange, "a_row_of_an_unknown_state"),
    (ReplyBench, ShowsTheMarker, "title_body_and_marker_come_back"),
    (SuperfoneBench, claiming(SuperfoneAdapter, reads_marker=True), "title_body_and_marker_come_back"),
    (HighLevelBench, claiming(HighLevelAdapter, reads_marker=False), "what_cannot_be_marked_can_be_told_by_its_type"),
    (HighLevelBench, claiming(HighLevelAdapter, has_kinds=True), "kinds_are_known_or_guessed_as_declared"),
    (SuperfoneBench, TriesAgain, "a_write_in_doubt_is_never_repeated"),
    (HighLevelBench, IsTooSure, "a_write_that_fails_says_whether_it_may_have_happened"),
    (HighLevelBench, TakesAbsenceForDone, "a_task_that_is_not_there_is_missing"),
    (
        ReplyBench,
        claiming(FindsNobodyByPhone, contact_keys=("email", "phone")),
        "a_contact_is_found_by_each",
    ),
    (ReplyBench, FindsNobodyByPhone, "what_is_not_declared_is_not_implemented"),
    (HighLevelBench, claiming(HighLevelAdapter, contact_keys=("email",)), "what_is_not_declared_is_not_implemented"),
    (ReplyBench, claiming(ReplyAdapter, gets_task=False), "capabilities_fit_together"),
    (ReplyBench, claiming(ReplyAdapter, exclusive=CALLS, lane=LanePolicy()), "capabilities_fit_together"),
    (ReplyBench, Blabs, "no_error_tells_a_secret"),
    (HighLevelBench, WritesWhileReading, "reads_change_nothing"),
)


class Suspect(AdapterConformance):
    """The kit, held against whoever is under suspicion."""

    def __init__(self, bench: Callable[[], Bench]) -> None:
        self._bench = bench

    def make(self) -> Bench:
        return self._bench()


def caught(suspect: Trials, named: str) -> bool:
    """Whether the trial of this name, in any of its cases, fails."""
    name = next(name for name in dir(suspect) if name.startswith(f"test_{named}"))
    trial = getattr(suspect, name)
    cases = [case for mark in getattr(trial, "pytestmark", ()) for case in mark.args[1]] or [None]
    for case in cases:
        try:
            trial(*(() if case is None else (case,)))
        except pytest.fail.Exception:
            return True
        except pytest.skip.Exception:
            continue
    return False


@pytest.mark.parametrize(("bench", "adapter", "named"), LIES, ids=lambda value: getattr(value, "__name__", value))
def test_a_lie_is_caught_by_the_trial_of_its_name(bench: Any, adapter: Any, named: str) -> None:
    assert caught(Suspect(lambda: bench(Suspect.now, adapter)), named)
    assert not caught(Suspect(lambda: bench(Suspect.now)), named), "the honest one must not be caught"


def test_a_lag_that_is_not_declared_is_caught() -> None:
    def late() -> Bench:
        bench = HighLevelBench(Suspect.now, claiming(HighLevelAdapter, listing_lags=False))
        bench.crm.lag = timedelta(seconds=20)
        return bench

    assert caught(Suspect(late), "a_created_task_is_listed_at_once_unless_lists_lag")


def test_an_unknown_state_that_is_guessed_is_caught() -> None:
    """As if the CRM's wire model took every status that it does not know for a finished task."""

    def guessing() -> Bench:
        bench = ReplyBench(Suspect.now)
        bench.strange_states = ("Finished",)
        return bench

    for named in ("a_row_of_an_unknown_state", "an_unknown_state_of_one_task", "a_completion_of_unknown_outcome"):
        assert caught(Suspect(guessing), named)


def test_nothing_but_the_kit_needs_pytest() -> None:
    """Adapters are installed without it."""
    folder = Path(adapters.__file__).parent
    modules = [path for path in folder.rglob("*.py") if "conformance" not in path.parts]
    assert not [path for path in modules if re.search(r"pytest|conformance", path.read_text("utf-8"))]
