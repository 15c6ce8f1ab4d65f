"""The ledger's small named values: what the names begin with, and what becomes of them when two persons are one."""

from __future__ import annotations

from collections.abc import Mapping

IDENTITY = "identity:"
"""Begins the name of the cursor that has whose remote account a CRM showed with the first run."""

OUR_USER = "user:"
"""Begins the name of the cursor that has whom a CRM names as the maker of what we make there."""

FULL = "full:"
"""Begins the name of the cursor of a CRM that had no room for what was created last: each run tries one create."""

NEWCOMER = "newcomer:"
"""Begins the name of the cursor that has when a CRM was last asked to make a contact with this key."""

LEFT = "left:"
"""Begins the name of the cursor, ``left:<system>:<link>``, that has the keys of a person's contact that is gone."""

LINKED = "linked"
"""The cursor that says of which CRMs all contacts were looked at, to find who is one person, and who was in doubt."""

BEHIND = "behind:"
"""Begins the name of the cursor of a person for whom something was written that this ledger does not know."""

COMPANY = "company"
"""The cursor that says that another ledger may write beside this one: its markers are in tasks made since."""

OTHER_LEDGER = "other_ledger"
"""The cursor that has the id of another ledger that writes for the same account."""

AWAITED = "awaited_since"
"""The cursor that has since when a daemon awaits a run that ends well: the first of those that began since the last."""


def survivor(link: str, merged: Mapping[str, str]) -> str:
    """The link that this one is a part of by now."""
    seen = {link}
    while (link := merged.get(link, link)) not in seen:
        seen.add(link)
    return link


def cursors_after(cursors: Mapping[str, str], merged: Mapping[str, str]) -> dict[str, str]:
    """What becomes of the cursors that name a person, where links became part of others."""
    changed: dict[str, str] = {}
    for name, value in cursors.items():
        begin, _, link = name.rpartition(":")
        if not value or link not in merged or not name.startswith((BEHIND, LEFT)):
            continue
        changed[name] = ""
        now = f"{begin}:{survivor(link, merged)}"
        words = (*changed.get(now, cursors.get(now, "")).split(), *value.split())
        changed[now] = " ".join(dict.fromkeys(words))
    return changed
