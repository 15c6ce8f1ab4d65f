"""Events that a CRM sends. An event is only a hint that something happened to a contact; the contact is then read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class Forged(Exception):
    """The delivery does not prove that it comes from the CRM."""


class NotUnderstood(Exception):
    """The delivery comes from the CRM, but its event is unknown or belongs to another account."""


@dataclass(frozen=True, slots=True)
class Told:
    """The content of one delivery: contacts, and tasks if it does not name their contact.

    ``phones`` are the contacts' numbers, as the CRM writes them, if it finds contacts by number only. ``delivery``
    is the CRM's id of the delivery, by which a repetition is recognised; ``None`` if it has none.
    """

    contacts: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    delivery: str | None = None


class EventReader(Protocol):
    """Reads the deliveries of one CRM for one account."""

    def is_address(self, rest: str) -> bool:
        """Whether the rest of the path, after the CRM's name, is right."""

    def read(self, headers: Mapping[str, str], body: bytes) -> Told:
        """Read one delivery. The names of ``headers`` are in lower case. Raises `Forged`, `NotUnderstood`."""
