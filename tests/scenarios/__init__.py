"""The contract, told by theme: people act in the three sandboxes, the whole engine runs."""

from __future__ import annotations
