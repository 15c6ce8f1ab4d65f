"""Run migrations on the connection, and in the transaction, that the ledger hands over."""

from __future__ import annotations

from alembic import context

from syncer.ledger.tables import METADATA

# SQLite changes a column only by copying its table: batch mode does that.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
