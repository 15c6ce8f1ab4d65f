"""Which user of each CRM is us (pure).

A CRM names the user who created a task. For our copies that is the user of our API key. In a CRM that keeps no markers
this name is the best sign of what another ledger, or this one before it was lost, has made. The rule, from sure to
unsure:

1. The CRM named the creator in the answer to a create of ours. The ledger has stored that user: it is *known*.
2. Nothing was created by this ledger yet. If copies of ours in other CRMs show by their markers what was copied, and
   one user alone created what looks like it in the lanes, that user is *probable*. That is enough to leave a task
   alone, but not to write.
3. Nothing tells. If another ledger wrote here, anybody *may be* us who is not known as a person. A person is known by
   an origin: people and automations create these, and a marker names their places.

The API key may belong to a person who also works in the CRM. So a task of our user need not be a copy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property

from syncer.contract.adapter import Capabilities
from syncer.domain.base import Base
from syncer.domain.cursors import OUR_USER
from syncer.domain.model import Reading, State
from syncer.domain.policy import Policy
from syncer.domain.snapshot import Seen
from syncer.reconcile.likeness import is_made_like


class OurUser:
    """Which user of each CRM is us, by what the ledger has stored and what was read.

    ``may_lack_writes`` is whether another ledger wrote here, or this one is a restored backup.
    """

    def __init__(
        self,
        base: Base,
        seen: Mapping[str, Seen],
        capabilities: Mapping[str, Capabilities],
        policy: Policy,
        *,
        may_lack_writes: bool,
    ) -> None:
        self._base = base
        self._seen = {system: seen[system] for system in policy.systems if system in seen}
        self._capabilities = capabilities
        self._policy = policy
        self._may_lack_writes = may_lack_writes

    def known(self, system: str) -> str | None:
        """Return the user id that this CRM named as the creator of a task of ours, or ``None``."""
        return self._base.cursors.get(OUR_USER + system)

    def probable(self, system: str) -> str | None:
        """Return our user if it is known, else the only creator of tasks in lanes that look like copies of ours."""
        return self.known(system) or self._makers_of_copies.get(system)

    def may_be(self, system: str, user: str | None) -> bool:
        """Whether this may be our user. If not even a probable one is told, it is anybody not known as a person."""
        if (us := self.probable(system)) is not None:
            return user == us
        # Without another ledger nothing of ours is unknown, so what nobody explains is a person's.
        return self._may_lack_writes and user is not None and user not in self._makers_of_origins

    def made_unmarked(self, row: Reading) -> bool:
        """Whether our known user created this task, in a CRM where no marker can tell what it is a copy of."""
        us = self.known(row.system)
        return us is not None and row.created_by == us and not self._capabilities[row.system].reads_marker

    def may_be_a_forerunners(self, row: Reading) -> bool:
        """Whether a lost ledger may have created this open task, in a CRM that keeps no markers."""
        unmarked = row.system in self._seen and not self._capabilities[row.system].reads_marker
        is_open = row.state is State.OPEN and unmarked
        return is_open and self._may_lack_writes and self.may_be(row.system, row.created_by)

    @cached_property
    def _makers_of_origins(self) -> set[str | None]:
        """The users who created the origins that markers name: people and automations, never us."""
        rows = [row for seen in self._seen.values() for row in seen.every_reading()]
        places = {row.marker.place for row in rows if row.marker is not None}
        return {row.created_by for row in rows if row.key in places}

    @cached_property
    def _makers_of_copies(self) -> dict[str, str]:
        """By system: the only user who created tasks that look like our copies, and no origin that a marker names."""
        links = self._base.links
        places: set[tuple[str, str]] = set()
        wanted: dict[str | None, list[Reading]] = defaultdict(list)
        for row in (row for seen in self._seen.values() for row in seen.every_reading()):
            if row.marker is not None:
                places.add(row.marker.place)
                # A copy without a due date is like every undated task of its person, and so shows nothing.
                if row.due is not None:
                    wanted[links.get((row.system, row.contact or ""))].append(row)

        def looks_like_ours(row: Reading) -> bool:
            copies = wanted[links.get((row.system, row.contact or ""))]
            return row.key not in places and any(is_made_like(self._policy, row, copy) for copy in copies)

        found: dict[str, str] = {}
        for system, seen in self._seen.items():
            rows = [row for lane in seen.lanes.values() for row in lane if row.created_by is not None]
            makers = {row.created_by for row in rows if looks_like_ours(row)}
            # People create twins by hand, which look like copies. Whoever also created an origin is a person.
            makers -= {row.created_by for row in rows if row.key in places}
            # Two users cannot both be us. Then it stays unknown.
            if len(makers) == 1:
                found[system] = makers.pop() or ""
        return found
