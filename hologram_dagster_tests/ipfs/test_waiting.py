"""Calls that never return: bounded, shared, and said so."""

import asyncio
import threading

import pytest

from hologram_dagster.errors import ServiceError, ServiceTimeoutError
from hologram_dagster.ipfs.waiting import ExhaustedError, WaitingCalls

pytestmark = pytest.mark.phase3_runtime

SHORT_S, LONG_S = 0.05, 20.0


def test_a_result_and_an_error_come_through() -> None:
    def fail() -> None:
        raise ServiceError("no")

    async def scenario() -> None:
        calls = WaitingCalls()
        await calls.run("works", lambda: None, timeout_s=LONG_S)
        with pytest.raises(ServiceError, match="no"):
            await calls.run("fails", fail, timeout_s=LONG_S)

    asyncio.run(scenario())


def test_asking_again_shares_the_call_that_waits() -> None:
    begun, release = [], threading.Event()

    def wait() -> None:
        begun.append(1)
        release.wait(LONG_S)

    async def scenario() -> None:
        calls = WaitingCalls(limit=1)
        for _ in range(3):
            with pytest.raises(ServiceTimeoutError, match="context deadline exceeded: x"):
                await calls.run("x", wait, timeout_s=SHORT_S)
        release.set()
        await calls.run("x", wait, timeout_s=LONG_S)

    asyncio.run(scenario())
    assert len(begun) == 1


def test_too_many_stuck_calls_refuse_more_until_one_ends() -> None:
    release = threading.Event()

    def wait() -> None:
        release.wait(LONG_S)

    async def scenario() -> None:
        calls = WaitingCalls(limit=2)
        for key in ("a", "b"):
            with pytest.raises(ServiceTimeoutError):
                await calls.run(key, wait, timeout_s=SHORT_S)
        with pytest.raises(ExhaustedError, match="2 calls still wait"):
            await calls.run("c", lambda: None, timeout_s=LONG_S)
        release.set()
        await calls.run("a", lambda: None, timeout_s=LONG_S)
        await calls.run("c", lambda: None, timeout_s=LONG_S)

    asyncio.run(scenario())


def test_calls_that_are_merely_busy_are_waited_for() -> None:
    release = threading.Event()
    done: list[str] = []

    def wait() -> None:
        release.wait(LONG_S)

    async def scenario() -> None:
        calls = WaitingCalls(limit=1)
        first = asyncio.create_task(calls.run("slow", wait, timeout_s=LONG_S))
        await asyncio.sleep(0)
        second = asyncio.create_task(calls.run("next", lambda: done.append("next"), timeout_s=LONG_S))
        await asyncio.sleep(SHORT_S)
        assert done == []
        release.set()
        await asyncio.gather(first, second)

    asyncio.run(scenario())
    assert done == ["next"]
