"""Store the long lists of reports once, because most runs report the same as the run before."""

from __future__ import annotations

import hashlib
import zlib
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select

from syncer.ledger import direct
from syncer.ledger.database import asking
from syncer.ledger.questions import report_list
from syncer.ledger.tables import METADATA
from syncer.ledger.values import to_json

LONG: Final = 200
"""A list whose JSON has fewer characters stays in the report."""

DEEPEST: Final = 100
"""After so many differences in a row a list is stored in full again, because reading it takes as many steps."""

_list: Final = METADATA.tables["report_list"]
_BY_HASH: Final = select(_list.c.id).where(_list.c.hash == bindparam("hash"))
_DEPTH: Final = select(_list.c.depth).where(_list.c.id == bindparam("id"))
_INSERT: Final = insert(_list).returning(_list.c.id)
List = list[Any]


def take_out(
    connection: Connection, report: dict[str, Any], before: dict[str, int]
) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the report without its long lists, and their ids. ``before`` are the ids of the run before."""
    rest, lists = dict(report), {}
    for name, value in report.items():
        if isinstance(value, list) and len(text := to_json(value)) > LONG:
            del rest[name]
            lists[name] = _store(connection, value, text, before.get(name))
    return rest, lists


def difference(before: List, after: List) -> dict[str, Any] | None:
    """Return the difference for `questions.patched`, or ``None`` if it is longer than half of the list."""
    # Items are compared as JSON, because a dictionary has no hash.
    keys = [to_json(item) for item in after]
    wanted = set(keys)
    kept = [to_json(item) for item in before]
    removed = [place for place, key in enumerate(kept) if key not in wanted]
    gone = set(removed)
    stay = iter([key for place, key in enumerate(kept) if place not in gone])
    added, following = [], next(stay, None)
    for place, key in enumerate(keys):
        if key == following:
            following = next(stay, None)
        else:
            added.append([place, after[place]])
    if following is not None or 2 * len(added) > len(after):
        # The order changed, or nearly everything is new.
        return None
    return {"removed": removed, "added": added}


def _store(connection: Connection, value: List, text: str, before: int | None) -> int:
    # Found by its content: a list that comes back as it was before is not stored again.
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    if (known := direct.scalar(connection, _BY_HASH, {"hash": digest})) is not None:
        return int(known)
    base, depth, content = None, 0, text
    if before is not None and (deep := connection.execute(_DEPTH, {"id": before}).scalar_one()) < DEEPEST:
        change = difference(report_list(asking(connection), before), value)
        if change is not None:
            base, depth, content = before, deep + 1, to_json(change)
    row = {"hash": digest, "base": base, "depth": depth, "content": zlib.compress(content.encode())}
    return int(connection.execute(_INSERT, row).scalar_one())
