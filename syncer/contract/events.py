"""What a CRM may tell by itself: an event is a hint that something happened to a contact, never a fact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class Forged(Exception):
    """It does not show that the CRM sent it."""


class NotUnderstood(Exception):
    """It is well sent, and is no event that is known, or one of another account."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one delivery tells: the contacts of whom something happened, and tasks whose contact it does not name.

    ``delivery`` is the CRM's own id of it, by which a repetition is known; ``None`` where it has none.
    """

    contacts: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    delivery: str | None = None


class EventReader(Protocol):
    """Reads what one CRM delivers for one account."""

    def is_address(self, rest: str) -> bool:
        """Whether what follows the CRM's name in the path is what was given to it."""

    def read(self, headers: Mapping[str, str], body: bytes) -> Told:
        """What it tells. ``headers`` have lower-case names. Raises `Forged`, `NotUnderstood`."""
