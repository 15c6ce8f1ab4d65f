"""What must be true once people and faults have stopped: every task is synced, or listed with a true reason."""

from __future__ import annotations

from collections import defaultdict

from tests.simulation.facts import Facts
from tests.simulation.laws import edits
from tests.simulation.laws.violation import Violation
from tests.simulation.memory import Copy
from tests.simulation.outcome import Outcome
from tests.simulation.sight import is_message, is_read_only
from tests.simulation.story import UNTOLD, Story

Listed = set[tuple[str, str]]
"""(system, reason) under which the report lists a task."""


TOLD = frozenset({"done_or_reopened", "unmatched"})
"""Reasons under attention for tasks that a lost, old or second ledger cannot identify. Nothing is written for them."""
OTHER_CONTACT = "other_contact"


def l1_no_echo(writes_before: int, writes_after: int) -> None:
    """When nobody acts, a second run sends no write at all."""
    if writes_after != writes_before:
        raise Violation("L1", f"{writes_after - writes_before} writes in a run although nobody had acted")


def judge(facts: Facts, outcome: Outcome) -> None:
    """Compare every task with the report of the last run."""
    if outcome.report is None:
        raise Violation("L7", f"the last run did not end: {outcome}")
    listed: dict[str, Listed] = defaultdict(set)
    for item in (*outcome.report.waiting, *outcome.report.attention):
        if item.task is not None:
            listed[item.task].add((item.system, item.reason.value))
    facts.held = {
        copy
        for story in facts.stories
        for copy in facts.copies(story)
        if {reason for _, reason in listed[facts.task_id(copy) or ""]} & (TOLD | {"duplicate", OTHER_CONTACT})
    }
    waits = outcome.waiting_copies
    l2_doubles_are_told(facts, {(item.system, item.reason.value) for item in outcome.report.attention}, waits)
    for name, story in sorted(facts.stories.items()):
        copies = facts.open_copies(name)
        waits_for_good = _is_never_read(facts, story, copies, waits) or _may_have_a_copy(facts, story, copies, waits)
        if waits_for_good or _waits_for_people(facts, story, copies, waits) or not _is_judged(story, copies):
            continue
        # Of equal tasks, one may have had no other copy than the one that went with its contact.
        known = {*facts.copies(name), *(story.gone_copies if story.many > 1 else ())}
        task_ids = {task for task in map(facts.task_id, known) if task and not facts.is_of_another(task, story)}
        here = set().union(*(listed[task] for task in task_ids))
        if facts.is_closed(story):
            if facts.must_be_closed(story):
                l4_no_lost_completion(facts, name, story, copies, here)
        elif not story.cancelled:
            if story.many > 1:
                l4_no_lost_completion(facts, name, story, copies, here)
            what_is_left_is_not_made_again(facts, name, story, copies)
            l7_convergence(facts, name, story, copies, here)
            l6_put_back(facts, name, story, copies, here)
    edits.nothing_is_lost(facts, outcome)


def l2_doubles_are_told(facts: Facts, attention: Listed, waits: set[Copy]) -> None:
    """Duplicates that two ledgers made in the same moment must be listed under attention.

    As long as the person's lead cannot be read, or the person exists twice, nothing is concluded, and they wait.
    """
    for name, story in facts.stories.items():
        for system in facts.stage.sandboxes if story.extra else ():
            # One that always fails is listed as that, and nobody can know what it is.
            there = {copy for copy in facts.open_copies(name) if copy[0] == system} - facts.ailing.keys()
            told = any((system, reason) in attention for reason in _told_of_doubles(facts, story))
            unclear = facts.is_ailing("superfone", story) or story.person in facts.unsure
            told = told or (unclear and not waits.isdisjoint(there))
            if len(there) > story.many and not told and "L2" not in story.excused:
                raise Violation("L2", f"{name} has open copies in {system}, and nothing tells of it: {sorted(there)}")


def _told_of_doubles(facts: Facts, story: Story) -> set[str]:
    """Return the reasons that report duplicates.

    If two ledgers also made the contact twice, each has a copy. If each made up a due for a task without one, their
    copies in Superfone differ. If one of them moved a recurring task on, the other one's copies look like those of the
    date before, which is done.
    """
    if not story.extra:
        return set()
    reasons = {
        "duplicate": True,
        "ambiguous_contact": story.person in facts.unsure,
        "unmatched": story.undated is not None,
        "done_or_reopened": any(after is story for _, after in facts.followed),
    }
    return {reason for reason, tells in reasons.items() if tells}


def _is_never_read(facts: Facts, story: Story, copies: list[Copy], waits: set[Copy]) -> bool:
    """Whether a copy is listed as one of a person whose tasks can never be read in full."""
    leads = [copy for copy in facts.persons if copy[0] == "superfone"]
    unreadable = bool(leads) and all(lead in facts.ailing for lead in leads)
    # Nothing has to be read of a person who has no lead.
    has_lead = facts.contact_of("superfone", story.person) is not None
    return unreadable and has_lead and not waits.isdisjoint(copies)


def _waits_for_people(facts: Facts, story: Story, copies: list[Copy], waits: set[Copy]) -> bool:
    """Whether its person exists twice, and it waits with the copies on that contact until it is clear who that is."""
    return story.person in facts.unsure and facts.ever_rebuilt and bool(copies) and waits.issuperset(copies)


def _may_have_a_copy(facts: Facts, story: Story, copies: list[Copy], waits: set[Copy]) -> bool:
    """Whether a task is listed as waiting, because an unreadable item may be a copy of it.

    It is due with the item, which a create in doubt may have made. Or it has no due, and a lost ledger may have made
    the item: its due may have been made up for the task at any time since that was created.
    """
    if not waits.isdisjoint(copies) and any(
        facts.hides(item, story, item[0]) or facts.may_be_of_a_doubt(item, story, item[0]) for item in facts.ailing
    ):
        return True
    if not facts.ever_rebuilt or waits.isdisjoint(copies):
        return False
    items = [(system, facts.tasks(system).get(at)) for system, at in facts.ailing.keys() - set(copies)]
    return any(
        facts.may_be_made_up(task, story)
        for system, task in items
        if task is not None and facts.persons.get((system, task.contact)) == story.person
    )


def _is_judged(story: Story, copies: list[Copy]) -> bool:
    """Whether the task is checked. If no copy is open, it is lost, unless people deleted it or no run ever saw it."""
    if "L7" in story.excused:
        return False
    if story.left and not copies:
        # All of it went to the other person.
        return False
    return bool(copies) or story.to_put_back or (story.seen and "deleted" not in story.deeds)


def l4_no_lost_completion(facts: Facts, name: str, story: Story, copies: list[Copy], listed: Listed) -> None:
    """Once they close a replica, every other open replica is closed as soon as its CRM allows it.

    A task that was closed before any run saw it open is history. Of equal tasks, as many are closed as were done. A
    copy that cannot be closed yet is listed with a true reason (L8).
    """
    if story.done_at_least and not (story.noticed and "L4" not in story.excused):
        return
    deleted = {system for system, _ in story.gone_copies} if story.ended and not story.done else set[str]()
    if facts.closed_there is not None and any((system, "replica_missing") in listed for system in deleted):
        # Another ledger's marker came first. Nobody knows since when the copy is missing, so it ends no task.
        return
    if _is_taken_for_missing(facts, name, listed):
        return
    done = story.many if facts.is_closed(story) else story.done_at_least
    if story.many > 1 and story.ended and not (story.done or story.cancelled):
        done = story.ended_at_least
    for system in facts.stage.sandboxes:
        there = [copy for copy in copies if copy[0] == system]
        waits = [copy for copy in there if _cannot_be_closed(facts, copy, listed)]
        if len(there) - len(waits) > story.many - done and not facts.is_ailing(system, story):
            raise Violation("L4", f"{name} was closed by somebody, {there} are still open; listed: {sorted(listed)}")


def _is_taken_for_missing(facts: Facts, name: str, listed: Listed) -> bool:
    """Whether people closed our copy before a run saw it, and its create was answered with the id of another task.

    The run after it finds that task, and lists the copy as missing.
    """
    closed_unseen = facts.copies(name).keys() & facts.unclaimed & facts.closed_at.keys()
    return any((system, "replica_missing") in listed for system, _ in closed_unseen)


def _cannot_be_closed(facts: Facts, copy: Copy, listed: Listed) -> bool:
    if _is_told(facts, facts.stories[facts.tasks(copy[0])[copy[1]].name or ""], listed):
        return True
    if _is_of_an_unclear_person(facts, copy, listed):
        return True
    if (copy[0], "newer_above") in listed and _something_above(facts, copy):
        return True
    return _is_for_people_to_close(facts, copy, listed)


def _is_of_an_unclear_person(facts: Facts, copy: Copy, listed: Listed) -> bool:
    """Whether it is unclear whose this copy is, or whose a lost ledger's copy is that people closed."""
    story = facts.story(copy)
    if story is None or story.person not in facts.unsure:
        return False
    closed = {system for system, times in story.they_closed.items() if times and facts.ever_rebuilt}
    return any((system, "ambiguous_contact") in listed for system in {copy[0], *closed})


def _is_for_people_to_close(facts: Facts, copy: Copy, listed: Listed) -> bool:
    if (copy[0], "not_completable") in listed and is_message(facts.stage, copy):
        return True
    return (copy[0], "sequence_read_only") in listed and is_read_only(facts.stage, copy)


def _seems_done(facts: Facts, story: Story, copies: list[Copy], listed: Listed) -> bool:
    """Whether it was reopened before the ledger was lost or restored, in a CRM where we may not complete it.

    It then looks like a task that was finished elsewhere and must stay open there.
    """
    return "L3" in story.excused and any(_is_for_people_to_close(facts, copy, listed) for copy in copies)


def _is_told(facts: Facts, story: Story, listed: Listed) -> bool:
    """Whether the report lists it as unclear under attention. Then nothing is written for it."""
    reasons = TOLD | _told_of_doubles(facts, story)
    # One that people gave away is told. So is one to whom it came in parts: the second part may look like a double.
    # Only a ledger that is lost knew on which of the two sides it began.
    # What people duplicated with its marker looks like the second part, too.
    anew = facts.ever_rebuilt or "copied" in story.deeds
    reasons |= {OTHER_CONTACT} if story.left or (story.arrived and anew) else set()
    reasons |= {OTHER_CONTACT, "duplicate"} if story.arrived > 1 else set()
    return any(reason in reasons for _, reason in listed)


def _something_above(facts: Facts, copy: Copy) -> bool:
    tasks = facts.tasks("superfone")
    mine = tasks[copy[1]]
    return any(
        task.open and task.contact == mine.contact and (task.created_at, int(other)) > (mine.created_at, int(copy[1]))
        for other, task in tasks.items()
    )


def l7_convergence(facts: Facts, name: str, story: Story, copies: list[Copy], listed: Listed) -> None:
    """When people and faults stop, at most three runs later every open task has an open replica in every CRM that
    its route names, or stands under *waiting* or *attention* (L8) with a reason (L7, where it is not true).
    """
    if _is_told(facts, story, listed) or _seems_done(facts, story, copies, listed) or facts.is_unwatched(story.person):
        return
    for system in story.systems:
        there = sum(where == system for where, _ in copies)
        may_be_done = story.done_at_most + sum(facts.stories[other].closed_twice for other in story.alike)
        if there >= story.many - may_be_done or facts.is_ailing(system, story):
            continue
        if system == "superfone" and _has_anothers(facts, name, story):
            continue
        reasons = {reason for where, reason in listed if where == system}
        if there:
            # One of the equal tasks is there, and its copy may keep an old value.
            reasons.discard("not_editable")
        if not reasons:
            raise Violation("L8", f"{name} is open, is not in {system}, and stands nowhere with a reason")
        if not reasons <= _true_reasons(facts, system, story):
            raise Violation("L7", f"{name} is not in {system}, and this is no reason for it: {sorted(reasons)}")


def what_is_left_is_not_made_again(facts: Facts, name: str, story: Story, copies: list[Copy]) -> None:
    """What people gave to another person is not made again for the first one: nobody knows whether it is to be done."""
    again = [copy for copy in copies if copy[0] in story.is_known_to_have_left]
    if again and not story.excused >= UNTOLD:
        raise Violation("contact", f"{name} was given to another person, and was made again: {again}")


def _has_anothers(facts: Facts, name: str, story: Story) -> bool:
    """Whether the ledger took another task's copy in Superfone for its own. Nothing tells the two apart there."""
    mine = {facts.task_id(copy) for copy in facts.open_copies(name)} - {None}
    others = (copy for other in story.alike for copy in facts.open_copies(other) if copy[0] == "superfone")
    return any(facts.task_id(copy) in mine for copy in others)


def l6_put_back(facts: Facts, name: str, story: Story, copies: list[Copy], listed: Listed) -> None:
    """A task of theirs that a race closed is put back, as soon as no task of theirs is in the slot.

    Nothing is created in a lane that cannot be read. The task waits and is listed, if a run could read it before.
    """
    if not story.to_put_back or any(where == "superfone" for where, _ in copies):
        return
    told = any(where == "superfone" for where, _ in listed) or not any(map(facts.task_id, facts.copies(name)))
    if facts.is_ailing("superfone", story) and told:
        return
    if "superfone" in story.systems and not slot(facts, story, theirs=True):
        raise Violation("L6", f"{name} was closed by a race and is not put back: {sorted(listed)}")


def _true_reasons(facts: Facts, system: str, story: Story) -> set[str]:
    true = {"replica_missing"} if facts.is_deleted(system, story) else set()
    if (system in story.left or story.arrived) and facts.ever_rebuilt:
        # Only the ledger that is lost knew that the copy was given away, or finished for the first person, not deleted.
        true.add("replica_missing")
    if system in story.gone:
        true |= {"no_contact", "refused"}
        others = {at for (where, at), person in facts.persons.items() if where == system and person != story.person}
        if system == "superfone" and others.isdisjoint(facts.read_at):
            # No run has ever read anybody else there, so the key may be another account's.
            true.add("unread")
    if system == "superfone" and {at for at in facts.persons if at[0] == system} <= set(facts.ailing):
        # All leads fail, and nothing else of Superfone is read.
        true.add("unavailable")
    if any(facts.hides(copy, story, system) for copy in facts.ailing):
        true |= {"unread", "in_doubt"}
    if any(facts.may_be_of_a_doubt(copy, story, system) for copy in facts.ailing):
        true.add("in_doubt")
    if system == "superfone" and facts.is_never_found(story.person):
        true.add("no_contact")
    if story.person in facts.unsure:
        true |= {"ambiguous_contact", "no_contact"}
    if system == "superfone" and slot(facts, story):
        true |= {"slot_taken", "put_back"}
    return true


def slot(facts: Facts, story: Story, *, theirs: bool = False) -> list[str]:
    """Return the tasks in the slot of the task's lead, without those that must and can be closed."""

    def may_stay(remote_id: str, name: str) -> bool:
        other = facts.stories[name]
        held = ("superfone", remote_id) in facts.held
        return held or not facts.must_be_closed(other) or facts.is_ailing("superfone", other)

    return [
        remote_id
        for remote_id, task in facts.tasks("superfone").items()
        if task.open
        and task.exclusive
        and facts.persons["superfone", task.contact] == story.person
        and may_stay(remote_id, task.name or "")
        and (not theirs or ("superfone", remote_id) in facts.theirs | facts.made_by_another | facts.held)
    ]
