"""Account files, their problems, the registry and the log."""

from __future__ import annotations
