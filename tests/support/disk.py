"""Where tests keep what they write all the time."""

from __future__ import annotations

from pathlib import Path


def memory() -> Path | None:
    """A folder in memory for temporary folders, or ``None`` if there is none."""
    shm = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
    return shm if shm.is_dir() else None
