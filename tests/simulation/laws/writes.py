"""The laws that are checked with each write, at the moment when the CRM carries it out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from tests.simulation.facts import Facts
from tests.simulation.laws import edits
from tests.simulation.laws.violation import Violation
from tests.simulation.memory import MARKER, Copy
from tests.simulation.sight import SeenTask, contacts_of, is_message, is_read_only
from tests.simulation.stage import PROCESS
from tests.simulation.story import UNTOLD, Story


@dataclass(frozen=True)
class Write:
    """The content of a CRM before and after one write of ours."""

    system: str
    before: dict[str, SeenTask]
    after: dict[str, SeenTask]

    @cached_property
    def created(self) -> list[str]:
        return [remote_id for remote_id in self.after if remote_id not in self.before]

    @cached_property
    def closed(self) -> list[str]:
        return [
            remote_id
            for remote_id, task in self.after.items()
            if not task.open and self.before.get(remote_id, task).open
        ]

    @cached_property
    def edited(self) -> list[str]:
        # Changes that a completion causes, such as variables that the CRM fills in, are no edits.
        return [
            remote_id
            for remote_id, task in self.before.items()
            if remote_id in self.after and remote_id not in self.closed and self.after[remote_id] != task
        ]


def lease(facts: Facts, system: str, path: str) -> None:
    """A process that lost its lease stops before its next write. A request that was already sent may still arrive."""
    if PROCESS.get() in facts.stage.lapsed and not facts.stage.arriving:
        raise Violation("lease", f"a process wrote though another one had taken its lease: {system} {path}")


def ledger(facts: Facts, system: str, path: str) -> None:
    """A ledger that is removed, replaced or restored under a running process is noticed before the next write.

    A request that was already sent may still arrive.
    """
    if facts.stage.sent_swapped and not facts.stage.arriving:
        raise Violation("ledger", f"a process wrote though its ledger was another one by then: {system} {path}")


def contact(facts: Facts, system: str) -> None:
    """A contact that we create is a known person, did not exist there, and has a number of that person only.

    Two ledgers may create the same contact in the same moment. Then the person has two.
    """
    for at, phone in contacts_of(facts.stage, system).items():
        if (system, at) in facts.persons:
            continue
        person = facts.phones.get(phone or "")
        if person is None or (facts.contact_of(system, person) is not None and not facts.at_once):
            raise Violation("contact", f"{system} {at} was made by us, with the number {phone}")
        if facts.contact_of(system, person) is not None:
            facts.unsure.add(person)
        facts.persons[system, at] = person
        if not facts.ours_alone:
            # Ours searches for a number without a lead again only after a day.
            facts.added_at[system, at] = facts.stage.now()


def l6_hands_off(facts: Facts, write: Write) -> None:
    """We create, complete and edit, and do nothing else: nothing is deleted or opened again by us.

    What an edit may write is judged by the law of edits.
    """
    for remote_id, task in write.before.items():
        now = write.after.get(remote_id)
        closing = now is not None and now.open != task.open
        plain = _as_it_is if closing else _without_edits
        if now is not None and now.name != task.name and _was_taken_for_another(facts, write, task, now):
            continue
        if now is None or now.open > task.open or plain(now) != plain(task):
            raise Violation("L6", f"{write.system} {remote_id} was deleted, changed or reopened by us: {task}")
        if not closing and now != task:
            edits.written(facts, write.system, remote_id, task, now)


def _was_taken_for_another(facts: Facts, write: Write, task: SeenTask, now: SeenTask) -> bool:
    """Whether nothing connects the copies of one of them any more, so that a copy was taken for the other's.

    If one task followed the other at its place (it was reopened, or moved to its next date), or people copied the other
    with its marker and deleted the first copy, only the lost ledger knew that they are two.
    """
    before, after = (facts.stories.get(name or "") for name in (task.name, now.name))
    both = [story for story in (before, after) if story is not None]
    followed = any(pair[0] is before and pair[1] is after for pair in facts.followed)
    copied = before is not None and "copied" in before.deeds and _names(facts, task, after)
    first = [other for other in write.before.values() if other.open and other.name == now.name]
    one = facts.ever_rebuilt and (followed or (copied and not first))
    if not one and not any(story.excused >= UNTOLD for story in both):
        return False
    for story in both:
        story.excused |= UNTOLD
    return True


def _names(facts: Facts, task: SeenTask, story: Story | None) -> bool:
    """Whether the marker in this task names the origin of the other one."""
    found = MARKER.search(task.text)
    system, _, remote_id = (found["place"] or "").partition(":") if found else ("", "", "")
    return story is not None and facts.story((system, remote_id)) is story


def _as_it_is(task: SeenTask) -> SeenTask:
    # A CRM may fill in the variables of a text when its task is closed.
    return task._replace(open=False, text=re.sub(r"{{.*?}}", "", task.text), title=re.sub(r"{{.*?}}", "", task.title))


def _without_edits(task: SeenTask) -> SeenTask:
    return task._replace(open=False, due=None, text="", title="", assignee="")


def read_only(facts: Facts, write: Write) -> None:
    """We do not complete what the configuration forbids: messages, and tasks of a read-only sequence."""
    for remote_id in write.closed:
        copy = (write.system, remote_id)
        if is_read_only(facts.stage, copy) or is_message(facts.stage, copy):
            raise Violation("read_only", f"{copy} was completed, and the account file forbids it")


def copy_of_something(facts: Facts, write: Write, remote_id: str) -> Story | None:
    """A task that we create is a copy of one task: its name, its person, its route, its due, and our marker.

    Returns ``None`` for a copy of a task that was read in Superfone before people gave it a name.
    """
    made, task = (write.system, remote_id), write.after[remote_id]
    story = facts.stories.get(task.name or "")
    if story is None:
        if _is_of_a_nameless(facts, task.text):
            return None
        raise Violation("copy", f"{made} was made out of nothing: {task.text!r}")
    if facts.persons[write.system, task.contact] != story.person and not _seems_another(facts, story):
        raise Violation("contact", f"{task.name} was made for another person: {made}")
    # An old ledger does not know that it was put back already.
    waited = facts.ever_rebuilt and any(one is story for one in facts.to_put_back_before)
    put_back = (story.to_put_back or waited) and write.system == "superfone"
    # A late request was sent before that was read.
    if _is_through_a_wrong_contact(facts, story, (write.system, task.contact)) and not (
        put_back or facts.stage.arriving
    ):
        raise Violation("contact", f"{task.name} was made by a link whose records contradict each other: {made}")
    if write.system not in story.systems and not story.excused >= UNTOLD:
        raise Violation("copy", f"{task.name} was made in {write.system}, and its route is {story.systems}")
    never_read = facts.ever_rebuilt and any(one is story for one in facts.ailing.values())
    if never_read or (facts.rebuilding and not facts.has_read_a_due(task.name or "")):
        # The due that the lost ledger made up stands in a copy that no run of the new one could read yet.
        story.due_made_up = False
    if facts.ever_rebuilt and story.undated is not None:
        # What was reopened is the task of before to a ledger that does not know that this one was done.
        story.dues.update(*(before.dues for before, after in facts.followed if after is story))
    if not story.may_be_due(task.due, facts.stage.now(), facts.stage.our_clock.ever_off):
        raise Violation("copy", f"{made} is due {task.due}, and no other copy of {task.name} ever was")
    edits.is_assigned_as_typed(facts, made, task, story)
    markers = [found[0] for found in MARKER.finditer(task.text)]
    if len(markers) != (0 if write.system == "superfone" else 1):
        raise Violation("copy", f"{made} carries {len(markers)} markers: {task.text!r}")
    return story


def _is_through_a_wrong_contact(facts: Facts, story: Story, there: Copy) -> bool:
    """Whether the number of one of the person's contacts contradicts the others, and it is one person with this one.

    A ledger that first read the contacts in parts may have joined that contact to another person, whose number it has.
    """
    if story.person not in facts.seen_contradicted:
        return False
    return any(facts.stage.are_one(there, ("highlevel", at)) for at in facts.contacts_of("highlevel", story.person))


def _seems_another(facts: Facts, story: Story) -> bool:
    """Whether a number went to another person, and a new ledger could not read the contacts that show it."""
    return facts.rebuilding and story.person in facts.unsure - facts.seen_contradicted


def _is_of_a_nameless(facts: Facts, text: str) -> bool:
    marker = MARKER.search(text)
    copies = [("superfone", remote_id) for remote_id in facts.tasks("superfone")]
    untold = [copy for copy in copies if (story := facts.story(copy)) is not None and story.excused >= UNTOLD]
    ids = {str(facts.task_id(copy)) for copy in untold} | {f"{system}:{remote_id}" for system, remote_id in untold}
    return marker is not None and not ids.isdisjoint({marker["old"], marker["place"]})


def l2_no_duplicate(facts: Facts, write: Write, remote_id: str, story: Story) -> None:
    """A task has at most one open replica in a CRM; of equal tasks, and of alike ones, there are at most as many."""
    name = write.after[remote_id].name or ""
    group = {name: story} if write.system != "superfone" else _all_like(facts, story)
    most = sum(one.most_open for one in group.values())
    twins = [
        other for other, old in write.before.items() if old.open and old.name in group and other not in write.closed
    ]
    if len(twins) >= most and "L2" not in story.excused:
        raise Violation("L2", f"{name} now has open copies in {write.system}: {twins} and {remote_id}")


def l9_absence_is_no_evidence(facts: Facts, write: Write, remote_id: str, story: Story) -> None:
    """A replica that is gone is not created again before ``syncer retry``. A late request was sent before that.

    Another machine's ledger may never have known the replica, so it cannot know that it is gone.
    """
    name = write.after[remote_id].name
    ours = facts.ours_alone and not facts.stage.arriving
    if ours and (write.system, name) in facts.deleted and "L2" not in story.excused:
        raise Violation("L9", f"{name} was deleted in {write.system}, and made again as {remote_id}")
    if not facts.ours_alone and any(
        facts.is_missed_too_rarely(at) for at in story.gone_copies if at[0] == write.system
    ):
        # Ours finds the new copy there before it has missed the deleted one twice.
        story.excused.add("L4")


def l3_no_false_completion(facts: Facts, write: Write, remote_id: str) -> None:
    """No task is closed anywhere unless somebody else closed one of its replicas (L3), nor for a new one (L5).

    A copy of ours may be replaced by a task that is put back or due earlier (slot). If somebody acted in a lane after
    it was read, a request may close the wrong task. That must be reported, and the task put back (L6).
    """
    closed, task = (write.system, remote_id), write.before[remote_id]
    story = facts.stories.get(task.name or "")
    if story is None or "L3" in story.excused:
        return
    if write.created and closed not in facts.theirs and not facts.is_closed(story):
        others = [write.after[new] for new in write.created if not _may_replace(facts, story, write.after[new])]
        # Two ledgers may create the same task in the same moment, and the later request replaces the earlier copy. A
        # copy of ours is also replaced by one with a new due.
        others = [new for new in others if new.name != task.name]
        others = [] if facts.at_once and _was_made_since_read(facts, closed, task) else others
        if others and not _was_closed_by_them(facts, write.system, story):
            raise Violation("slot", f"{closed} ({task.name}) was replaced by {others[0].name}")
        story.we_closed[write.system] += bool(others)
        return
    if facts.at_once and any(write.after[new].name == task.name for new in write.created):
        # Two ledgers put the task back in the same moment, and the later request replaces the earlier copy.
        return
    if _was_closed_by_them(facts, write.system, story):
        _was_missed_twice(facts, closed, story)
        story.we_closed[write.system] += 1
        return
    if write.system == "superfone" and _raced(facts, closed, task, by_create=bool(write.created)):
        _note_race(facts, closed, story, write)
        return
    if facts.is_unseen_move(closed):
        # One machine completed it, and it moved to its next date. The other saw it rescheduled, and completed it again.
        story.excused |= UNTOLD | {"L3"}
        return
    if facts.stage.arriving and closed in facts.reopenings:
        # A completion came late, and people had reopened the task since. It looks as if they had closed it again.
        story.excused |= UNTOLD | {"L3"}
        return
    if facts.looks_deleted(story):
        story.excused |= UNTOLD | {"L3"}
        return
    if _each_closed_another(facts, write.system, story):
        return
    raise Violation("L5" if write.created else "L3", f"{closed} ({task.name}) was closed, and nobody had closed it")


def _note_race(facts: Facts, closed: Copy, story: Story, write: Write) -> None:
    """Note that somebody acted in the lane, so that our request closed another task than was meant."""
    if facts.at_once and facts.stage.arriving:
        # Both machines have the same user there, so neither can tell whose request it was.
        story.excused |= UNTOLD | {"L3"}
        return
    late = facts.stage.arriving and write.system in facts.sent_before_the_loss | facts.sent_by_another
    if facts.replaced_under_a_run or late:
        # Only the ledger that sent the request, and was replaced since or is another machine's, has to put it back.
        story.excused |= UNTOLD | {"L3"}
        return
    # A late request may arrive after the run has read the lane. Then the next run reports it.
    ours = facts.late_incidents if facts.stage.arriving else facts.due_incidents
    (ours if facts.ours_alone else facts.incidents_there).add(closed)
    story.to_put_back = True
    if not facts.ours_alone:
        # Only the other machine's ledger knows what it has to put back.
        story.excused |= UNTOLD
        if not facts.knows_another:
            # Without a marker of that machine, a task that our user closed and we did not seems closed by a person.
            story.excused.add("L3")
    facts.closed_by |= dict.fromkeys([(write.system, new) for new in write.created], closed)


def _was_closed_by_them(facts: Facts, system: str, story: Story) -> bool:
    """Whether people closed enough: of equal and alike tasks, we may close as many in a CRM as may be done."""
    if facts.is_closed(story):
        return True
    group = _all_like(facts, story)
    may_be_closed = sum(
        one.done_at_most + one.closed_twice + _doubles(facts, system, name) for name, one in group.items()
    )
    closed = sum(one.we_closed[system] for one in group.values())
    return closed < may_be_closed and (story.many > 1 or bool(story.alike))


def _all_like(facts: Facts, story: Story) -> dict[str, Story]:
    return {name: one for name, one in facts.stories.items() if one is story or name in story.alike}


def _each_closed_another(facts: Facts, system: str, story: Story) -> bool:
    """Whether two ledgers took another one of equal or alike tasks for the one that people closed in Superfone."""
    group = _all_like(facts, story).values()
    another = int(facts.closed_there is not None)
    by_two = sum(one.done_at_most * max(one.extra, another) for one in group if one.they_closed["superfone"])
    taken = sum(one.we_closed[system] - one.done_at_most - one.closed_twice for one in group) < by_two
    for one in group if taken else ():
        one.we_closed[system] += one is story
        one.excused |= UNTOLD
    return taken


def _doubles(facts: Facts, system: str, name: str) -> int:
    """How many copies of done tasks a CRM has twice at most, as two ledgers made them. Each ledger closes its own."""
    story = facts.stories[name]
    there = sum(copy[0] == system for copy in facts.copies(name))
    return min(story.done_at_most * story.extra, max(0, there - story.many))


def _was_missed_twice(facts: Facts, closed: Copy, story: Story) -> None:
    """Where a deleted copy alone ends a task, two runs have read that it is gone (L9)."""
    alone = story.ended and not (story.done or story.cancelled or story.they_closed or story.gone or facts.ever_rebuilt)
    if alone and closed[0] != "superfone" and all(facts.is_missed_too_rarely(at) for at in story.gone_copies):
        raise Violation("L9", f"{closed} was closed before two runs had read that {story.gone_copies} are gone")


def _may_replace(facts: Facts, ours: Story, new: SeenTask) -> bool:
    """A copy of ours may be replaced by a task that is put back, and by an earlier one unless the slot is held."""
    if facts.stories[new.name or ""].to_put_back:
        return True
    return not facts.holds and new.due is not None and new.due < max(ours.dues)


def _was_made_since_read(facts: Facts, copy: Copy, task: SeenTask) -> bool:
    """Whether another machine created it after the writing machine had read the lane."""
    read_at = facts.read_by.get((PROCESS.get(), task.contact))
    return read_at is not None and facts.changed_at.get(copy, read_at) > read_at


def _raced(facts: Facts, copy: Copy, task: SeenTask, *, by_create: bool) -> bool:
    """Whether somebody changed the lane after it was last read, or the request came late.

    A create closes what is in the slot when it arrives. A completion closes the newest task, if the one that was meant
    is closed by then. Another machine may write at the same time, too.
    """
    if facts.stage.arriving or facts.at_once:
        return True
    lane = [(copy[0], other) for other, old in facts.tasks(copy[0]).items() if old.contact == task.contact]
    read_at = facts.read_at.get(task.contact)
    changes = [facts.changed_at[one] for one in ([copy] if by_create else lane) if one in facts.changed_at]
    return read_at is not None and any(changed_at >= read_at for changed_at in changes)
