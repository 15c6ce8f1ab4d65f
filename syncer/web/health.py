"""Whether the daemon is ready, and whether it is healthy (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from syncer.domain.alarms import AlarmName
from syncer.web.board import AccountState

SILENT: Final = 30.0
"""Seconds without a heartbeat after which the daemon's loop counts as hanging."""


def is_ready(states: Iterable[AccountState]) -> bool:
    """Whether every account that this process serves had its first run."""
    return all(state.had_run or state.elsewhere for state in states)


def is_healthy(states: Iterable[AccountState], silence: float) -> bool:
    """Whether the loop had a heartbeat within `SILENT` seconds and no account is stuck."""
    # Only what a restart may help against: a rejected key or a full backlog is no reason for one.
    stuck = any(alarm.name == AlarmName.STUCK for state in states for alarm in state.alarms)
    return silence <= SILENT and not stuck
