"""The virtual loop itself: everything else that is simulated stands on it."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.clock import START, Deadlock, run_virtual, virtual_loop


def test_a_day_passes_at_once() -> None:
    async def main() -> float:
        await asyncio.sleep(86_400)
        assert virtual_loop().now() == START + timedelta(days=1)
        return asyncio.get_running_loop().time()

    began = time.monotonic()
    assert run_virtual(main()) == 86_400
    assert time.monotonic() - began < 5


@given(st.lists(st.floats(0, 1e7, allow_nan=False), max_size=12))
def test_timers_fire_in_order_and_never_early(delays: list[float]) -> None:
    woken: list[tuple[float, float]] = []

    async def sleeper(delay: float) -> None:
        await asyncio.sleep(delay)
        woken.append((delay, asyncio.get_running_loop().time()))

    async def main() -> None:
        await asyncio.gather(*map(sleeper, delays))

    run_virtual(main())
    assert [delay for delay, _ in woken] == sorted(delays)
    assert all(delay - 1e-5 <= at <= max(delays) + 1e-5 for delay, at in woken)


def test_a_timeout_fires_on_virtual_time() -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.Event().wait()
        assert asyncio.get_running_loop().time() == pytest.approx(30)

    run_virtual(main())


def test_the_clock_stands_still_while_a_thread_works() -> None:
    async def main() -> float:
        released = threading.Event()
        threading.Timer(0.02, released.set).start()
        async with asyncio.timeout(30):
            await asyncio.to_thread(released.wait)
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == 0


def test_waiting_for_nothing_is_an_error() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        run_virtual(main())


def test_an_error_of_the_program_comes_out() -> None:
    async def main() -> None:
        await asyncio.sleep(1)
        raise LookupError

    with pytest.raises(LookupError):
        run_virtual(main())


def test_advance_moves_the_clock_for_all() -> None:
    async def main() -> float:
        virtual_loop().advance(90)
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == 90


def test_virtual_loop_refuses_a_real_one() -> None:
    async def main() -> None:
        virtual_loop()

    with pytest.raises(TypeError, match="run_virtual"):
        asyncio.run(main())
