"""What an error of a write leads to: it is tried again, parked or settled, or its CRM gets no more in this run."""

from __future__ import annotations

from dataclasses import replace

import structlog

from syncer.contract.errors import (
    AdapterError,
    BudgetSpent,
    Forbidden,
    Full,
    InDoubt,
    Missing,
    NoConnection,
    NothingOpen,
    NotSent,
    Refused,
    Unauthorized,
    Unavailable,
)
from syncer.domain.base import Changes
from syncer.domain.cursors import FULL
from syncer.domain.operations import Operation, OpState
from syncer.domain.reasons import Item, Reason
from syncer.domain.snapshot import ConnectionState
from syncer.engine.connection import Connection
from syncer.engine.context import RunContext
from syncer.engine.outcomes import failed_again
from syncer.engine.settle import settle

_log = structlog.get_logger("syncer.apply")


class WriteErrors:
    """The failed writes of one run. ``full`` are the CRMs whose storage was full when this run tried a create."""

    def __init__(self, context: RunContext) -> None:
        self.full: set[str] = set()
        self._context = context

    async def went_wrong(self, connection: Connection, operation: Operation, error: AdapterError) -> bool:
        """Store how a write failed. Returns whether its lane may go on."""
        _log.warning(
            "operation.failed",
            task=operation.task,
            system=operation.system,
            action=operation.action.value,
            outcome=type(error).__name__,
            words=error.words,
        )
        match error:
            case InDoubt():
                await self._in_doubt(operation, error)
            case Full():
                self.hold(operation, error)
            # Somebody closed the last open task since the lane was read. The lane's next step reads it again.
            case NothingOpen():
                self.settle_as(operation, OpState.FAILED, error, count=False)
                return True
            case Refused() | Missing():
                self.park(operation, error)
            case Forbidden() if connection.answers:
                # The API key can read other things, so the refusal is about this task only.
                self.park(operation, error)
            # The task is not at fault, so this is not counted among its failures.
            case BudgetSpent() | Unauthorized():
                self.settle_as(operation, OpState.FAILED, error, count=False)
                self.stop_for(connection, error)
            case NotSent() | NoConnection():
                self.settle_as(operation, OpState.FAILED, error, count=True)
                self.stop_for(connection, error)
            # Only what had to be read before this write could not be read. Nothing else has to wait for that.
            case Unavailable():
                self.settle_as(operation, OpState.FAILED, error, count=True)
                self._context.failed.append(Item(operation.task, operation.system, Reason.RETRY_LATER, error.words))
            # An error that was not foreseen does not prove that nothing was sent.
            case _:
                await self._in_doubt(operation, error)
        return False

    async def _in_doubt(self, operation: Operation, error: AdapterError) -> None:
        """Try at once to settle the operation by reading. If it stays in doubt, it waits for the next run."""
        # The grace counts from now: the request may have waited for a rate limit, and its answer for seconds.
        doubtful = replace(operation, state=OpState.IN_DOUBT, sent_at=self._context.clock(), words=error.words)
        event = self._context.event(operation, "in_doubt", error.words)
        self._context.record(Changes(operations={doubtful.id: doubtful}, events=[event]))
        await settle(self._context, doubtful)
        if self._context.base.operations[doubtful.id].state is not OpState.DONE:
            self._context.failed.append(Item(operation.task, operation.system, Reason.IN_DOUBT, error.words))

    def hold(self, operation: Operation, error: AdapterError) -> None:
        """Create nothing more in this full CRM. The next run tries one create; the task itself is not at fault."""
        self.full.add(operation.system)
        settled = replace(operation, state=OpState.FAILED, words=error.words)
        changes = Changes(operations={settled.id: settled}, cursors={FULL + operation.system: "1"})
        changes.events.append(self._context.event(operation, "held", error.words))
        self._context.record(changes)

    def park(self, operation: Operation, error: AdapterError) -> None:
        """Try this write again only when the task or the contact changes, or after ``syncer retry``."""
        self.settle_as(operation, OpState.PARKED, error, count=False)
        self._context.failed.append(Item(operation.task, operation.system, Reason.REFUSED, error.words))

    def settle_as(self, operation: Operation, state: OpState, error: AdapterError, *, count: bool) -> None:
        """Store how the write ended. With ``count``, it is one more failure in a row."""
        settled = (
            failed_again(self._context, operation, error.words) if count else replace(operation, words=error.words)
        )
        settled = replace(settled, state=state)
        event = self._context.event(operation, state.value, error.words)
        self._context.record(Changes(operations={settled.id: settled}, events=[event]))

    def stop_for(self, connection: Connection, error: AdapterError) -> None:
        """Send nothing more to this CRM in this run."""
        if isinstance(error, BudgetSpent):
            connection.spent = True
        elif isinstance(error, Unauthorized):
            connection.stop(ConnectionState.UNAUTHORIZED, error.words)
        else:
            connection.stop(ConnectionState.UNAVAILABLE, error.words)
