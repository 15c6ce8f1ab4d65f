"""A world whose account may be run with several ledgers."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.highlevel.sandbox_store import SandboxTask as HighLevelTask
from adapters.reply.sandbox_store import SandboxTask as ReplyTask
from syncer.domain.report import Report
from tests.support.clock import START
from tests.support.world import SECRETS, World

SYSTEMS = ("superfone", "reply", "highlevel")
Worlds = Callable[..., "Ledgers"]


class Ledgers(World):
    """A world whose account may be run with several ledgers, each a file in its folder."""

    def use(self, name: str) -> None:
        """From now on, this ledger is the account's."""
        self.account = self.account.model_copy(update={"ledger_url": f"sqlite:///{self._folder / name}.db"})

    def copy(self) -> None:
        """Put a copy of the ledger aside."""
        shutil.copyfile(self._folder / "acme.db", self._folder / "aside.db")

    def put_back(self) -> None:
        """Put the copy over the ledger, as a user would who types cp."""
        for file in self._folder.glob("acme.db-*"):
            file.unlink()
        shutil.copyfile(self._folder / "aside.db", self._folder / "acme.db")

    def without(self, system: str) -> None:
        """Take a CRM out of the account file."""
        text = self._file.read_text()
        tables = ("\n" + text).split("\n[")
        kept = [table for table in tables if not table.startswith((f"{system}]", f"[{system}."))]
        self._file.write_text("\n[".join(kept))
        self.reload()

    def runs(self, number: int = 1) -> Report:
        """Runs a minute apart; the last report."""
        for _ in range(number):
            self.wait(minutes=1)
            report = self.sync()
        return report

    def quiet(self, number: int = 2) -> Report:
        """Runs that write nothing."""
        written = self.writes()
        report = self.runs(number)
        assert self.writes() == written, [
            (call.method, call.path, call.body)
            for sandbox in self.sandboxes.values()
            for call, _ in sandbox.calls[-6:]
            if sandbox.is_write(call)
        ]
        return report

    def reply_open(self) -> list[ReplyTask]:
        return [task for task in self.reply.tasks() if task.status == "New"]

    def highlevel_open(self) -> list[HighLevelTask]:
        return [task for task in self.highlevel.tasks() if not task.completed and not task.deleted]

    def open(self) -> tuple[int, int, int]:
        """How many tasks are open in Superfone, Reply and HighLevel."""
        superfone = [task for lead in self.superfone.leads() for task in self.superfone.open_tasks(lead.id)]
        return len(superfone), len(self.reply_open()), len(self.highlevel_open())

    def make(self, system: str, *, hours: float = 5, title: str = "Ring Asha", reminder: bool = False) -> str:
        """A person makes a call, or a reminder, for the first contact."""
        if not self.superfone.leads():
            self.everywhere()
        lead, contact = self.superfone.leads()[0].id, str(self.reply.contacts()[0].id)
        due = (START + timedelta(hours=hours)).replace(microsecond=0)
        if system == "superfone":
            raw_type = "REMINDER" if reminder else "FOLLOW_UP_CALL"
            return str(self.superfone.person_creates(lead, raw_type, due, title=title))
        if system == "reply":
            return self.reply.person_creates(contact, "ToDo" if reminder else "Call", due, title)
        title = f"Remind: {title}" if reminder else title
        return self.highlevel.person_creates(self.highlevel.contacts()[0].id, title, due)

    def finish(self, system: str, remote_id: str) -> None:
        """A person completes a task."""
        self.wait(minutes=1)
        if system == "superfone":
            self.superfone.person_completes(int(remote_id))
        elif system == "reply":
            self.reply.person_completes(remote_id)
        else:
            self.highlevel.person_completes(remote_id)


def make_worlds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worlds]:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    made: list[Ledgers] = []

    def make(**settings: str) -> Ledgers:
        rules = '[[highlevel.kind_rules]]\nmatch = "Remind"\nkind = "reminder"'
        made.append(Ledgers(tmp_path, seed=0, **({"more": rules} | settings)))
        return made[-1]

    yield make
    for one in made:
        one.close()
