"""What the daemon shows of itself while it runs: one value for each account, and its heartbeat.

The daemon writes it, the thread that serves reads it. Values are replaced whole and never changed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from syncer.config.schema import Account
from syncer.domain.alarms import Alarm


@dataclass(frozen=True, slots=True)
class AccountState:
    """One account that is served. ``trouble`` says why it could not be run, ``elsewhere`` that another process has it.

    ``budgets`` are by system and window, from 0 to 1. ``had_run`` is true once a run has ended with a report.
    """

    account: Account
    alarms: tuple[Alarm, ...] = ()
    running: bool = False
    had_run: bool = False
    elsewhere: bool = False
    trouble: str = ""
    next_at: datetime | None = None
    budgets: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.account.name


class Control(Protocol):
    """What the thread that serves may ask of the daemon."""

    def run_now(self, account: str) -> None:
        """Begin a run as soon as none is under way."""

    def wake(self, account: str) -> None:
        """Look at what the CRMs have told since."""


class Board:
    """The accounts by name, what is wrong with account files, and when the daemon's loop last turned."""

    def __init__(self) -> None:
        self._states: dict[str, AccountState] = {}
        self.broken_files: tuple[str, ...] = ()
        self.beaten_at = time.monotonic()

    def beat(self) -> None:
        """The daemon's loop turns."""
        self.beaten_at = time.monotonic()

    def put(self, account: Account) -> None:
        """An account is served from now on."""
        self._states = {**self._states, account.name: AccountState(account)}

    def drop(self, name: str) -> None:
        """An account is served no more."""
        self._states = {other: state for other, state in self._states.items() if other != name}

    def change(self, name: str, **fields: Any) -> None:
        """Replace fields of one account's state, if it is there."""
        if (state := self._states.get(name)) is not None:
            self._states = {**self._states, name: replace(state, **fields)}

    def get(self, name: str) -> AccountState | None:
        return self._states.get(name)

    def states(self) -> tuple[AccountState, ...]:
        """All of them, by name."""
        return tuple(state for _, state in sorted(self._states.items()))
