"""Convert the values of the engine to rows of the ledger's tables, and back."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from sqlalchemy import Column, Select, Table, select

from syncer.domain.base import Failing
from syncer.domain.events import Event
from syncer.domain.model import Kind, Record, Replica, ReplicaState, State, Task
from syncer.domain.operations import Action, Operation, OpState
from syncer.ledger.tables import METADATA
from syncer.ledger.values import CHANGES, FEW, TEXTS, Codec, Shape, word

V = TypeVar("V")


class TableShape(Shape[V]):
    """The shape of one class, with its table and a query for all columns of the class."""

    def __init__(self, table: str, value: type[V], **codecs: Codec) -> None:
        super().__init__(value, **codecs)
        self.table: Table = METADATA.tables[table]
        self.columns: list[Column[Any]] = [self.table.c[name] for name in self._names]
        self.select: Select[Any] = select(*self.columns)


TASKS: Final = TableShape("task", Task, kind=word(Kind), state=word(State))
REPLICAS: Final = TableShape("replica", Replica, state=word(ReplicaState), owed=FEW, typed=FEW)
OPERATIONS: Final = TableShape(
    "operation", Operation, action=word(Action), state=word(OpState), before=TEXTS, seen=TEXTS, changes=CHANGES
)
EVENTS: Final = TableShape("event", Event, lost=FEW)
RECORDS: Final = TableShape("record", Record, phones=TEXTS, emails=TEXTS)
FAILING: Final = TableShape("failing", Failing)
