"""Contact lists that are too long to be read with every run, made of few people."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from adapters.highlevel import adapter
from adapters.highlevel.abilities import CAPABILITIES

PAGE: Final = 20
"""So many contacts are one page, as far as the engine knows: a list of one more is not read with every run."""


def make_pages_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """HighLevel's contacts come in small pages."""
    monkeypatch.setattr(adapter, "CAPABILITIES", replace(CAPABILITIES, contacts_page=PAGE))
