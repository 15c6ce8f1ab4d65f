"""The account and secret files of a daemon: whether they have changed, and their current content."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from syncer.cli.session import Session
from syncer.cli.signals import apart
from syncer.config.problems import ConfigError
from syncer.config.schema import Account


@dataclass(frozen=True, slots=True)
class Look:
    """The result of a look. ``new`` are errors that the look before did not find; ``over`` are errors that are gone.

    ``broken`` are the files that cannot be used now.
    """

    accounts: Mapping[Path, Account]
    new: list[ConfigError]
    over: list[str]
    broken: frozenset[Path]


class AccountFiles:
    """The account files as they were last read."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._looked_at: Mapping[Path, object] = {}
        self._listed: frozenset[Path] = frozenset()
        self.troubles: Mapping[str, ConfigError] = {}

    async def look(self) -> Look:
        """Read all files without blocking the event loop."""
        # In a thread: a secret may be in a keyring that asks somebody, or a file on a slow file system.
        return await apart(self._look)

    def _look(self) -> Look:
        # Before they are read: a file that changes meanwhile is looked at again.
        listed = self._session.files()
        before = _signatures(listed)
        hidden = frozenset(path for path in self._listed.difference(listed) if _is_hidden(path))
        self._listed = hidden.union(listed)
        found = self._session.find(secrets=True)
        self._looked_at = {**_signatures(found.files), **before}
        # What was wrong with a file that nobody can read now is not known to be over.
        still = {words: error for words, error in self.troubles.items() if _is_about(words, hidden)}
        troubles = still | {str(error): error for error in found.broken}
        new = [error for words, error in troubles.items() if words not in self.troubles]
        over = [words for words in self.troubles if words not in troubles]
        self.troubles = troubles
        accounts = {account.path: account for account in found.accounts}
        # A file that was removed is not broken. Its account is no longer served.
        broken = frozenset(path for path in before if path not in accounts and _is_there(path))
        return Look(accounts, new, over, hidden | broken)

    async def have_changed(self) -> bool:
        """Whether the files must be read again. A broken file counts as changed: what it lacks may exist now."""
        return bool(self.troubles) or await apart(self._differ)

    def forget(self) -> None:
        """Make the next check read the files in any case."""
        self._looked_at = {}

    def _differ(self) -> bool:
        return _signatures({*self._looked_at, *self._session.files()}) != self._looked_at


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)


def _is_about(words: str, files: Iterable[Path]) -> bool:
    return any(words.startswith(f"{file}: ") for file in files)


def _is_hidden(path: Path) -> bool:
    """Whether nobody can tell if the file is there, because its folder cannot be read now."""
    try:
        os.scandir(path.parent).close()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _signatures(files: Iterable[Path]) -> dict[Path, object]:
    """Return values that differ after a file was changed, replaced or removed."""
    return {file: _signature(file) for file in files}


def _signature(file: Path) -> object:
    try:
        found = file.stat()
    except OSError as error:
        return error.errno
    # With the mode: a secret file that others can read is an error, and ``chmod`` ends it.
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode)
