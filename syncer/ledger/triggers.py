"""The triggers that keep the history append-only, on both databases."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import DDL, Table, event

# How long an account keeps its history, no trigger can know. So whoever deletes old events says in the cursor
# ``kept_from``, within the same transaction, what is old.
APPEND_ONLY: Final[dict[str, tuple[str, ...]]] = {
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
            # A trigger for rows does not see TRUNCATE.
            "CREATE TRIGGER event_is_not_emptied BEFORE TRUNCATE ON event "
            "FOR EACH STATEMENT EXECUTE FUNCTION event_is_append_only()"
        ),
    ),
}


def refuse_changes(events: Table) -> None:
    """Create the triggers whenever this table is created."""
    for dialect, statements in APPEND_ONLY.items():
        for statement in statements:
            event.listen(events, "after_create", _only_on(dialect, statement))


def _only_on(dialect: str, statement: str) -> Any:
    return DDL(statement).execute_if(dialect=dialect)  # type: ignore[no-untyped-call]
