"""A sandbox of Superfone with one lead, for the tests of its adapter."""

from __future__ import annotations

import pytest

from adapters.superfone.sandbox import SuperfoneSandbox
from tests.support.superfone_kit import PHONE, sandbox


@pytest.fixture
def room() -> SuperfoneSandbox:
    made = sandbox()
    made.add_lead("Asha", [PHONE, "+912223456789"], ["asha@example.com"])
    return made
