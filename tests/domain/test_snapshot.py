"""What a snapshot says of what was not read."""

from __future__ import annotations

import pytest

from syncer.domain.snapshot import ConnectionState, Seen

OK, AWAY = ConnectionState.OK, ConnectionState.UNAVAILABLE


@pytest.mark.parametrize(
    ("state", "listed", "contact", "lists_all", "visited", "lacks"),
    [
        (AWAY, True, "1", True, True, True),
        (AWAY, True, None, False, True, True),
        (OK, False, "1", True, True, True),
        (OK, True, "1", True, False, False),
        (OK, True, "unread", True, True, True),
        (OK, True, None, True, False, False),
        (OK, False, "1", False, True, False),
        (OK, True, "1", False, False, True),
        (OK, False, "unread", False, True, False),
        (OK, False, None, False, False, False),
    ],
)
def test_whose_tasks_a_crm_lacks(
    state: ConnectionState, listed: bool, contact: str | None, lists_all: bool, visited: bool, lacks: bool
) -> None:
    """One that lists all tasks does so in each run; of another one it is enough that a contact was ever read."""
    seen = Seen(state, listed=listed, unread={"unread"})
    assert seen.lacks(contact, lists_all=lists_all, visited=visited) is lacks
