"""Scenarios whose run is killed at every moment: before, during and after each request and transaction."""

from __future__ import annotations

from dataclasses import dataclass

from tests.simulation.actions import Act, History, Make
from tests.simulation.laws import peace
from tests.simulation.laws.violation import Violation
from tests.simulation.outcome import Outcome
from tests.simulation.play import Play

GRACE = 31.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """``before`` is what people did and a run has seen. ``then`` is what the killed run meets."""

    name: str
    before: tuple[Make | Act, ...]
    then: tuple[Make | Act, ...]
    settings: tuple[tuple[str, str], ...] = (("sync", ""), ("superfone", ""))
    newcomer: tuple[str, ...] = ()


def _make(system: str, kind: int = 0, minutes: int = 300, person: int = 0) -> Make:
    return Make(system, person, kind, minutes)


def _act(what: str, system: str, which: int = 0, minutes: int = 500) -> Act:
    return Act(what, system, which, minutes)


CALL, REMINDER = 0, 4
MEETING, TODO, EMAIL = 2, 3, 4

SCENARIOS = (
    Scenario("a call made in Superfone", (), (_make("superfone", CALL),)),
    Scenario("a call made in Reply", (), (_make("reply", CALL),)),
    Scenario("a call made in HighLevel", (), (_make("highlevel"),)),
    Scenario("a reminder made in Superfone", (), (_make("superfone", REMINDER),)),
    Scenario("a to-do made in Reply", (), (_make("reply", TODO),)),
    Scenario("an e-mail made in Reply", (), (_make("reply", EMAIL),)),
    Scenario("one task in each", (), (_make("superfone"), _make("reply", MEETING, 200), _make("highlevel", 0, 100))),
    Scenario("two for one slot", (), (_make("reply", CALL, 300), _make("highlevel", 0, 100))),
    Scenario("an earlier one replaces ours", (_make("reply", CALL, 900),), (_make("highlevel", 0, 100),)),
    Scenario("completed in Superfone", (_make("highlevel"),), (_act("complete", "superfone"),)),
    Scenario("completed in Reply", (_make("superfone"),), (_act("complete", "reply"),)),
    Scenario("completed in HighLevel", (_make("superfone"),), (_act("complete", "highlevel"),)),
    Scenario("completed in two", (_make("superfone"),), (_act("complete", "highlevel"), _act("complete", "reply"))),
    Scenario("cancelled in Reply", (_make("highlevel"),), (_act("cancel", "reply"),)),
    Scenario(
        "completed, and another takes the slot",
        (_make("highlevel", 0, 100), _make("reply", CALL, 200)),
        (_act("complete", "highlevel"),),
    ),
    Scenario(
        "completed under a reminder, and another waits",
        (_make("highlevel", 0, 100), _make("superfone", REMINDER, 50)),
        (_act("complete", "highlevel"), _make("reply", CALL, 200)),
    ),
    Scenario("theirs supersedes ours", (_make("highlevel"),), (_make("superfone", CALL, 50),)),
    Scenario(
        "theirs supersedes ours and is done",
        (_make("highlevel"), _make("superfone", CALL, 50)),
        (_act("complete", "superfone", 0),),
    ),
    Scenario(
        "reopened in HighLevel", (_make("reply", CALL), _act("complete", "reply")), (_act("reopen", "highlevel"),)
    ),
    Scenario("deleted in HighLevel", (_make("reply", CALL),), (_act("delete", "highlevel"),)),
    Scenario("a twin in two", (), (Make("highlevel", 0, 0, 300, "superfone"),)),
    Scenario(
        "somebody whom only Reply knows",
        (),
        (_make("reply", CALL, person=2), _make("reply", CALL, 100, person=2)),
        newcomer=("superfone", "highlevel"),
    ),
    Scenario("two leads at once", (), (_make("highlevel", person=0), _make("highlevel", person=1, minutes=400))),
)


class Crash:
    """One scenario on a stage of its own."""

    def __init__(self, scenario: Scenario) -> None:
        self._play = Play(History(1, scenario.settings, 0, 0, False, (), scenario.newcomer))
        self.stage = self._play.stage
        self.last = Outcome()
        for deed in scenario.before:
            self._play.people.act(deed)
            self.stage.wait(4.0)
            self.run()
        for deed in scenario.then:
            self._play.people.act(deed)
            self.stage.wait(4.0)

    def run(self, *, killed_at: int | None = None) -> int:
        """Make one run and check the laws. Returns the number of its moments."""
        if killed_at is not None:
            self.stage.at[killed_at] = self._kill
        self.last = self.stage.run()
        moments = self.stage.moments
        self._play.oracle.after_run(self.last)
        self.stage.wait(GRACE)
        return moments

    def _kill(self) -> None:
        self.stage.kill()

    def rest(self, wanted: dict[str, list[str]] | None = None) -> dict[str, list[str]]:
        """Make at most three runs until the open tasks are as wanted, then one that must write nothing."""
        for left in (2, 1, 0):
            self.run()
            try:
                peace.judge(self._play.oracle, self.last)
            except Violation:
                if not left:
                    raise
            else:
                if self._open() == wanted:
                    break
        before = self._play.writes()
        self.run()
        peace.l1_no_echo(before, self._play.writes())
        return self._open()

    def _open(self) -> dict[str, list[str]]:
        """Return the names of the open tasks in each CRM."""
        oracle = self._play.oracle
        return {
            system: sorted(task.name or "" for task in oracle.tasks(system).values() if task.open)
            for system in self.stage.sandboxes
        }

    def close(self) -> None:
        self.stage.close()
