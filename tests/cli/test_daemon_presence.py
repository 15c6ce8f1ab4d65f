"""One daemon for each account: who serves it, and who is believed to."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syncer.cli import presence
from syncer.cli.errors import ServedElsewhere
from syncer.ledger import Ledger, Owner, current_owner
from tests.support.cli_kit import Served, runs, until


def test_a_second_daemon_is_4_and_one_run_beside_it_is_not(served: Served) -> None:
    served.person()
    daemon = served.start("sync", "--json")
    until(lambda: runs(daemon) >= 1)
    second = served.do("sync", "--json")
    assert second.status == 4
    pid = served.do("status", "--json").answer["daemon"]["pid"]
    assert f"process {pid} on " in second.answer["message"]
    assert "has served this account since 20" in second.answer["message"]
    until(lambda: served.do("sync", "--once").status == 0)
    daemon.send(signal.SIGTERM)
    assert daemon.status == 143


def test_of_two_that_start_together_one_serves(served: Served) -> None:
    served.person()
    both = [served.start("sync", "--json") for _ in range(2)]
    until(lambda: any(one.ended for one in both))
    (left,) = (one for one in both if one.ended)
    (right,) = (one for one in both if one is not left)
    assert left.status == 4
    until(lambda: runs(right) >= 1)
    right.send(signal.SIGTERM)
    assert right.status == 143


def test_a_crashed_daemon_is_followed_at_once(served: Served) -> None:
    served.person()
    daemon = served.start("sync", "--json")
    until(lambda: runs(daemon) >= 1)
    daemon.send(signal.SIGKILL)
    assert daemon.status != 0
    second = served.start("sync", "--json")
    until(lambda: runs(second) >= 1)
    second.send(signal.SIGTERM)
    assert second.status == 143


HERE = current_owner("")
HOST, BOOT, *REST = HERE.machine.split("/")
NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("owner", "until_s", "serves"),
    [
        (HERE, -3600, False),
        (Owner("", HERE.machine, os.getppid(), HERE.started + 3600), 60, False),
        (Owner("", "/".join([HOST, "another-boot", *REST]), 1, 1.0), 60, False),
        (Owner("", "/".join([HOST, BOOT, "another-namespace"]), 1, 1.0), 60, True),
        (Owner("", "elsewhere/boot/1", 1, 1.0), 60, True),
        (Owner("", "elsewhere/boot/1", 1, 1.0), -1, False),
        (Owner("", "elsewhere/boot/1", 1, 1.0), 10 * 365 * 86400, False),
    ],
    ids=["ourselves", "id used again", "another boot", "container", "elsewhere", "silent", "a clock of its own"],
)
def test_who_is_believed_to_serve(tmp_path: Path, owner: Owner, until_s: int, serves: bool) -> None:
    said = presence.Presence(owner, NOW, datetime.now(UTC) + timedelta(seconds=until_s))
    with Ledger.open(f"sqlite:///{tmp_path / 'acme.db'}", name="acme") as ledger:
        assert ledger.exchange("daemon", "", presence._written(said))
        if serves:
            assert presence.find(ledger) == said
            with pytest.raises(ServedElsewhere, match=f"process {owner.pid} on {said.host} has served"):
                presence.announce(ledger, NOW)
            presence.withdraw(ledger)
            assert presence.find(ledger) == said
            return
        presence.announce(ledger, NOW)
        found = presence.find(ledger)
        assert found is not None
        assert found.is_ours
        presence.withdraw(ledger)
        assert presence.find(ledger) is None


def test_a_daemon_that_lives_is_believed_whatever_the_clock_says(tmp_path: Path) -> None:
    parent = Owner("", HERE.machine, os.getpid(), HERE.started)
    said = presence.Presence(parent, NOW, NOW - timedelta(days=3650))
    assert said.lives(NOW)
    assert said.lives(NOW - timedelta(days=36500))


def test_what_stands_there_is_no_presence(tmp_path: Path) -> None:
    with Ledger.open(f"sqlite:///{tmp_path / 'acme.db'}", name="acme") as ledger:
        ledger.exchange("daemon", "", '{"pid": 1}')
        presence.announce(ledger, NOW)
        assert not ledger.exchange("daemon", "", "something else")
