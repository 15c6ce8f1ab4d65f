"""Ask a CRM that lists contact by contact whose tasks changed, so that quiet contacts need not be read in turn."""

from __future__ import annotations

from syncer.contract.adapter import Changed
from syncer.contract.errors import Refused
from syncer.domain.base import Changes
from syncer.domain.cursors import CHANGES
from syncer.engine.connection import Connection
from syncer.engine.context import RunContext
from syncer.reconcile.read_items import What


async def ask_for_changes(context: RunContext, connection: Connection) -> Changed | None:
    """Return whose tasks changed since the last run, and the next cursor. ``None`` if the CRM does not tell it now."""
    if not connection.adapter.capabilities.tells_changes or not connection.usable:
        return None
    cursor = _stored(context, connection)[1]
    return await connection.attempt(_since(context, connection, cursor), "whose tasks changed")


def all_were_read(context: RunContext, connection: Connection, told: Changed) -> None:
    """Let the cursor be stored with what is merged, if the tasks of all named contacts were read.

    Otherwise the CRM names them again.
    """
    system, (since, before) = connection.system, _stored(context, connection)
    known = [contact for contact in told.contacts if (system, contact) in context.base.records]
    if told.cursor != before and all((system, What.LANE.value, one) in connection.answered for one in known):
        context.turned[CHANGES + system] = f"{since} {told.cursor}"


def _stored(context: RunContext, connection: Connection) -> tuple[str, str]:
    since, _, cursor = context.base.cursors.get(CHANGES + connection.system, "").partition(" ")
    return since, cursor


async def _since(context: RunContext, connection: Connection, cursor: str) -> Changed:
    if cursor:
        try:
            return await connection.adapter.list_changed(cursor)
        except Refused:
            # It has expired, and nobody knows what changed since. So everybody is read in turn once more.
            cursor = ""
    began = context.clock().isoformat()
    changed = await connection.adapter.list_changed(None)
    context.record(Changes(cursors={CHANGES + connection.system: f"{began} {changed.cursor}"}))
    return changed
