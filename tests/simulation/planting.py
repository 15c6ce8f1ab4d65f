"""Plant a fault: change the source text of a module, and replace the compiled functions of the running process."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType


@dataclass(frozen=True, slots=True)
class Mutant:
    """A planted fault: ``old``, which is in the module once, becomes ``new``. This breaks the law ``breaks``.

    ``without`` switches off another part that would hide the fault. ``having`` are dimensions of every history that is
    played, so that the fault shows soon.
    """

    name: str
    breaks: str
    module: str
    old: str
    new: str
    without: str = ""
    having: tuple[str, ...] = ()
    also: tuple[tuple[str, str], ...] = ()


def changed_codes(mutant: Mutant) -> dict[str, CodeType]:
    """Return the functions of the module with the fault. Raises `LookupError` if the text is not found."""
    path = Path(str(importlib.import_module(mutant.module).__file__))
    sound = path.read_text("utf-8")
    text = sound
    for old, new in ((mutant.old, mutant.new), *mutant.also):
        if text.count(old) != 1:
            msg = f"{mutant.name}: its place is not in {mutant.module} any more"
            raise LookupError(msg)
        text = text.replace(old, new)
    before, after = (compile(version, path, "exec", dont_inherit=True) for version in (sound, text))
    if before.co_code != after.co_code:
        msg = f"{mutant.name}: it is in no function of {mutant.module}"
        raise LookupError(msg)
    return {code.co_qualname: code for code in _codes(after)}


def plant(mutant: Mutant) -> None:
    """Replace the functions in place, because importing the engine again takes longer than most searches."""
    changed = changed_codes(mutant)
    path = str(Path(str(importlib.import_module(mutant.module).__file__)))
    for thing in gc.get_objects():
        if isinstance(thing, FunctionType) and thing.__code__.co_filename == path:
            thing.__code__ = changed[thing.__code__.co_qualname]


def _codes(code: CodeType) -> Iterator[CodeType]:
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield inner
            yield from _codes(inner)
