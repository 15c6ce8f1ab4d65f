"""Account files and saved plans with anything in them: an error that names the file and the key, or a valid value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncer.config.loader import Account, ConfigError, load_account
from syncer.engine.errors import PlanFileError
from syncer.engine.saved_plan import SavedPlan
from syncer.engine.saved_plan import load as load_plan
from tests.support.account_files import KEYS
from tests.support.hostile import RAW, broken, encode, places, values

FEWER = settings(max_examples=settings().max_examples // 2)
PASTED = "pasted-in-the-wrong-place"

TABLES: dict[str, dict[str, str]] = {
    "account": {"name": '"acme"', "timezone": '"UTC"', "region": '"IN"'},
    "ledger": {"url": '"sqlite:///acme.db"'},
    "sync": {
        **dict.fromkeys(("interval", "twin_window", "default_due", "doubt_grace", "run_limit"), '"60s"'),
        **dict.fromkeys(("max_creates_per_run", "max_completions_per_run"), "500"),
        "cancelled": '"close"',
    },
    "superfone": {
        "api_key": '"env:SUPERFONE_API_KEY"',
        "base_url": '"https://a.example"',
        "discovery": '"linked"',
        "slot": '"hold"',
        "superseded": '"keep"',
        "supersede_window": '"2s"',
        "todo_type": '"REMINDER"',
        "lead_recheck": '"24h"',
        "create_missing_contacts": "false",
        "rate": '"5/s"',
    },
    "reply": {
        "api_key": '"env:REPLY_API_KEY"',
        "base_url": '"https://b.example"',
        "auth": '"bearer"',
        "dialect": '"strings"',
        "sequence_tasks": '"sync"',
        "complete_kinds": '["todo"]',
        "create_missing_contacts": "true",
        "rate": '["100/m"]',
        "call_resolution": "1",
    },
    "highlevel": {
        "token": '"env:HIGHLEVEL_TOKEN"',
        "location_id": '"ve9"',
        "base_url": '"https://c.example"',
        "default_kind": '"todo"',
        "create_missing_contacts": "false",
        "rate": '"100/10s"',
        "kind_rules": '[{match = "ring", kind = "todo"}]',
    },
    "routes": {"linkedin": '["reply"]', "todo": "[]"},
    "users": {"name": '"Asha"', "superfone": "678", "reply": '"41"'},
}
PLACES = [(table, key) for table, keys in TABLES.items() for key in keys]

VALUES = (
    *("true", "0", "-1", "1.5", "1e999", "-inf", "nan", "9" * 4000, "0x" + "f" * 5000, "[]", "[[]]", "{}", "{a = 1}"),
    *("1979-05-27", "07:32:00", "9999-12-31T23:59:59+23:59", '""', '" "', '"\\u0000"', f'"{PASTED}"', '"(("'),
    *(f'["{PASTED}"]', f'{{match = "{PASTED}"}}', f'[{{match = 1, kind = "{PASTED}"}}]', '"env:"', '"env:NO_SUCH"'),
    *(
        '"file:/"',
        '"file:\\u0000"',
        '"keyring:a"',
        '"https://["',
        f'"https://a:{PASTED}@c.example"',
        '"http://1.2.3.4"',
    ),
    *('"999999999999d"', '"0.0000001ms"', f'"{"9" * 400}d"', '"0/s"', '"999999999/999999999d"', '["5/s", 1]'),
    *('"sqlite:///\\u0000"', '"sqlite:///."', '"postgresql+psycopg://["', f'"postgresql+psycopg://a:{PASTED}@c/d"'),
    *('"../x"', '"Asia/\\u0000"', '"/etc/passwd"', '[{name = "a"}, {name = "a"}]', '[{name = "a", superfone = nan}]'),
)
MALFORMED = (
    *(b"\xff", b"\x00", b"a = 1\na = 2", b"a = " + b"[" * 5_000, b"a = " + b"[" * 5_000 + b"]" * 5_000),
    *(b"a = " + b"9" * 5_000, b"a = {" * 3_000, b"a = {b = " * 2_000, b"a = 2026-02-30", b'a = "\\uD800"', b"a = '''"),
    *(b"[a" + b".a" * 5_000 + b"]", b"a" + b".a" * 5_000 + b" = 1", b"superfone = 1\nreply = []\nhighlevel = ''"),
)


@pytest.fixture(scope="module", autouse=True)
def secrets() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in KEYS.items():
            patch.setenv(name, value)
        patch.delenv("NO_SUCH", raising=False)
        yield


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("accounts") / "acme.toml"


def account_file(table: str, key: str, value: str) -> str:
    """A good file, but for one value."""
    lines = []
    for name, keys in TABLES.items():
        lines.append("[[users]]" if name == "users" else f"[{name}]")
        lines += [f"{this} = {value if (name, this) == (table, key) else good}" for this, good in keys.items()]
    return "\n".join(lines)


def outcome(file: Path) -> Account | ConfigError:
    """The account or what is wrong with it; secrets are in neither."""
    found: Account | ConfigError
    try:
        found = load_account(file)
    except ConfigError as error:
        found = error
    for secret in KEYS.values():
        assert secret not in f"{found}{found!r}"
    return found


@pytest.mark.parametrize("value", VALUES)
def test_any_value_of_any_key_is_taken_or_refused_by_name(file: Path, value: str) -> None:
    for table, key in PLACES:
        file.write_text(account_file(table, key, value))

        found = outcome(file)

        if isinstance(found, ConfigError):
            assert all(line.startswith(f"{file}: {table}") for line in found.problems), (table, key)
            assert all(len(line) < 1_000 for line in found.problems)
            if key not in {"kind_rules", "base_url"}:
                assert key in str(found)
            if PASTED in value and (table, key) not in {("routes", "linkedin"), ("routes", "todo")}:
                assert PASTED not in str(found), (table, key)


@pytest.mark.parametrize("content", MALFORMED)
def test_a_file_that_is_no_account_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)

    found = outcome(file)

    assert isinstance(found, ConfigError)
    assert all(line.startswith(f"{file}: ") for line in found.problems)


@FEWER
@given(
    content=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")))
)
def test_any_bytes(file: Path, content: bytes) -> None:
    file.write_bytes(content)

    assert isinstance(outcome(file), ConfigError)


_NAMES = st.sampled_from([*TABLES, *(key for _, key in PLACES), "x"])
_TOML = st.sampled_from(VALUES)


@FEWER
@given(lines=st.lists(st.tuples(st.sampled_from(["", *TABLES]), _NAMES, _TOML), max_size=4))
def test_any_keys_anywhere(file: Path, lines: list[tuple[str, str, str]]) -> None:
    file.write_text(
        "\n".join(f"[{table}]\n{key} = {value}" if table else f"{key} = {value}" for table, key, value in lines)
    )

    assert isinstance(outcome(file), ConfigError)


@pytest.mark.parametrize("key", ["default_due", "twin_window", "doubt_grace", "run_limit", "interval"])
@pytest.mark.parametrize("value", ["999999999d", "36501d", "9" * 300 + "d"])
def test_a_duration_that_no_calendar_holds_is_refused(file: Path, key: str, value: str) -> None:
    file.write_text(account_file("sync", key, f'"{value}"'))

    found = outcome(file)

    assert isinstance(found, ConfigError)
    assert found.problems == (f"{file}: sync.{key}: expected a duration of at most 36500d",)


# saved plans -----------------------------------------------------------------------------------------

PLAN: dict[str, Any] = {
    "format": 1,
    "accounts": [
        {
            "account": "acme",
            "run": "01J",
            "made_at": "2026-05-19T08:30:00Z",
            "operations": [
                {
                    "task": "01J",
                    "system": "reply",
                    "action": "create",
                    "kind": "todo",
                    "due": "2026-05-20T08:30:00Z",
                    "sources": ["superfone:1"],
                },
                {
                    "task": "01K",
                    "system": "reply",
                    "action": "edit",
                    "kind": "todo",
                    "due": "2026-05-20T08:30:00Z",
                    "changes": {"due": ["2026-05-19T08:30:00Z", "2026-05-20T08:30:00Z"]},
                },
            ],
        }
    ],
}


def loaded(file: Path, content: bytes) -> SavedPlan | None:
    """The plan, or ``None`` where the file was refused by name."""
    file.write_bytes(content)
    try:
        return load_plan(file)
    except PlanFileError as error:
        refusal = str(error)
    assert refusal.startswith(f"{file}: ")
    assert "syncer plan --out FILE" in refusal
    assert len(refusal) < 2_000
    return None


@pytest.mark.parametrize(
    "content", [*RAW, encode({"format": 1, "accounts": PLAN["accounts"] * 2}), b'{"format": true}']
)
def test_a_file_that_is_no_plan_is_refused(file: Path, content: bytes) -> None:
    assert loaded(file, content) is None


@FEWER
@given(path=st.sampled_from(list(places(PLAN))), junk=values())
def test_a_plan_with_junk_in_one_place(file: Path, path: tuple[Any, ...], junk: Any) -> None:
    plan = loaded(file, encode(broken(PLAN, path, junk)))

    assert plan is None or plan.format == 1


@FEWER
@given(values())
def test_any_json_is_no_plan(file: Path, value: Any) -> None:
    assert loaded(file, json.dumps(value).encode()) is None
