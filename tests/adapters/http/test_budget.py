"""The HTTP client's budgets: several rate windows at once, 429 and the rate headers, the run's deadline."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.http.client import MAX_THROTTLES, Rule
from adapters.http.pace import Limits, Pace, Window
from syncer.contract.errors import AdapterError, BudgetSpent, InDoubt, Unavailable
from syncer.contract.settings import Rate
from syncer.ledger import LeaseLost
from tests.support.clock import START, run_virtual
from tests.support.http_client import answers, http, outcome

# 429 and the rate headers

NOW = "Tue, 19 May 2026 08:30:00 GMT"
LIMITS = Limits(
    windows=(
        Window("X-RateLimit-Remaining", "X-RateLimit-Interval-Milliseconds", unit=0.001),
        Window("X-RateLimit-Daily-Remaining"),
    )
)


def throttled_for(headers: dict[str, str], *, status: int = 429, **options: Any) -> float:
    """Virtual seconds between a first answer with these headers and the next request."""

    async def main() -> float:
        client = http(
            answers(httpx.Response(status, headers=headers), httpx.Response(200)), **{"limits": LIMITS, **options}
        )
        if status == 200:
            await client.write("POST", "/things")
        await client.write("POST", "/things")
        assert client.writes == 2
        return asyncio.get_running_loop().time()

    return run_virtual(main())


@pytest.fixture(autouse=True)
def _in_large_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour is waited for in few steps."""
    monkeypatch.setattr("adapters.http.pace.SLICE", 600.0)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After": " 120 "}, 120),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": '"30"'}, 30),
        ({"Retry-After": "7200"}, 3600),
        ({"Retry-After": "9" * 400}, 3600),
        ({"Retry-After": "-5"}, 2),
        ({"Retry-After": "inf"}, 2),
        ({"Retry-After": "1e3"}, 2),
        ({"Retry-After": "1_000"}, 2),
        ({"Retry-After": "", "X-RateLimit-Reset": "9"}, 9),
        ({"X-RateLimit-Reset": "1779179490", "Date": NOW}, 90),
        ({"RateLimit-Reset": "12"}, 12),
        ({"Retry-After": "1779179490", "Date": NOW}, 90),
        ({"Retry-After": "1779179490.5", "Date": NOW}, 90.5),
        ({"Retry-After": "1779179490500", "Date": NOW}, 90.5),
        ({"Retry-After": "1779179490500000", "Date": NOW}, 90.5),
        ({"Retry-After": "4102444800"}, 3600),
        ({"Retry-After": "2026-05-19T08:31:30Z", "Date": NOW}, 90),
        ({"Retry-After": "2026-05-19T14:01:30.250+05:30", "Date": NOW}, 90.25),
        ({"Retry-After": "2026-05-19 08:31:30", "Date": NOW}, 90),
        ({"Retry-After": "2026-05-19T08:29:30Z", "Date": NOW}, 2),
        ({"Retry-After": "7", "X-RateLimit-Interval-Milliseconds": "10000"}, 7),
        ({"X-RateLimit-Interval-Milliseconds": "10000"}, 10),
        ({}, 2),
        ({"Retry-After": "soon"}, 2),
        ({"Retry-After": "0"}, 2),
        ({"Retry-After": "Tue, 19 May 2026 08:31:30 GMT", "Date": NOW}, 90),
        ({"Retry-After": "Tue, 19 May 2026 08:31:30 -0000", "Date": NOW}, 90),
        ({"Retry-After": "Tue, 19 May 2036 08:31:30 GMT", "Date": NOW}, 3600),
        ({"Retry-After": "Tue, 19 May 2020 08:31:30 GMT"}, 2),
    ],
)
def test_a_429_is_waited_out(headers: dict[str, str], seconds: float) -> None:
    assert throttled_for(headers) == pytest.approx(seconds, abs=0.01)


def test_a_429_costs_no_attempt_and_gives_up_in_the_end() -> None:
    client = http(answers(httpx.Response(429)), throttle_wait=1.0)

    async def main() -> tuple[AdapterError, float]:
        return await outcome(client, "POST"), asyncio.get_running_loop().time()

    error, elapsed = run_virtual(main())
    assert type(error) is BudgetSpent
    assert error.status == 429
    assert client.writes == MAX_THROTTLES
    assert elapsed == pytest.approx(sum(2**n for n in range(MAX_THROTTLES - 1)), abs=0.1)


def test_a_429_that_never_ends_ends_the_run_after_an_hour() -> None:
    client = http(answers(httpx.Response(429, headers={"Retry-After": "1500"})))

    async def main() -> float:
        assert type(await outcome(client, "POST")) is BudgetSpent
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == pytest.approx(3000, abs=1)


@pytest.mark.parametrize("headers", [{"Retry-After": "3600"}, {"Retry-After": "1"}, {}])
def test_a_429_that_is_waited_out_can_be_cancelled_at_once(headers: dict[str, str]) -> None:
    async def main() -> None:
        client = http(answers(httpx.Response(429, headers=headers)), throttle_wait=3000.0)
        waiting = [asyncio.ensure_future(client.read("GET", "/things")) for _ in range(20)]
        await asyncio.sleep(0.5)
        client.set_deadline(0.0)
        for wait in waiting:
            wait.cancel()
        before = asyncio.get_running_loop().time()
        await asyncio.wait(waiting)
        assert asyncio.get_running_loop().time() == before
        assert all(wait.cancelled() for wait in waiting)

    run_virtual(main())


def test_a_fence_is_asked_at_the_last_moment_before_each_write() -> None:
    asked: list[float] = []

    def fence() -> None:
        asked.append(asyncio.get_running_loop().time())
        if len(asked) == 3:
            raise LeaseLost

    async def main() -> None:
        client = http(answers(httpx.Response(200)), rates=[Rate(1, 10.0)])
        client.set_fence(fence)
        await client.read("GET", "/things")
        await client.write("POST", "/things")
        await client.write("POST", "/things")
        with pytest.raises(LeaseLost):
            await client.write("POST", "/things")
        assert (client.reads, client.writes) == (1, 2)

    run_virtual(main())
    assert asked == pytest.approx([10, 20, 30], abs=0.1)


def test_a_429_stops_the_whole_connection() -> None:
    sent: list[float] = []

    def handle(_request: httpx.Request) -> httpx.Response:
        sent.append(asyncio.get_running_loop().time())
        return httpx.Response(429 if len(sent) == 1 else 200, headers={"Retry-After": "30"} if len(sent) == 1 else {})

    async def main() -> None:
        client = http(handle)
        first = asyncio.create_task(client.read("GET", "/things"))
        await asyncio.sleep(1)
        await asyncio.gather(first, client.read("GET", "/things"))

    run_virtual(main())
    assert len(sent) == 3
    assert all(at >= 30 for at in sent[1:])


def test_a_short_pause_does_not_end_a_long_one() -> None:
    async def main() -> float:
        pace = Pace("acme", [Rate(1000, 1.0)])
        pace.pause(60)
        pace.pause(1)
        await pace.wait()
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == pytest.approx(60, abs=0.01)


def test_a_used_up_window_is_waited_out_before_it_says_429() -> None:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Interval-Milliseconds": "10000"}
    assert throttled_for(headers, status=200) == pytest.approx(10, abs=0.01)
    assert throttled_for(headers | {"X-RateLimit-Remaining": "1"}, status=200) == 0


@pytest.mark.parametrize(
    ("headers", "status", "seconds"),
    [
        ({"X-Slow-Down": "9", "Retry-After": "7"}, 429, 9),
        ({"Retry-After": "7"}, 429, 2),
        ({"X-Left": "0"}, 200, 30),
        ({"X-Left": "1"}, 200, 0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Interval-Milliseconds": "10000"}, 200, 0),
    ],
)
def test_an_adapter_declares_in_which_headers_its_crm_tells_of_limits(
    headers: dict[str, str], status: int, seconds: float
) -> None:
    limits = Limits(waits=("X-Slow-Down",), windows=(Window("X-Left", seconds=30),))
    assert throttled_for(headers, status=status, limits=limits) == pytest.approx(seconds, abs=0.01)


@pytest.mark.parametrize(("method", "error"), [("GET", Unavailable), ("POST", InDoubt)])
def test_what_failed_and_has_no_budget_for_another_try_has_failed(method: str, error: type[AdapterError]) -> None:
    """Otherwise it would be as if it had not been tried, and come before all others in the next run again."""

    async def main() -> None:
        client = http(answers(httpx.Response(503)), rates=[Rate(1, 60.0)])
        client.set_deadline(10.0)
        assert type(await outcome(client, method)) is error
        assert type(await outcome(client, method)) is BudgetSpent

    run_virtual(main())


def test_a_used_up_day_ends_the_run() -> None:
    async def main() -> None:
        client = http(answers(httpx.Response(200, headers={"X-RateLimit-Daily-Remaining": "0"})), limits=LIMITS)
        client.set_deadline(600)
        await client.read("GET", "/things")
        with pytest.raises(BudgetSpent):
            await client.read("GET", "/things")
        assert asyncio.get_running_loop().time() == 0
        assert client.reads == 1

    run_virtual(main())


@given(
    st.dictionaries(
        st.sampled_from(["Retry-After", "X-RateLimit-Reset", "X-RateLimit-Interval-Milliseconds", "Date"]), st.text()
    )
)
@example({"Retry-After": "²"})
@example({"Retry-After": "Mon, 01 Jan 2026 00:00:00 +99999999999999999999"})
@example({"X-RateLimit-Interval-Milliseconds": "³"})
def test_no_header_can_break_the_client(headers: dict[str, str]) -> None:
    encoded = {name: value.encode("utf-8", "replace") for name, value in headers.items()}
    assert 0 < throttled_for(encoded) <= 3601  # type: ignore[arg-type]


def test_dates_are_read_by_our_clock_where_the_crm_tells_none() -> None:
    assert throttled_for({"Retry-After": format_datetime(START + timedelta(days=36_500))}) == pytest.approx(3600)


# Budgets

SECONDS = st.sampled_from([0.5, 1.0, 1.5, 3.0, 7.0, 60.0])
RATES = st.lists(st.builds(Rate, st.integers(1, 9), SECONDS), min_size=1, max_size=4)
BURSTS = st.lists(st.tuples(st.floats(0, 8), st.integers(1, 12)), min_size=1, max_size=4)


@settings(max_examples=60)
@given(RATES, BURSTS)
def test_no_window_ever_holds_more_than_allowed(rates: list[Rate], bursts: list[tuple[float, int]]) -> None:
    sent: list[float] = []

    async def handle(_request: httpx.Request) -> httpx.Response:
        sent.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.3)
        return httpx.Response(200)

    async def main() -> None:
        client = http(answers(httpx.Response(200)), rates=rates)
        client._transport = httpx.MockTransport(handle)
        async with asyncio.TaskGroup() as group:
            for pause, size in bursts:
                await asyncio.sleep(pause)
                for _ in range(size):
                    group.create_task(client.read("GET", "/things"))

    run_virtual(main())
    assert len(sent) == sum(size for _, size in bursts)
    for rate in rates:
        for first, one_too_many in zip(sent, sent[rate.requests :], strict=False):
            assert one_too_many - first >= rate.seconds


@pytest.mark.parametrize(
    ("rates", "seconds"),
    [
        ([Rate(5, 1.0)], 4),
        ([Rate(100, 60.0), Rate(3000, 3600.0)], 0),
        ([Rate(10, 1.0), Rate(10, 60.0)], 60),
        ([Rate(100, 60.0), Rate(50, 3600.0)], 0),
        ([Rate(5, 1.0), Rate(1000, 2.0)], 4),
    ],
)
def test_the_budget_is_used_whole(rates: list[Rate], seconds: float) -> None:
    """Twenty-five requests at once take no longer than the rates demand, however they are written."""

    async def main() -> float:
        client = http(answers(httpx.Response(200)), rates=rates)
        count = 11 if Rate(10, 60.0) in rates else 25
        await asyncio.gather(*(client.read("GET", "/things") for _ in range(count)))
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == pytest.approx(seconds, abs=0.1)


def test_requests_leave_in_the_order_they_came() -> None:
    sent: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        sent.append(request.url.path.rpartition("/")[2])
        return httpx.Response(200)

    async def main() -> None:
        client = http(handle, rates=[Rate(1, 1.0)])
        await asyncio.gather(*(client.read("GET", f"/{n}") for n in range(20)))

    run_virtual(main())
    assert sent == [str(n) for n in range(20)]


def test_a_wait_beyond_the_deadline_is_refused_at_once() -> None:
    async def main() -> None:
        client = http(answers(httpx.Response(200)), rates=[Rate(1, 60.0)])
        client.set_deadline(30)
        await client.write("POST", "/things")
        with pytest.raises(BudgetSpent, match="after the end of this run"):
            await client.write("POST", "/things")
        assert (client.writes, asyncio.get_running_loop().time()) == (1, 0)
        client.set_deadline(None)
        await client.write("POST", "/things")

    run_virtual(main())


def test_a_slow_answer_does_not_send_the_next_one_late() -> None:
    """Requests that were counted but had to wait for a connection would crowd into a later window."""
    sent: list[float] = []

    async def handle(_request: httpx.Request) -> httpx.Response:
        sent.append(asyncio.get_running_loop().time())
        await asyncio.sleep(9)
        return httpx.Response(200)

    async def main() -> None:
        client = http(answers(httpx.Response(200)), rates=[Rate(4, 1.0)])
        client._transport = httpx.MockTransport(handle)
        await asyncio.gather(*(client.read("GET", "/things") for _ in range(20)))

    run_virtual(main())
    assert all(later - first >= 1.0 for first, later in zip(sent, sent[4:], strict=False))


def test_a_crm_may_say_too_many_requests_in_its_own_way() -> None:
    """By another status and words: it is waited out, costs no attempt, and a write is known not to be carried out."""
    replies = answers(
        httpx.Response(503, json={"message": "QUERY_LIMIT_EXCEEDED"}, headers={"Retry-After": "9"}), httpx.Response(200)
    )
    client = http(replies, rules=[Rule(503, BudgetSpent, ("query limit exceeded",))])

    async def main() -> float:
        await client.write("POST", "/things")
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == pytest.approx(9, abs=0.01)
    assert client.writes == 2
    page = answers(httpx.Response(503, text="QUERY_LIMIT_EXCEEDED"))
    assert type(run_virtual(outcome(http(page, rules=[Rule(503, BudgetSpent)]), "POST"))) is InDoubt


def test_how_much_of_each_rate_is_used_is_told_window_by_window() -> None:
    async def main() -> list[dict[str, float]]:
        pace = Pace("reply", (Rate(4, 60.0), Rate(10, 3600.0)))
        used = [pace.used()]
        for _ in range(3):
            await pace.wait()
        used.append(pace.used())
        await asyncio.sleep(61)
        await pace.wait()
        return [*used, pace.used()]

    assert run_virtual(main()) == [
        {"60s": 0.0, "3600s": 0.0},
        {"60s": 0.75, "3600s": 0.3},
        {"60s": 0.25, "3600s": 0.4},
    ]
