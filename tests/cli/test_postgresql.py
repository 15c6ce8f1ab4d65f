"""The commands, with the ledger on a PostgreSQL server."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import cli_kit
from tests.support.cli_kit import Served, Zygote
from tests.support.ledgers import database_url


@pytest.fixture
def served(tmp_path: Path, zygote: Zygote) -> Iterator[Served]:
    with database_url("postgresql", tmp_path, tables=False) as url:
        world = Served(tmp_path, zygote)
        world.configure(sync='doubt_grace = "0s"')
        with (tmp_path / "config.toml").open("a") as file:
            file.write('[ledger]\nurl = "env:LEDGER"\n')
        world.env["LEDGER"] = url
        yield world
        world.close()


def test_every_day(served: Served) -> None:
    _, _, contact = served.person()
    task = served.task(contact)
    assert served.do("status", "--json").answer["last_run"] is None
    assert len(served.do("plan", "--json").answer["operations"]) == 2
    report = served.do("sync", "--once", "--json").answer
    assert (report["status"], report["created"]) == ("ok", {"superfone": 1, "reply": 1, "highlevel": 0})
    written = served.writes()
    assert served.do("sync", "--once").status == 0
    assert served.writes() == written
    assert served.do("status", "--json").answer["tasks"] == {"open": 1}
    assert "Asha Rao" in served.do("tasks").stdout
    assert "created" in served.do("explain", f"highlevel:{task}").stdout
    assert served.do("retry").status == 0
    assert served.do("ledger", "take-over").status == 0
    refused = served.do("ledger", "backup", "copy.db")
    assert (refused.status, "back it up with pg_dump" in refused.stderr) == (2, True)
    assert not list(served.folder.glob("acme*"))


def test_of_two_runs_one_is_refused_and_when_the_other_is_killed_nothing_is_made_twice(served: Served) -> None:
    lead, _, contact = served.person()
    served.task(contact)
    with served.hold_first_write() as write:
        first = served.start("sync", "--once")
        assert write.arrived.wait(cli_kit.PATIENCE)
        assert served.do("sync", "--once").status == 4
        first.send(signal.SIGKILL)
        assert first.status == -signal.SIGKILL
    for _ in range(2):
        assert served.do("sync", "--once").status == 0
    assert len(served.superfone.open_tasks(lead)) == len(served.reply.tasks()) == len(served.highlevel.tasks()) == 1
