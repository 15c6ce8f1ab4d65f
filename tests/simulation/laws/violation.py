"""The exception for a broken law."""

from __future__ import annotations


class Violation(AssertionError):
    """A law was broken: L1 to L11, or another promise by name."""

    def __init__(self, law: str, words: str) -> None:
        super().__init__(f"{law}: {words}")
        self.law = law
