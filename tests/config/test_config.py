"""Account files: what they mean, and what is said about those that cannot be used."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import phonenumbers
import pytest

from syncer.config.events import event_readers
from syncer.config.loader import ConfigError, SyncSettings, build_adapters, load_account
from syncer.config.regions import REGIONS
from syncer.config.registry import BUILT_IN
from syncer.contract.settings import Rate
from syncer.domain import redact
from syncer.domain.model import MESSAGE_KINDS, Kind
from tests.support.account_files import ALL, HIGHLEVEL, KEYS, REPLY, ROOT, SUPERFONE, load


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


def problems(folder: Path, text: str) -> list[str]:
    """What is wrong with this file, without the file's name; no line shows a secret."""
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    assert not any(value in str(caught.value) for value in KEYS.values())
    prefix = f"{folder / 'acme.toml'}: "
    assert all(line.startswith(prefix) for line in caught.value.problems)
    return [line.removeprefix(prefix) for line in caught.value.problems]


# What a file means


def test_the_least_file_has_all_defaults(tmp_path: Path) -> None:
    account = load(tmp_path, HIGHLEVEL + REPLY)
    assert (account.name, account.timezone, account.region) == ("acme", "UTC", "IN")
    assert account.ledger_url == f"sqlite:///{tmp_path.resolve()}/acme.db"
    assert account.sync == SyncSettings()
    assert list(account.connections) == ["reply", "highlevel"]
    assert account.users == ()
    assert str(account.zone) == "UTC"


def test_every_kind_has_a_route(tmp_path: Path) -> None:
    account = load(tmp_path, ALL)
    for kind in Kind:
        expected = ("highlevel",) if kind in MESSAGE_KINDS else ("superfone", "reply", "highlevel")
        assert account.routes[kind] == expected


def test_a_route_replaces_the_default_and_leaves_out_what_is_off(tmp_path: Path) -> None:
    text = (
        REPLY + HIGHLEVEL + '[routes]\nlinkedin = ["reply", "highlevel", "reply"]\nbooking = ["superfone"]\nsms = []\n'
    )
    account = load(tmp_path, text)
    assert account.routes[Kind.LINKEDIN] == ("reply", "highlevel")
    assert account.routes[Kind.BOOKING] == account.routes[Kind.SMS] == ()
    assert account.routes[Kind.TODO] == ("reply", "highlevel")
    assert load(tmp_path, SUPERFONE + REPLY).routes[Kind.EMAIL] == ()


def test_everything_can_be_said(tmp_path: Path) -> None:
    text = """
        [account]
        name = "Acme & Co".x
    """
    assert "this is not TOML" in problems(tmp_path, text)[0]
    account = load(
        tmp_path,
        """
        users = [
            {name = "Asha", superfone = 678, reply = 41, highlevel = "tesTUcmRxWrjqzJS8EjkxNKting"},
            {name = "Ravi", reply = 42},
        ]
        [account]
        name = "acme-india"
        timezone = "Asia/Kolkata"
        region = "US"
        [sync]
        interval = "5m"
        run_limit = 0
        twin_window = "0"
        cancelled = "keep"
        max_creates_per_run = 0
        """
        + ALL
        + 'rate = "5/s"\n[[highlevel.kind_rules]]\nmatch = "(?i)visit"\nkind = "site_visit"\n',
    )
    assert (account.name, str(account.zone), account.region) == ("acme-india", "Asia/Kolkata", "US")
    assert account.ledger_url.endswith("/acme-india.db")
    assert account.sync.interval == timedelta(minutes=5)
    assert account.sync.run_limit == account.sync.twin_window == timedelta(0)
    assert (account.sync.cancelled, account.sync.max_creates_per_run) == ("keep", 0)
    assert account.users[0].ids == {"superfone": "678", "reply": "41", "highlevel": "tesTUcmRxWrjqzJS8EjkxNKting"}
    assert account.users[1].name == "Ravi"
    assert account.connections["highlevel"].rate == (Rate(5, 1.0),)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("", 15),
        ('[sync]\ninterval = "5m"\n', 15),
        ('[sync]\ninterval = "6m"\n', 18),
        ('[sync]\ninterval = "1h"\n[alarms]\nstuck_after = "20m"\n', 20),
    ],
)
def test_an_account_is_stuck_after_three_intervals_or_as_its_file_says(text: str, minutes: int, tmp_path: Path) -> None:
    assert load(tmp_path, text + ALL).stuck_after == timedelta(minutes=minutes)


def test_history_may_be_kept_for_one_day(tmp_path: Path) -> None:
    assert load(tmp_path, f'[ledger]\nkeep = "1d"\n{ALL}').ledger_keep == timedelta(days=1)


def test_events_of_a_crm_without_a_connection_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file may keep the line of a CRM that is off for a while."""
    monkeypatch.setenv("HOOK", "hook-not-shown")
    events = '[events]\nsuperfone_secret = "env:HOOK"\nreply_secret = "env:HOOK"\nhighlevel = true\n'
    assert list(event_readers(load(tmp_path, REPLY + SUPERFONE + events))) == ["superfone", "reply"]
    assert list(event_readers(load(tmp_path, REPLY + HIGHLEVEL + events))) == ["reply", "highlevel"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///data/x.db", "sqlite:///{folder}/data/x.db"),
        ("sqlite:////var/lib/x.db", "sqlite:////var/lib/x.db"),
        ("sqlite:///../x.db", "sqlite:///{parent}/x.db"),
        ("postgresql+psycopg://host/acme", "postgresql+psycopg://host/acme"),
        ("postgresql+psycopg://asha@host:5432/acme", "postgresql+psycopg://asha@host:5432/acme"),
    ],
)
def test_where_the_ledger_is(url: str, expected: str, tmp_path: Path) -> None:
    account = load(tmp_path, f'[ledger]\nurl = "{url}"\n{ALL}')
    assert account.ledger_url == expected.format(folder=tmp_path.resolve(), parent=tmp_path.resolve().parent)


def test_a_ledger_with_a_password_is_named_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "_secrets", redact.Secrets())
    url = "postgresql+psycopg://asha:pass-not-shown@host/acme"
    for literal in (url, "postgresql+psycopg://host/acme?password=pass-not-shown"):
        (line,) = problems(tmp_path, f'[ledger]\nurl = "{literal}"\n{ALL}')
        assert line.startswith("ledger.url: a password does not belong in this file")
        assert "not-shown" not in line
    monkeypatch.setenv("LEDGER_URL", url)
    account = load(tmp_path, f'[ledger]\nurl = "env:LEDGER_URL"\n{ALL}')
    assert account.ledger_url == url
    assert "not-shown" not in repr(account)
    assert "not-shown" not in redact.redact(url)


def test_secrets_start_at_the_files_folder(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("of-a-file")
    (tmp_path / "key").chmod(0o600)
    account = load(tmp_path, REPLY + SUPERFONE.replace("env:SUPERFONE_API_KEY", "file:key"))
    assert account.connections["superfone"].api_key.get_secret_value() == "of-a-file"  # type: ignore[attr-defined]


def test_no_secret_is_shown(tmp_path: Path) -> None:
    account = load(tmp_path, ALL)
    shown = f"{account} {account!r} {account.model_dump()}"
    assert "not-shown" not in shown


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "acme.toml").write_bytes(b"\xef\xbb\xbf" + ALL.replace("\n", "\r\n").encode())
    assert load_account(tmp_path / "acme.toml").name == "acme"


# What is said about files that cannot be used


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[account]\nregoin = "IN"', "account.regoin: unknown key; did you mean region?"),
        ('[account]\nzzz = "IN"', "account.zzz: unknown key"),
        ('[account]\nregion = "XX"', "account.region: expected a region of two capital letters"),
        ('[account]\nregion = "in"', "account.region: expected a region of two capital letters"),
        ('[account]\ntimezone = "Kolkata"', "account.timezone: expected a time zone such as Asia/Kolkata"),
        ('[account]\ntimezone = "../../etc/passwd"', "account.timezone: expected a time zone"),
        ('[account]\ntimezone = "Asia"', "account.timezone: expected a time zone"),
        ('[account]\nname = "a/b"', "account.name: expected a name of letters"),
        ('[account]\nname = ""', "account.name: expected a name of letters"),
        ("[account]\nname = 5", "account.name: expected a text in quotes"),
        ('[alarms]\ncommand = ""', "alarms.command: expected a text that is not empty"),
        ("account = 5", "account: expected a table [account]"),
        ("[[account]]", "account: expected a table [account]"),
        ('[ledger]\nurl = "acme.db"', "ledger.url: expected sqlite:///FILE or postgresql+psycopg://HOST/DATABASE"),
        ('[ledger]\nurl = "sqlite://"', "ledger.url: expected sqlite:///FILE"),
        ('[ledger]\nurl = "sqlite:///:memory:"', "ledger.url: expected sqlite:///FILE"),
        ('[ledger]\nurl = "postgresql://host/acme"', "ledger.url: expected sqlite:///FILE"),
        ('[ledger]\nurl = "env:NOT_SET_ANYWHERE"', "ledger.url: the environment variable NOT_SET_ANYWHERE is not set"),
        ('[sync]\ninterval = "soon"', 'sync.interval: expected a duration such as "90s"'),
        ("[sync]\ninterval = 60", 'sync.interval: expected a duration such as "90s"'),
        ('[sync]\ninterval = "100ms"', "sync.interval: expected at least 1s"),
        ('[sync]\ncancelled = "open"', "sync.cancelled: expected 'close' or 'keep'"),
        ('[sync]\nmax_creates_per_run = "5"', "sync.max_creates_per_run: expected a whole number"),
        ("[sync]\nmax_creates_per_run = 5.0", "sync.max_creates_per_run: expected a whole number"),
        ("[sync]\nmax_creates_per_run = true", "sync.max_creates_per_run: expected a whole number"),
        ("[sync]\nmax_creates_per_run = -1", "sync.max_creates_per_run: expected greater than or equal to 0"),
        ("[sync]\nmax_creates_per_run = 2026-05-19", "sync.max_creates_per_run: expected a whole number"),
        ('[ledger]\nkeep = "23h"', "ledger.keep: expected at least 1d"),
        ('[alarms]\nwebhook = "https://alarms.example.com/a b"', "alarms.webhook: expected an address such as https:"),
        ('[alarms]\nwebhook = "https://alarms.example.com/#a"', "alarms.webhook: expected an address such as https:"),
        (
            '[alarms]\nwebhook = "https://alarms.example.com/\u00fc"',
            "alarms.webhook: expected an address such as https:",
        ),
        ('[alarms]\nwebhook = "http://alarms.example.com"', "alarms.webhook: expected https"),
        ('[alarms]\nwebhook = "env:NOT_SET_ANYWHERE"', "alarms.webhook: the environment variable NOT_SET_ANYWHERE"),
        ('[alarms]\nstuck_after = "0.9s"', "alarms.stuck_after: expected at least 1s"),
        ('[events]\nsuperfone_header = "X Y"', "events.superfone_header: expected the name of a header such as"),
        ("[events]\nhighlevel = 1", "events.highlevel: expected true or false"),
        (
            '[events]\nhighlevel_public_key = "env:KEY"',
            "events.highlevel_public_key: expected a file with a public key",
        ),
        ('[events]\nhighlevel_public_key = "file:"', "events.highlevel_public_key: expected a file with a public key"),
        (
            '[events]\nhighlevel_public_key = "file:no.pem"',
            "events.highlevel_public_key: the file {folder}/no.pem cannot be read: No such file or directory",
        ),
        (
            '[events]\nhighlevel_public_key = "file:acme.toml"',
            "events.highlevel_public_key: the file {folder}/acme.toml does not contain a public key (PEM)",
        ),
        (
            '[events]\nhighlevel_public_key = "file:acme.toml" # \u00fc',
            "events.highlevel_public_key: the file {folder}/acme.toml does not contain a public key (PEM)",
        ),
        ("[reply]", "reply.api_key: is missing"),
        ('[reply]\napi_key = "re-not-shown"', "reply.api_key: expected a reference to a secret"),
        ('[reply]\napi_key = "env:NOT_SET_ANYWHERE"', "reply.api_key: the environment variable NOT_SET_ANYWHERE"),
        (REPLY + 'dialekt = "x"', "reply.dialekt: unknown key; did you mean dialect?"),
        (REPLY + 'create_missing_contacts = "yes"', "reply.create_missing_contacts: expected true or false"),
        (REPLY + 'rate = ["100/m", "x"]', "reply.rate: expected a rate such as"),
        (REPLY + 'base_url = "http://api.reply.io"', "reply.base_url: expected https"),
        (REPLY + 'complete_kinds = ["call"]', "reply.complete_kinds[0]: expected 'follow_up_call'"),
        (REPLY + 'complete_kinds = "todo"', "reply.complete_kinds: expected a list"),
        ("reply = 1", "reply: expected a table [reply]"),
        (
            HIGHLEVEL + '[[highlevel.kind_rules]]\nmatch = "("\nkind = "callback"',
            "highlevel.kind_rules[0].match: '(' is not a regular expression",
        ),
        (
            HIGHLEVEL + '[[highlevel.kind_rules]]\nmatch = "(?=a)b"\nkind = "callback"',
            "highlevel.kind_rules[0].match: '(?=a)b' has a part that looks ahead or behind, which cannot be matched",
        ),
        (
            HIGHLEVEL + '[[highlevel.kind_rules]]\nmatch = "a"\nkind = "callback"\nmatsh = "a"',
            "highlevel.kind_rules[0].matsh: unknown key; did you mean match?",
        ),
        ("[rotes]", "rotes: unknown table; did you mean routes?"),
        ("[superfon]", "superfon: unknown table; did you mean superfone?"),
        ("zzz = 1", "zzz: unknown table"),
        ("routes = 1", "routes: expected a table [routes]"),
        ('[routes]\ncalls = ["reply"]', "routes.calls: unknown kind of task; did you mean callback?"),
        ('[routes]\ntodo = ["repply"]', "routes.todo: repply is no connection; did you mean reply?"),
        ('[routes]\ntodo = "reply"', "routes.todo: expected a list of connections"),
        ("[routes]\ntodo = [1]", "routes.todo: expected a list of connections"),
        ('[users]\nname = "Asha"', "users: expected tables [[users]]"),
        ("users = [1]", "users: expected tables [[users]]"),
        ("[[users]]\nreply = 1", "users[0].name: expected a name in quotes"),
        ('[[users]]\nname = "Asha"\nrepli = 1', "users[0].repli: unknown key; did you mean reply?"),
        ('[[users]]\nname = "Asha"\nreply = true', "users[0].reply: expected a user's id"),
        ('[[users]]\nname = "Asha"\nreply = ""', "users[0].reply: expected a user's id"),
        ('[[users]]\nname = "Asha"\n[[users]]\nname = "Asha"', "users.name: 2 users have Asha"),
        (
            '[[users]]\nname = "Asha"\nreply = 41\n[[users]]\nname = "Ravi"\nreply = "41"',
            "users.reply: 2 users have 41; each person has one entry",
        ),
    ],
)
def test_what_is_wrong_with_one_key(text: str, line: str, tmp_path: Path) -> None:
    with_others = [
        table
        for name, table in (("[superfone]", SUPERFONE), ("[reply]", REPLY), ("[highlevel]", HIGHLEVEL))
        if name not in text and name[1:-1] + " =" not in text
    ]
    found = problems(tmp_path, f"{text}\n" + "".join(with_others))
    assert len(found) == 1
    assert found[0].startswith(line.format(folder=tmp_path) if "{folder}" in line else line)


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    text = """
        [account]
        timezone = "Nowhere"
        region = 5
        [sync]
        intervall = "60s"
        [reply]
        [highlevel]
        token = "hl-not-shown"
        [routes]
        todo = ["x"]
        [[users]]
    """
    assert [line.partition(": ")[0] for line in problems(tmp_path, text)] == [
        "account.timezone",
        "account.region",
        "sync.intervall",
        "reply.api_key",
        "highlevel.token",
        "highlevel.location_id",
        "routes.todo",
        "users[0].name",
    ]


@pytest.mark.parametrize(("text", "there"), [("", "none"), (REPLY, "[reply]")])
def test_one_connection_is_not_enough(text: str, there: str, tmp_path: Path) -> None:
    wanted = "expected the tables of at least two connections ([superfone], [reply], [highlevel])"
    assert problems(tmp_path, text) == [f"{wanted}, found {there}"]


def test_a_syntax_error_is_said_with_its_line(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, "[account]\nname = acme\n")
    assert line.startswith("this is not TOML: ")
    assert "line 2" in line


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "acme.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load_account(tmp_path / "acme.toml")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_account(tmp_path)


# Adapters


def test_adapters_are_built_in_the_accounts_order(tmp_path: Path) -> None:
    adapters = build_adapters(load(tmp_path, HIGHLEVEL + SUPERFONE + REPLY))
    assert list(adapters) == ["superfone", "reply", "highlevel"]
    assert all(adapter.system == system for system, adapter in adapters.items())


def test_the_table_of_adapters_is_the_entry_points_table() -> None:
    declared = re.findall(r'^(\w+) = "(adapters\..+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert dict(declared) == BUILT_IN


def test_the_regions_are_those_whose_phone_numbers_are_understood() -> None:
    assert phonenumbers.SUPPORTED_REGIONS == REGIONS
