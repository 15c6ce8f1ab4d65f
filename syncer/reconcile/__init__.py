"""Decisions: what is one task, what became of it, what is to be read next and what is to be written.

Pure functions of values: no I/O, no clock, no log. Imports `syncer.contract` and `syncer.domain` alone.
"""

from __future__ import annotations
