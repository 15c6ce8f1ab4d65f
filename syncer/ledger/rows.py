"""The ledger's door: values to rows and back."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from sqlalchemy import Column, Select, Table, select

from syncer.domain.base import Action, Event, Failing, Operation, OpState
from syncer.domain.model import Kind, Record, Replica, ReplicaState, State, Task
from syncer.ledger.tables import METADATA
from syncer.ledger.values import CHANGES, FEW, TEXTS, Codec, Shape, word

V = TypeVar("V")


class Door(Shape[V]):
    """How values of one class pass between the engine and their table, whose columns are the class's fields."""

    def __init__(self, table: str, value: type[V], **codecs: Codec) -> None:
        super().__init__(value, **codecs)
        self.table: Table = METADATA.tables[table]
        self.columns: list[Column[Any]] = [self.table.c[name] for name in self._names]
        self.select: Select[Any] = select(*self.columns)


TASKS: Final = Door("task", Task, kind=word(Kind), state=word(State))
REPLICAS: Final = Door("replica", Replica, state=word(ReplicaState), owed=FEW, typed=FEW)
OPERATIONS: Final = Door(
    "operation", Operation, action=word(Action), state=word(OpState), before=TEXTS, seen=TEXTS, changes=CHANGES
)
EVENTS: Final = Door("event", Event)
RECORDS: Final = Door("record", Record, phones=TEXTS, emails=TEXTS)
FAILING: Final = Door("failing", Failing)
