"""What the author of an adapter runs: every promise of the adapter contract, held against a sandbox.

Subclass `AdapterConformance` in a test module and say how to make a `Bench`; the names of the tests that fail tell
what is missing. What the adapter declares is tested against what it does, as far as one sandbox can tell: how often
contacts are looked for, and how far a list is behind, is taken on trust. All of it happens in virtual time, without
sockets.

`WholeRuns` are trials of the engine between the author's CRM and a second one: for them, and for nothing else in
``adapters``, the engine may be imported here. This package needs pytest, so that no adapter imports it.
"""

from __future__ import annotations

from adapters.conformance.answering import AnswerTrials
from adapters.conformance.bench import Bench, Shown
from adapters.conformance.changing import ChangeTrials
from adapters.conformance.contacts import ContactTrials
from adapters.conformance.declared import DeclarationTrials
from adapters.conformance.editing import EditingTrials
from adapters.conformance.failing import FailureTrials
from adapters.conformance.reading import ReadingTrials
from adapters.conformance.trial import in_hours
from adapters.conformance.whole import WholeRuns, whole
from adapters.conformance.world import KitWorld
from adapters.conformance.writing import WritingTrials

__all__ = ["AdapterConformance", "Bench", "KitWorld", "Shown", "WholeRuns", "in_hours", "whole"]


class AdapterConformance(
    DeclarationTrials,
    ReadingTrials,
    ChangeTrials,
    WritingTrials,
    EditingTrials,
    ContactTrials,
    FailureTrials,
    AnswerTrials,
):
    """Subclass it as ``TestYourCrm`` and define ``make``."""
