"""Whether a daemon serves an account. The daemon stores its process in the ledger and renews the entry."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from syncer.cli.errors import ServedElsewhere
from syncer.ledger import Answers, Owner, current_owner, process_alive
from syncer.ledger.owner import LEASE_TERM

if TYPE_CHECKING:
    from syncer.ledger import Ledger

TERM: Final = LEASE_TERM
"""How long a daemon on another machine counts as running after its last entry."""
_BELIEVABLE: Final = timedelta(hours=1)
"""How far another machine's clock may be ahead of ours. An entry further ahead does not count."""
_CURSOR: Final = "daemon"


@dataclass(frozen=True, slots=True)
class Presence:
    """The daemon's process, since when it runs, and until when other machines count it as running."""

    owner: Owner
    since: datetime
    until: datetime

    @property
    def host(self) -> str:
        return self.owner.machine.partition("/")[0]

    @property
    def in_words(self) -> str:
        return f"process {self.owner.pid} on {self.host} has served this account since {self.since:%FT%TZ}"

    @property
    def is_ours(self) -> bool:
        return self.owner == current_owner("")

    def lives(self, now: datetime) -> bool:
        """Whether that process still runs. On this machine the process is checked, on another one only the time."""
        here = current_owner("").machine
        if self.owner.machine == here:
            return process_alive(self.owner)
        (host, boot), (our_host, our_boot) = _host_and_boot(self.owner.machine), _host_and_boot(here)
        if host == our_host and boot != our_boot:
            # The machine was rebooted since.
            return False
        return now < self.until < now + _BELIEVABLE

    def as_json(self) -> dict[str, Any]:
        return {"pid": self.owner.pid, "host": self.host, "since": self.since.isoformat()}


def announce(ledger: Ledger, since: datetime) -> None:
    """Store that this process is the account's daemon. Raises `ServedElsewhere` if another one is; `LedgerError`."""
    owner = current_owner("")
    while True:
        now = datetime.now(UTC)
        said = ledger.cursors().get(_CURSOR, "")
        found = _read(said)
        if found is not None and not found.is_ours and found.lives(now):
            msg = f"{found.in_words}; stop it first, or start one run beside it: syncer sync --once"
            raise ServedElsewhere(msg)
        # If another process wrote in between, look again at what it wrote.
        if ledger.exchange(_CURSOR, said, _written(Presence(owner, since, now + TERM))):
            return


def withdraw(ledger: Ledger) -> None:
    """Store that this process is no longer the account's daemon."""
    said = ledger.cursors().get(_CURSOR, "")
    found = _read(said)
    # Another daemon may have taken our place, after this process had slept for long.
    if found is not None and found.is_ours:
        ledger.exchange(_CURSOR, said, "")


def find(ledger: Answers) -> Presence | None:
    """Return the account's daemon, or ``None`` if there is none or its process died."""
    found = _read(ledger.cursors().get(_CURSOR, ""))
    return found if found is not None and found.lives(datetime.now(UTC)) else None


def _host_and_boot(machine: str) -> tuple[str, str]:
    host, _, rest = machine.partition("/")
    return host, rest.partition("/")[0]


def _written(presence: Presence) -> str:
    owner = presence.owner
    times = {"since": presence.since.isoformat(), "until": presence.until.isoformat()}
    return json.dumps({"machine": owner.machine, "pid": owner.pid, "started": owner.started, **times})


def _read(content: str) -> Presence | None:
    try:
        said = json.loads(content)
        owner = Owner("", said["machine"], said["pid"], said["started"])
        return Presence(owner, datetime.fromisoformat(said["since"]), datetime.fromisoformat(said["until"]))
    except (ValueError, KeyError, TypeError):
        return None
