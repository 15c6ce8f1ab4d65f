"""The progress of a run: how much is done of how much, and how long the rest takes at the CRM's rate.

A display reads these values when it wants to. The run never waits for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from syncer.contract.adapter import Listed
from syncer.contract.settings import Rate

Rates = Sequence[Rate]


def least_seconds(requests: int, rates: Rates) -> float:
    """Return the least seconds that this number of requests takes. All rates apply at the same time."""
    # As many as a rate allows are sent at once. Only what exceeds that takes time.
    return max((max(requests - 1, 0) // rate.requests * rate.seconds for rate in rates), default=0.0)


@dataclass(slots=True)
class Work:
    """Items that are read from or written to one CRM: ``done`` of ``total``.

    ``total`` is 0 if it is not known; then ``counted`` is the number of requests so far, and ``listed`` is how far the
    list is read, where the CRM says how long it is. ``began`` is a time of the monotonic clock.
    """

    system: str
    what: str
    total: int
    rates: Rates = ()
    done: int = 0
    counted: Callable[[], int] | None = None
    listed: Callable[[], Listed | None] | None = None
    began: float = field(default_factory=lambda: time.monotonic())

    @property
    def part(self) -> tuple[int, int]:
        """How many items are done, of how many; of 0 if that is not known. Then requests are counted."""
        if (found := self._listed()) is not None:
            return found.rows, max(found.rows, found.total)
        return (self.done if self.counted is None else self.counted()), self.total

    @property
    def seconds(self) -> float:
        """The seconds since it began."""
        return time.monotonic() - self.began

    @property
    def seconds_left(self) -> float | None:
        """The seconds left, by the CRM's rate and the speed so far; ``None`` if that is not known yet."""
        (done, total), found = self.part, self._listed()
        if not total:
            return None
        left = total - done
        at_rate = least_seconds(left if found is None else -(-left // found.page), self.rates)
        if not done:
            return at_rate or None
        # The slower of the two: a rate says nothing of a CRM that answers slowly.
        return max(at_rate, self.seconds / done * left)

    def _listed(self) -> Listed | None:
        return None if self.listed is None else self.listed()


class Progress:
    """The stage of a run and the work in it. ``rates`` are the request rates by system."""

    def __init__(self, rates: Mapping[str, Rates] | None = None) -> None:
        self.stage = ""
        self.works: list[Work] = []
        self._rates = rates or {}

    def __call__(self, stage: str) -> None:
        """Begin this stage."""
        self.stage = stage

    @contextmanager
    def work(
        self,
        system: str,
        what: str,
        total: int = 0,
        *,
        counted: Callable[[], int] | None = None,
        listed: Callable[[], Listed | None] | None = None,
    ) -> Iterator[Work]:
        """Begin work on this number of items. The caller counts each finished one in ``done``."""
        work = Work(system, what, total, self._rates.get(system, ()), counted=counted, listed=listed)
        self.works.append(work)
        try:
            yield work
        finally:
            self.works.remove(work)
