"""`syncer retry` and the page's button, while another process runs the account."""

from __future__ import annotations

import pytest

from syncer.domain.reasons import Reason
from tests.support.scenario import Make, attention, make_stages

stage = pytest.fixture(make_stages, name="stage")


@pytest.mark.parametrize("during", [False, True])
def test_what_is_freed_during_a_run_stays_free_though_that_run_stores_the_task(stage: Make, during: bool) -> None:
    """The run stored the task as it had loaded it: held."""
    world = stage()
    _, _, person = world.everywhere()
    due = world.due()
    for _ in range(3):
        world.highlevel.person_creates(person, "Call", due)
        world.good()
        world.complete_in("highlevel")
        world.good()
    task = world.highlevel.person_creates(person, "Call", due)
    world.good()
    assert attention(world.quiet()) == {("highlevel", Reason.LOOP.value)}
    world.highlevel.person_retitles(task, "Call again")
    if during:
        world.meanwhile("highlevel", "tasks", world.retry)
    else:
        world.retry()

    world.good()

    assert attention(world.good()) == set()
    assert world.open() == (1, 1, 1)
