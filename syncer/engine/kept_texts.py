"""Keep the texts of persons whom no run had the time to read in full, so that the next run goes on from there.

What is read of a person counts only whole, and each text takes a request. Without this, a run that is too short for all
texts of one person would read the same ones as the run before. What lists show is read anew in every run. A kept text
is used as long as its row in the list is still the same; whoever edits a text meanwhile is noticed when it is read
again in its turn.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from syncer.domain.base import Changes
from syncer.domain.cursors import KEPT
from syncer.domain.model import Reading
from syncer.domain.snapshot import with_times
from syncer.engine.context import RunContext

_READING: Final = TypeAdapter(Reading)


def kept_text(context: RunContext, row: Reading) -> Reading | None:
    """Return the task of a list's row with its text, if an earlier run read it and kept it."""
    value = context.base.cursors.get(_name(row.system, row.contact))
    if not value or row.whole:
        return None
    seen_as, task = _decoded(value).get(row.remote_id, ("", None))
    if seen_as != _likeness(row):
        return None
    try:
        return with_times(_READING.validate_python(task), row)
    except ValidationError:
        return None


def keep_texts(context: RunContext, persons: Collection[str]) -> None:
    """Keep what was read of those of these persons (links) who could not be read in full. Forget the other texts.

    ``persons`` are all who were to be read in full.
    """
    unfinished = {
        contact
        for link in persons
        if not all(_is_read(context, *contact) for contact in context.base.contacts_of(link))
        for contact in context.base.contacts_of(link)
    }
    read = defaultdict[str, dict[str, Any]](dict)
    for connection in context.connections.values():
        for row, task in connection.read_alone.values():
            if (row.system, row.contact) in unfinished and row.key not in context.base.replicas:
                text = _READING.dump_python(task, mode="json", exclude_defaults=True)
                read[_name(row.system, row.contact)][row.remote_id] = [_likeness(row), text]
    cursors = context.base.cursors
    values = {name: json.dumps(_decoded(cursors.get(name, "")) | texts) for name, texts in read.items()}
    if changed := {name: value for name, value in values.items() if value != cursors.get(name)}:
        context.record(Changes(cursors=changed))
    # Only with what is merged from them: a run that ends before that loses nothing.
    needed = {_name(*contact) for contact in unfinished}
    silent = [system for system, connection in context.connections.items() if not connection.seen.listed]
    for name, value in cursors.items():
        if value and name.startswith(KEPT) and name not in needed and name.split(":")[1] not in silent:
            context.turned[name] = ""


def _is_read(context: RunContext, system: str, contact: str) -> bool:
    return system not in context.connections or contact in context.connections[system].seen.persons


def _name(system: str, contact: str | None) -> str:
    return f"{KEPT}{system}:{contact or ''}"


def _likeness(row: Reading) -> str:
    """Return a text that is another one as soon as the list shows anything else of the task."""
    return sha256(repr(row).encode()).hexdigest()[:16]


@lru_cache(maxsize=8)
def _decoded(value: str) -> dict[str, Any]:
    return dict(json.loads(value)) if value else {}
