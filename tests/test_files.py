"""Files that we write."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest

from syncer.files import refuse_link, write_private


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "acme.db"


# files that are written ------------------------------------------------------------------------------


def test_a_file_is_its_owners_alone_and_whole(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("before")
    file.chmod(0o644)
    write_private(file, b"after")
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"after", 0o600)
    assert [one.name for one in tmp_path.iterdir()] == ["secret"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give files away")
def test_a_file_that_root_replaces_stays_its_owners(path: Path) -> None:
    path.write_text("before")
    os.chown(path, 65534, 65533)
    write_private(path, b"after")
    assert (path.stat().st_uid, path.stat().st_gid, path.read_text()) == (65534, 65533, "after")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("theirs")
    target.chmod(0o644)
    link.symlink_to(target)
    (tmp_path / "pipe").mkdir()
    for name in (link, tmp_path / "pipe"):
        with pytest.raises(OSError, match=r"it is a link|this is a folder|a pipe"):
            write_private(name, b"ours")
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("theirs", 0o644)
    refuse_link(tmp_path / "nothing")


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    file = tmp_path / "plan"
    file.write_text("before")
    monkeypatch.setattr(os, "fsync", full)
    with suppress(OSError):
        write_private(file, b"after")
    assert [one.read_text() for one in tmp_path.iterdir()] == ["before"]
