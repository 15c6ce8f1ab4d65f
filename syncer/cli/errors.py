"""Turn exceptions into messages and exit statuses. Only this module decides how a failure is shown."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from syncer.cli.screens import plain
from syncer.config.problems import ConfigError
from syncer.config.registry import label_of
from syncer.contract.errors import AdapterError, WrongAccount
from syncer.domain.alarms import AlarmName
from syncer.domain.redact import redact, unexpected
from syncer.domain.report import Exit
from syncer.engine.errors import PlanFileError
from syncer.ledger import Busy, LeaseLost, LedgerError, Locked

GRAVITY: Final = (Exit.DONE, Exit.BUSY, Exit.PARTIAL, Exit.LIMIT, Exit.WRONG, Exit.SIGINT, Exit.SIGTERM)
"""Exit statuses from harmless to grave, for several accounts that end differently. An account that another process
runs anyway is harmless. One that a person has to repair is grave."""


class BrokenOff(LedgerError):
    """The ledger failed in the middle of a run, after something was sent."""


class LedgerAlarm(Exception):
    """The ledger cannot be read, which is an alarm by itself. The text says why, and what to do."""

    def __init__(self, error: LedgerError) -> None:
        super().__init__(f"alarm: {AlarmName.LEDGER.heading}: {error}")


class Stopped(Exception):
    """A signal ended the work. ``exit_status`` says which one."""

    def __init__(self, exit_status: Exit) -> None:
        super().__init__(f"stopped by {exit_status.name}; everything is stored")
        self.exit_status = exit_status


class ServedElsewhere(Exception):
    """Another process is the daemon of this account. The text says which process, and what to do."""


class UsageError(Exception):
    """The command cannot do what was asked. The text says what to type instead."""


@dataclass(frozen=True, slots=True)
class CommandFailure:
    """How a command failed for one account."""

    exit_status: Exit
    message: str

    @property
    def status(self) -> str:
        """``error`` if something is wrong, ``stopped`` if a signal, a limit or another process stopped it."""
        return "error" if self.exit_status in {Exit.PARTIAL, Exit.WRONG} else "stopped"

    def as_json(self, account: str | None) -> dict[str, Any]:
        return {
            "account": account,
            "status": self.status,
            "exit": int(self.exit_status),
            "message": self.message,
        }


def worst(statuses: Iterable[Exit]) -> Exit:
    """Return the gravest exit status."""
    return max(statuses, key=GRAVITY.index, default=Exit.DONE)


def failure_of(error: BaseException) -> CommandFailure:
    """Return what to tell people about an exception. An unexpected one is a bug, and the message says where."""
    # What inherits from `LedgerError` comes before it, because each has another exit status.
    match error:
        case Stopped():
            return CommandFailure(error.exit_status, str(error))
        case Busy():
            advice = "wait until it has ended; to see the last run, type: syncer status"
            return CommandFailure(Exit.BUSY, f"{error}; {advice}")
        case Locked():
            return CommandFailure(Exit.BUSY, redact(str(error)))
        case ServedElsewhere():
            return CommandFailure(Exit.BUSY, str(error))
        case LeaseLost():
            return CommandFailure(Exit.BUSY, f"{error}; that process also sends what is left")
        case WrongAccount():
            return CommandFailure(Exit.WRONG, redact(_wrong_account(error)))
        case LedgerAlarm():
            return CommandFailure(Exit.PARTIAL, redact(str(error)))
        case BrokenOff():
            return CommandFailure(Exit.PARTIAL, redact(f"{error}; the next run finds out what was sent"))
        case ConfigError() | LedgerError() | PlanFileError() | UsageError():
            return CommandFailure(Exit.WRONG, redact(str(error)))
        case AdapterError():
            words = f"{label_of(error.system)}: {error.words}; to find out more, type: syncer check"
            return CommandFailure(Exit.PARTIAL, redact(words))
    return CommandFailure(Exit.PARTIAL, redact(_bug(error)))


def traceback_of(error: BaseException) -> str:
    """Return the lines of a traceback without secrets and without control characters."""
    lines = redact("".join(traceback.format_exception(error))).splitlines()
    return "".join(plain(line) + "\n" for line in lines)


def _wrong_account(error: WrongAccount) -> str:
    return (
        f"the key of {label_of(error.system)} opens the account {error.found}, but the ledger belongs to "
        f"{error.expected}; nothing was written; use the key of {error.expected}, or set [ledger] url to another file"
    )


def _bug(error: BaseException) -> str:
    return f"{unexpected(error)}; this is a bug of syncer, please report it (-v shows where it came from)"
