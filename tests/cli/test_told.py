"""What commands say, made from values: of the last run, of a CRM's abilities and checks, and of what was freed."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
import stamina

from syncer.cli import app, options
from syncer.cli.commands import check
from syncer.cli.commands.retry import _freed
from syncer.cli.last_run import broken_off, under_way
from syncer.cli.screens import Screen
from syncer.contract.adapter import Adapter, Check, Identity
from syncer.contract.errors import Unavailable, WrongAccount
from syncer.domain.cursors import FULL
from syncer.domain.model import ReplicaState
from syncer.domain.operations import Action, OpState
from syncer.domain.reasons import Reason
from syncer.domain.redact import protect
from syncer.ledger import Run
from tests.cli.test_screens import bare, on_terminal
from tests.support.clock import START
from tests.support.strategies import CAPABILITIES, LANE, PLAIN, TYPED, a_base, a_replica, a_task, an_operation

KILLED = "it did not end: its process was killed, or its ledger could not be written"
WHOLE: dict[str, Any] = {"connections": {}}


def run(report: dict[str, Any] | None = None, *, ended: bool = True, off: bool = False) -> Run:
    return Run("02", START, START if ended else None, "ok" if ended else "running", report or {}, off)


@pytest.mark.parametrize(
    ("runs", "is_under_way", "message"),
    [
        ([], False, None),
        ([run(WHOLE)], False, None),
        ([run(ended=False)], True, None),
        ([run(ended=False, off=True)], False, KILLED),
        ([run({"message": "no room on the disk"})], False, "no room on the disk"),
        ([run({"message": ""})], False, KILLED),
        ([run(WHOLE), run(ended=False, off=True)], False, None),
        ([run(ended=False), run({"message": "no room on the disk"})], True, None),
    ],
)
def test_the_last_run_is_under_way_or_broken_off_or_neither(
    runs: list[Run], is_under_way: bool, message: str | None
) -> None:
    assert under_way(runs) is (runs[0] if is_under_way else None)
    found = broken_off(runs)
    assert (None if found is None else found.message) == message
    if found is not None:
        assert found.as_json() == {"run": "02", "started_at": "2026-05-19T08:30:00Z", "message": message}


def test_what_a_crm_can_do_is_said_in_sentences() -> None:
    lane, typed = (list(check._in_words(CAPABILITIES[system])) for system in (LANE, TYPED))
    newest = "Completing always closes the contact's newest open task, so an older one waits for it."
    one_open = "A contact can have only one open task of these kinds: follow-up call, first call, call back, "
    assert newest in lane
    assert newest not in typed
    assert any(line.startswith(one_open) for line in lane)
    assert any(line.startswith("Tasks are read contact by contact") for line in lane)
    assert "Contacts are found by phone number." in lane
    assert typed[0] == "Created there: every kind."
    assert len(typed) == 3


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (timedelta(0), None),
        (timedelta(seconds=1), None),
        (timedelta(minutes=15), "A due time is rounded to 15 min."),
        (timedelta(seconds=90), "A due time is rounded to 1.5 min."),
        (timedelta(days=1), "A task is due on a day, without a time."),
    ],
)
def test_how_exact_a_due_is_is_said(step: timedelta, words: str | None) -> None:
    told = list(check._in_words(replace(CAPABILITIES[TYPED], due_step=step)))
    assert [line for line in told if "due" in line] == ([words] if words else [])


def test_failures_come_first_and_one_remedy_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    advice = "make a new key"
    check.show_checks(
        Screen(),
        "reply",
        [
            Check("writing", ok=None, detail="nothing is written to test it"),
            Check("account", ok=True, detail="Acme"),
            Check("key", ok=False, detail="refused", advice=advice),
            Check("tasks", ok=False, advice=advice),
            Check("contacts", ok=False, advice="ask the owner"),
        ],
    )
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "Reply.io: FAILED: key: refused",
        "make a new key",
        "Reply.io: FAILED: tasks",
        "Reply.io: FAILED: contacts",
        "ask the owner",
        "Reply.io: ok: account: Acme",
        "Reply.io: not known: writing: nothing is written to test it",
    ]


@pytest.mark.parametrize(
    ("identity", "expected", "told"),
    [
        (Identity("7", "Acme"), "7", [Check("account", ok=True, detail="Acme")]),
        (Identity("7", "Acme"), None, [Check("account", ok=True, detail="Acme")]),
        (Identity(None, "unknown"), None, [Check("account", ok=None, detail="unknown")]),
        (Identity(None, "unknown"), "7", [Check("account", ok=None, detail="unknown; the ledger belongs to 7")]),
        (Unavailable("busy"), "7", []),
    ],
)
def test_whose_account_it_is(identity: Identity | Unavailable, expected: str | None, told: list[Check]) -> None:
    assert asyncio.run(check._check_identity(_adapter(identity), expected)) == told


def test_the_account_of_another_ledger_is_refused_with_its_crm() -> None:
    with pytest.raises(WrongAccount, match="account 8, but the ledger to account 7") as caught:
        asyncio.run(check._check_identity(_adapter(Identity("8", "Other")), "7"))
    assert caught.value.system == "reply"


def _adapter(identity: Identity | Unavailable) -> Adapter:
    async def told() -> Identity:
        if isinstance(identity, Unavailable):
            raise identity
        return identity

    return cast("Adapter", SimpleNamespace(system="reply", identity=told))


def test_what_was_freed_is_what_differs() -> None:
    first, second, third = (a_task(f"{TYPED}:{number}", origin=TYPED) for number in (1, 2, 3))
    gone = a_replica(first, PLAIN, state=ReplicaState.GONE)
    parked = an_operation(first, LANE, Action.CREATE, OpState.PARKED, fingerprint="x")
    other = an_operation(second, LANE, Action.COMPLETE, OpState.FAILED, failures=5)
    held = replace(second, held=Reason.LOOP)
    still = replace(third, held=Reason.DUPLICATE)
    before = a_base(
        first,
        held,
        still,
        replicas=[gone, a_replica(first, LANE)],
        operations=[parked, other],
        cursors={FULL + LANE: "1"},
    )
    after = a_base(
        first, second, still, replicas=[a_replica(first, LANE)], operations=[replace(parked, fingerprint=""), other]
    )
    assert list(_freed(before, after)) == [
        {"task": first.id, "system": LANE, "what": "create"},
        {"task": first.id, "system": PLAIN, "what": "missing copy"},
        {"task": second.id, "system": TYPED, "what": "loop"},
        {"task": None, "system": LANE, "what": "all creates"},
    ]
    assert list(_freed(before, before)) == []
    assert list(_freed(replace(before, cursors={}), a_base())) == [
        {"task": first.id, "system": PLAIN, "what": "missing copy"}
    ]


def test_the_shell_offers_what_a_filter_takes() -> None:
    assert options.states() == ["open", "cancelled", "done"]
    assert options.systems()[:3] == ["superfone", "reply", "highlevel"]


@pytest.mark.parametrize(
    ("argument", "traceback"), [("-v", True), ("-vv", True), ("--verbose", True), ("status", False)]
)
def test_an_error_of_ours_ends_a_command_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], argument: str, traceback: bool
) -> None:
    """Whatever it is about, no key of the account is in it."""

    def fail(**_: str) -> None:
        msg = "a key: the-key-not-shown"
        raise RuntimeError(msg)

    protect("the-key-not-shown")
    monkeypatch.setattr(app, "app", fail)
    monkeypatch.setattr(app, "protect_streams", lambda: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setenv("PYDANTIC_DISABLE_PLUGINS", "__all__")
    monkeypatch.setattr("sys.argv", ["syncer", argument])
    with pytest.raises(SystemExit) as left:
        app.main()
    told = capsys.readouterr()
    assert (left.value.code, told.out) == (1, "")
    assert "RuntimeError" in told.err
    assert "not-shown" not in told.err
    assert ("Traceback" in told.err) is traceback


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_command_with_its_status(number: signal.Signals) -> None:
    with pytest.raises(SystemExit) as left:
        app._leave(number, None)
    assert left.value.code == 128 + number


def test_while_somebody_watches_nothing_is_tried_again() -> None:
    assert stamina.is_active()
    with check.without_retries():
        assert not stamina.is_active()
    assert stamina.is_active()
    with pytest.raises(KeyboardInterrupt), check.without_retries():
        raise KeyboardInterrupt
    assert stamina.is_active(), "however it ends"


def test_what_does_not_fit_a_terminal_is_left_out_unless_it_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    long = "a word " * 9
    checks = [
        Check("key", ok=True, detail=long),
        Check("tasks", ok=True, detail="12"),
        Check("team", ok=None, detail=long),
    ]
    check.show_checks(Screen(), "reply", [*checks, Check("contacts", ok=False, detail=long)])
    told = " ".join(bare(terminal.getvalue()).split())
    assert told.count("a word") == 9
    assert told.startswith("Reply.io: FAILED: contacts: a word")
    assert told.endswith("Reply.io: ok: key Reply.io: ok: tasks: 12 Reply.io: not known: team")
