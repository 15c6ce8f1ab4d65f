"""Faults planted in what people do with duplicates, given tasks, users of the account file and scheduled messages."""

from __future__ import annotations

from typing import Final

from tests.simulation.wires import Wire

BY_PEOPLE: Final = (
    Wire(
        "a new due is written into what is scheduled",
        "syncer.reconcile.edits.travel",
        " and not seen.runs_by_itself(replica.remote_id)\n",
        "\n",
        "tests/scenarios/test_scheduled.py::test_a_message_that_was_scheduled_since_is_never_sent_at_another_time",
    ),
    Wire(
        "what was scheduled a moment ago is written",
        "adapters.reply.adapter",
        " or not before.mirrored:\n",
        ":\n",
        "tests/scenarios/test_scheduled.py::test_a_message_that_is_scheduled_just_before_we_write_is_not_written",
    ),
    Wire(
        "what was scheduled is copied",
        "syncer.reconcile.obstacles",
        "            or self._runs_by_itself(task)\n",
        "",
        "tests/scenarios/test_scheduled.py::test_a_message_that_was_scheduled_before_it_was_copied_is_not_copied",
    ),
    Wire(
        "after a lost ledger what is scheduled is nobody's",
        "syncer.reconcile.grouping",
        "(None, Reason.SCHEDULED) if named else (None,)",
        "(None,)",
        "tests/scenarios/test_scheduled.py"
        "::test_a_message_that_was_scheduled_is_known_after_a_lost_ledger_and_finishes_its_copy",
    ),
    Wire(
        "whoever was renamed in the account file is nobody",
        "syncer.reconcile.merge",
        "        follow_file(self._work, replica, reading)\n",
        "",
        "tests/scenarios/test_users.py"
        "::test_whoever_was_renamed_or_added_in_the_file_gets_the_copies_that_are_made_later",
    ),
    Wire(
        "a user who is corrected in the account file frees nothing",
        "syncer.engine.writes",
        "planned.system, contact, user),",
        "planned.system, contact),",
        "tests/scenarios/test_users.py::test_a_user_whom_the_crm_does_not_know_costs_no_copy",
    ),
    Wire(
        "a user whom the CRM does not know keeps the other fields",
        "syncer.engine.edits",
        "            if _alone(changes):\n",
        "            if changes:\n",
        "tests/scenarios/test_users.py::test_a_user_whom_the_crm_does_not_know_keeps_no_other_field",
    ),
    Wire(
        "a second copy that was deleted is told for ever",
        "syncer.reconcile.endings",
        "        alone = bool(task.held) and ",
        "        alone = False and ",
        "tests/scenarios/test_duplicates.py::test_a_second_copy_that_was_deleted_is_told_no_more",
    ),
    Wire(
        "a second copy stays one when the first is gone",
        "syncer.reconcile.merge",
        "        if is_second and replica.state is ReplicaState.OPEN and ",
        "        if False and ",
        "tests/scenarios/test_duplicates.py::test_of_two_copies_the_one_that_is_left_is_the_tasks",
    ),
    Wire(
        "what a lost ledger copied does not count in a loop",
        "syncer.reconcile.rebuild",
        "            work.count_alike(task)\n",
        "            pass\n",
        "tests/scenarios/test_duplicates.py::test_a_loop_that_was_stopped_stays_so_after_a_lost_ledger",
    ),
    Wire(
        "a task without a copy stays with the contact that it was on",
        "syncer.reconcile.merging",
        "        if copied and any(system == reading.system",
        "        if any(system == reading.system",
        "tests/scenarios/test_newcomers.py::test_a_task_that_has_no_copy_yet_goes_to_the_contact_that_it_is_given_to",
    ),
    Wire(
        "a contact that was deleted stays the person's, and refuses every create",
        "syncer.engine.same_person",
        "        take_away(context, record)\n",
        "",
        "tests/scenarios/test_making_contacts.py::test_a_contact_that_was_deleted_is_none",
    ),
    Wire(
        "whoever deletes one of two copies ends the task",
        "syncer.reconcile.endings",
        "        if not alone and has_second_copy(self._work, replica):\n",
        "        if False:\n",
        "tests/scenarios/test_duplicates.py::test_of_two_copies_the_one_that_is_left_is_the_tasks",
    ),
    Wire(
        "a copy that comes to a contact is made there before it is known as that",
        "syncer.reconcile.obstacles",
        "            or self._coming(task, system)\n",
        "",
        "tests/scenarios/test_other_contact_again.py"
        "::test_copies_that_come_to_a_contact_one_after_the_other_are_one_task_there",
    ),
    Wire(
        "what waits for its own person is rebuilt with the tasks of whoever got it",
        "syncer.reconcile.grouping",
        "            return elsewhere(base, base.tasks[known.task], reading) is None\n",
        "            return reading.state is State.OPEN or elsewhere(base, base.tasks[known.task], reading) is None\n",
        "tests/scenarios/test_other_contact_again.py"
        "::test_an_old_ledger_that_cannot_read_the_first_contact_makes_nothing_again_for_the_other",
    ),
    Wire(
        "whom Reply names in our copy becomes the assignee of what was given away",
        "syncer.reconcile.other_contact",
        "            now = with_owed(now, {TaskField.ASSIGNEE: Owed.YES})\n",
        "            pass\n",
        "tests/scenarios/test_other_contact_again.py"
        "::test_whom_reply_put_into_our_copy_is_not_the_assignee_for_the_other_contact",
    ),
)
