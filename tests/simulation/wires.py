"""Faults planted in the connections between modules: arguments, fields and calls of one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.simulation.planting import Mutant


@dataclass(frozen=True, slots=True)
class Wire:
    """A planted fault: ``old``, which is in the module once, becomes ``new``. ``noticed_by`` are tests that fail then.

    If it is empty, the simulation's histories must notice it.
    """

    name: str
    module: str
    old: str
    new: str
    noticed_by: str = ""

    @property
    def mutant(self) -> Mutant:
        return Mutant(self.name, "wiring", self.module, self.old, self.new)


IN_A_RUN: Final = (
    Wire(
        "two persons are merged, and the tasks of one stay behind",
        "syncer.domain.base",
        "            for task in self.tasks_of(link):",
        "            for task in self.tasks_of(now):",
        "tests/domain/test_base.py::test_all_that_names_a_person_follows_them",
    ),
    Wire(
        "who writes does not ask for its lease",
        "syncer.engine.opening",
        "                adapter.wire.set_fence(partial(account.ledger.hold, token))\n",
        "                pass\n",
        "tests/scenarios/test_wiring.py::test_no_request_leaves_once_the_lease_is_lost",
    ),
    Wire(
        "who has just connected does not ask for its lease again",
        "adapters.http.client",
        "page=effort.page, fence=effort.fence)",
        "page=effort.page, fence=lambda: None)",
        "tests/adapters/http/test_time.py::test_the_fence_is_asked_again_once_the_connection_of_a_write_stands",
    ),
    Wire(
        "of two contacts found just before one is made, the first is taken",
        "syncer.engine.new_contacts",
        "        return tuple(there.values())\n",
        "        return tuple(there.values())[:1]\n",
        "tests/engine/test_wiring.py::test_who_is_found_twice_just_before_is_not_taken",
    ),
    Wire(
        "nobody asks whether a second contact of the person has a copy of the task",
        "syncer.reconcile.obstacles",
        "            or self._on_a_namesake(task, system)\n",
        "",
        "tests/scenarios/test_namesakes.py::"
        "test_a_task_that_another_ledger_copied_to_a_second_contact_of_its_person_gets_no_copy_on_the_first",
    ),
    Wire(
        "to allow no create allows all",
        "syncer.engine.run",
        "sync.max_creates_per_run if options.allow_creates is None else",
        "sync.max_creates_per_run if not options.allow_creates else",
        "tests/engine/test_wiring.py::test_to_allow_none_allows_none",
    ),
    Wire(
        "to allow no completion allows all",
        "syncer.engine.run",
        "sync.max_completions_per_run if options.allow_completions is None else",
        "sync.max_completions_per_run if not options.allow_completions else",
        "tests/engine/test_wiring.py::test_to_allow_none_allows_none",
    ),
    Wire(
        "a long contact list is never read again",
        "syncer.engine.observe_contacts",
        "    if last is not None and within(datetime.fromisoformat(last), now, CONTACTS_EVERY * pages_but_one):\n",
        "    if last is not None and pages_but_one:\n",
        "tests/engine/test_wiring.py::test_a_long_contact_list_is_read_again",
    ),
    Wire(
        "of two changes stored in one step, one loses its events",
        "syncer.engine.context",
        "events=[*first.events, *second.events],",
        "events=[*second.events],",
        "tests/engine/test_wiring.py::test_what_a_reading_settles_and_what_it_shows_both_stand_in_the_history",
    ),
    Wire(
        "an incident between two reads is not reported",
        "syncer.engine.context",
        "        self.incidents += merged.incidents\n",
        "",
        "tests/scenarios/test_races_lane.py::test_a_task_made_just_before_our_create_is_put_back",
    ),
    Wire(
        "what cannot be told yet holds nothing up",
        "syncer.engine.context",
        "        self.leave_alone(merged.undecided)\n",
        "",
        "tests/scenarios/test_wiring.py::test_where_a_task_cannot_be_told_yet_nothing_is_made_for_its_contact",
    ),
    Wire(
        "what cannot be told yet is not listed",
        "syncer.engine.run",
        "    context.waiting += merged.waiting\n",
        "",
        "tests/scenarios/test_rebuild_unread.py::test_which_of_two_with_one_marker_is_ours_is_not_guessed",
    ),
    Wire(
        "which leads were read is not stored",
        "syncer.engine.run",
        "    return replace(merged.changes, visits=context.visits, cursors=",
        "    return replace(merged.changes, cursors=",
        "tests/engine/test_wiring.py::test_which_leads_were_read_outlives_the_run",
    ),
    Wire(
        "which account is on the other side is not stored",
        "syncer.engine.opening",
        "    if new:\n",
        "    if new and context.token is None:\n",
        "tests/scenarios/test_limits.py::test_another_account_on_the_other_side_is_refused",
    ),
    Wire(
        "an incident of a run that was broken off is never reported",
        "syncer.engine.opening",
        "            for event in base.unreported\n",
        "            for event in ()\n",
        "tests/scenarios/test_crashes.py::test_a_race_is_put_right_and_reported_wherever_the_process_is_killed",
    ),
    Wire(
        "an incident of a run that was broken off is not loaded",
        "syncer.ledger.store",
        "            base.unreported = people.unreported(connection, [*broken_off, *runs.parts_to_tell(connection)])\n",
        "            base.unreported = []\n",
        "tests/scenarios/test_crashes.py::test_a_race_is_put_right_and_reported_wherever_the_process_is_killed",
    ),
    Wire(
        "twin_window is not passed on",
        "syncer.engine.opening",
        "        twin_window=sync.twin_window,\n",
        "",
        "tests/scenarios/test_twins.py::test_no_twins",
    ),
    Wire(
        "default_due is not passed on",
        "syncer.engine.opening",
        "        default_due=sync.default_due,\n",
        "",
        "tests/scenarios/test_fields.py::test_the_default_due_is_a_setting",
    ),
    Wire(
        "doubt_grace is not passed on",
        "syncer.engine.opening",
        "        doubt_grace=sync.doubt_grace,\n",
        "",
        "tests/engine/test_wiring.py::test_the_grace_is_a_setting",
    ),
    Wire(
        "cancelled is not passed on",
        "syncer.engine.opening",
        '        cancelled_closes=sync.cancelled == "close",\n',
        "",
        "tests/scenarios/test_twins.py::test_our_own_copy_cancelled_in_reply "
        "tests/scenarios/test_twins.py::test_a_task_that_reply_cancelled",
    ),
    Wire(
        "the users are not passed on",
        "syncer.engine.opening",
        "        users={(system, uid): user.name for user in settings.users for system, uid in user.ids.items()},\n",
        "",
        "tests/scenarios/test_fields.py",
    ),
    Wire(
        "run_limit is not passed on",
        "syncer.engine.opening",
        "        deadline=asyncio.get_running_loop().time() + limit if limit else None,\n",
        "        deadline=None,\n",
        "tests/scenarios/test_limits.py",
    ),
    Wire(
        "a failed operation leaves the run as if all were well",
        "syncer.engine.reporting",
        "        Exit.PARTIAL if troubled or context.failed or is_younger(context) else Exit.DONE,\n",
        "        Exit.PARTIAL if troubled or is_younger(context) else Exit.DONE,\n",
        "tests/scenarios/test_refusals.py",
    ),
    Wire(
        "what the run left over is not waiting",
        "syncer.engine.reporting",
        "    return Plan((), (*plan.waiting, *still), plan.attention)\n",
        "    return Plan((), plan.waiting, plan.attention)\n",
        "tests/scenarios/test_limits.py tests/scenarios/test_faults.py",
    ),
    Wire(
        "what is stored is stored without the lease",
        "syncer.engine.context",
        "            self.ledger.store(changes, token=self.token, now=self.clock())\n",
        "            self.ledger.store(changes, token=None, now=self.clock())\n",
        "tests/engine/test_wiring.py::test_a_run_that_lost_its_lease_stores_nothing",
    ),
    Wire(
        "an operation does not know what was in its lane",
        "syncer.engine.apply",
        "before=before, seen=seen)",
        "before=before)",
        "tests/scenarios/test_wiring.py::test_what_our_own_user_did_by_hand_is_not_what_our_lost_create_made",
    ),
    Wire(
        "the tasks of a contact who is found only now are not read, where tasks are listed by contact",
        "syncer.engine.apply",
        "(capabilities.listing_lags or unlisted) and",
        "capabilities.listing_lags and",
        "tests/adapters/conformance/test_by_person.py",
    ),
    Wire(
        "one task that cannot be understood holds up all others, where tasks are listed by contact",
        "syncer.engine.observe_items",
        "capabilities.lane is not None or not given_up):",
        "capabilities.lane is not None or True):",
        "tests/adapters/conformance/test_by_person.py",
    ),
    Wire(
        "whoever is assigned in one CRM is nobody in the other",
        "syncer.engine.writes",
        "            assignee=context.policy.user_id(operation.system, task.assignee),\n",
        "",
        "tests/scenarios/test_fields.py",
    ),
    Wire(
        "a task that is put back loses its reminder",
        "syncer.engine.writes",
        "            notify_at=task.notify_at if task.put_back else None,\n",
        "",
        "tests/scenarios/test_replacing.py::test_what_is_put_back_reminds_as_theirs_did",
    ),
    Wire(
        "an operation in doubt has no line in the history",
        "syncer.engine.write_errors",
        "        self._context.record(Changes(operations={doubtful.id: doubtful}, events=[event]))\n",
        "        self._context.record(Changes(operations={doubtful.id: doubtful}))\n",
        "tests/engine/test_wiring.py::test_what_is_in_doubt_stands_in_the_history",
    ),
    Wire(
        "a process of another boot of this host counts as alive",
        "syncer.ledger.owner",
        '    parts = [socket.gethostname(), _line(_PROC / "sys/kernel/random/boot_id"), _namespace()]\n',
        "    parts = [socket.gethostname(), _namespace()]\n",
        "tests/engine/test_wiring.py::test_another_boot_is_another_machine",
    ),
    Wire(
        "a contact that is gone keeps its person",
        "syncer.engine.observe_contacts",
        "    context.record(Changes(records={gone.key: gone}, links={gone.key: context.new_id()}, cursors=left))\n",
        "    context.record(Changes(records={gone.key: gone}, cursors=left))\n",
        "tests/scenarios/test_newcomers.py",
    ),
    Wire(
        "a CRM that is off joins people",
        "syncer.engine.linking",
        "    keys = [key for key in sorted(among) if key[0] in context.connections]\n",
        "    keys = sorted(among)\n",
        "tests/scenarios/test_newcomers.py::test_a_crm_that_is_no_longer_connected_makes_nobody_ambiguous",
    ),
)
