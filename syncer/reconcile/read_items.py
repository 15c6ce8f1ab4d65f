"""What can be read: one item, why it is read, and the stage in which that is done (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

Place = tuple[str, str, str]
"""(system, what, key) of an item, by which a failure to read it is stored."""


class What(StrEnum):
    """What one item reads."""

    LIST = "list"
    TASK = "task"
    CONTACT = "contact"
    LANE = "lane"
    LOOKUP = "lookup"
    PERSON = "person"


class Need(StrEnum):
    """Why it is read."""

    OPERATION = "operation"
    """An operation there is unsettled."""
    COMPLETION = "completion"
    """A copy there was open, and may be completed now."""
    OPEN = "open"
    """A task is open elsewhere, or has changed."""
    EVENT = "event"
    """The CRM reported an event."""
    TOLD = "told"
    """Another ledger may have created the contact since it was searched for."""
    NEW = "new"
    """It was never read."""
    GONE = "gone"
    """It was gone when it was last read."""
    TURN = "turn"
    """It is its turn."""


_ORDER: Final = {
    (What.LIST, Need.OPEN): 0,
    (What.TASK, Need.COMPLETION): 1,
    (What.TASK, Need.OPEN): 2,
    (What.TASK, Need.NEW): 2,
    (What.PERSON, Need.NEW): 2,
    (What.CONTACT, Need.NEW): 3,
    (What.LANE, Need.OPERATION): 4,
    (What.LANE, Need.COMPLETION): 4,
    (What.LANE, Need.OPEN): 4,
    (What.LANE, Need.EVENT): 4,
    (What.LOOKUP, Need.OPEN): 5,
    (What.LANE, Need.NEW): 6,
    (What.LOOKUP, Need.NEW): 7,
    (What.LANE, Need.TURN): 8,
    (What.PERSON, Need.OPEN): 9,
    (What.LOOKUP, Need.TOLD): 9,
    (What.TASK, Need.GONE): 10,
    (What.TASK, Need.TURN): 11,
}

TASKS: Final = frozenset({1, 2})
CONTACTS: Final = frozenset({3})
URGENT: Final = frozenset({4})
NEWCOMERS: Final = frozenset({5, 6, 7})
QUIET: Final = frozenset({8})
PERSONS: Final = frozenset({9})
GONE_IN_TURN: Final = frozenset({10})
TEXTS_IN_TURN: Final = frozenset({11})
ALL: Final = frozenset(_ORDER.values())


@dataclass(frozen=True, slots=True)
class ReadItem:
    """One item to read. ``key`` is the id of a task or contact, or the phone number or e-mail to search for.

    ``contact`` is the contact of a task, if known.
    """

    system: str
    what: What
    key: str
    need: Need
    contact: str = ""

    @property
    def place(self) -> Place:
        return (self.system, self.what.value, self.key)

    @property
    def stage(self) -> int:
        """The stage. Items of one stage may be read at the same time, after all items of lower stages."""
        return _ORDER[self.what, self.need]

    @property
    def words(self) -> str:
        """The item as reports name it."""
        return in_words(self.what, self.key)


def in_words(what: str, key: str) -> str:
    """Return an item as reports name it."""
    match what:
        case What.LIST:
            return f"the list of {key}"
        case What.TASK:
            return f"task {key}"
        case What.LOOKUP:
            return f"the contact with {key}"
        case What.CONTACT:
            return f"contact {key}"
        case What.PERSON:
            return f"everything of contact {key}"
    return f"the tasks of contact {key}"
