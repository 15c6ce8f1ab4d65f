"""The ledger's small named values: how their names begin, and how they change when two links become one.

The text after the colon is a system, a contact key or a link id, as the comment says.
"""

from __future__ import annotations

from collections.abc import Mapping

IDENTITY = "identity:"
"""``identity:<system>``: the remote account that the CRM showed in the first run."""

OUR_USER = "user:"
"""``user:<system>``: the user id that the CRM reports as creator of our tasks."""

FULL = "full:"
"""``full:<system>``: set while the CRM's storage is full. Each run then tries one create."""

NEWCOMER = "newcomer:"
"""``newcomer:<system>:<key>``: when the CRM was last asked to create a contact with this key."""

LEFT = "left:"
"""``left:<system>:<link>``: the contact keys of a person's contact that was deleted in the CRM."""

LINKED = "linked"
"""The cursor that says of which CRMs all contacts were looked at, to find who is one person, and who was in doubt."""

BEHIND = "behind:"
"""``behind:<link>``: set while something was written for this person that the ledger does not know."""

APART = "apart"
"""The value of that cursor if everything was read, and this link and another one may be one person."""

UNSTORED = "unstored:"
"""``unstored:<system>:<contact>``: the ids of the contact's open tasks that wait until it is clear what they are, in a
CRM that lists contact by contact. No list shows them again, and no later run may have the time to read them."""

ELSEWHERE = "elsewhere:"
"""``elsewhere:<system>:<task>:<link>``: the run that saw this copy of the person's task on another person's contact."""

COMPANY = "company"
"""Set if another ledger may write to this account: its markers were found in tasks made after this ledger."""

FORERUNNER = "forerunner"
"""Set once a marker of another ledger was found, in whatever task: it wrote what this one may not know."""

TEXTS = "texts:"
"""Begins the name of the cursor that has the last of a CRM's tasks whose text was read again, in turn."""

GONE = "gone:"
"""``gone:<system>``: the last of a CRM's missing copies that was looked for again, in turn."""

RECHECKED = "rechecked:"
"""``rechecked:<system>``: when a CRM's ambiguous contacts were last asked for again in turn, and the last of them."""

UNFINISHED = "unfinished"
"""The persons (links) whom the last run began to read in full, and had no time to finish."""

KEPT = "kept:"
"""``kept:<system>:<contact>``: texts that were read of a person whom no run has had the time to read in full yet."""

STOPPED = "stopped"
"""Set while a limit stops whole runs: `BY_LIMIT`, or `BY_SHIFT` if most copies of a CRM read as edited."""

PART_EDITS = "part_edits:"
"""``part_edits:<system>:<field>``: how many edits runs for a few persons took over since a whole run read the CRM."""

BY_LIMIT = "limit"
BY_SHIFT = "shift"

CHANGES = "changes:"
"""``changes:<system>``: the CRM's own cursor of changes, and before it the time from which on it names all changes."""

OTHER_LEDGER = "other_ledger"
"""The id of another ledger that writes to the same account."""

AWAITED = "awaited_since"
"""Since when a daemon has been waiting for a run that succeeds."""


def unstored(cursors: Mapping[str, str]) -> dict[tuple[str, str], list[str]]:
    """The ids of the tasks that wait to be stored, by (system, contact)."""
    found = {}
    for name, ids in cursors.items():
        if ids and name.startswith(UNSTORED):
            system, _, contact = name.removeprefix(UNSTORED).partition(":")
            found[system, contact] = ids.split()
    return found


def survivor(link: str, merged: Mapping[str, str]) -> str:
    """The link that this one has become part of, or the link itself."""
    # A link that was not merged maps to itself, which ends the loop.
    seen = {link}
    while (link := merged.get(link, link)) not in seen:
        seen.add(link)
    return link


def cursors_after(cursors: Mapping[str, str], merged: Mapping[str, str]) -> dict[str, str]:
    """The changed cursors after links were merged. An empty value deletes a cursor."""
    changed: dict[str, str] = {}
    for name, value in cursors.items():
        begin, _, link = name.rpartition(":")
        # `NEWCOMER` names a contact key, which stays the same.
        if not value or link not in merged or not name.startswith((BEHIND, LEFT)):
            continue
        changed[name] = ""
        now = f"{begin}:{survivor(link, merged)}"
        # Both persons may have had such a value. Neither may be lost, for each holds something back.
        words = (*changed.get(now, cursors.get(now, "")).split(), *value.split())
        changed[now] = " ".join(dict.fromkeys(words))
    return changed
