"""A link where SQLite would write beside a ledger: refused by name, and the file that it leads to is left as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncer.ledger import LedgerError
from syncer.ledger.sqlite import open_file


@pytest.mark.parametrize(
    ("suffix", "is_new"),
    # A link in place of an existing ledger's log is no log of that ledger: it is moved away, as it is.
    [("-wal", True), ("-shm", True), ("-shm", False), ("-journal", True), ("-journal", False)],
)
def test_a_link_beside_the_ledger_is_refused(tmp_path: Path, suffix: str, is_new: bool) -> None:
    ledger, theirs = tmp_path / "acme.db", tmp_path / "notes.txt"
    theirs.write_text("notes")
    theirs.chmod(0o644)
    if not is_new:
        ledger.write_bytes(b"")
    (tmp_path / f"acme.db{suffix}").symlink_to(theirs)

    with pytest.raises(LedgerError, match=f"acme.db{suffix} is not our file"):
        open_file(str(ledger), read_only=False)

    assert theirs.read_text() == "notes"
    assert theirs.stat().st_mode & 0o777 == 0o644
