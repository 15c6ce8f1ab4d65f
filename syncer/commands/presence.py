"""Whether a daemon serves an account: it writes into the ledger which process it is."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from syncer.ledger import Ledger, Owner, current_owner, process_alive
from syncer.state import Base, Changes

_CURSOR: Final = "daemon"


@dataclass(frozen=True, slots=True)
class Presence:
    """The daemon's process, and since when it runs."""

    owner: Owner
    since: datetime

    @property
    def host(self) -> str:
        return self.owner.machine.partition("/")[0]

    def as_json(self) -> dict[str, Any]:
        return {"pid": self.owner.pid, "host": self.host, "since": self.since.isoformat()}


def announce(ledger: Ledger, since: datetime) -> None:
    """Write down that this process is the account's daemon."""
    owner = current_owner("")
    content = {"machine": owner.machine, "pid": owner.pid, "started": owner.started, "since": since.isoformat()}
    ledger.store(Changes(cursors={_CURSOR: json.dumps(content)}), token=None)


def withdraw(ledger: Ledger) -> None:
    """Write down that there is no daemon any more."""
    ledger.store(Changes(cursors={_CURSOR: ""}), token=None)


def find(base: Base) -> Presence | None:
    """The account's daemon; ``None`` if there is none, or its process died. One elsewhere is believed."""
    content = base.cursors.get(_CURSOR)
    if not content:
        return None
    said = json.loads(content)
    found = Presence(Owner("", said["machine"], said["pid"], said["started"]), datetime.fromisoformat(said["since"]))
    here = found.owner.machine == current_owner("").machine
    same_host = found.host == socket.gethostname()
    if here:
        return found if process_alive(found.owner) else None
    # The same host under another boot or in another container: that process is gone, or none of ours to judge.
    return None if same_host else found
