"""Reply's enumerations, in both of its dialects (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Dialect = Literal["integers", "strings"]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """One enumeration: its numbers and its words. We write the words with a capital, Reply without."""

    names: Mapping[int, str]

    def read(self, value: object) -> str | None:
        """The word for a number, or for a word in any case. ``None`` if it is not documented."""
        if isinstance(value, int) and not isinstance(value, bool):
            return self.names.get(value)
        if not isinstance(value, str):
            return None
        text = value.strip()
        # A number as text: what a program wrote that turns all values into strings.
        if text.isascii() and text.isdigit():
            return next((name for number, name in self.names.items() if str(number) == text), None)
        return next((name for name in self.names.values() if name.casefold() == text.casefold()), None)

    def write(self, name: str, dialect: Dialect) -> int | str:
        """The word as the dialect writes it: ``"ToDo"`` is ``0`` or ``"toDo"``."""
        if dialect == "strings":
            return name[0].lower() + name[1:]
        return next(number for number, known in self.names.items() if known == name)


TASK_TYPE: Final = Vocabulary(
    {0: "ToDo", 2: "Call", 4: "Meeting", 5: "LinkedIn", 7: "ManualEmail", 8: "Sms", 9: "WhatsApp"}
)
STATUS: Final = Vocabulary({0: "New", 1: "Finished", 3: "Cancelled", 4: "Archived", 5: "SequenceDetached"})
CREATION_SOURCE: Final = Vocabulary({0: "User", 1: "Sequence", 2: "Meeting"})
LINKEDIN_TYPE: Final = Vocabulary({0: "Message", 1: "Connect", 2: "InMail", 3: "ViewProfile"})
CALL_RESOLUTION: Final = Vocabulary({0: "Positive", 1: "ToCall", 2: "Negative"})
