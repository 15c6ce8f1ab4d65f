"""The three CRMs keep the adapter contract."""

from __future__ import annotations

from datetime import timedelta

from adapters.conformance import AdapterConformance, Bench
from adapters.conformance.contacts import ContactTrials
from adapters.conformance.declared import DeclarationTrials
from adapters.conformance.reading import ReadingTrials
from adapters.conformance.writing import WritingTrials
from tests.support.crm_benches import HighLevelBench, ReplyBench, SuperfoneBench


class TestSuperfone(AdapterConformance):
    def make(self) -> Bench:
        return SuperfoneBench(self.now)


class TestSuperfoneTodosInTheSlot(DeclarationTrials, WritingTrials):
    """A setting that changes what is exclusive."""

    def make(self) -> Bench:
        return SuperfoneBench(self.now, todo_type="FOLLOW_UP_CALL")


class TestReplyInIntegers(AdapterConformance):
    def make(self) -> Bench:
        return ReplyBench(self.now)


class TestReplyInStrings(AdapterConformance):
    """By the other header, and with a setting that makes every completion read before it writes."""

    def make(self) -> Bench:
        bench = ReplyBench(self.now, dialect="strings", auth="bearer", call_resolution="positive")
        bench.crm.order = "reversed"
        bench.crm.finished_status = 409
        return bench


class TestHighLevel(AdapterConformance):
    def make(self) -> Bench:
        return HighLevelBench(self.now)


class TestHighLevelThatLags(ReadingTrials, WritingTrials, ContactTrials):
    """Its search is late; it is paged by counting, and uses the other one of the two statuses each time."""

    def make(self) -> Bench:
        bench = HighLevelBench(self.now)
        bench.crm.lag = timedelta(seconds=20)
        bench.crm.task_cursors = bench.crm.contact_cursors = False
        bench.crm.search_status = 200
        bench.crm.missing_status = 404
        return bench


class TestHighLevelThatTies(ReadingTrials, ContactTrials):
    """Its cursors are a time alone, and everything was made at one time: none of it may be led past."""

    def make(self) -> Bench:
        bench = HighLevelBench(self.now)
        bench.crm.cursors_tie = True
        return bench
