"""What people do in a history, directly in the CRMs. Each action is also reported to the oracle."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from tests.simulation.account import STRANGERS, USERS
from tests.simulation.actions import Act, History, Make, Rush
from tests.simulation.contacts import LAST
from tests.simulation.memory import Copy
from tests.simulation.oracle import Oracle
from tests.simulation.sight import MESSAGES, called
from tests.simulation.stage import SimulationStage
from tests.simulation.story import UNTOLD
from tests.support.editors import EDITORS

SUPERFONE_TYPES = ("FOLLOW_UP_CALL", "FIRST_CALL", "CALLBACK_REQUEST", "SITE_VISIT", "REMINDER", "BOOKING")
REPLY_TYPES = ("Call", "Call", "Meeting", "ToDo", "ManualEmail")
HIGHLEVEL_TITLES = ("Ring", "Ring", "Remind")
SEQUENCE = 7
TWINS = {"superfone": "FOLLOW_UP_CALL", "reply": "Call", "highlevel": "Ring"}


class People:
    """The people who work in the three CRMs. ``tell`` gets a sentence for each action."""

    def __init__(self, history: History, stage: SimulationStage, oracle: Oracle, tell: Callable[[str], None]) -> None:
        self._history = history
        self._stage = stage
        self._oracle = oracle
        self._tell = tell
        self._superseded_is_done = 'superseded = "complete"' in dict(history.settings).get("superfone", "")
        self._names = self._texts = 0
        self._dues: set[datetime] = set()
        self._fraction = timedelta(milliseconds=400) if history.editors else timedelta(0)
        self._undated: set[int] = set()
        self._plain: dict[str, tuple[Copy, str]] = {}
        self._recurring: dict[str, str] = {}
        stage.automation = self.automate

    def act(self, deed: object) -> None:
        """Carry out one action."""
        if isinstance(deed, Make):
            self._make(deed)
        elif isinstance(deed, Act):
            self._act(deed)

    def _make(self, deed: Make) -> None:
        person = deed.person
        if not self._oracle.contacts_of(deed.system, person):
            return
        if deed.trait == "equal" and deed.minutes % 2 and self._make_another(deed):
            return
        name, due = self._new_name(), self._due_of(deed)
        kind = _choose(deed.system, deed.kind)
        if deed.trait == "equal" and deed.system == "superfone":
            # A second call would close the first one.
            kind = "REMINDER"
        copies = [(deed.system, person, name)]
        if deed.twin_in is not None:
            kind = TWINS[deed.system]
            twin = ((person + 1) % LAST, f"{name}!") if deed.lookalike else (person, name)
            copies += [(deed.twin_in, *twin)] if deed.lookalike or not self._is_twice(person) else []
        if deed.trait == "equal":
            copies *= 2
        for number, (system, whose, title) in enumerate(copies):
            contacts = self._oracle.contacts_of(system, whose)
            if not contacts:
                continue
            word = kind if system == deed.system else TWINS[system]
            sequence = SEQUENCE if deed.trait == "sequence" else None
            copy = (system, self._create(system, contacts[deed.minutes % len(contacts)], word, title, due, sequence))
            self._tell(f"somebody makes {title} ({word} {deed.trait}) for person {whose} in {system}: {copy[1]}")
            if self._is_undated(deed):
                self._undated.add(person)
                self._tell("  without a due")
                self._stage.highlevel.person_reschedules(copy[1], None)
            equal = deed.trait == "equal" and number > 0
            self._oracle.made(title, whose, copy, self._route(whose, word), equal=equal)
            if deed.twin_in is None and deed.trait in {"", "equal"} and not self._is_undated(deed):
                self._plain[title] = (copy, word)
            if deed.trait == "recurring" and system == "highlevel":
                self._recurring[copy[1]] = word
            if word in MESSAGES:
                self._oracle.narrow.add(title)

    def _is_twice(self, person: int) -> bool:
        """Whether a CRM has two contacts of the person, so that a task there has no certain twin elsewhere."""
        return any(len(self._oracle.contacts_of(system, person)) > 1 for system in self._stage.sandboxes)

    def _make_another(self, deed: Make) -> bool:
        """Create an equal task beside one that is unchanged. Returns whether there was one."""
        for name, (copy, word) in self._plain.items():
            story = self._oracle.stories[name]
            task = self._oracle.tasks(copy[0]).get(copy[1])
            as_it_was = not story.deeds and not story.they_closed and not story.excused and story.many == 1
            if task is None or not task.open or task.due is None or not as_it_was:
                continue
            if (deed.system, deed.person) == (copy[0], story.person) and not (task.exclusive or story.cancelled):
                new = (copy[0], self._create(copy[0], task.contact, word, name, task.due, None))
                self._tell(f"somebody makes another {name} ({word}) in {copy[0]}: {new[1]}")
                self._oracle.made(name, story.person, new, story.systems, equal=True)
                return True
        return False

    def _due_of(self, deed: Make) -> datetime:
        """Return its due, which may be that of another task of this person."""
        if deed.trait == "same_due":
            stories = [story for story in self._oracle.stories.values() if story.person == deed.person]
            dues = sorted({due for story in stories for due in story.dues if due > self._stage.now()})
            if dues:
                return dues[deed.minutes % len(dues)]
        return self._new_due(deed.minutes)

    def automate(self, system: str) -> None:
        """Move recurring tasks that we completed in HighLevel to their next date. They are other tasks from now on."""
        for remote_id in sorted(self._recurring) if system == "highlevel" else ():
            task = self._stage.highlevel.task(remote_id)
            if not task.completed or task.deleted:
                continue
            name = self._new_name()
            copy = ("highlevel", remote_id)
            person, old = self._oracle.persons["highlevel", task.contact or ""], self._oracle.story(copy)
            self._move_on(remote_id)
            self._stage.highlevel.person_retitles(remote_id, f"Task {name}")
            self._tell(f"  {task.title} moves to its next date, as {name}: {remote_id}")
            self._oracle.made(name, person, copy, self._route(person, self._recurring[remote_id]))
            self._oracle.touched(copy, "copied")
            self._oracle.moved_by_us(copy, old)

    def _move_on(self, remote_id: str) -> None:
        self._stage.highlevel.person_reopens(remote_id)
        self._stage.highlevel.person_reschedules(remote_id, self._new_due(7 * 24 * 60))

    def _complete_recurring(self, copy: Copy) -> None:
        """Complete it and open it again with its next date. Nothing tells that from a rescheduled task.

        If it was done elsewhere, our own completion may also have moved it.
        """
        story = self._oracle.story(copy)
        if story is not None and self._oracle.is_closed(story):
            story.excused |= UNTOLD
        self._tell("  which moves to its next date")
        self._oracle.moves_on(copy)
        self._stage.highlevel.person_completes(copy[1])
        self._move_on(copy[1])
        self._oracle.rescheduled(copy)

    def _is_undated(self, deed: Make) -> bool:
        """Whether it gets no due. A person has one such task at most: two would get the same made-up due."""
        every = self._history.undated
        if deed.system != "highlevel" or deed.twin_in is not None or deed.person in self._undated:
            return False
        return every > 0 and self._names % every == 0

    def rush(self, rush: Rush, lead: str) -> None:
        """Let somebody create a task just before our write."""
        self._tell("  … at that very moment")
        self._make(Make("superfone", self._oracle.persons["superfone", lead], rush.kind, rush.minutes))

    def _route(self, person: int, word: str) -> tuple[str, ...]:
        """Return the CRMs that must have it: those that show its kind and have the person, or create the contact."""
        places = ("reply", "highlevel") if word in MESSAGES else ("superfone", "reply", "highlevel")
        made = self._history.newcomer if person == LAST else ()
        here = [system for system in places if system in self._stage.sandboxes]
        return tuple(s for s in here if s in made or self._oracle.contact_of(s, person) is not None)

    def _create(self, system: str, contact: str, word: str, name: str, due: datetime, sequence: int | None) -> str:
        title = f"Task {name}"
        if system == "superfone":
            if word != "REMINDER":
                self._supersede(contact)
            return str(self._stage.superfone.person_creates(int(contact), word, due, title=title))
        if system == "reply":
            return self._stage.reply.person_creates(contact, word, due, body=title, sequence=sequence)
        return self._stage.highlevel.person_creates(contact, f"{word} {title}" if word == "Remind" else title, due=due)

    def _supersede(self, lead: str) -> None:
        """Let their new task close the one in the slot, which is done only if the account file says so."""
        for remote_id, task in self._oracle.tasks("superfone").items():
            if task.open and task.exclusive and task.contact == lead:
                self._tell(f"  which supersedes {task.name} ({remote_id})")
                if self._superseded_is_done:
                    self._oracle.closed(("superfone", remote_id))
                else:
                    self._oracle.touched(("superfone", remote_id), "superseded")

    def _act(self, deed: Act) -> None:
        tasks = self._oracle.tasks(deed.system)
        wanted_open = deed.what != "reopen"
        choice = sorted(remote_id for remote_id, task in tasks.items() if task.open is wanted_open and task.name)
        if not choice:
            return
        copy = (deed.system, choice[deed.which % len(choice)])
        story = self._oracle.story(copy)
        if story is not None and story.many > 1 and deed.what not in {"complete", "reschedule"}:
            return
        self._tell(f"somebody: {deed.what} {tasks[copy[1]].name} in {copy[0]}: {copy[1]}")
        getattr(self, f"_{deed.what}")(copy, deed)
        self.name_again()

    def name_again(self) -> None:
        """Give titles to copies in Superfone that only their notes tell apart. Only people see notes."""
        for remote_id, name in self._oracle.nameless().items():
            if self._stage.superfone.task(int(remote_id)).title is None:
                note = self._stage.superfone.task(int(remote_id)).note or ""
                title = next((line for line in note.splitlines() if called(line)), f"Task {name}")
                self._stage.superfone.person_retitles(int(remote_id), title)
                self._oracle.touched(("superfone", remote_id), "edited")
                self._oracle.retitled(("superfone", remote_id))

    def _complete(self, copy: Copy, _deed: Act) -> None:
        if copy[0] == "highlevel" and copy[1] in self._recurring:
            self._complete_recurring(copy)
            return
        self._oracle.closed(copy)
        system, remote_id = copy
        if system == "superfone":
            self._stage.superfone.person_completes(int(remote_id))
        elif system == "reply":
            self._stage.reply.person_completes(remote_id)
        else:
            self._stage.highlevel.person_completes(remote_id)

    def _cancel(self, copy: Copy, _deed: Act) -> None:
        if copy[0] == "reply":
            self._oracle.closed(copy, cancelled=True)
            self._stage.reply.person_cancels(copy[1])

    def _delete(self, copy: Copy, _deed: Act) -> None:
        if copy[0] == "superfone":
            return
        self._oracle.touched(copy, "deleted")
        if copy[0] == "reply":
            self._stage.reply.person_deletes(copy[1])
        elif copy[0] == "highlevel":
            self._stage.highlevel.person_deletes(copy[1])

    def _reschedule(self, copy: Copy, deed: Act) -> None:
        if self._history.rewords and deed.minutes % 2:
            self._reword(copy)
            return
        due = self._new_due(deed.minutes)
        self._oracle.touched(copy, "edited")
        if copy[0] == "superfone":
            self._stage.superfone.person_reschedules(int(copy[1]), due)
        elif copy[0] == "reply":
            self._stage.reply.person_reschedules(copy[1], due)
        else:
            self._stage.highlevel.person_reschedules(copy[1], due)
        self._oracle.rescheduled(copy)

    def _reword(self, copy: Copy) -> None:
        system, remote_id = copy
        self._texts += 1
        task = self._oracle.tasks(system)[remote_id]
        name = str(task.name).partition("@")[0]
        old, new = called(task.title) or name, f"{name} v{self._texts}"
        self._tell(f"  which is {new!r} from now on")
        self._oracle.touched(copy, "reworded")
        if system == "superfone":
            self._stage.superfone.person_retitles(int(remote_id), f"Task {new}")
        elif system == "reply":
            self._stage.reply.person_edits_body(remote_id, self._text(copy).replace(old, new, 1))
        else:
            title = self._stage.highlevel.task(remote_id).title
            self._stage.highlevel.person_retitles(remote_id, title.replace(old, new, 1))
        self._oracle.retitled(copy)

    def _rewrite(self, copy: Copy, _deed: Act) -> None:
        """Write another text, and keep the marker line. Superfone has no text field."""
        system, remote_id = copy
        if system == "superfone":
            return
        self._texts += 1
        words = f"words {self._texts} {{{{x}}}}" + ("\n\n  and  so on" if self._history.editors else "")
        self._tell(f"  which says {words!r} from now on")
        self._oracle.touched(copy, "rewritten")
        if system == "reply":
            title, *lines = _lines(self._text(copy))
            self._stage.reply.person_edits_body(remote_id, "\n".join([title, words, *_markers(lines)]))
        else:
            self._stage.highlevel.person_rewrites(remote_id, "\n".join([words, *_markers(_lines(self._text(copy)))]))
        self._oracle.rewritten(copy)

    def _text(self, copy: Copy) -> str:
        """Return the text as its CRM stores it."""
        if copy[0] == "highlevel":
            return self._stage.highlevel.task(copy[1]).body or ""
        return next(str(one.template.get("body") or "") for one in self._stage.reply.tasks() if str(one.id) == copy[1])

    def _give(self, copy: Copy, deed: Act) -> None:
        """Give it to another person's contact. One that recurs stays: it gets another name when it moves on."""
        person, message = self._oracle.whom_to_give(copy, deed.minutes), self._oracle.is_narrow(copy)
        if person is None or copy[1] in self._recurring:
            return
        self._tell(f"  to person {person}")
        # We make no messages in Reply, so one that was moved in HighLevel stays there alone.
        places = ("highlevel",) if message and copy[0] == "highlevel" else self._route(person, "Sms" if message else "")
        self._oracle.given(copy, person, places)
        getattr(self._stage, copy[0]).person_moves(copy[1], self._oracle.contact_of(copy[0], person))

    def _save(self, copy: Copy, deed: Act) -> None:
        """Save it unchanged in an editor, which stores its own form of the text."""
        if copy[0] == "superfone" or not self._text(copy):
            return
        text = EDITORS[sorted(EDITORS)[deed.minutes % len(EDITORS)]](self._text(copy))
        self._oracle.saved(copy)
        if copy[0] == "reply":
            self._stage.reply.person_edits_body(copy[1], text)
        else:
            self._stage.highlevel.person_rewrites(copy[1], text)

    def _assign(self, copy: Copy, deed: Act) -> None:
        """Assign it to another user, sometimes to one who is not in the account file, or to nobody."""
        system, remote_id = copy
        before = self._oracle.tasks(system)[remote_id].assignee
        known = sorted(at for at, who in USERS[system].items() if who != before)
        user = [*known * 3, STRANGERS[system], None][deed.minutes % (3 * len(known) + 1 + (system == "highlevel"))]
        self._tell(f"  to {user}")
        self._oracle.touched(copy, "assigned")
        if system == "superfone":
            self._stage.superfone.person_assigns(remote_id, int(user or 0))
        elif system == "reply":
            self._stage.reply.person_assigns(remote_id, int(user or 0))
        else:
            self._stage.highlevel.person_assigns(remote_id, user)
        self._oracle.assigned(copy, before)

    def _copy(self, copy: Copy, deed: Act) -> None:
        """Duplicate a HighLevel task with its text, marker and all, under a new name."""
        if copy[0] != "highlevel":
            return
        old = self._stage.highlevel.task(copy[1])
        person = self._oracle.persons["highlevel", old.contact or ""]
        name = self._new_name()
        new = self._stage.highlevel.person_creates(
            old.contact, f"Task {name}", due=self._new_due(deed.minutes), body=old.body
        )
        self._tell(f"  as {name}: {new}")
        self._oracle.made(name, person, ("highlevel", new), self._route(person, "Ring"))
        self._oracle.copied(copy, ("highlevel", new))

    def _reopen(self, copy: Copy, _deed: Act) -> None:
        """Reopen a task that every run has seen closed, under a new name. It is another task from now on.

        A task that was cancelled there and stayed open elsewhere is the same task again.
        """
        if copy[0] == "superfone" or not self._oracle.may_reopen(copy):
            return
        if self._oracle.reopened(copy):
            (self._stage.reply if copy[0] == "reply" else self._stage.highlevel).person_reopens(copy[1])
            return
        old, name = self._oracle.tasks(copy[0])[copy[1]].name or "", self._new_name()
        if copy[0] == "highlevel":
            task = self._stage.highlevel.task(copy[1])
            person = self._oracle.persons["highlevel", task.contact or ""]
            self._stage.highlevel.person_reopens(copy[1])
            self._stage.highlevel.person_retitles(copy[1], f"Task {name}")
            word = "Ring"
        else:
            found = next(task for task in self._stage.reply.tasks() if str(task.id) == copy[1])
            person, word = self._oracle.persons["reply", str(found.contact_id)], found.task_type
            self._stage.reply.person_reopens(copy[1])
            self._stage.reply.person_edits_body(copy[1], f"Task {name}")
        self._tell(f"  as {name}")
        self._oracle.made(name, person, copy, self._route(person, word))
        self._oracle.reopened_as(copy, old, name)
        if word in MESSAGES:
            self._oracle.narrow.add(name)
        # Its text still carries the marker of the old task.
        self._oracle.touched(copy, "copied")

    def _new_name(self) -> str:
        self._names += 1
        return f"#{self._names}"

    def _new_due(self, minutes: int) -> datetime:
        """A due that no other task has, rounded to 15 minutes."""
        due = (self._stage.now() + timedelta(minutes=minutes)).replace(second=0, microsecond=0)
        while due in self._dues:
            due += timedelta(minutes=3)
        self._dues |= {due + timedelta(minutes=offset) for offset in (-2, -1, 0, 1, 2)}
        return due + self._fraction


def _lines(text: str) -> list[str]:
    """Return the lines of a text in any stored form."""
    return [re.sub(r"<[^>]*>", "", line) for line in re.split(r"</p>\s*|<br>|\r\n|\n", text)]


def _markers(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("syncer:")]


def _choose(system: str, number: int) -> str:
    words = {"superfone": SUPERFONE_TYPES, "reply": REPLY_TYPES, "highlevel": HIGHLEVEL_TITLES}[system]
    return words[number % len(words)]
