"""What can go wrong with a saved plan, in a module that commands which load no engine can import."""

from __future__ import annotations


class PlanFileError(Exception):
    """The file of a saved plan cannot be written or used; the text says why and what to do."""
