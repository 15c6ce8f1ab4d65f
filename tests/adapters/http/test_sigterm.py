"""SIGTERM while a CRM has told us to wait: a pause is no request in flight."""

from __future__ import annotations

import signal
import time

import pytest

from adapters.sandbox import Call, Fault
from tests.support.cli_kit import Served, until


@pytest.mark.parametrize("writes", [True, False])
def test_a_pause_that_a_crm_asked_for_ends_with_the_run(served: Served, writes: bool) -> None:
    _, _, contact = served.person()
    served.task(contact)
    asked: list[Call] = []

    def throttle(call: Call) -> Fault | None:
        if served.reply.is_write(call) == writes:
            asked.append(call)
            return Fault.THROTTLED
        return None

    served.reply.retry_after = 300
    served.reply.fault = throttle
    done = served.start("sync", "--once")
    until(lambda: bool(asked))
    time.sleep(0.2)
    began = time.monotonic()
    done.send(signal.SIGTERM)
    until(lambda: done.ended)
    assert time.monotonic() - began < 5
    assert done.status == 143
    assert len(asked) == 1
