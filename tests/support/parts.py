"""Runs for the contacts that a CRM told of."""

from __future__ import annotations

from syncer.engine.opening import AccountInHand
from syncer.engine.part import Part, run_part
from syncer.ledger.hints import CONTACT, Hint
from syncer.reconcile.guard import Limits
from tests.support.scenario import Stage

MANY = Limits(500, 500)


def look(world: Stage, system: str, *keys: str | int, what: str = CONTACT, limits: Limits = MANY) -> Part:
    """A run for these, a minute later."""

    async def work(account: AccountInHand) -> Part:
        return await run_part(account, [Hint(system, what, str(key), 1, world.now()) for key in keys], limits)

    world.wait(minutes=1)
    return world.do(world._with_account(work))
