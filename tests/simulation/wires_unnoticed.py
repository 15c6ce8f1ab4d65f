"""More of them: those that no test noticed when they were planted first, and the tests that were written for that."""

from __future__ import annotations

from typing import Final

from tests.simulation.wires import Wire

UNNOTICED_ONCE: Final = (
    Wire(
        "the marker of a task that is done brings it back",
        "syncer.firstsight",
        "        if not work.is_creating(task.id, reading.system) and is_pasted(work.base, reading, task):\n",
        "        if work.is_creating(task.id, reading.system):\n",
        "tests/test_wiring.py::test_the_marker_of_a_done_task_turns_up_again",
    ),
    Wire(
        "an old title that a search shows is believed",
        "syncer.observe",
        "for row in listing.rows if row.key not in base.replicas or not says_something_new(base, row)",
        "for row in listing.rows",
        "tests/test_scenarios_wiring.py::test_an_old_title_or_due_that_a_search_shows_is_not_believed_where_the_task_cannot_be_read",
    ),
    Wire(
        "a pause that a CRM asked for outlasts the end of the run",
        "syncer.stopping",
        "                adapter.wire.set_deadline(0.0)\n",
        "                pass\n",
        "tests/test_scenarios_wiring.py::test_a_pause_that_a_crm_asked_for_before_a_create_ends_with_the_run",
    ),
    Wire(
        "who we are in a CRM is not stored",
        "syncer.settle",
        "        changes.cursors[OUR_USER + operation.system] = reading.created_by\n",
        "        pass\n",
        "tests/test_scenarios_wiring.py::test_who_we_are_is_learned_from_what_we_made",
    ),
    Wire(
        "status does not say that the last run broke off",
        "syncer.commands.status",
        "                lastrun.broken_off(runs),\n",
        "                None,\n",
        "tests/test_cli_looking.py::test_a_run_whose_process_is_gone_broke_off",
    ),
    Wire(
        "explain does not say that the last run broke off",
        "syncer.commands.explain",
        "        broken_off(runs),\n",
        "        None,\n",
        "tests/test_cli_looking.py::test_a_run_whose_process_is_gone_broke_off",
    ),
    Wire(
        "a deleted contact that a search still shows is taken for a person's",
        "syncer.observecontacts",
        "    except Missing:\n        return None\n",
        "    except Missing:\n        return record\n",
        "tests/test_scenarios_making_contacts.py::test_a_deleted_contact_that_a_search_still_finds_joins_nobody",
    ),
    Wire(
        "whoever is found just before is taken from their person",
        "syncer.newcontacts",
        "            context.record(Changes(records={record.key: record for record in found}))\n"
        "            link(context)\n",
        "            who = context.base.tasks[planned.task].contact\n"
        "            context.record(Changes({}, {}, {}, [], {r.key: r for r in found}, {r.key: who for r in found}))\n",
        "tests/test_wiring.py::test_whom_another_person_has_is_not_taken",
    ),
    Wire(
        "what was closed before our create is taken for closed by it",
        "syncer.apply",
        "listing, effects=Effects(history=frozenset(history)))\n",
        "listing)\n",
        "tests/test_scenarios_wiring.py::test_what_somebody_finished_just_before_our_create_was_not_closed_by_it",
    ),
    Wire(
        "what our create closed, where the CRM names us, is taken for a person's",
        "syncer.closures",
        "    return actor is None or made.created_by is None or actor == made.created_by\n",
        "    return (actor is None) or (made.created_by is None)\n",
        "tests/test_closures.py::test_what_our_create_closed_was_closed_by_us_also_where_the_crm_says_so",
    ),
    Wire(
        "a list has no more time than anything else",
        "adapters.superfone.adapter",
        '            answer = await self._http.read("GET", _tasks_of(lead), params=params, page=True)\n',
        '            answer = await self._http.read("GET", _tasks_of(lead), params=params)\n',
        "tests/test_scenarios_wiring.py::test_lists_alone_have_the_time_that_a_list_may_take",
    ),
    Wire(
        "after an old copy was put back, nobody else is behind",
        "syncer.identity",
        "        return behind | {link for link in self._contacts if not self._was_read_since_restored(link)}\n",
        "        return ({link for link in self._contacts if not self._was_read_since_restored(link)})\n",
        "tests/test_identity.py::test_who_was_read_since_is_behind_still_where_a_marker_told_of_them",
    ),
    Wire(
        "a ledger does not notice that it is another file",
        "syncer.ledger.identity",
        "    if cursors.get(_FINGERPRINT) != fingerprint or runs < noted:\n",
        "    if (runs < noted):\n",
        "tests/test_ledger_copies.py::test_a_copy_on_another_machine_is_another_ledger",
    ),
    Wire(
        "of two changes stored in one step, one loses its copies",
        "syncer.context",
        "        replicas={**first.replicas, **second.replicas},\n",
        "        \n",
        "tests/test_scenarios_wiring.py::test_two_changes_of_one_step_keep_what_both_say",
    ),
    Wire(
        "a copy is put back where no ledger is, and does not arrive",
        "syncer.ledger.backup",
        "            draft.replace(place.path)\n",
        "            pass\n",
        "tests/test_ledger_copies.py::test_a_copy_is_put_where_no_ledger_is",
    ),
    Wire(
        "what was closed before our create stays open in the ledger",
        "syncer.merge",
        "        self._work.put_replica(replace(replica_of(reading, task.id), state=CLOSED_AS[reading.state]))\n",
        "        pass\n",
        "tests/test_merge.py::test_what_was_closed_before_our_create_is_remembered_as_closed_by_others",
    ),
    Wire(
        "a CRM that makes no contact for us is asked for the next one",
        "syncer.newcontacts",
        "            self._requests.stop_for(connection, error)\n",
        "            pass\n",
        "tests/test_scenarios_wiring.py::test_a_crm_that_refuses_to_make_a_contact_is_asked_for_nothing_more",
    ),
    Wire(
        "the contact of a task that no list has shown is not read",
        "syncer.observeitems",
        "            await read_record(context, connection, item)\n",
        "            pass\n",
        "tests/test_scenarios_wiring.py::test_who_came_after_a_long_list_was_read_is_read_by_their_task",
    ),
    Wire(
        "an error of an adapter that is not known leaves a write unsettled",
        "syncer.requests",
        "            case _:\n                await self._in_doubt(operation, error)\n",
        "            case _:\n                pass\n",
        "tests/test_scenarios_wiring.py::test_whatever_else_a_write_raises_is_settled_by_reading",
    ),
    Wire(
        "explain does not say what is not known yet",
        "syncer.commands.explain",
        "        [op for op in base.operations.values() if op.task == task_id and op.state in unsettled],\n",
        "        [],\n",
        "tests/test_cli_looking.py::test_a_task_s_story_tells_what_is_not_known_yet",
    ),
    Wire(
        "what was closed lately is not looked for in the ledger",
        "syncer.apply",
        "        if lately:\n",
        "        if (None and (lately)):\n",
        "tests/test_scenarios_wiring.py::test_what_was_closed_lately_and_is_known_stays_what_it_was",
    ),
    Wire(
        "a person's closed tasks are in no order",
        "syncer.observepersons",
        "    closed.sort(key=lambda row: row.number, reverse=True)\n",
        "    closed.sort( reverse=True)\n",
        "tests/test_scenarios_wiring.py::test_of_a_persons_closed_tasks_the_newest_are_read",
    ),
    Wire(
        "a task without a due waits for its own CRM",
        "syncer.identity",
        "if row.state is State.OPEN and unread - {row.system}]\n",
        "if row.state is State.OPEN and unread]\n",
        "tests/test_identity.py::test_whose_task_has_no_due_waits_for_no_other_crm_where_its_own_alone_is_not_read",
    ),
    Wire(
        "nobody is told that the CRMs are read",
        "syncer.run",
        '    account.progress("reading the CRMs")\n',
        "    pass\n",
        "tests/test_scenarios_wiring.py::test_whoever_watches_is_told_what_a_run_is_doing",
    ),
)
