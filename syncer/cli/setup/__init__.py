"""The parts of ``syncer init``: ask, test each connection, offer what was found there, and write the files."""

from __future__ import annotations
