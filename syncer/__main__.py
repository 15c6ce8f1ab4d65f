"""``python -m syncer``."""

from __future__ import annotations

from syncer.cli.app import main

if __name__ == "__main__":
    main()
