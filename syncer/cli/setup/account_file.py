"""Write an account file and its key files: all of them or none, and readable by their owner only."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import chain, count
from pathlib import Path
from typing import Any, Final

from syncer.cli.errors import UsageError
from syncer.files import write_new

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_HEAD: Final = "# Written by `syncer init`. config.example.toml shows every key with its default.\n"


def refuse_existing(file: Path) -> None:
    """Raise `UsageError` if the file cannot be written. This is checked before the first question."""
    if os.path.lexists(file):
        msg = f"{file} exists already and is not overwritten; name another file with: syncer init --file PATH"
        raise UsageError(msg)
    if not os.path.isdir(file.absolute().parent):  # noqa: PTH112 - raises nothing
        msg = f"the folder {file.absolute().parent} does not exist; create it first"
        raise UsageError(msg)


def write_account(file: Path, tables: Mapping[str, Any], keys: Mapping[tuple[str, str], str]) -> None:
    """Write the account file, and each of ``keys`` (by table and setting) into a key file. Raises `UsageError`.

    No file is overwritten. If the name of a key file is taken, another name is used.
    """
    folder, name = file.absolute().parent, str(tables["account"]["name"])
    content = {table: dict(rows) if isinstance(rows, Mapping) else rows for table, rows in tables.items()}
    written: list[Path] = []
    try:
        several = Counter(table for table, _ in keys)
        for (table, setting), key in keys.items():
            key_file = _free_name(folder, "-".join((name, table, *([setting] if several[table] > 1 else []))))
            _write(key_file, key + "\n")
            written.append(key_file)
            content[table][setting] = f"file:{key_file.name}"
        _write(file, _HEAD + to_toml(content))
    # Also after Ctrl+C: files of a first try would be in the way of the next one.
    except BaseException:
        for key_file in written:
            with suppress(OSError):
                key_file.unlink()
        raise


def _free_name(folder: Path, stem: str) -> Path:
    names = chain([f"{stem}.key"], (f"{stem}-{number}.key" for number in count(2)))
    return next(file for file in map(folder.joinpath, names) if not os.path.lexists(file))


def _write(file: Path, content: str) -> None:
    try:
        write_new(file, content)
    except OSError as error:
        msg = f"{file} cannot be written: {error.strerror}"
        raise UsageError(msg) from error


def to_toml(tables: Mapping[str, Any]) -> str:
    """Return TOML of tables and lists of tables. Values are texts, numbers, booleans, lists of these, and tables."""
    return "".join(line + "\n" for name, value in tables.items() for line in _lines(_key(name), value))


def _lines(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for table in value:
            yield from _table(f"[[{name}]]", name, table)
    else:
        yield from _table(f"[{name}]", name, value)


def _table(head: str, name: str, table: Mapping[str, Any]) -> Iterator[str]:
    inner = {key: value for key, value in table.items() if _is_table(value)}
    yield ""
    yield head
    yield from (f"{_key(key)} = {_value(value)}" for key, value in table.items() if key not in inner)
    for key, value in inner.items():
        yield from _lines(f"{name}.{_key(key)}", value)


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, list) and bool(value) and all(isinstance(one, Mapping) for one in value)
    )


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_value(one) for one in value)}]"
    # Texts, numbers and booleans are the same in JSON and TOML, except for DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _value(key)
