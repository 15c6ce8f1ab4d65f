"""What a run is doing now: how many of how many, and how long that takes at the CRM's rate.

Whoever shows it looks when it likes; the run waits for nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from syncer.contract.settings import Rate

Rates = Sequence[Rate]


def least_seconds(requests: int, rates: Rates) -> float:
    """The least time that so many requests take at these rates, all of which hold at once."""
    return max((max(requests - 1, 0) // rate.requests * rate.seconds for rate in rates), default=0.0)


@dataclass(slots=True)
class Work:
    """So many things that are read from, or written to, one CRM: ``done`` of ``total``.

    A ``total`` of 0 is one that nobody knows; then ``counted`` tells how many requests were sent so far. ``began`` is
    monotonic.
    """

    system: str
    what: str
    total: int
    rates: Rates = ()
    done: int = 0
    counted: Callable[[], int] | None = None
    began: float = field(default_factory=lambda: time.monotonic())

    @property
    def count(self) -> int:
        """How much of it is done."""
        return self.done if self.counted is None else self.counted()

    @property
    def seconds(self) -> float:
        """For how long it has been under way."""
        return time.monotonic() - self.began

    @property
    def seconds_left(self) -> float | None:
        """As the CRM's rate lets it, and never faster than it went so far; ``None`` where nothing can be told yet."""
        left = self.total - self.done
        at_rate = least_seconds(left, self.rates)
        if not self.done:
            return at_rate or None
        return max(at_rate, self.seconds / self.done * left)


class Progress:
    """The stage that a run is in, and what is under way in it. ``rates`` are the CRMs', by system."""

    def __init__(self, rates: Mapping[str, Rates] | None = None) -> None:
        self.stage = ""
        self.works: list[Work] = []
        self._rates = rates or {}

    def __call__(self, stage: str) -> None:
        """From now on, the run is in this stage."""
        self.stage = stage

    @contextmanager
    def work(
        self, system: str, what: str, total: int = 0, *, counted: Callable[[], int] | None = None
    ) -> Iterator[Work]:
        """So many things are under way; whoever does one of them counts it in ``done``."""
        work = Work(system, what, total, self._rates.get(system, ()), counted=counted)
        self.works.append(work)
        try:
            yield work
        finally:
            self.works.remove(work)
