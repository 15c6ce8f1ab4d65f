"""Read and write files that users name. Files are written for their owner only, and never through a link."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

# Without this flag, opening a pipe would wait for a writer.
_AT_ONCE: Final = getattr(os, "O_NONBLOCK", 0)
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


def read_whole(path: Path, *, limit: int) -> bytes:
    """The content of a file. Raises `OSError`, also if it is not a plain file or longer than ``limit`` bytes."""
    with os.fdopen(os.open(path, os.O_RDONLY | _AT_ONCE), "rb") as file:
        # Asked of the open file, not of the path, where another file may be by now.
        found = os.fstat(file.fileno())
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is a pipe or a device, not a file")
        # One byte more than allowed tells that the file is too long, without reading all of it.
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"it is longer than {limit // 1024} KiB")
    return content


def refuse_link(path: Path) -> None:
    """Raise `OSError` if the path exists and is not a plain file. A link may lead to somebody else's file."""
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
    """Write a new file that only its owner can read. Raises `OSError` if it exists."""
    with os.fdopen(os.open(path, _NEW, 0o600), "w", encoding="utf-8") as new:
        new.write(content)


def write_private(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Replace a file in one step, readable by its owner only. Raises `OSError`, and leaves the old file then.

    ``durable`` waits until the file would survive a power cut.
    """
    refuse_link(path)
    draft = beside(path)
    try:
        with os.fdopen(os.open(draft, _NEW, 0o600), "wb") as file:
            keep_owner(file.fileno(), path)
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
    """An unused name in the same folder, so that the file can be moved in one step."""
    return path.with_name(f".{path.name}.{os.urandom(6).hex()}")


def make_draft(draft: Path, path: Path) -> None:
    """Create an empty file that will replace another one. Only the owner of that one can read it. Raises `OSError`."""
    descriptor = os.open(draft, _NEW, 0o600)
    keep_owner(descriptor, path)
    os.close(descriptor)


def keep_owner(descriptor: int, path: Path) -> None:
    """Give a new, open file to the owner of the file that it will replace, or belongs to, if there is one.

    Else what root does by hand, such as restoring a ledger, would lock out a service that runs as another user.
    """
    # Only root can, and nobody else has to. Windows has no such owners. The open file is given, because somebody who
    # may write in the folder could put a link to another file at its path.
    if hasattr(os, "fchown"):
        with suppress(OSError):
            found = path.stat()
            # Else it is somebody's file by another name.
            if os.fstat(descriptor).st_nlink == 1:
                os.fchown(descriptor, found.st_uid, found.st_gid)


def keep_name(path: Path) -> None:
    """Make a new file name survive a power cut, if the system can."""
    # Some file systems cannot sync a folder. The file is written all the same, so that is no error.
    with suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
