"""Active alarms, and the messages about them that were not delivered yet."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import and_, bindparam, delete, insert, select, update

from syncer.domain.alarms import Alarm
from syncer.ledger.store import Ledger
from syncer.ledger.tables import METADATA

_alarm: Final = METADATA.tables["alarm"]
_telling: Final = METADATA.tables["telling"]
_run: Final = METADATA.tables["run"]
_event: Final = METADATA.tables["event"]
_task: Final = METADATA.tables["task"]

_OFF: Final = delete(_alarm).where(_alarm.c.name == bindparam("of_name"))
_TELLINGS: Final = select(
    _telling.c.alarm,
    _telling.c.way,
    _telling.c.message,
    _telling.c.made_at,
    _telling.c.not_before,
    _telling.c.tries,
).order_by(_telling.c.id)
# By what it says: a message that is sent from memory gets its number only when it is stored. No two say the same.
_IS_IT: Final = and_(
    _telling.c.alarm == bindparam("of_alarm"),
    _telling.c.way == bindparam("of_way"),
    _telling.c.message == bindparam("of_message"),
)
_LATER: Final = update(_telling).where(_IS_IT).values(not_before=bindparam("later"), tries=_telling.c.tries + 1)


class Telling(NamedTuple):
    """One message (JSON) for one receiver, and the time before which it is not tried."""

    alarm: str
    way: str
    message: str
    made_at: datetime
    not_before: datetime
    tries: int


class AlarmBook:
    """One account's alarms in its ledger. Every method is one transaction, and raises `LedgerError`."""

    def __init__(self, ledger: Ledger) -> None:
        self._database = ledger.database

    def change(
        self, begun: Iterable[Alarm], ended: Iterable[str], messages: Iterable[tuple[str, str, str]], now: datetime
    ) -> None:
        """Store which alarms began and ended, and the messages to send: (alarm, way, JSON)."""
        with self._database.writing() as connection:
            # Also what begins: another process may have stored it already.
            for name in (*ended, *(alarm.name for alarm in begun)):
                connection.execute(_OFF, {"of_name": name})
            if rows := [alarm._asdict() for alarm in begun]:
                connection.execute(insert(_alarm), rows)
            tellings = [
                {"alarm": name, "way": way, "message": text, "made_at": now, "not_before": now, "tries": 0}
                for name, way, text in messages
            ]
            if tellings:
                connection.execute(insert(_telling), tellings)

    def tellings(self) -> list[Telling]:
        """Return the undelivered messages in order. For each alarm and way only the first may be sent now."""
        with self._database.reading() as connection:
            rows = [Telling(*row) for row in connection.execute(_TELLINGS)]
        first: dict[tuple[str, str], Telling] = {}
        # Else "ended" could arrive before "begun", if the first try of that one has failed.
        for row in rows:
            first.setdefault((row.alarm, row.way), row)
        return list(first.values())

    def told(self, telling: Telling) -> None:
        """Delete a message that was delivered or was given up."""
        with self._database.writing() as connection:
            connection.execute(delete(_telling).where(_IS_IT), _named(telling))

    def tell_later(self, telling: Telling, not_before: datetime) -> None:
        """Note that a message could not be delivered, and when to try again."""
        with self._database.writing() as connection:
            connection.execute(_LATER, {**_named(telling), "later": not_before})


def _named(telling: Telling) -> dict[str, str]:
    return {"of_alarm": telling.alarm, "of_way": telling.way, "of_message": telling.message}
