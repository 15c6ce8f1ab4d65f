"""An error of ours with one account, wherever the daemon meets it, costs no other account a run."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from syncer.cli import presence, service
from syncer.cli.daemon import serve
from syncer.cli.session import Session
from syncer.cli.signals import apart
from syncer.engine.opening import AccountInHand
from syncer.ledger import Ledger
from syncer.web.alarms.keeper import AlarmKeeper
from syncer.web.watch import Watch
from tests.support import cli_kit
from tests.support.clock import run_virtual, virtual_loop

MINUTES = 6


def breaks(bug: pytest.MonkeyPatch, owner: Any, name: str, whose: Callable[..., str]) -> None:
    """This function raises for account a, from the second time on."""
    sound = getattr(owner, name)
    calls = [0]

    def broken() -> bool:
        calls[0] += 1
        return calls[0] > 1 or name in {"_withdrawn", "fail"}

    if asyncio.iscoroutinefunction(sound):

        async def one(*arguments: Any, **named: Any) -> Any:
            if whose(*arguments) == "a" and broken():
                msg = "a bug"
                raise KeyError(msg)
            return await sound(*arguments, **named)

        bug.setattr(owner, name, one)
        return

    def other(*arguments: Any, **named: Any) -> Any:
        if whose(*arguments) == "a" and broken():
            msg = "a bug"
            raise KeyError(msg)
        return sound(*arguments, **named)

    bug.setattr(owner, name, other)


PLACES: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "nowhere": lambda _bug: None,
    "a failed run is noted": lambda bug: breaks(bug, Watch, "failed", lambda _self, name, *_: name),
    "an alarm is judged": lambda bug: breaks(bug, AlarmKeeper, "judge", lambda self, *_: self.account.name),
    "an account is begun": lambda bug: breaks(bug, Watch, "begin", lambda _self, account, _: account.name),
    "traffic is counted": lambda bug: breaks(bug, Watch, "_note_traffic", lambda _self, name: name),
    "messages are looked for": lambda bug: breaks(
        bug, Watch, "_begin_telling", lambda _self, keeper: keeper.account.name
    ),
    "its presence is stored": lambda bug: breaks(bug, presence, "announce", lambda ledger, _since: ledger.name),
    "it withdraws": lambda bug: breaks(bug, service, "_withdrawn", lambda account: account.name),
    "a failure is told": lambda bug: breaks(bug, Session, "fail", lambda _self, account, *_: account),
    "clashes are looked for": lambda bug: breaks(bug, service, "known_clashes", lambda *_: "a"),
}


@pytest.mark.parametrize("place", PLACES)
def test_wherever_it_is_the_other_account_goes_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    own_errors: list[str],
    place: str,
) -> None:
    for number, name in enumerate("ab"):
        config = cli_kit.ACCOUNT.format(name=name, url=f"http://127.0.0.1:{number + 1}", sync="")
        (tmp_path / f"{name}.toml").write_text(config.replace('interval = "1s"', 'interval = "60s"'))
    for key, value in cli_kit.SECRETS.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr("syncer.cli.service.JITTER", 0.0)
    ran: dict[str, list[float]] = {"a": [], "b": []}
    said: dict[str, list[float]] = {"a": [], "b": []}
    beats: list[float] = []
    announce = presence.announce

    def count(ledger: Ledger, since: Any) -> None:
        said[ledger.name].append(loops[0].time())
        announce(ledger, since)

    async def run(hand: AccountInHand, *_args: object) -> None:
        ran[hand.settings.name].append(virtual_loop().time())
        raise ZeroDivisionError

    async def work() -> int:
        loops.append(virtual_loop())
        watch = Watch(apart)
        beat = watch.board.beat

        def beaten() -> None:
            beats.append(virtual_loop().time())
            beat()

        monkeypatch.setattr(watch.board, "beat", beaten)
        virtual_loop().call_later(60 * MINUTES - 30, os.kill, os.getpid(), signal.SIGTERM)
        return await serve(Session((tmp_path / "a.toml", tmp_path / "b.toml"), json=True), watch)

    loops: list[asyncio.AbstractEventLoop] = []
    monkeypatch.setattr("syncer.cli.presence.announce", count)
    monkeypatch.setattr("syncer.cli.serving.run_and_record", run)
    PLACES[place](monkeypatch)
    assert run_virtual(work()) == 143
    assert len(ran["b"]) == MINUTES, ran
    assert len(ran["a"]) == (0 if place in {"an account is begun", "its presence is stored"} else MINUTES), ran
    assert said["b"][-1] > 60 * MINUTES - 60 - presence.TERM.total_seconds()
    assert beats[-1] > 60 * MINUTES - 35
    # It is told with the run that failed, or by itself.
    assert place == "nowhere" or own_errors == [] or set(own_errors) <= {"a", "b"}
    assert place == "nowhere" or own_errors or "KeyError" in capsys.readouterr().out
