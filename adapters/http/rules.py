"""What an answer means by its status and its words: a table for each CRM, before one for all (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from syncer.contract.adapter import AdapterError, Forbidden, InDoubt, Missing, Refused, Unauthorized


@dataclass(frozen=True, slots=True)
class Rule:
    """What an answer means: the first rule whose status and words fit decides.

    ``words`` are phrases of which one must begin a word of what the CRM said, unless a phrase of ``unless`` does;
    without any, every words fit. Case, white space and punctuation (but ``/``) make no difference.
    """

    status: range | int
    error: type[AdapterError]
    words: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()

    def fits(self, status: int, words: str) -> bool:
        in_range = status in self.status if isinstance(self.status, range) else status == self.status
        if not in_range:
            return False
        flat = _flat(words)
        return (not self.words or _says(flat, self.words)) and not _says(flat, self.unless)


def _says(flat: str, phrases: Sequence[str]) -> bool:
    return any(_flat(phrase).rstrip() in flat for phrase in phrases)


def _flat(words: str) -> str:
    spaced = "".join(letter if letter.isalnum() or letter == "/" else " " for letter in words.lower())
    return f" {' '.join(spaced.split())} "


DEFAULT_RULES: Final = (
    Rule(401, Unauthorized),
    Rule(403, Forbidden),
    Rule(404, Missing),
    Rule(408, InDoubt),
    Rule(range(400, 500), Refused),
    Rule(range(500, 600), InDoubt),
)


def meaning(rules: Iterable[Rule], status: int, words: str) -> type[AdapterError] | None:
    """The error of the first rule that fits."""
    return next((rule.error for rule in rules if rule.fits(status, words)), None)
