"""What a snapshot says of what was not read, and of the times of what was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncer.domain.snapshot import ConnectionState, Seen, with_times
from tests.support.strategies import PLAIN, a_reading, at

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


def test_a_row_of_a_persons_own_list_takes_the_times_that_only_the_list_of_all_tasks_tells() -> None:
    row = a_reading(PLAIN, "x")
    listed = replace(row, title="older", created_at=at(), updated_at=at(hours=1))
    assert with_times(row, listed) == replace(row, created_at=at(), updated_at=at(hours=1))
    assert with_times(row, None) == row
    dated = replace(row, created_at=at(hours=2))
    assert with_times(dated, listed) == dated
