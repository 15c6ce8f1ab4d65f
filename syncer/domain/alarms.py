"""The alarms of an account: a closed list of words, each with a heading for users (pure)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from syncer.domain.redact import redact


class AlarmName(StrEnum):
    """What can be wrong with an account for longer than a run."""

    STUCK = "stuck"
    UNAUTHORIZED = "unauthorized"
    INCIDENT = "incident"
    BACKLOG = "backlog"
    SECOND_LEDGER = "second_ledger"
    LEDGER = "ledger"

    @property
    def heading(self) -> str:
        """A few words for people."""
        return _HEADINGS[self]


_HEADINGS = {
    AlarmName.STUCK: "No run has succeeded for too long",
    AlarmName.UNAUTHORIZED: "A CRM rejects the key",
    AlarmName.INCIDENT: "A task was closed by mistake",
    AlarmName.BACKLOG: "The number of waiting tasks keeps growing",
    AlarmName.SECOND_LEDGER: "Another ledger writes to this account",
    AlarmName.LEDGER: "The ledger cannot be used",
}


class Alarm(NamedTuple):
    """One active alarm: ``name`` is an `AlarmName`, ``since`` when it began, ``remedy`` what the user can do."""

    name: str
    since: datetime
    detail: str
    remedy: str

    @property
    def heading(self) -> str:
        # A newer version may have stored an alarm that this one does not know.
        return AlarmName(self.name).heading if self.name in set(AlarmName) else self.name

    def as_json(self) -> dict[str, Any]:
        """The alarm as `syncer status --json` shows it."""
        since = self.since.isoformat(timespec="seconds").replace("+00:00", "Z")
        words = {"detail": redact(self.detail), "remedy": redact(self.remedy)}
        return {"alarm": self.name, "since": since, **words}

    def message(self, account: str, state: str) -> dict[str, Any]:
        """The message that is sent when the alarm begins and when it ends; ``state`` is ``begun`` or ``ended``."""
        told = self.as_json()
        return {"account": account, "alarm": told.pop("alarm"), "state": state, **told}
