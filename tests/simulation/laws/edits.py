"""L10: no typed value is lost unreported, no value travels that nobody typed, no older value replaces a newer one."""

from __future__ import annotations

import re
from collections import defaultdict

from tests.simulation.facts import Facts
from tests.simulation.laws.violation import Violation
from tests.simulation.memory import MARKER, Copy
from tests.simulation.outcome import Outcome
from tests.simulation.sight import SeenTask, called, is_for_customers
from tests.simulation.story import UNTOLD, Story, same


def written(facts: Facts, system: str, remote_id: str, before: SeenTask, now: SeenTask) -> None:
    """Check one edit of ours: the task is open, nobody has finished it, and somebody typed the value for it."""
    copy, story = (system, remote_id), facts.stories.get(before.name or "")
    read_at, closed_at = facts.task_read_at.get(copy), facts.closed_at.get(copy)
    # It was closed between our read and our write, which no CRM can prevent, or before a late request.
    unseen = read_at is not None and closed_at is not None and closed_at >= read_at
    if facts.at_once and read_at is not None:
        # Or another machine, which runs at the same time, has completed it since.
        unseen |= copy in facts.changed_at and facts.changed_at[copy] >= read_at
    if not before.open and (unseen or facts.stage.arriving):
        return
    if story is None or not before.open:
        raise Violation("L10", f"{copy} was edited, and it is closed, or nobody's: {before}")
    if facts.stage.arriving and (copy in facts.reopenings or copy in facts.unseen_moves):
        _arrives_at_another(facts, copy, before, now)
        return
    if _was_read_closed(facts, story):
        raise Violation("L10", f"{before.name} is done, and {copy} was edited all the same")
    if now.due != before.due and not story.may_be_due(now.due, facts.stage.now(), facts.stage.our_clock.ever_off):
        raise Violation("L10", f"{copy} is due {now.due} by our edit, and nobody ever typed that for {before.name}")
    dues = {typed.value for typed in story.typed if typed.field == "due"}
    if before.due is None and copy in facts.by_people and not any(same(due, now.due) for due in dues):
        raise Violation("L10", f"{copy} had no due, and got one that nobody typed: {now.due}")
    bodies = {typed.value for typed in story.typed if typed.field == "body"}
    # A late request, or one that was sent while somebody typed, may bring back the empty text of before.
    here = [typed for typed in story.typed if (typed.field, typed.copy) == ("body", copy)]
    amid = read_at is not None and any(typed.at >= read_at for typed in here)
    none = (facts.stage.arriving or amid) and not now.words
    if now.words != before.words and now.words not in bodies and not none:
        raise Violation("L10", f"{copy} says {now.words!r} by our edit, and nobody ever wrote that: {bodies}")
    titles = {typed.value for typed in story.typed if typed.field == "title"}
    if called(now.title) not in titles:
        raise Violation("L10", f"{copy} is called {now.title!r} by our edit, and nobody ever called it so: {titles}")
    if now.text != before.text and is_for_customers(facts.stage, copy) and not _is_brought_back(facts, story, copy):
        raise Violation("L10", f"the text of {copy} goes to a customer, and was changed by us")
    markers = [len(MARKER.findall(task.text)) for task in (before, now)]
    if markers[1] > 1 or (markers[1] > markers[0] and copy in facts.by_people):
        raise Violation("L10", f"{copy} carries {markers[1]} markers, and had {markers[0]}: {now.text!r}")
    if now.assignee != before.assignee:
        is_assigned_as_typed(facts, copy, now, story)
    if (before.assignee, _said(before)) == (now.assignee, _said(now)) and _is_repeated(facts, before, now):
        raise Violation("L10", f"{copy} was edited, and nothing changed but its form: {before}, {now}")
    for field, old, new in (
        ("due", before.due, now.due),
        ("title", called(before.title), called(now.title)),
        ("body", before.words, now.words),
        ("assignee", before.assignee, now.assignee),
    ):
        if not same(old, new):
            _overwrites(facts, story, copy, field, old, new)


def _arrives_at_another(facts: Facts, copy: Copy, before: SeenTask, now: SeenTask) -> None:
    """Note a late edit of a copy that was reopened since, or has moved to its next date, as another task.

    Nothing tells it from what people type there, so its values count as theirs.
    """
    for old, new, note in (
        (before.due, now.due, facts.rescheduled),
        (before.words, now.words, facts.rewritten),
        (before.assignee, now.assignee, facts.assigned),
    ):
        if not same(old, new):
            note(copy)


def _is_brought_back(facts: Facts, story: Story, copy: Copy) -> bool:
    """Whether the text is that of before, as our request came late, or people typed another one since our read."""
    texts = [one.at for one in story.typed if one.copy == copy and one.field in {"title", "body"} and not one.made]
    read_at = facts.task_read_at.get(copy)
    return bool(texts) and (facts.stage.arriving or (read_at is not None and max(texts) >= read_at))


def _is_repeated(facts: Facts, before: SeenTask, now: SeenTask) -> bool:
    """Whether the due stayed the same, and the request did not come late."""
    return same(before.due, now.due) and not facts.stage.arriving


def is_assigned_as_typed(facts: Facts, copy: Copy, task: SeenTask, story: Story) -> None:
    """Check that somebody typed the assignee that we write. Other CRMs assign a copy by themselves."""
    names = {typed.value for typed in story.typed if typed.field == "assignee"}
    if facts.ever_rebuilt or story.excused >= UNTOLD:
        # A copy whose origin is not known by then, or that counts as a task of its own, looks as if its CRM's own
        # assignee were the task's.
        names |= {one.assignee for at, one in facts.copies(task.name or "").items() if at != copy}
    if copy[0] == "highlevel" and task.assignee and task.assignee not in names:
        raise Violation("L10", f"{copy} is {task.assignee}'s by us, and nobody ever gave it to them: {names}")


def _said(task: SeenTask) -> list[str]:
    """Return the words of a task, without markup, white space and the marker."""
    return MARKER.sub("", re.sub(r"<[^>]*>", " ", f"{task.title} {task.text}")).split()


def _was_read_closed(facts: Facts, story: Story) -> bool:
    """Whether people finished it before this run began, and nothing disturbs the run, so that it has read that."""
    if not facts.is_closed(story) or not facts.must_be_closed(story) or facts.stage.arriving or facts.disturbed:
        return False
    began = facts.began - facts.stage.highlevel.lag
    mine = [(copy, at) for copy, at in facts.closed_at.items() if facts.story(copy) is story]
    closed = [at for copy, at in mine if copy not in facts.ailing and not facts.is_on_ailing_lead(copy)]
    return bool(closed) and max(closed) < began


def made_again(facts: Facts, closed: Copy, new: Copy) -> None:
    """Note that a copy in a lane was replaced: the value that it showed is gone, as after an edit."""
    story, task = facts.story(closed), facts.tasks(closed[0])[closed[1]]
    if story is not None:
        _overwrites(facts, story, closed, "due", task.due, facts.tasks(new[0])[new[1]].due)


def shows(facts: Facts, new: Copy) -> None:
    """Note that a new copy shows values that were typed elsewhere."""
    story, task = facts.story(new), facts.tasks(new[0])[new[1]]
    task = task._replace(title=task.title or task.text)
    for typed in story.typed if story is not None else ():
        typed.spread |= same(typed.value, task.shown(typed.field))


def _overwrites(facts: Facts, story: Story, copy: Copy, field: str, old: object, new: object) -> None:
    for typed in story.typed:
        if typed.field != field:
            continue
        if same(typed.value, new) and typed.copy != copy:
            typed.spread = True
        read_at = facts.task_read_at.get(copy)
        unseen = read_at is None or typed.at >= read_at or facts.stage.arriving
        if (typed.copy == copy and same(typed.value, old)) and unseen:
            # It was typed between our read and our write, which no CRM can prevent, or overwritten by a late request.
            typed.settled = True


def note_read(facts: Facts, copy: Copy, task: SeenTask) -> None:
    """Note that a run reads this task, by itself or in the list of its contact."""
    facts.task_read_at[copy] = facts.stage.now()
    story = facts.stories.get(task.name or "")
    for typed in story.typed_last if story is not None else ():
        typed.read |= typed.copy == copy and same(typed.value, task.shown(typed.field))
    for typed in story.typed if story is not None else ():
        # A list showed it, and people removed it before this run read the task by itself.
        typed.read &= typed.copy != copy or same(typed.value, task.shown(typed.field))


def note_listed(facts: Facts, copy: Copy, task: SeenTask) -> None:
    """Note that a run reads whose this task is in HighLevel's list, which may be late."""
    until = facts.stage.now() - facts.stage.highlevel.lag
    story = facts.stories.get(task.name or "")
    for typed in story.typed_last if story is not None else ():
        here = (typed.field, typed.copy) == ("assignee", copy)
        typed.read |= here and typed.at <= until and typed.value == task.assignee


def note_taken(facts: Facts, connected: set[str]) -> None:
    """Note values that a run has read where they were typed, in the CRMs that were ``connected``.

    Later values replace them. Of persons who wait until everything was read, after an old ledger was put back, a run
    stores nothing. What only another machine has read, ours does not know. Nobody can read what always fails.
    """
    ours = facts.ours_alone or facts.at_once
    for story in facts.stories.values():
        stored = connected if ours and story.person not in facts.not_read_since else set[str]()
        for typed in story.typed_last:
            task = facts.tasks(typed.copy[0]).get(typed.copy[1])
            read_at = facts.task_read_at.get(typed.copy)
            readable = typed.copy[0] in stored and typed.copy not in facts.ailing
            if readable and task is not None and read_at is not None and read_at > typed.at:
                typed.taken |= same(typed.value, task.shown(typed.field))
        for typed in story.typed:
            # People may have typed another value there later in that run.
            typed.taken |= typed.read and typed.copy[0] in stored and typed.copy not in facts.ailing
            typed.spread |= typed.taken
            typed.read = False
        for typed in story.typed:
            # What was removed before a run read it, nobody can know.
            unread = not typed.taken and typed not in story.typed_last
            typed.settled |= unread or story.is_given_back(typed)
    for copy in facts.only_assigned & facts.theirs:
        # It was assigned back while a run had read it that then stored nothing, such as one that was killed.
        there = facts.story(copy)
        if there is not None and there.was_given_back_unread(copy):
            facts.theirs.discard(copy)


def note_told(facts: Facts) -> None:
    """Note values that the history reports as overwritten. Nothing more is expected of them."""
    told = facts.stage.overwritten()
    for story in facts.stories.values():
        for typed in story.typed:
            words = [detail for system, remote_id, detail in told if (system, remote_id) == typed.copy]
            value = f"{typed.value:%FT%TZ}" if typed.field == "due" and typed.value is not None else str(typed.value)
            typed.settled |= any(detail.startswith(f"{typed.field} was ") and value in detail for detail in words)


def nothing_is_lost(facts: Facts, outcome: Outcome) -> None:
    """At the end all copies show the same value of a field: the one typed last, or the other was reported."""
    note_told(facts)
    listed: dict[str, set[str]] = defaultdict(set)
    for item in outcome.report.waiting if outcome.report is not None else ():
        if item.task is not None and item.reason.value == "not_editable":
            listed[item.task].add(item.system)
    for name, story in sorted(facts.stories.items()):
        if not _is_judged(facts, name, story):
            continue
        copies = {copy: task for copy, task in facts.copies(name).items() if task.open}
        fixed = set().union(*(listed[facts.task_id(copy) or ""] for copy in copies))
        for field in ("due", "title", "body"):
            shown = {copy: _shown(copy, task, field) for copy, task in copies.items()}
            _judge(facts, name, story, field, shown, fixed)
        _judge_assignee(facts, name, story, copies, fixed)


def _is_judged(facts: Facts, name: str, story: Story) -> bool:
    copies = facts.open_copies(name)
    known = all(facts.task_id(copy) is not None for copy in copies)
    one = len({facts.task_id(copy) for copy in copies}) == 1
    apart = story.left or story.arrived > 1 or story.many > 1 or story.alike or story.extra or story.excused >= UNTOLD
    away = story.done_at_most or story.cancelled or story.ended or "copied" in story.deeds or facts.ever_rebuilt
    ill = any(facts.is_ailing(system, story) for system in facts.stage.sandboxes)
    return bool(copies) and known and one and not (apart or away or ill) and story.person not in facts.unsure


def _shown(copy: Copy, task: SeenTask, field: str) -> object:
    """Return what a copy shows, or ``None`` if its CRM has no such field or it is empty."""
    if field == "due":
        return task.due
    if copy[0] == "superfone":
        return None
    return called(task.title) if field == "title" else task.words


def _judge_assignee(facts: Facts, name: str, story: Story, copies: dict[Copy, SeenTask], fixed: set[str]) -> None:
    """Check assignees: only HighLevel's can be changed. If Reply shows another one, that must be listed."""
    typed = [one for one in story.typed if one.field == "assignee" and not one.made]
    removed = {one.copy for one in story.typed if one.field == "assignee" and not one.value}
    shown: dict[Copy, object] = {at: task.assignee or None for at, task in copies.items() if at[0] == "highlevel"}
    _judge(facts, name, story, "assignee", shown, fixed)
    # A run need not take a settled value, but it may.
    counts = [one for one in typed if one.value and (not one.settled or one.value in shown.values())]
    latest = max(counts, key=lambda one: one.number, default=None)
    if latest is None or latest.copy not in facts.shown | facts.known or latest.copy not in copies:
        return
    # A task that we create in Reply belongs to the key's user, whoever the assignee is.
    sure = [one for one in counts if one.value == latest.value and (one.taken or not one.settled)]
    # Where people gave the task back before a run had read whose it was meanwhile, nothing changed.
    changes = [one.at for one in sure if not story.is_given_back(one)]
    if sure and not changes:
        return
    since = max(changes, default=latest.at)
    there = {at: task for at, task in copies.items() if at[0] == "highlevel" or task.created_at < since}
    # What people typed in a copy since may stay there, also where nothing follows from it.
    later = {(one.copy, one.value) for one in typed if one.number > latest.number}
    there = {at: task for at, task in there.items() if (at, task.assignee) not in later}
    for copy, task in there.items():
        if copy[0] not in fixed | {"superfone"} and copy not in removed and task.assignee != latest.value:
            raise Violation("L10", f"{copy} of {name} is {task.assignee}'s, and was given to {latest.value}")


def _judge(facts: Facts, name: str, story: Story, field: str, shown: dict[Copy, object], fixed: set[str]) -> None:
    typed = [one for one in story.typed if one.field == field]
    kept = {copy: value for copy, value in shown.items() if copy[0] not in fixed and value is not None}
    values = list(kept.values())
    if any(not same(value, values[0]) for value in values):
        raise Violation("L10", f"{name} has not the same {field} everywhere: {shown}, with {fixed} not editable")
    if not typed or not values:
        return
    last = max((one.number for one in typed if same(one.value, values[0])), default=0)
    # Nobody can know a value whose copy was deleted before it was read, or was changed so much while its create was in
    # doubt that nothing tells that it is ours.
    typed = [one for one in typed if one.copy[1] in facts.tasks(one.copy[0]) and one.copy not in facts.unclaimed]
    for one in typed:
        newer = one.number > last and not one.settled and one.copy in facts.shown | facts.known
        if newer and not same(one.value, values[0]):
            raise Violation(
                "L10", f"{field} {one.value} of {name}, typed in {one.copy}, gave way to {values[0]}, untold"
            )
        lost = not (one.settled or one.spread or same(one.value, values[0]))
        if lost:
            raise Violation("L10", f"{field} {one.value} of {name}, typed in {one.copy}, was lost and is told nowhere")
