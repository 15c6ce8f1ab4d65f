"""The real daemon, killed at random for as long as one likes, while people act.

``python -W ignore -m tests.endurance [MINUTES] [--seed N] [--ledgers 2]``: a daemon serves three sandboxes on real
sockets, and SIGKILL ends it every few seconds. With two ledgers, a second daemon serves the same CRMs from a folder
of its own. At the end, without kills, every task must be where it belongs. The oracle knows only what people did, and
finds a task's copies by its name.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from adapters.sandbox import Call, Reply, Sandbox
from tests.simulation.memory import SUPERSEDE_WINDOW
from tests.support.cli_kit import Command, Served, Zygote, until

PEOPLE: Final = 5
JOBS_OPEN: Final = 12
"""People create no more tasks while so many are open."""
PEACE: Final = 5
LIVES: Final = (0.3, 4.0)
"""Seconds that a daemon may live, at least and at most."""


@dataclass
class Job:
    """One task as people know it. ``done`` is whether somebody completed it, anywhere."""

    name: str
    person: int
    done: bool = False


class Copy(NamedTuple):
    """One copy of a task in a CRM."""

    system: str
    remote_id: str
    name: str
    open: bool


class Town:
    """Three CRMs, the people who work in them, and what they did."""

    def __init__(self, served: Served, rng: random.Random) -> None:
        self._served, self._rng = served, rng
        self._people = [served.person(f"Asha{n}", f"+9198765{n:05d}") for n in range(PEOPLE)]
        self._busy = threading.Lock()
        self.jobs: dict[str, Job] = {}
        for box in served.sandboxes:
            self._one_at_a_time(box)

    def _one_at_a_time(self, box: Sandbox) -> None:
        answer = box.handle

        def handle(call: Call) -> Reply:
            with self._busy:
                return answer(call)

        box.handle = handle  # type: ignore[method-assign]

    def act(self) -> None:
        """Let somebody create, complete or move a task."""
        with self._busy:
            shown = [copy for copy in self._copies() if copy.open]
            still_open = [job for job in self.jobs.values() if not job.done]
            deed = self._rng.choice(["create", "create", "complete", "move"])
            if deed == "create" and len(still_open) < JOBS_OPEN:
                self._create()
            elif deed == "complete" and shown:
                self._complete(self._rng.choice(shown))
            elif unfinished := [copy for copy in shown if not self._is_done(copy)]:
                # A copy that moves while our completion of it is in doubt looks like a recurring task's next date.
                self._move(self._rng.choice(unfinished))

    def _is_done(self, copy: Copy) -> bool:
        return copy.name in self.jobs and self.jobs[copy.name].done

    def begin(self, person: int) -> None:
        """Let somebody create a task in Reply for this person."""
        with self._busy:
            job = Job(f"Job {len(self.jobs)}", person)
            self._served.reply.person_creates(self._people[person][1], "Call", self._due(), job.name)
            self.jobs[job.name] = job

    def _create(self) -> None:
        job = Job(f"Job {len(self.jobs)}", self._rng.randrange(PEOPLE))
        lead, contact, other = self._people[job.person]
        due = self._due()
        match self._rng.choice(["superfone", "reply", "reply", "highlevel", "highlevel"]):
            case "superfone" if self._may_create(lead):
                self._served.superfone.person_creates(lead, "FOLLOW_UP_CALL", due, job.name)
            case "reply":
                self._served.reply.person_creates(contact, "Call", due, job.name)
            case _:
                self._served.highlevel.person_creates(other, job.name, due)
        self.jobs[job.name] = job

    def _may_create(self, lead: int) -> bool:
        """Whether a new task in Superfone closes none, nor looks as if it had closed one that somebody completed."""
        tasks = self._served.superfone.tasks(lead)
        lately = datetime.now(UTC) - SUPERSEDE_WINDOW
        return not any(task.open or task.updated_at > lately for task in tasks)

    def _complete(self, copy: Copy) -> None:
        self._box(copy.system).person_completes(copy.remote_id)  # type: ignore[attr-defined]
        if copy.name in self.jobs:
            self.jobs[copy.name].done = True

    def _move(self, copy: Copy) -> None:
        self._box(copy.system).person_reschedules(copy.remote_id, self._due())  # type: ignore[attr-defined]

    def _due(self) -> datetime:
        minutes = self._rng.randrange(60, 6000)
        return (self._served.now() + timedelta(minutes=minutes)).replace(microsecond=0)

    def _box(self, system: str) -> Sandbox:
        return next(box for box in self._served.sandboxes if box.system == system)

    def copies(self) -> list[Copy]:
        """Every copy that there is."""
        with self._busy:
            return list(self._copies())

    def _copies(self) -> Iterator[Copy]:
        for lead, _, _ in self._people:
            for call in self._served.superfone.tasks(lead):
                yield Copy("superfone", str(call.id), _first_line(call.title or call.note), call.open)
        for task in self._served.reply.tasks():
            yield Copy("reply", str(task.id), _first_line(task.template["body"]), task.status == "New")
        for one in self._served.highlevel.tasks():
            yield Copy("highlevel", one.id, _first_line(one.title), not one.completed)

    def faults(self, ledgers: int, listed: Iterable[str]) -> list[str]:
        """What is wrong, when all is quiet. Two ledgers may both copy a task at one moment, if they list it."""
        told = {line.partition(": ")[0] for line in listed} if ledgers > 1 else set()
        copies = self.copies()
        there, shown = (Counter((c.system, c.name) for c in some) for some in (copies, [c for c in copies if c.open]))
        found = [
            f"{name} is {number} times in {system}" for (system, name), number in there.items() if number > ledgers
        ]
        found = [line for line in found if "superfone" not in line]
        found += [f"{name} was created by nobody" for name in sorted({c.name for c in copies} - self.jobs.keys())]
        for job in (job for job in self.jobs.values() if job.name not in told):
            open_at = {system: shown[system, job.name] for system in ("superfone", "reply", "highlevel")}
            if job.done and any(open_at.values()):
                found.append(f"{job.name} is done, and still open: {open_at}")
            if not job.done and not (open_at["reply"] and open_at["highlevel"]):
                found.append(f"{job.name} is open, and not open everywhere: {open_at}")
        for lead, _, _ in self._people:
            if len(self._served.superfone.open_tasks(lead)) > 1:
                found.append(f"lead {lead} has several open tasks")
        return found


def _first_line(text: str | None) -> str:
    return (text or "").partition("\n")[0]


class Daemons:
    """One daemon for each ledger, in a folder of its own."""

    def __init__(self, served: Served, zygote: Zygote, ledgers: int) -> None:
        self._served, self._zygote = served, zygote
        served.configure(sync='doubt_grace = "0s"')
        self._folders = [served.folder, *(served.folder / f"second{n}" for n in range(1, ledgers))]
        for folder in self._folders[1:]:
            folder.mkdir()
            (folder / "config.toml").write_text((served.folder / "config.toml").read_text())
        self._alive: dict[Path, Command] = {}
        self.kills = 0
        self.ended: list[str] = []

    def raise_the_dead(self) -> None:
        """Start every daemon that does not run."""
        for folder in self._folders:
            if folder not in self._alive:
                self._alive[folder] = self._start(folder, "sync")

    def kill(self, rng: random.Random) -> None:
        """Kill one of them."""
        folder = rng.choice(sorted(self._alive))
        command = self._alive.pop(folder)
        # It may have ended by itself, which no daemon should.
        with suppress(ProcessLookupError):
            command.send(signal.SIGKILL)
        if command.status != -signal.SIGKILL:
            self.ended.append(f"a daemon ended by itself with {command.status}: {command.stderr[-2000:]}")
        self.kills += 1

    def meet(self, town: Town) -> None:
        """Let each ledger create one task in Superfone: until then it does not know its own user there."""
        for person, folder in enumerate(self._folders):
            town.begin(person)
            self._run_once(folder)

    def peace(self) -> list[str]:
        """End all of them, make a few runs with each ledger, and return what needs attention after the last ones."""
        for command in self._alive.values():
            command.send(signal.SIGTERM)
            _wait_for(command)
        for _ in range(PEACE):
            last = [self._run_once(folder) for folder in self._folders]
        return [line for lines in last for line in lines]

    def _run_once(self, folder: Path) -> list[str]:
        command = self._start(
            folder, "sync", "--once", "--json", "--allow-creates", "9999", "--allow-completions", "9999"
        )
        _wait_for(command)
        report = json.loads(command.stdout)
        if "attention" not in report:
            self.ended.append(f"a run in peace ended with {command.status}: {command.stderr[-2000:]}")
            return []
        return [f"{item['title']}: {item['system']} {item['reason']}" for item in report["attention"]]

    def _start(self, folder: Path, *args: str) -> Command:
        return self._zygote.start(folder, self._served.env, *args)


def _wait_for(command: Command) -> None:
    until(lambda: command.ended)


def endure(folder: Path, *, seconds: float, seed: int, ledgers: int) -> tuple[Town, Daemons, list[str]]:
    """Kill and act for this many seconds. Returns the town, the daemons, and what is wrong in the end."""
    rng = random.Random(seed)
    zygote = Zygote()
    with closing(zygote), closing(Served(folder, zygote)) as served:
        town, daemons = Town(served, rng), Daemons(served, zygote, ledgers)
        daemons.meet(town)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            daemons.raise_the_dead()
            dies = time.monotonic() + rng.uniform(*LIVES)
            while time.monotonic() < dies:
                time.sleep(rng.uniform(0.05, 0.4))
                town.act()
            daemons.kill(rng)
        attention = daemons.peace()
        return town, daemons, [*daemons.ended, *town.faults(ledgers, attention), *([] if ledgers > 1 else attention)]


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill the daemon at random while people act.")
    parser.add_argument("minutes", type=float, nargs="?", default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ledgers", type=int, default=1, choices=[1, 2])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        town, daemons, wrong = endure(Path(folder), seconds=given.minutes * 60, seed=given.seed, ledgers=given.ledgers)
    done = sum(job.done for job in town.jobs.values())
    print(f"{daemons.kills} kills; {len(town.jobs)} tasks, {done} of them completed; {len(wrong)} faults")
    print(*wrong, sep="\n")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
