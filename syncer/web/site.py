"""What all requests share: the board, the access rules, the metrics, the daemon, and a reader for each account."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from syncer.web.access import Access
from syncer.web.board import Board, Control
from syncer.web.metrics import Metrics
from syncer.web.reader import Reader


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(eq=False, slots=True)
class Site:
    """The site of one daemon."""

    board: Board
    access: Access
    metrics: Metrics
    control: Control
    clock: Callable[[], datetime] = _utc_now
    _readers: dict[str, Reader] = field(default_factory=dict)

    def reader(self, name: str) -> Reader | None:
        """Return the reader of a served account. If the account file has changed, a new reader is made."""
        state = self.board.get(name)
        if state is None:
            self._readers.pop(name, None)
            return None
        found = self._readers.get(name)
        # The ledger may be another one by now.
        if found is None or found.account != state.account:
            found = self._readers[name] = Reader(state.account)
        return found
