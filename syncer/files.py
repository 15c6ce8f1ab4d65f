"""Files that people name: read whole if they are files at all, written for their owner alone, never through a link."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

# Opening a pipe would wait for a writer.
_AT_ONCE: Final = getattr(os, "O_NONBLOCK", 0)
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


def read_whole(path: Path, *, limit: int) -> bytes:
    """What is in a file of at most ``limit`` bytes. Raises `OSError`, also for what is no file and what is longer."""
    with os.fdopen(os.open(path, os.O_RDONLY | _AT_ONCE), "rb") as file:
        found = os.fstat(file.fileno())
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is a pipe or a device, not a file")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"it is longer than {limit // 1024} KiB")
    return content


def refuse_link(path: Path) -> None:
    """Raise `OSError` where the name is taken by anything but a plain file: a link may lead to somebody else's file."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISLNK(mode):
        raise OSError(errno.ELOOP, "it is a link; name the file itself")
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "this is a folder; name a file")
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a file")


def write_new(path: Path, content: str) -> None:
    """Write a file that is not there yet, readable by its owner alone. Raises `OSError`."""
    with os.fdopen(os.open(path, _NEW, 0o600), "w", encoding="utf-8") as new:
        new.write(content)


def write_private(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Put the file there in one step, readable by its owner alone. Raises `OSError`; what was there is then left.

    ``durable`` waits until it outlasts a power cut.
    """
    refuse_link(path)
    draft = beside(path)
    try:
        with os.fdopen(os.open(draft, _NEW, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
    if durable:
        keep_name(path)


def beside(path: Path) -> Path:
    """A name in the same folder that nobody has."""
    return path.with_name(f".{path.name}.{os.urandom(6).hex()}")


def keep_name(path: Path) -> None:
    """Make the folder's entry outlast a power cut, where the system can."""
    with suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
