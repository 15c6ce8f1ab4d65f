"""The example, wrong in one small thing each time: the trial of that thing finds it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from adapters.conformance import Bench, WholeRuns
from adapters.conformance.clockwork import run_in_virtual_time
from adapters.http.client import Limits
from adapters.skeleton import STEPS, AdapterSkeleton
from syncer.contract.adapter import Changed, Check
from syncer.contract.errors import BadAnswer, InDoubt, Missing, Refused
from syncer.domain.model import Draft, Edit, Listing, Reading, Record, State, TaskRef, Unreadable
from tests.adapters.conformance.test_conformance_lies import Suspect, caught, claiming
from tests.adapters.conformance.test_todolist import TodoListBench
from tests.adapters.conformance.todolist.adapter import SYSTEM, Todo, TodoListAdapter, TodoListSettings
from tests.adapters.conformance.todolist.sandbox import TodoListSandbox

MIDNIGHT = timedelta(hours=23, minutes=59)


class ReadsDaysAsMidnight(TodoListAdapter):
    def _todo(self, raw: Any) -> Reading | None:
        reading = super()._todo(raw)
        if reading is None or reading.due is None or not self._dues.is_day(reading.due):
            return reading
        return replace(reading, due=reading.due - MIDNIGHT)

    async def get_task(self, ref: TaskRef) -> Reading:
        reading = await super().get_task(ref)
        return reading if reading.due is None else replace(reading, due=reading.due - MIDNIGHT)


class SendsDaysAlone(TodoListAdapter):
    async def create_task(self, draft: Draft) -> Reading:
        return await super().create_task(replace(draft, due=self._dues.of_day(self._dues.day(draft.due))))


class MovesToAnotherTimeZone(TodoListAdapter):
    async def create_task(self, draft: Draft) -> Reading:
        return await super().create_task(replace(draft, due=draft.due + timedelta(hours=5, minutes=30)))


class ForgetsTheAssignee(TodoListAdapter):
    async def create_task(self, draft: Draft) -> Reading:
        return await super().create_task(replace(draft, assignee=None))


class GivesTasksOfNobodyToSomebody(TodoListAdapter):
    def _todo(self, raw: Any) -> Reading | None:
        reading = super()._todo(raw)
        return reading if reading is None or reading.contact else replace(reading, contact="p1")


class ShowsTheBin(TodoListAdapter):
    def _todo(self, raw: Any) -> Reading | None:
        return super()._todo({**raw, "trashed": False})


class LooksIntoTheBin(TodoListAdapter):
    async def get_task(self, ref: TaskRef) -> Reading:
        answer = await self._http.read("GET", f"/todos/{ref.remote_id}")
        return answer.parse(Todo).reading(self._dues)


class ReadsOnePage(TodoListAdapter):
    async def _rows(self, path: str, wanted: dict[str, str]) -> list[dict[str, Any]]:
        page = (await self._read(path, **wanted)).content
        rows: list[dict[str, Any]] = json.loads(page)["items"]
        return rows


class NamesOnePageOfChanges(TodoListAdapter):
    async def list_changed(self, cursor: str | None) -> Changed:
        latest = await super().list_changed(None)
        if cursor is None:
            return latest
        first = json.loads((await self._read("/changes", since=cursor)).content)
        return Changed(frozenset(first["people"]), latest.cursor)


class TakesNobodyForSomebodyIdle(TodoListAdapter):
    async def list_contact_tasks(self, contact: str) -> Listing[Reading]:
        try:
            return await super().list_contact_tasks(contact)
        except Missing:
            return Listing(())


class TriesAgain(TodoListAdapter):
    async def create_task(self, draft: Draft) -> Reading:
        try:
            return await super().create_task(draft)
        except InDoubt:
            return await super().create_task(draft)


class CopiesMarkers(TodoListAdapter):
    async def create_task(self, draft: Draft) -> Reading:
        return await super().create_task(replace(draft, title=f"{draft.title} {draft.body}", body=None))


class FindsWhoeverIsLike(TodoListAdapter):
    async def find_contacts(self, key: str) -> tuple[Record, ...]:
        await super().find_contacts(key)
        return (await self.list_contacts()).rows


class ChangesWhoIsThere(TodoListAdapter):
    async def create_contact(self, record: Record) -> Record:
        person = {"name": record.name, "email": record.emails[0], "phone": None}
        return self._person_of(await self._create("/people", person))

    def _person_of(self, answer: Any) -> Record:
        return Record(SYSTEM, json.loads(answer.content)["id"])


class IsAlwaysContent(TodoListAdapter):
    async def check(self) -> list[Check]:
        return [replace(check, ok=True) for check in await super().check()]


class TakesDoneForOpen(TodoListAdapter):
    async def complete_task(self, ref: TaskRef) -> Reading:
        return replace(await super().complete_task(ref), state=State.OPEN)


class TakesTheFirstOfSeveral(TodoListAdapter):
    async def create_contact(self, record: Record) -> Record:
        return (await self.find_contacts(record.emails[0]))[0]


class KeepsACursorThatExpired(TodoListAdapter):
    async def list_changed(self, cursor: str | None) -> Changed:
        try:
            return await super().list_changed(cursor)
        except Refused as error:
            raise BadAnswer(error.words, system=SYSTEM) from error


class TellsHowTheReadAfterAWriteFailed(TodoListAdapter):
    async def complete_task(self, ref: TaskRef) -> Reading:
        await super().complete_task(ref)
        return await self.get_task(ref)


class CutsTitles(TodoListAdapter):
    async def create_task(self, draft: Draft) -> Reading:
        return await super().create_task(replace(draft, title=draft.title[:80]))


class MovesEditedDuesToAnotherTimeZone(TodoListAdapter):
    async def edit_task(self, ref: TaskRef, edit: Edit) -> Reading:
        dues = {name: due + timedelta(hours=5) for name, due in edit.wanted.items() if isinstance(due, datetime)}
        return await super().edit_task(ref, replace(edit, wanted={**edit.wanted, **dues}))


class EditsWhateverIsThere(TodoListAdapter):
    async def edit_task(self, ref: TaskRef, edit: Edit) -> Reading:
        return await super().edit_task(ref, replace(edit, expected={}))


class WritesTheWholeTask(TodoListAdapter):
    def _wanted(self, edit: Edit, now: Reading) -> dict[str, str | None]:
        return {"text": now.title, "note": now.body, **super()._wanted(edit, now)}


class BelievesEverySuccess(TodoListAdapter):
    async def complete_task(self, ref: TaskRef) -> Reading:
        before = await self.get_task(ref)
        await self._http.write("POST", f"/todos/{ref.remote_id}/done")
        return replace(before, state=State.DONE)


class TakesWhatIsDoneForGivenUp(TodoListAdapter):
    async def get_task(self, ref: TaskRef) -> Reading:
        reading = await super().get_task(ref)
        return reading if reading.state is State.OPEN else replace(reading, state=State.CANCELLED)


class TellsLocalTimes(TodoListAdapter):
    async def get_task(self, ref: TaskRef) -> Reading:
        return replace(await super().get_task(ref), updated_at=Suspect.now() + timedelta(hours=5.5))


class WaitsAsItLikes(TodoListAdapter):
    def __init__(self, settings: TodoListSettings, **about: Any) -> None:
        super().__init__(settings, **about)
        self._http._limits = Limits(waits=())


class TellsLittleOfStrangeRows(TodoListAdapter):
    def _unreadable(self, raw: dict[str, Any], error: ValidationError) -> Unreadable:
        return replace(super()._unreadable(raw, error), contact=None, due=None)


class StaysAtItsCursor(TodoListAdapter):
    async def list_changed(self, cursor: str | None) -> Changed:
        changed = await super().list_changed(cursor)
        return replace(changed, cursor=cursor or changed.cursor)


SECOND = timedelta(seconds=1)
LIES: tuple[tuple[Any, str], ...] = (
    (claiming(TodoListAdapter, due_step=SECOND), "a_due_is_kept_as_declared"),
    (claiming(TodoListAdapter, due_zone=None), "a_due_that_is_a_day"),
    (claiming(TodoListAdapter, due_zone=UTC), "capabilities_fit_together"),
    (claiming(TodoListAdapter, tells_changes=False), "what_is_not_declared_is_not_implemented"),
    (ReadsDaysAsMidnight, "a_due_that_is_a_day"),
    (SendsDaysAlone, "a_due_is_kept_as_declared"),
    (MovesToAnotherTimeZone, "a_due_is_kept_as_declared"),
    (ForgetsTheAssignee, "the_assignee_that_is_sent_arrives"),
    (GivesTasksOfNobodyToSomebody, "a_task_of_nobody_is_given_to_nobody"),
    (ShowsTheBin, "a_task_that_is_marked_as_deleted"),
    (LooksIntoTheBin, "a_task_that_is_marked_as_deleted"),
    (ReadsOnePage, "a_list_is_read_to_its_last_page"),
    (NamesOnePageOfChanges, "changes_are_read_to_their_last_page"),
    (TakesNobodyForSomebodyIdle, "the_tasks_of_nobody_are_missing"),
    (TriesAgain, "a_write_in_doubt_is_never_repeated"),
    (CopiesMarkers, "the_marker_of_another_task_is_not_copied"),
    (FindsWhoeverIsLike, "nobody_is_found_by_an_unknown_key"),
    (ChangesWhoIsThere, "a_contact_that_is_there_is_not_created_again"),
    (IsAlwaysContent, "check_reports_failures"),
    (TakesDoneForOpen, "a_completion_closes_what_it_addresses"),
    (BelievesEverySuccess, "a_write_that_fails_says_whether"),
    (TakesWhatIsDoneForGivenUp, "each_state_of_the_documentation"),
    (TellsLocalTimes, "the_times_of_a_task"),
    (WaitsAsItLikes, "too_many_requests_are_waited_out"),
    (TellsLittleOfStrangeRows, "a_row_of_an_unknown_state_is_named"),
    (StaysAtItsCursor, "whose_tasks_changed_is_told"),
    (TakesTheFirstOfSeveral, "a_key_of_several_contacts_is_ambiguous"),
    (KeepsACursorThatExpired, "a_cursor_that_is_refused"),
    (TellsHowTheReadAfterAWriteFailed, "what_cannot_be_read_after_a_write"),
    (CutsTitles, "a_long_title_is_kept_as_declared"),
    (MovesEditedDuesToAnotherTimeZone, "an_edited_due_is_kept_as_declared"),
    (EditsWhateverIsThere, "what_is_not_as_expected_is_not_overwritten"),
    (WritesTheWholeTask, "each_field_that_is_declared_can_be_changed"),
)


@pytest.mark.parametrize(("adapter", "named"), LIES, ids=lambda value: getattr(value, "__name__", value))
def test_a_lie_is_caught_by_the_trial_of_its_name(adapter: Any, named: str) -> None:
    assert caught(Suspect(lambda: TodoListBench(TodoListSandbox(Suspect.now), adapter)), named)


@pytest.mark.parametrize("named", sorted({named for _, named in LIES}))
def test_the_honest_one_is_not_caught(named: str) -> None:
    assert not caught(Suspect(lambda: TodoListBench(TodoListSandbox(Suspect.now))), named)


class SuspectRuns(WholeRuns):
    """Whole runs with whoever is under suspicion."""

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter

    def make(self) -> Bench:
        return TodoListBench(TodoListSandbox(self.now), self._adapter)


@pytest.mark.parametrize(
    ("adapter", "named"),
    [
        (ReadsDaysAsMidnight, "what_is_due_on_a_day_and_that_afternoon"),
        (claiming(TodoListAdapter, due_step=SECOND), "a_task_of_another_crm_is_copied_here_once"),
        (CutsTitles, "a_long_title_is_cut_off_nowhere_else"),
        (MovesEditedDuesToAnotherTimeZone, "what_is_edited_there_is_edited_here"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_lie_harms_a_whole_run(adapter: Any, named: str) -> None:
    assert caught(SuspectRuns(adapter), named)


def test_a_crm_may_keep_nothing_but_days() -> None:
    """Then it declares that, and what is due some time that day is one task."""
    days = claiming(SendsDaysAlone, due_step=timedelta(days=1))
    assert not caught(Suspect(lambda: TodoListBench(TodoListSandbox(Suspect.now), days)), "a_due_is_kept_as_declared")
    for named in ("a_task_of_another_crm_is_copied_here_once", "what_is_due_on_a_day_and_that_afternoon"):
        assert not caught(SuspectRuns(days), named)


# from an empty adapter on ---------------------------------------------------------------------------


class Begun(AdapterSkeleton):
    """Nothing is written of it but its name."""

    system: ClassVar[str] = SYSTEM
    settings_model: ClassVar[type[TodoListSettings]] = TodoListSettings


def grown(done: list[str]) -> Any:
    """The skeleton with these steps written, as they are in the example."""
    if "wire" not in done:
        return Begun
    methods = {name: TodoListAdapter.__dict__[name] for name in done if name != "wire"}
    others = vars(TodoListAdapter).keys() - {*STEPS, "__abstractmethods__", "_abc_impl"}
    helpers = {name: vars(TodoListAdapter)[name] for name in others}
    return type(f"Begun{len(done)}", (Begun,), {**helpers, **methods})


STEPS_HERE = [step for step in STEPS if step == "wire" or step in vars(TodoListAdapter)]


@pytest.mark.parametrize("count", range(len(STEPS_HERE)))
def test_the_skeleton_says_what_to_write_next(count: int) -> None:
    adapter = grown(STEPS_HERE[:count])

    async def main() -> str:
        return await Suspect(lambda: TodoListBench(TodoListSandbox(Suspect.now), adapter)).to_write_next()

    assert run_in_virtual_time(main()).startswith(f"write `{STEPS_HERE[count]}`: ")


def test_one_test_fails_and_the_others_wait_until_all_is_written() -> None:
    suspect = Suspect(lambda: TodoListBench(TodoListSandbox(Suspect.now), Begun))
    failing, waiting = [], set()
    for name in sorted(name for name in dir(suspect) if name.startswith("test_")):
        trial = getattr(suspect, name)
        cases = [case for mark in getattr(trial, "pytestmark", ()) for case in mark.args[1]] or [None]
        try:
            trial(*(() if cases[0] is None else cases[:1]))
        except pytest.skip.Exception as skipped:
            waiting.add(str(skipped).partition(":")[0])
        except pytest.fail.Exception:
            failing.append(name)
    assert waiting == {"first write `wire`"}
    assert failing == ["test_everything_that_is_declared_is_written"]


def test_what_is_left_of_the_skeleton_is_told() -> None:
    suspect = Suspect(lambda: TodoListBench(TodoListSandbox(Suspect.now), grown(STEPS_HERE)))
    assert caught(suspect, "it_can_be_registered")


class StumblesOverClosedTasks(TodoListAdapter):
    async def get_task(self, ref: TaskRef) -> Reading:
        reading = await super().get_task(ref)
        if reading.state is not State.OPEN:
            msg = "a bug"
            raise KeyError(msg)
        return reading


def test_an_error_that_a_run_would_survive_fails_the_trial(own_errors: list[str]) -> None:
    suspect = SuspectRuns(StumblesOverClosedTasks)
    with pytest.raises(KeyError, match="a bug"):
        suspect.test_what_is_done_here_is_done_there()
    assert own_errors == []
