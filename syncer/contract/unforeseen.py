"""Tell errors of our own. The work on everything else goes on, so nothing but this and the report shows them."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from syncer.domain.redact import unexpected

DAY: Final = 86_400.0
_log: Final = structlog.get_logger("syncer.run")


class Seldom:
    """What this process has told, and of which things: the same is told once a day, and what is new at once."""

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self._steady = steady
        self._told: dict[Hashable, tuple[str, float]] = {}

    def is_news(self, thing: Hashable, words: str) -> bool:
        """Whether to tell this now: it was not told of this thing for a day, or something else was told last."""
        now = self._steady()
        self._told = {one: (said, at) for one, (said, at) in self._told.items() if now - at < DAY}
        if self._told.get(thing, ("", 0.0))[0] == words:
            return False
        self._told[thing] = (words, now)
        return True


_told: Final = Seldom()


def tell(error: Exception, places: list[str], event: str = "person.left_out") -> None:
    """Tell where an error came from, and go on. Tests put something else in its place, so that no error is excused."""
    log_seldom(error, places, event)


def log_seldom(error: Exception, places: list[str], event: str) -> None:
    """Log an error with its traceback: once a day for these places, or when it changes. Each report has its words."""
    account = structlog.contextvars.get_contextvars().get("account")
    if _told.is_news((account, *places), unexpected(error)):
        _log.error(event, contacts=" ".join(places), exc_info=error)


def not_understood(error: Exception, place: str) -> str:
    """Tell an error of ours with one row or one answer of a CRM, and return it in words for the report."""
    tell(error, [place], "answer.not_understood")
    return unexpected(error)


@contextmanager
def going_on(account: str) -> Iterator[None]:
    """Tell an error of ours in this block, which is about one account. What follows it is done all the same."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is, the other accounts are served
        tell(error, [account], "account.not_served")
