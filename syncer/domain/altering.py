"""Change a frozen value only where something differs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_D = TypeVar("_D", bound="DataclassInstance")


def altered(value: _D, **fields: Any) -> _D:
    """Return `dataclasses.replace`, or ``value`` itself if it has all of these already.

    Most of what a run reads is as it was, and a copy of a value with many fields costs ten times the comparison.
    """
    for name, new in fields.items():
        if getattr(value, name) != new:
            return replace(value, **fields)
    return value
