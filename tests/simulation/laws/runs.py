"""The laws that hold after every run, whatever happened in it."""

from __future__ import annotations

from collections import defaultdict

from tests.simulation.facts import Facts
from tests.simulation.laws.violation import Violation
from tests.simulation.outcome import Outcome

LIMIT = 3
"""The exit status of a run that was stopped by a limit."""


def l2_one_open_copy(facts: Facts) -> None:
    """A task has at most one open replica in a CRM; of equal tasks there are at most as many."""
    open_copies: dict[tuple[str, str], list[str]] = defaultdict(list)
    for system in facts.stage.sandboxes:
        for remote_id, task in facts.tasks(system).items():
            if task.open and task.name:
                open_copies[system, task.name].append(remote_id)
    for (system, name), copies in open_copies.items():
        story = facts.stories.get(name)
        if story is None or "L2" in story.excused:
            continue
        alike = {name, *(story.alike if system == "superfone" else ())}
        there = [copy for other in alike for copy in open_copies.get((system, other), ())]
        if len(copies) > story.most_open and len(there) > sum(facts.stories[other].most_open for other in alike):
            raise Violation("L2", f"{name} has several open copies in {system}: {copies}")


def l6_races_are_told(facts: Facts, outcome: Outcome) -> None:
    """An open task of theirs that a race closed is noticed in the same run, and recorded as an incident.

    If a fault disturbed the run, the next one may report it. So may it if the request came late or cannot be read.
    """
    note_incidents(facts, outcome)
    if outcome.report is None:
        return
    untold = {copy for copy in facts.due_incidents if not facts.is_on_ailing_lead(copy)}
    if outcome.undisturbed and untold:
        raise Violation("L6", f"closed by a race and not reported: {sorted(untold)}")
    facts.due_incidents |= facts.late_incidents
    facts.late_incidents.clear()


def l6_races_are_told_there(facts: Facts, *outcomes: Outcome) -> None:
    """A machine reports what it closed itself, in the same run, unless a fault disturbed it. No other one can."""
    for outcome in outcomes:
        note_incidents(facts, outcome)
    if facts.incidents_there and all(outcome.undisturbed for outcome in outcomes):
        raise Violation("L6", f"closed by a race and not reported: {sorted(facts.incidents_there)}")
    facts.incidents_there.clear()


def note_incidents(facts: Facts, outcome: Outcome) -> None:
    """Note the incidents in this run's report, so that no other report needs them."""
    told = {item.task for item in outcome.report.incidents if item.task} if outcome.report is not None else set()
    if outcome.killed:
        # It may have been killed after it had stored its report, which the user finds in the ledger.
        told = facts.stage.told_of_a_race()
    for copy in facts.due_incidents | facts.late_incidents | facts.incidents_there:
        if facts.task_id(copy) in told:
            for untold in (facts.due_incidents, facts.late_incidents, facts.incidents_there):
                untold.discard(copy)


def limit(facts: Facts, outcome: Outcome, creates: int, completions: int, edits: int) -> None:
    """More creates, completions or edits in one run than are allowed: nothing at all is written.

    A lane's create may close what is to be completed, and so counts as either.
    """
    stopped = outcome.report is not None and int(outcome.report.exit) == LIMIT
    if stopped and creates + completions + edits:
        words = f"{creates} creates, {completions} completions and {edits} edits"
        raise Violation("limit", f"a run that a limit stopped made {words}")
    allowed = facts.stage.limits
    if creates > allowed.get("creates", creates) or completions > allowed.get("completions", completions):
        raise Violation("limit", f"a run made {creates} creates and {completions} completions, of {allowed}")
    if edits > allowed.get("edits", edits):
        raise Violation("limit", f"a run made {edits} edits, of {allowed}")
