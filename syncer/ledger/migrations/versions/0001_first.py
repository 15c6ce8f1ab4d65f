"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)
_APPEND_ONLY = {
    "sqlite": (
        (
            "CREATE TRIGGER event_is_not_changed BEFORE UPDATE ON event "
            "BEGIN SELECT RAISE(ABORT, 'events are append-only'); END"
        ),
        (
            "CREATE TRIGGER event_is_not_deleted BEFORE DELETE ON event "
            "WHEN OLD.at >= COALESCE((SELECT value FROM cursor WHERE name = 'kept_from'), '') "
            "BEGIN SELECT RAISE(ABORT, 'events are append-only'); END"
        ),
    ),
    "postgresql": (
        (
            "CREATE FUNCTION event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN IF TG_OP = ''DELETE'' THEN "
            "IF OLD.at < (SELECT value::timestamptz FROM cursor WHERE name = ''kept_from'') THEN RETURN OLD; END IF; "
            "END IF; RAISE EXCEPTION USING MESSAGE = ''events are append-only''; END'"
        ),
        (
            "CREATE TRIGGER event_is_append_only BEFORE UPDATE OR DELETE ON event "
            "FOR EACH ROW EXECUTE FUNCTION event_is_append_only()"
        ),
        (
            "CREATE TRIGGER event_is_not_emptied BEFORE TRUNCATE ON event "
            "FOR EACH STATEMENT EXECUTE FUNCTION event_is_append_only()"
        ),
    ),
}


def upgrade() -> None:
    _contacts()
    _tasks()
    _replicas()
    _operations()
    _events()
    _runs()
    _small_tables()
    _serving_tables()


def _contacts() -> None:
    op.create_table(
        "contact",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact")),
    )
    op.create_table(
        "record",
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("remote_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("phones", sa.Text(), nullable=False),
        sa.Column("emails", sa.Text(), nullable=False),
        sa.Column("link", sa.Text()),
        sa.PrimaryKeyConstraint("system", "remote_id", name=op.f("pk_record")),
        sa.ForeignKeyConstraint(["link"], ["contact.id"], name=op.f("fk_record_link")),
    )
    op.create_index(op.f("ix_record_link"), "record", ["link"])


def _tasks() -> None:
    op.create_table(
        "task",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text()),
        sa.Column("body", sa.Text()),
        sa.Column("due", _INSTANT, nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_synthetic", sa.Boolean(), nullable=False),
        sa.Column("assignee", sa.Text()),
        sa.Column("notify_at", _INSTANT),
        sa.Column("put_back", sa.Boolean(), nullable=False),
        sa.Column("held", sa.Text(), nullable=False),
        sa.Column("first_seen", _INSTANT),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
        sa.ForeignKeyConstraint(["contact"], ["contact.id"], name=op.f("fk_task_contact")),
    )
    op.create_index(op.f("ix_task_contact"), "task", ["contact"])
    op.create_index(op.f("ix_task_state"), "task", ["state"])
    op.create_index(op.f("ix_task_first_seen"), "task", ["first_seen"])


def _replicas() -> None:
    op.create_table(
        "replica",
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("remote_id", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("made", sa.Boolean(), nullable=False),
        sa.Column("ours", sa.Boolean(), nullable=False),
        sa.Column("exclusive", sa.Boolean(), nullable=False),
        sa.Column("sequence", sa.Boolean(), nullable=False),
        sa.Column("raw_type", sa.Text(), nullable=False),
        sa.Column("title", sa.Text()),
        sa.Column("due", _INSTANT),
        sa.Column("misses", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("system", "remote_id", name=op.f("pk_replica")),
        sa.ForeignKeyConstraint(["task"], ["task.id"], name=op.f("fk_replica_task")),
    )
    op.create_index(op.f("ix_replica_task"), "replica", ["task"])
    _create_partial("one_open_replica", "replica", ["task", "system"], "state = 'open'")


def _operations() -> None:
    op.create_table(
        "operation",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("sent_at", _INSTANT, nullable=False),
        sa.Column("remote_id", sa.Text()),
        sa.Column("raw_type", sa.Text(), nullable=False),
        sa.Column("due", _INSTANT),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("not_before", _INSTANT),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operation")),
        sa.ForeignKeyConstraint(["task"], ["task.id"], name=op.f("fk_operation_task")),
    )
    op.create_index("ix_operation_latest", "operation", ["task", "system", "action", "created_at"])
    op.create_index(op.f("ix_operation_state"), "operation", ["state"])
    slot = ["task", "system", "action"]
    _create_partial("one_unsettled_operation", "operation", slot, "state IN ('sent', 'in_doubt')")


def _events() -> None:
    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("task", sa.Text()),
        sa.Column("system", sa.Text()),
        sa.Column("remote_id", sa.Text()),
        sa.Column("run", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_event_task"), "event", ["task"])
    for statement in _APPEND_ONLY[op.get_context().dialect.name]:
        op.execute(statement)


def _runs() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "run",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("number", number, nullable=False),
        sa.Column("started_at", _INSTANT, nullable=False),
        sa.Column("finished_at", _INSTANT),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.Column("lists", sa.Text(), nullable=False),
        sa.Column("quiet", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
    )
    op.create_index(op.f("ix_run_number"), "run", ["number"])
    op.create_table(
        "report_list",
        sa.Column("id", number, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("base", number),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_list")),
        sa.UniqueConstraint("hash"),
        sa.ForeignKeyConstraint(["base"], ["report_list.id"], name=op.f("fk_report_list_base")),
    )
    op.create_index(op.f("ix_report_list_base"), "report_list", ["base"])
    op.create_table(
        "lease",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("machine", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started", sa.Float(53), nullable=False),
        sa.Column("acquired_at", _INSTANT, nullable=False),
        sa.Column("expires_at", _INSTANT, nullable=False),
        sa.Column("steady_until", sa.Float(53), nullable=False),
        sa.Column("run", sa.Text()),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )


def _small_tables() -> None:
    op.create_table(
        "lookup",
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("asked_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("system", "key", name=op.f("pk_lookup")),
    )
    op.create_table(
        "visit",
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("read_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("system", "contact", name=op.f("pk_visit")),
    )
    op.create_table(
        "failing",
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("since", _INSTANT, nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("garbled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("system", "what", "key", name=op.f("pk_failing")),
    )
    op.create_table(
        "cursor",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cursor")),
    )


def _serving_tables() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "alarm",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("since", _INSTANT, nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_alarm")),
    )
    op.create_table(
        "telling",
        sa.Column("id", number, nullable=False),
        sa.Column("alarm", sa.Text(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("made_at", _INSTANT, nullable=False),
        sa.Column("not_before", _INSTANT, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_telling")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "hint",
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("number", number, nullable=False),
        sa.Column("received_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("system", "what", "key", name=op.f("pk_hint")),
    )
    op.create_table(
        "delivery",
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("received_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("system", "id", name=op.f("pk_delivery")),
    )
    op.create_index(op.f("ix_delivery_received_at"), "delivery", ["received_at"])


def _create_partial(name: str, table: str, columns: list[str], where: str) -> None:
    predicate = sa.text(where)
    op.create_index(name, table, columns, unique=True, sqlite_where=predicate, postgresql_where=predicate)
