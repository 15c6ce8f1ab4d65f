"""And more: what the engine knows, tells or asks for by a line that could be left out without any history noticing."""

from __future__ import annotations

from typing import Final

from tests.simulation.wires import Wire

QUIET: Final = (
    Wire(
        "a lead whose number could not be asked for is let go",
        "syncer.observecontacts",
        "        if found is None or record.key in {",
        "        if record.key in {",
        "tests/test_wiring_contacts.py",
    ),
    Wire(
        "a lead whose number somebody else has is not let go",
        "syncer.observecontacts",
        "        others = others or bool(found)\n",
        "",
        "tests/test_wiring_contacts.py",
    ),
    Wire(
        "a lead that was let go holds up its person",
        "syncer.observecontacts",
        "    context.visits[record.key] = context.base.visits[record.key] = context.clock()\n",
        "",
        "tests/test_wiring_contacts.py",
    ),
    Wire(
        "a CRM without budget is asked for whoever is in doubt",
        "syncer.observecontacts",
        "        if connection.usable and not connection.spent:\n            found = await",
        "        if connection.usable:\n            found = await",
        "tests/test_wiring_contacts.py",
    ),
    Wire(
        "a CRM that is unavailable is asked for whoever is in doubt",
        "syncer.observecontacts",
        "        if connection.usable and not connection.spent:\n            found = await",
        "        if not connection.spent:\n            found = await",
        "tests/test_wiring_contacts.py",
    ),
    Wire(
        "whoever is in doubt is asked for with every run",
        "syncer.observecontacts",
        "                context.record(Changes(lookups={(system, phone): now}))\n",
        "",
        "tests/test_wiring_contacts.py",
    ),
    Wire(
        "a completion that hit another task leaves the run as if all were well",
        "syncer.requests",
        "self._context.failed.append(Item(operation.task, operation.system, Reason.CLOSED_BY_RACE, failed.words))",
        "pass",
        "tests/test_wiring_parts.py::test_a_completion_that_hit_another_task_leaves_no_run_as_if_all_were_well",
    ),
    Wire(
        "a run that a limit stopped is not stored",
        "syncer.summary",
        "message=excess.sentence)\n    _store(account, context, report)\n",
        "message=excess.sentence)\n",
        "tests/test_wiring_parts.py::test_a_run_that_a_limit_stopped_is_the_last_run",
    ),
    Wire(
        "a plan does not name the copies of a task",
        "syncer.summary",
        "                sources=tuple(sorted(sources.get(task.id, ()))),\n",
        "",
        "tests/test_wiring_parts.py::test_a_plan_says_of_each_operation_what_it_is_about",
    ),
    Wire(
        "a plan does not name what is completed",
        "syncer.summary",
        "                remote_id=planned.remote_id,\n",
        "",
        "tests/test_wiring_parts.py::test_a_plan_says_of_each_operation_what_it_is_about",
    ),
    Wire(
        "a plan does not name the title",
        "syncer.summary",
        "                title=task.title or task.kind.label,\n",
        "",
        "tests/test_wiring_parts.py::test_a_plan_says_of_each_operation_what_it_is_about",
    ),
    Wire(
        "a plan does not count what is asked for once more",
        "syncer.summary",
        "        requests += len(unconfirmed(context, mine))\n",
        "",
        "tests/test_wiring_parts.py::test_a_plan_counts_what_is_asked_again_before_anything_is_made",
    ),
    Wire(
        "a wildcard finds a task",
        "syncer.ledger.people",
        ".startswith(reference.upper(), autoescape=True)",
        ".startswith(reference.upper())",
        "tests/test_ledger_people.py",
    ),
)
