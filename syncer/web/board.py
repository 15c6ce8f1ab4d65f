"""The board: what the daemon passes to the thread that serves the page, with one value for each account.

The daemon writes it and the other thread reads it. Values are replaced and never changed, so no lock is needed to read.
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
    """One account. ``trouble`` says why it could not be run. ``elsewhere`` is true if another process serves it.

    ``budgets`` are by system and window, from 0 to 1. ``had_run`` is true after the first run with a report.
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
    """What the thread that serves the page can ask the daemon to do."""

    def run_now(self, account: str) -> None:
        """Begin a run as soon as the current one has ended."""

    def wake(self, account: str) -> None:
        """Process the events that were received."""


class Board:
    """The accounts by name, what is wrong with account files, and when the daemon's loop last turned."""

    def __init__(self) -> None:
        self._states: dict[str, AccountState] = {}
        self.broken_files: tuple[str, ...] = ()
        self.beaten_at = time.monotonic()

    def beat(self) -> None:
        """Note a heartbeat of the daemon's loop."""
        self.beaten_at = time.monotonic()

    def put(self, account: Account) -> None:
        """Add an account that is served from now on."""
        self._states = {**self._states, account.name: AccountState(account)}

    def drop(self, name: str) -> None:
        """Remove an account that is no longer served."""
        self._states = {other: state for other, state in self._states.items() if other != name}

    def change(self, name: str, **fields: Any) -> None:
        """Replace fields of one account's state, if the account is on the board."""
        if (state := self._states.get(name)) is not None:
            self._states = {**self._states, name: replace(state, **fields)}

    def get(self, name: str) -> AccountState | None:
        return self._states.get(name)

    def states(self) -> tuple[AccountState, ...]:
        """Return the states of all accounts by name."""
        return tuple(state for _, state in sorted(self._states.items()))
