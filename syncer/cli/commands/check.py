"""``syncer check``: test the account file, each key and each permission by reads, and show what each CRM can do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import stamina

from syncer.cli.at_once import Turn, connected, run_accounts
from syncer.cli.file_warnings import FileWarning, warnings_of
from syncer.cli.screens import Screen
from syncer.cli.session import Session, known_identities
from syncer.cli.signals import Stop
from syncer.config.registry import label_of
from syncer.config.schema import Account
from syncer.contract.adapter import Adapter, Capabilities, Check, Completes, ListsTasks, TeamMember
from syncer.contract.errors import AdapterError, WrongAccount
from syncer.domain.dues import DAY, SECOND
from syncer.domain.model import Kind
from syncer.domain.redact import redact
from syncer.domain.report import Exit

PATIENCE: Final = 20.0
"""Seconds that a check may wait if a CRM throttles."""
_WORDS: Final = {False: "FAILED", None: "not known", True: "ok"}
_KEYS: Final = {"email": "e-mail", "phone": "phone number"}
_WRITING: Final = Check("write tasks", ok=None, detail="a check writes nothing, so only a run can tell")


@dataclass(frozen=True, slots=True)
class _Found:
    """The checks of each CRM, and the warnings about the account file."""

    checks: Mapping[str, list[Check]]
    warnings: list[FileWarning]

    @property
    def failed(self) -> bool:
        return any(check.ok is False for checks in self.checks.values() for check in checks)


def check_accounts(session: Session) -> int:
    """Test everything that a run needs. Returns 1 if anything is missing."""

    async def work(account: Account, stop: Stop, turn: Turn) -> Exit:
        from syncer.cli.progress_bars import shown_progress

        async with connected(account) as adapters:
            with shown_progress(account.name, {}, shown=not session.quiet) as progress:
                progress("asking each CRM")
                found = await stop.finish(_check_all(account, adapters), adapters.values())
        await turn()
        status = Exit.PARTIAL if found.failed else Exit.DONE
        if session.json:
            session.answer(_as_json(account, adapters, found, status))
        else:
            _show(session, account, adapters, found)
        return status

    with without_retries():
        return run_accounts(session, work)


async def try_connection(adapter: Adapter) -> list[Check]:
    """Run the checks of one connection, without long waits for a request budget."""
    adapter.wire.set_deadline(PATIENCE)
    return await adapter.check()


def show_checks(screen: Screen, system: str, checks: Iterable[Check]) -> None:
    """Show the checks of one CRM: first the failures, with what to do, then one line for everything else."""
    advice = ""
    for check in sorted(checks, key=_gravity):
        head = f"{label_of(system)}: {_WORDS[check.ok]}: {check.what}"
        whole = f"{head}: {check.detail}" if check.detail else head
        if check.ok is False:
            screen.say(whole, "red", indent=2)
            # Several failures often have one remedy.
            if check.advice != advice:
                screen.say(check.advice, indent=6)
            advice = check.advice
        else:
            fits = not screen.tables or len(whole) + 2 <= screen.width
            screen.say(whole if fits else head, "green" if check.ok else "yellow", indent=2)


def _gravity(check: Check) -> int:
    return (False, True, None).index(check.ok)


@contextmanager
def without_retries() -> Iterator[None]:
    """Do not retry failed requests: somebody is watching, and can type the command again."""
    stamina.set_active(False)
    try:
        yield
    finally:
        stamina.set_active(True)


async def _check_all(account: Account, adapters: Mapping[str, Adapter]) -> _Found:
    # Before any request: a ledger that cannot be read is told at once.
    known = known_identities(account)

    async def one(system: str, adapter: Adapter) -> list[Check]:
        checks = await try_connection(adapter)
        if any(check.ok is False for check in checks):
            # If something fails, only that matters: checks without a result are left out.
            return [check for check in checks if check.ok is not None]
        account_check = await _check_identity(adapter, known.get(system))
        return [*checks, *account_check, _WRITING]

    found = await asyncio.gather(*(one(system, adapter) for system, adapter in adapters.items()))
    checks = dict(zip(adapters, found, strict=True))
    sick = {system for system, tried in checks.items() if any(check.ok is False for check in tried)}
    working = {system: adapter for system, adapter in adapters.items() if system not in sick}
    capabilities = {system: adapter.capabilities for system, adapter in adapters.items()}
    # The team is read only to compare it with [[users]]: it may need a permission that no run needs.
    return _Found(checks, warnings_of(account, capabilities, await _teams(working) if account.users else {}))


async def _teams(adapters: Mapping[str, Adapter]) -> dict[str, tuple[TeamMember, ...]]:
    """Return the users of the CRMs that list them."""
    found = {}
    for system, adapter in adapters.items():
        with suppress(AdapterError):
            found[system] = await adapter.list_team()
    return found


async def _check_identity(adapter: Adapter, expected: str | None) -> list[Check]:
    """Whether the key opens the account that the ledger belongs to. Raises `WrongAccount`."""
    try:
        identity = await adapter.identity()
    except AdapterError:
        # The check of the key has reported this already.
        return []
    if expected is not None and identity.id is not None and identity.id != expected:
        raise WrongAccount(expected, identity.id, system=adapter.system)
    if identity.id is not None:
        return [Check("account", ok=True, detail=identity.label)]
    ours = f"; the ledger belongs to {expected}" if expected is not None else ""
    return [Check("account", ok=None, detail=identity.label + ours)]


def _as_json(account: Account, adapters: Mapping[str, Adapter], found: _Found, status: Exit) -> dict[str, Any]:
    return {
        "account": account.name,
        "status": "ok" if status is Exit.DONE else "partial",
        "exit": int(status),
        "file": str(account.path),
        "checks": [
            {
                "system": system,
                "what": check.what,
                "ok": check.ok,
                "detail": redact(check.detail),
                "advice": redact(check.advice),
            }
            for system, checks in found.checks.items()
            for check in checks
        ],
        "warnings": [{"key": warning.key, "words": redact(warning.words)} for warning in found.warnings],
        "capabilities": {system: _abilities(adapter.capabilities) for system, adapter in adapters.items()},
    }


def _abilities(capabilities: Capabilities) -> dict[str, Any]:
    return {
        "lists_tasks": capabilities.lists_tasks.value,
        "completes": capabilities.completes.value,
        "creates": _kinds(capabilities.creates),
        "completes_kinds": _kinds(capabilities.completes_kinds),
        "one_open_of": _kinds(capabilities.exclusive),
        "reads_marker": capabilities.reads_marker,
        "listing_lags": capabilities.listing_lags,
        "contact_keys": list(capabilities.contact_keys),
        "due_step": capabilities.due_step.total_seconds(),
        "due_may_be_a_day": capabilities.due_zone is not None,
        "notes": dict(capabilities.notes),
    }


def _kinds(kinds: Iterable[Kind]) -> list[str]:
    wanted = set(kinds)
    return [kind.value for kind in Kind if kind in wanted]


def _show(session: Session, account: Account, adapters: Mapping[str, Adapter], found: _Found) -> None:
    screen = session.screen
    words = "not everything works" if found.failed else "everything that can be tested works"
    screen.say(f"{account.name}: {words}", "bold")
    for system, checks in found.checks.items():
        show_checks(screen, system, [check for check in checks if check.ok is False])
    for warning in found.warnings:
        screen.say(f"warning: {warning.key}: {warning.words}", "yellow", indent=2)
    screen.say(f"file: ok: {account.path}", "green", indent=2)
    for system, checks in found.checks.items():
        show_checks(screen, system, [check for check in checks if check.ok is not False])
    # If something has to be repaired, only that is shown.
    for system, adapter in () if found.failed else adapters.items():
        screen.say(f"What {label_of(system)} can do", "bold")
        for line in _in_words(adapter.capabilities):
            screen.say(line, indent=2)


def _in_words(capabilities: Capabilities) -> Iterator[str]:
    yield f"Created there: {_some(capabilities.creates)}."
    yield f"Completed there: {_some(capabilities.completes_kinds)}."
    if capabilities.completes is Completes.TOP_OF_LANE:
        yield "Completing always closes the contact's newest open task, so an older one waits for it."
    if capabilities.exclusive:
        yield f"A contact can have only one open task of these kinds: {_some(capabilities.exclusive)}."
    if capabilities.lists_tasks is ListsTasks.PER_CONTACT:
        yield "Tasks are read contact by contact, so a run takes longer the more contacts there are."
    yield f"Contacts are found by {' or '.join(_KEYS.get(key, key) for key in capabilities.contact_keys)}."
    if capabilities.due_step >= DAY:
        yield "A task is due on a day, without a time."
    elif capabilities.due_step > SECOND:
        yield f"A due time is rounded to {capabilities.due_step.total_seconds() / 60:g} min."
    if capabilities.listing_lags:
        yield "Its lists may be some seconds old, so a contact's tasks are read again before a task is created."
    yield from capabilities.notes.values()


def _some(kinds: Iterable[Kind]) -> str:
    wanted = set(kinds)
    return "every kind" if wanted == set(Kind) else ", ".join(kind.label.lower() for kind in Kind if kind in wanted)
