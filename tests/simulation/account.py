"""The account file of a simulated world."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

_SECTIONS = {
    "superfone": 'api_key = "env:SUPERFONE_API_KEY"\nbase_url = "http://localhost:1"',
    "reply": 'api_key = "env:REPLY_API_KEY"\nbase_url = "http://localhost:2"',
    "highlevel": 'token = "env:HIGHLEVEL_TOKEN"\nlocation_id = "ve9EPM428h8vShlRW1KT"\nbase_url = "http://localhost:3"',
}
USERS: Mapping[str, Mapping[str, str]] = {
    "superfone": {"678": "Asha", "679": "Ravi"},
    "reply": {"41": "Asha", "42": "Ravi"},
    "highlevel": {"userAsha": "Asha", "userRavi": "Ravi"},
}
"""The names of the users, by CRM and user id."""
STRANGERS: Mapping[str, str] = {"superfone": "680", "reply": "43", "highlevel": "userMeera"}
"""A user whom the account file does not name."""
_RULES = '[[highlevel.kind_rules]]\nmatch = "(?i)remind"\nkind = "reminder"\n'

SECRETS = {
    "SUPERFONE_API_KEY": "superfone-key",
    "REPLY_API_KEY": "reply-key",
    "HIGHLEVEL_TOKEN": "highlevel-token",
}


def account_file(settings: Mapping[str, str], systems: Collection[str]) -> str:
    """Return the account file for these CRMs. ``settings`` are further lines for its tables."""
    lines = ['[account]\nname = "acme"\n[ledger]\nbackup = "off"', "[sync]"]
    # The simulation has few runs. With a long interval, each run may read all texts.
    lines += _with_defaults(settings.get("sync", ""), 'interval = "1h"', "max_creates_per_run = 10000")
    for system in systems:
        lines += [f"[{system}]", _SECTIONS[system], *_with_defaults(settings.get(system, ""), 'rate = "100000/s"')]
    return "\n".join([*lines, *([_RULES] if "highlevel" in systems else []), settings.get("users", "")]) + "\n"


def _with_defaults(given: str, *defaults: str) -> list[str]:
    """Return the lines that were given, and those of the defaults whose keys are not among them."""
    keys = {_key(line) for line in given.splitlines()}
    return [*given.splitlines(), *(line for line in defaults if _key(line) not in keys)]


def _key(line: str) -> str:
    return line.partition(" = ")[0]


def users_section() -> str:
    """Return the tables of all users."""
    lines = []
    for name in USERS["reply"].values():
        lines += ["[[users]]", f'name = "{name}"']
        lines += [f'{system} = "{at}"' for system in USERS for at, who in USERS[system].items() if who == name]
    return "\n".join(lines)


def limits_in(settings: Mapping[str, str]) -> dict[str, int]:
    """Return the limits of one run that these lines set."""
    found = re.findall(r"max_(\w+)_per_run = (\d+)", settings.get("sync", ""))
    return {what: int(most) for what, most in found}
