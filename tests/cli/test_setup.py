"""The pure parts of ``syncer init`` and ``syncer check``: who is one person, TOML, what a file says in vain."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from adapters.superfone.abilities import capabilities_of
from adapters.superfone.settings import SuperfoneSettings
from syncer.cli.file_warnings import FileWarning, warnings_of
from syncer.cli.setup.account_file import to_toml
from syncer.cli.setup.people import Match, match
from syncer.config.loader import check_tables
from syncer.contract.adapter import TeamMember

ASHA, RAVI = TeamMember("1", "Asha", "asha@example.com"), TeamMember("2", "Ravi  Nair", "ravi@example.com")


def test_one_person_is_found_by_e_mail_then_by_name() -> None:
    other = TeamMember("x", "A. Rao", "asha@example.com"), TeamMember("y", "ravi nair"), TeamMember("z", "Chitra")
    matches, left = match({"one": [ASHA, RAVI], "two": other})
    assert matches == [Match("Asha", {"one": "1", "two": "x"}), Match("Ravi  Nair", {"one": "2", "two": "y"})]
    assert left == [("two", other[2])]


def test_a_name_that_two_users_of_one_crm_have_matches_nobody() -> None:
    twins = [TeamMember("1", "Asha", "a@example.com"), TeamMember("2", "Asha", "b@example.com")]
    matches, left = match({"one": twins, "two": [TeamMember("x", "Asha")]})
    assert (matches, len(left)) == ([], 3)


def test_who_has_no_e_mail_or_no_name_is_not_everybody_who_has_none() -> None:
    nameless = TeamMember("3", "", "a@example.com"), TeamMember("4", " ", "b@example.com")
    for one, other in ((TeamMember("1", "Asha"), TeamMember("2", "Ravi")), nameless):
        assert match({"one": [one], "two": [other]}) == ([], [("one", one), ("two", other)])


def test_two_persons_of_one_name_have_two_names() -> None:
    twins = [TeamMember("1", "Asha", "a@example.com"), TeamMember("2", "Asha", "b@example.com")]
    matches, _ = match({"one": twins, "two": twins})
    assert [one.name for one in matches] == ["Asha (a@example.com)", "Asha (b@example.com)"]


scalars = st.one_of(st.text(), st.booleans(), st.integers(-(2**62), 2**62))
values = st.one_of(scalars, st.lists(scalars, max_size=3))
tables = st.recursive(
    st.dictionaries(st.text(min_size=1), values, max_size=3),
    lambda inner: st.dictionaries(
        st.text(min_size=1), st.one_of(values, inner, st.lists(inner, min_size=1, max_size=3)), max_size=3
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1), st.one_of(tables, st.lists(tables, min_size=1, max_size=2)), max_size=3))
def test_what_is_written_is_read_again(document: dict[str, Any]) -> None:
    assert tomllib.loads(to_toml(document)) == document


def test_settings_without_effect_are_told(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("key")
    (tmp_path / "key").chmod(0o600)
    account = check_tables(
        tmp_path / "acme.toml",
        {
            "superfone": {"api_key": "file:key"},
            "reply": {"api_key": "file:key"},
            "routes": {"linkedin": ["superfone", "highlevel"]},
            "users": [{"name": "Asha", "superfone": 1, "reply": 9}, {"name": "Ravi", "reply": 2, "highlevel": "x"}],
        },
    )
    superfone = account.connections["superfone"]
    assert isinstance(superfone, SuperfoneSettings)
    assert warnings_of(account, {"superfone": capabilities_of(superfone)}, {"reply": [ASHA, RAVI]}) == [
        FileWarning(
            "routes.linkedin",
            "HighLevel is not connected: add a table [highlevel], or remove highlevel from this route",
        ),
        FileWarning(
            "routes",
            "Superfone has no tasks of the kinds linkedin, so they wait there (not_supported); remove superfone from "
            "these routes",
        ),
        FileWarning("users.reply", "Asha: Reply.io has no user 9; it has Asha 1, Ravi  Nair 2"),
        FileWarning("users", "Ravi has an id only in Reply.io; to sync who a task is assigned to, add the other ids"),
    ]
