"""Find account files that conflict: the same name, the same ledger, or the same remote account."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from itertools import combinations
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from syncer.config.problems import ConfigError
from syncer.config.schema import Account
from syncer.contract.settings import ConnectionSettings, SecretReference

_THIS_MACHINE: Final = "localhost"


def clashes(accounts: Sequence[Account]) -> dict[Path, ConfigError]:
    """The error of each file that conflicts with another one."""
    problems: dict[Path, list[str]] = defaultdict(list)
    for mine, other in _sharing(accounts, lambda account: account.name):
        words = f"the account of another file has the same name {mine.name} ({_files(other)}); give each its own name"
        problems[mine.path].append(f"{mine.path}: account.name: {words}")
    for mine, other in _sharing(accounts, lambda account: account.ledger_url):
        words = f"another file has the same ledger ({_files(other)}); each account needs its own"
        problems[mine.path].append(f"{mine.path}: ledger.url: {words}")
    for first, second in combinations(accounts, 2):
        same = [system for system in _both(first, second) if _same_remote(first, second, system)]
        for mine, its in ((first, second), (second, first)) if same else ():
            problems[mine.path].append(f"{mine.path}: {', '.join(same)}: {_opens_the_same(its)}")
    return {path: ConfigError(dict.fromkeys(lines)) for path, lines in problems.items()}


def known_clashes(accounts: Iterable[Account], identities: Mapping[Path, Mapping[str, str]]) -> dict[Path, ConfigError]:
    """Like `clashes`, by the remote accounts that the ledgers know: ``identities`` are their ids by file and system."""
    problems: dict[Path, list[str]] = defaultdict(list)
    for first, second in combinations(accounts, 2):
        for system in _both(first, second):
            here, there = (identities.get(account.path, {}).get(system) for account in (first, second))
            if here is None or here != there:
                continue
            # Two servers may use the same numbers for their accounts, as sandboxes do.
            if _host(first.connections[system]) == _host(second.connections[system]):
                for mine, its in ((first, second), (second, first)):
                    problems[mine.path].append(f"{mine.path}: {system}: {_opens_the_same(its)} ({here})")
    return {path: ConfigError(lines) for path, lines in problems.items()}


def _opens_the_same(other: Account) -> str:
    return (
        f"{other.path} opens the same remote account, so every task would be created twice; keep one of the two "
        "files, or correct the key or the id in the other"
    )


def _sharing(
    accounts: Iterable[Account], key: Callable[[Account], Hashable]
) -> Iterator[tuple[Account, list[Account]]]:
    groups: dict[Hashable, list[Account]] = defaultdict(list)
    for account in accounts:
        groups[key(account)].append(account)
    for group in groups.values():
        for mine in group if len(group) > 1 else ():
            yield mine, [other for other in group if other is not mine]


def _files(accounts: Iterable[Account]) -> str:
    return ", ".join(str(account.path) for account in accounts)


def same_hosts(first: Account, second: Account) -> bool:
    """Whether all CRMs that both accounts have are at the same addresses."""
    return all(_host(first.connections[one]) == _host(second.connections[one]) for one in _both(first, second))


def _both(first: Account, second: Account) -> list[str]:
    """The systems that both accounts have, in the order of the first."""
    return [system for system in first.connections if system in second.connections]


def _same_remote(first: Account, second: Account, system: str) -> bool:
    """Whether both connections open the same remote account: on the same host, with the same place or the same key."""
    here, there = first.connections[system], second.connections[system]
    if _host(here) != _host(there):
        return False
    # One key may open several places, and several keys one place: where both name theirs, the names decide.
    if here.place is not None and there.place is not None:
        return here.place == there.place
    return any(mine == its for mine in _secrets(here) for its in _secrets(there))


def _host(settings: ConnectionSettings) -> tuple[str, int | None]:
    parts = urlsplit(settings.base_url)
    # With and without the usual port, the address is the same.
    return _one_name(parts.hostname or ""), parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def _one_name(host: str) -> str:
    """One name for all names of a host that can be told without a network: this machine has several."""
    name = host.rstrip(".")
    try:
        address = ip_address(name)
    except ValueError:
        return _THIS_MACHINE if f".{name}".endswith(f".{_THIS_MACHINE}") else name
    # ``::ffff:127.0.0.1`` is 127.0.0.1.
    address = getattr(address, "ipv4_mapped", None) or address
    # A request to 0.0.0.0 reaches this machine as well.
    return _THIS_MACHINE if address.is_loopback or address.is_unspecified else str(address)


def _secrets(settings: ConnectionSettings) -> Iterator[SecretReference]:
    for key in type(settings).model_fields:
        value = getattr(settings, key)
        if isinstance(value, SecretReference):
            yield value
