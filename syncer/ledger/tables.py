"""The ledger's tables. Column names are the field names of the values in `syncer.domain`.

The table classes validate nothing. Values are converted in `syncer.ledger.rows`. A change here needs a migration.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Final

from sqlalchemy import (
    BigInteger,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Text,
)
from sqlalchemy import text as sql
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from syncer.ledger.columns import UtcDateTime, Words
from syncer.ledger.triggers import refuse_changes

# A migration can change only what has a name, and the databases would choose different ones.
METADATA: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


class Row(SQLModel, registry=registry(metadata=METADATA)):
    """The base class of all tables."""


class ContactRow(Row, table=True):
    """A link: one person."""

    __tablename__ = "contact"

    id: str = Field(primary_key=True, sa_type=Words)
    created_at: datetime = Field(sa_type=UtcDateTime)


class RecordRow(Row, table=True):
    """One CRM's contact. ``phones`` and ``emails`` are JSON lists; ``link`` is the person."""

    __tablename__ = "record"

    system: str = Field(primary_key=True, sa_type=Words)
    remote_id: str = Field(primary_key=True, sa_type=Words)
    name: str = Field(sa_type=Words)
    # Not `Words`: our own JSON is ASCII (`values.to_json`), and holds nothing that a database refuses.
    phones: str = Field(sa_type=Text)
    emails: str = Field(sa_type=Text)
    link: str | None = Field(default=None, sa_type=Words, foreign_key="contact.id", index=True)


class TaskRow(Row, table=True):
    __tablename__ = "task"

    id: str = Field(primary_key=True, sa_type=Words)
    contact: str = Field(sa_type=Words, foreign_key="contact.id", index=True)
    kind: str = Field(sa_type=Words)
    title: str | None = Field(sa_type=Words)
    body: str | None = Field(sa_type=Words)
    due: datetime = Field(sa_type=UtcDateTime)
    origin: str = Field(sa_type=Words)
    state: str = Field(sa_type=Words, index=True)
    due_synthetic: bool
    assignee: str | None = Field(sa_type=Words)
    notify_at: datetime | None = Field(sa_type=UtcDateTime)
    put_back: bool
    held: str = Field(sa_type=Words)
    first_seen: datetime | None = Field(sa_type=UtcDateTime, index=True)


class ReplicaRow(Row, table=True):
    """A task's copy in one CRM. ``owed`` and ``typed`` are JSON lists, or null if they are empty."""

    __tablename__ = "replica"
    __table_args__: ClassVar[Any] = (
        Index(
            # L2, also if the engine is wrong: a second open copy cannot be stored.
            "one_open_replica",
            "task",
            "system",
            unique=True,
            sqlite_where=sql("state = 'open'"),
            postgresql_where=sql("state = 'open'"),
        ),
    )

    system: str = Field(primary_key=True, sa_type=Words)
    remote_id: str = Field(primary_key=True, sa_type=Words)
    task: str = Field(sa_type=Words, foreign_key="task.id", index=True)
    contact: str = Field(sa_type=Words)
    state: str = Field(sa_type=Words)
    made: bool
    ours: bool
    exclusive: bool
    sequence: bool
    raw_type: str = Field(sa_type=Words)
    title: str | None = Field(sa_type=Words)
    due: datetime | None = Field(sa_type=UtcDateTime)
    misses: int
    body: str | None = Field(sa_type=Words)
    assignee: str | None = Field(sa_type=Words)
    owed: str | None = Field(sa_type=Text)
    typed: str | None = Field(sa_type=Text)


class OperationRow(Row, table=True):
    """One intended write. ``before`` and ``seen`` are JSON lists; ``changes`` is a JSON object, null if empty."""

    __tablename__ = "operation"
    __table_args__: ClassVar[Any] = (
        Index("ix_operation_latest", "task", "system", "action", "created_at"),
        Index(
            # Of two unsettled operations of a slot, both might be carried out.
            "one_unsettled_operation",
            "task",
            "system",
            "action",
            unique=True,
            sqlite_where=sql("state IN ('sent', 'in_doubt')"),
            postgresql_where=sql("state IN ('sent', 'in_doubt')"),
        ),
    )

    id: str = Field(primary_key=True, sa_type=Words)
    task: str = Field(sa_type=Words, foreign_key="task.id")
    system: str = Field(sa_type=Words)
    action: str = Field(sa_type=Words)
    contact: str = Field(sa_type=Words)
    state: str = Field(sa_type=Words, index=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    sent_at: datetime = Field(sa_type=UtcDateTime)
    remote_id: str | None = Field(sa_type=Words)
    raw_type: str = Field(sa_type=Words)
    due: datetime | None = Field(sa_type=UtcDateTime)
    before: str = Field(sa_type=Text)
    seen: str = Field(sa_type=Text)
    fingerprint: str = Field(sa_type=Words)
    failures: int
    not_before: datetime | None = Field(sa_type=UtcDateTime)
    words: str = Field(sa_type=Words)
    reason: str = Field(sa_type=Words)
    run: str = Field(sa_type=Words)
    changes: str | None = Field(sa_type=Text)


class EventRow(Row, table=True):
    """One line of history. There are no foreign keys, because history is kept longer than what it is about.

    Triggers refuse to change a row, and to delete one that is newer than the cursor ``kept_from``. That cursor exists
    only while old events are deleted.
    """

    __tablename__ = "event"
    # SQLite would give the number of a deleted row once more, and the last number tells an old copy (`stale.Age`).
    __table_args__: ClassVar[Any] = {"sqlite_autoincrement": True}

    id: int | None = Field(
        default=None,
        primary_key=True,
        sa_type=BigInteger().with_variant(Integer(), "sqlite"),
    )
    at: datetime = Field(sa_type=UtcDateTime)
    what: str = Field(sa_type=Words)
    who: str = Field(sa_type=Words)
    detail: str = Field(sa_type=Words)
    task: str | None = Field(sa_type=Words, index=True)
    system: str | None = Field(sa_type=Words)
    remote_id: str | None = Field(sa_type=Words)
    run: str = Field(sa_type=Words)
    lost: str | None = Field(sa_type=Words)


class RunRow(Row, table=True):
    """One run. ``report`` is a JSON object without its long lists; ``lists`` is a JSON object with their ids.

    ``quiet`` is true if nothing was done and nothing went wrong. Runs are ordered by ``number``: a clock may be set.
    """

    __tablename__ = "run"

    id: str = Field(primary_key=True, sa_type=Words)
    number: int = Field(sa_type=BigInteger().with_variant(Integer(), "sqlite"), index=True)
    started_at: datetime = Field(sa_type=UtcDateTime)
    finished_at: datetime | None = Field(sa_type=UtcDateTime)
    status: str = Field(sa_type=Words)
    report: str = Field(sa_type=Text)
    lists: str = Field(sa_type=Text)
    quiet: bool


class ReportListRow(Row, table=True):
    """A list of one or more reports, found by its hash. It is stored in full, or as the difference to ``base``.

    ``content`` is compressed JSON. ``depth`` is the number of lists that must be read before this one.
    """

    __tablename__ = "report_list"

    id: int | None = Field(
        default=None,
        primary_key=True,
        sa_type=BigInteger().with_variant(Integer(), "sqlite"),
    )
    hash: str = Field(sa_type=Text, unique=True)
    base: int | None = Field(
        sa_type=BigInteger().with_variant(Integer(), "sqlite"), foreign_key="report_list.id", index=True
    )
    # Each list is stored as a difference to the one before. Without a limit, the latest report would need all of them.
    depth: int
    # Thousands of items may wait, and from run to run hardly any of them change.
    content: bytes = Field(sa_type=LargeBinary)


class LeaseRow(Row, table=True):
    """Who may run now. ``steady_until`` is the end of the term by the steady clock, which is the same for one boot."""

    __tablename__ = "lease"

    name: str = Field(primary_key=True, sa_type=Words)
    token: str = Field(sa_type=Words)
    machine: str = Field(sa_type=Words)
    # An id of a process is used again, so the start time is compared, too.
    pid: int
    # 53 bits, because a shorter float of PostgreSQL would round the seconds away.
    started: float = Field(sa_type=Float(53))
    acquired_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    steady_until: float = Field(sa_type=Float(53))
    run: str | None = Field(sa_type=Words)


class LookupRow(Row, table=True):
    """When a phone number or e-mail was last searched for and not found."""

    __tablename__ = "lookup"

    system: str = Field(primary_key=True, sa_type=Words)
    key: str = Field(primary_key=True, sa_type=Words)
    asked_at: datetime = Field(sa_type=UtcDateTime)


class VisitRow(Row, table=True):
    """When the list of one contact's tasks was last read."""

    __tablename__ = "visit"

    system: str = Field(primary_key=True, sa_type=Words)
    contact: str = Field(primary_key=True, sa_type=Words)
    read_at: datetime = Field(sa_type=UtcDateTime)


class FailingRow(Row, table=True):
    """An item that could not be read in the last runs, and in how many."""

    __tablename__ = "failing"

    system: str = Field(primary_key=True, sa_type=Words)
    what: str = Field(primary_key=True, sa_type=Words)
    key: str = Field(primary_key=True, sa_type=Words)
    failures: int
    since: datetime = Field(sa_type=UtcDateTime)
    words: str = Field(sa_type=Words)
    garbled: bool
    # Rows that were stored before there was this column have no contact.
    contact: str = Field(sa_type=Words, sa_column_kwargs={"server_default": ""})


class CursorRow(Row, table=True):
    __tablename__ = "cursor"

    name: str = Field(primary_key=True, sa_type=Words)
    value: str = Field(sa_type=Words)


class AlarmRow(Row, table=True):
    """An active alarm."""

    __tablename__ = "alarm"

    name: str = Field(primary_key=True, sa_type=Words)
    since: datetime = Field(sa_type=UtcDateTime)
    detail: str = Field(sa_type=Words)
    remedy: str = Field(sa_type=Words)


class TellingRow(Row, table=True):
    """A message about an alarm that was not delivered yet. ``message`` is JSON; ``way`` says how it is sent.

    The messages of one alarm and way are sent in the order of their ids.
    """

    __tablename__ = "telling"
    # Else a new message could get the number of a deleted one, and be sent before older ones.
    __table_args__: ClassVar[Any] = {"sqlite_autoincrement": True}

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInteger().with_variant(Integer(), "sqlite"))
    alarm: str = Field(sa_type=Words)
    way: str = Field(sa_type=Words)
    message: str = Field(sa_type=Words)
    made_at: datetime = Field(sa_type=UtcDateTime)
    not_before: datetime = Field(sa_type=UtcDateTime)
    tries: int


class HintRow(Row, table=True):
    """A contact for which a CRM reported an event, or a task whose contact is not known."""

    __tablename__ = "hint"

    system: str = Field(primary_key=True, sa_type=Words)
    what: str = Field(primary_key=True, sa_type=Words)
    key: str = Field(primary_key=True, sa_type=Words)
    number: int = Field(sa_type=BigInteger().with_variant(Integer(), "sqlite"))
    received_at: datetime = Field(sa_type=UtcDateTime)


class DeliveryRow(Row, table=True):
    """A received event, by the id that its CRM gave to the delivery."""

    __tablename__ = "delivery"

    system: str = Field(primary_key=True, sa_type=Words)
    id: str = Field(primary_key=True, sa_type=Words)
    received_at: datetime = Field(sa_type=UtcDateTime, index=True)


refuse_changes(METADATA.tables["event"])
