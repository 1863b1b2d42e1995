"""A lane takes so much and no more, and is free again after the work."""

import asyncio
import threading

import pytest

from hologram_dagster.registry.lanes import Lane, LaneFullError

pytestmark = [pytest.mark.phase5_graphql, pytest.mark.phase2_5_hardening]


def test_a_full_lane_refuses_at_once_and_recovers() -> None:
    async def scenario() -> None:
        lane = Lane("test", threads=2, waiting=1, max_wait_s=60)
        gate = threading.Event()
        inside = [asyncio.ensure_future(lane.run(gate.wait)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(LaneFullError):
            await lane.run(gate.wait)
        gate.set()
        assert await asyncio.gather(*inside) == [True] * 3
        assert await lane.run(lambda: 7) == 7
        lane.close()

    asyncio.run(scenario())


def test_who_waited_too_long_is_refused_instead_of_served() -> None:
    async def scenario() -> None:
        lane = Lane("test", threads=1, waiting=1, max_wait_s=0.05)
        gate, done = threading.Event(), []
        first = asyncio.ensure_future(lane.run(gate.wait))
        second = asyncio.ensure_future(lane.run(lambda: done.append(1)))
        await asyncio.sleep(0.1)
        gate.set()
        assert await first
        with pytest.raises(LaneFullError):
            await second
        assert not done
        lane.close()

    asyncio.run(scenario())


def test_a_few_are_served_however_long_the_host_stood_still() -> None:
    async def waited(calm: int, units: int = 1) -> bool:
        lane = Lane("test", threads=1, waiting=2, max_wait_s=0.05, calm=calm)
        gate = threading.Event()
        first = asyncio.ensure_future(lane.run(gate.wait))
        second = asyncio.ensure_future(lane.run(lambda: True, units=units))
        await asyncio.sleep(0.1)
        gate.set()
        try:
            assert await first
            return await second
        except LaneFullError:
            return False
        finally:
            lane.close()

    assert asyncio.run(waited(calm=2))
    assert not asyncio.run(waited(calm=0))
    # One that asks for much is no few.
    assert not asyncio.run(waited(calm=2, units=3))


def test_failed_work_raises_and_frees_its_place() -> None:
    async def scenario() -> None:
        lane = Lane("test", threads=1, waiting=0, max_wait_s=60)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await lane.run(lambda: 1 / 0)
        lane.close()

    asyncio.run(scenario())


def test_a_place_is_taken_while_its_work_goes_on_unwaited_for() -> None:
    async def scenario() -> None:
        lane = Lane("test", threads=1, waiting=0, max_wait_s=60)
        gate, started = threading.Event(), threading.Event()

        def work() -> None:
            started.set()
            gate.wait()

        waiter = asyncio.ensure_future(lane.run(work))
        await asyncio.to_thread(started.wait)
        waiter.cancel()
        with pytest.raises(LaneFullError):
            await lane.run(lambda: None)
        gate.set()
        lane.close()

    asyncio.run(scenario())
