"""The tests that the author of an adapter runs: each promise of the adapter contract, tried with a sandbox.

Subclass `AdapterConformance` in a test module, and define how to make a `Bench`. The names of the failing tests tell
what is missing. What the adapter declares is compared with what it does, as far as one sandbox can show it. How often
contacts are searched for and how far a list lags cannot be tested. Everything happens in virtual time, without sockets.

`WholeRuns` are trials of the engine between the author's CRM and a second one. Only for them may a module of
``adapters`` import the engine. This package needs pytest, so no adapter may import it.
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
