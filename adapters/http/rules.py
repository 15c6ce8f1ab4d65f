"""Tables that map the status and the text of an error to an exception: one for each CRM, then one for all (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from syncer.contract.errors import AdapterError, Forbidden, InDoubt, Missing, Refused, Unauthorized


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: the first rule that fits the status and the error text decides.

    The rule fits if one of the phrases ``words`` occurs in the text, at the beginning of a word, and none of
    ``unless`` does. Without ``words`` every text fits. Case, white space and punctuation (except ``/``) are ignored.
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
    # The blank before a phrase makes it begin with a word. Its end is open, so that "contact" also fits "contacts".
    return any(_flat(phrase).rstrip() in flat for phrase in phrases)


def _flat(words: str) -> str:
    spaced = "".join(letter if letter.isalnum() or letter == "/" else " " for letter in words.lower())
    return f" {' '.join(spaced.split())} "


DEFAULT_RULES: Final = (
    Rule(401, Unauthorized),
    Rule(403, Forbidden),
    Rule(404, Missing),
    # The server gave up waiting. For a write, nobody knows how much of it had arrived.
    Rule(408, InDoubt),
    Rule(range(400, 500), Refused),
    # An error after the work was done looks the same as one before it.
    Rule(range(500, 600), InDoubt),
)


WAIT: Final = "the CRM allows no more requests for now, those of other programs included; try again in a few minutes"
"""What users can do about `BudgetSpent`."""


def meaning(rules: Iterable[Rule], status: int, words: str) -> type[AdapterError] | None:
    """The error of the first rule that fits."""
    return next((rule.error for rule in rules if rule.fits(status, words)), None)
