"""Whether the daemon is ready, and whether it is healthy (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from syncer.domain.alarms import AlarmName
from syncer.web.board import AccountState

SILENT: Final = 30.0
"""Seconds without a turn after which the daemon's loop is taken to hang."""


def is_ready(states: Iterable[AccountState]) -> bool:
    """Every account that is ours had its first run."""
    return all(state.had_run or state.elsewhere for state in states)


def is_healthy(states: Iterable[AccountState], silence: float) -> bool:
    """The loop has turned within `SILENT` seconds, and no account is stuck."""
    stuck = any(alarm.name == AlarmName.STUCK for state in states for alarm in state.alarms)
    return silence <= SILENT and not stuck
