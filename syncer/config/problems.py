"""Errors of account files, in the form ``file: dotted key: what was expected``.

The texts never contain a value, because it may be a secret in the wrong place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

_WORDS: Final = {
    "bool_type": "expected true or false",
    "int_type": "expected a whole number",
    "int_from_float": "expected a whole number",
    "string_type": "expected a text in quotes",
    "string_too_short": "expected a text that is not empty",
    "tuple_type": "expected a list",
    "list_type": "expected a list",
    "frozen_set_type": "expected a list",
    "model_type": "expected a table",
    "dict_type": "expected a table",
    "missing": "is missing",
}


class ConfigError(Exception):
    """One or more account files are invalid. ``problems`` has one line for each error."""

    exit_status: Final = 2

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class Complaints:
    """Collects the errors of one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[str] = []

    def add(self, key: str, what: str) -> None:
        """Add an error of this dotted key."""
        self.lines.append(f"{self.path}: {key}: {what}" if key else f"{self.path}: {what}")

    def add_errors(self, table: str, model: type[BaseModel], error: ValidationError) -> None:
        """Add all validation errors of one table."""
        # Without the input: it may be a secret in the wrong place.
        for details in error.errors(include_url=False, include_input=False):
            where = dotted((table, *details["loc"]))
            if details["type"] == "extra_forbidden":
                self.add(where, "unknown key" + suggestion(str(details["loc"][-1]), _keys_at(model, details["loc"])))
            else:
                self.add(where, _what(details))

    def raise_if_any(self) -> None:
        """Raise `ConfigError` with all errors so far, if there are any."""
        if self.lines:
            raise ConfigError(self.lines)


def dotted(parts: Sequence[str | int]) -> str:
    """``("highlevel", "kind_rules", 0, "kind")`` is ``"highlevel.kind_rules[0].kind"``."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def suggestion(name: str, known: Iterable[str]) -> str:
    """``"; did you mean …?"``, or an empty text if no known name is similar."""
    close = get_close_matches(name.lower(), list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _what(details: ErrorDetails) -> str:
    words = _WORDS.get(details["type"])
    if words is not None:
        return words
    message = details["msg"].removeprefix("Value error, ")
    return message.replace("Input should be", "expected")


def _keys_at(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """The known keys of the table that contains this location."""
    here: Mapping[str, Any] = model.model_fields
    for part in location[:-1]:
        if isinstance(part, str):
            inner = _model_in(here[part].annotation) if part in here else None
            here = inner.model_fields if inner else {}
    return list(here)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    # The model may be inside of ``tuple[KindRule, ...]`` or ``X | None``.
    return next((found for inner in get_args(annotation) if (found := _model_in(inner))), None)
