"""Each toxic does to real traffic what it says, each way, and undoes it when told."""

import os
import signal
import socket
import time
from collections.abc import Iterator

import pytest

from hologram_dagster.chaos.faults.proxy import Proxy
from hologram_dagster.chaos.faults.schedule import Schedule
from hologram_dagster.chaos.faults.toxics import (
    BOTH,
    Bandwidth,
    Blackhole,
    Corruption,
    Direction,
    Latency,
    Reset,
    Slicing,
    SlowClose,
)
from hologram_dagster.errors import HologramError, ServiceError
from hologram_dagster.processes import LOOPBACK, free_port, wait_until
from hologram_dagster_tests.chaos.faults.asking import Client, bytes_service, meets
from hologram_dagster_tests.chaos.faults.bytes_server import REQUEST, SUM, pattern

pytestmark = [pytest.mark.phase9_chaos, pytest.mark.phase4_network]

UP, DOWN = Direction.UP, Direction.DOWN
SILENCE_S = 0.3


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with bytes_service() as url:
        yield url


@pytest.fixture(scope="module")
def shared(service: str) -> Iterator[Proxy]:
    with Proxy.start(service, seed=7) as proxy:
        yield proxy


@pytest.fixture
def proxy(shared: Proxy) -> Iterator[Proxy]:
    """A proxy without toxics."""
    shared.clear()
    yield shared
    shared.clear()


def test_without_toxics_all_arrives_as_it_was(proxy: Proxy) -> None:
    before = proxy.traffic()
    give = pattern(3_000_000)
    with Client(proxy.port) as client:
        assert client.ask(give, 2_000_000) == (sum(give), pattern(2_000_000))
        after = proxy.traffic()
        assert after.open == 1
    assert after.up_bytes - before.up_bytes == REQUEST.size + len(give)
    assert after.down_bytes - before.down_bytes == SUM.size + 2_000_000
    assert (after.flipped, after.afflicted) == (before.flipped, before.afflicted)


@pytest.mark.parametrize(("ways", "least_ms"), [((UP,), 60), ((DOWN,), 60), (BOTH, 120)])
def test_latency_each_way(proxy: Proxy, ways: tuple[Direction, ...], least_ms: float) -> None:
    proxy.impose(Latency(delay_ms=60, directions=ways))
    with Client(proxy.port) as client:
        assert min(client.round_trips_ms(3)) >= least_ms - 1


def test_latency_delays_and_does_not_slow(proxy: Proxy) -> None:
    """Ten pieces a moment apart arrive after one delay, not after ten."""
    proxy.impose(Latency(delay_ms=400, directions=(UP,)))
    with Client(proxy.port) as client:
        began = time.monotonic()
        for _ in range(10):
            client.socket.sendall(REQUEST.pack(1, 0) + b"x")
            time.sleep(0.02)
        for _ in range(10):
            client._receive(SUM.size)
        assert 0.4 <= time.monotonic() - began < 4.0


def test_jitter_varies_and_keeps_the_order(proxy: Proxy) -> None:
    proxy.impose(Latency(delay_ms=30, jitter_ms=30, directions=(DOWN,)))
    with Client(proxy.port) as client:
        taken = client.round_trips_ms(12)
        assert max(taken) - min(taken) > 10
        assert client.ask(want=500_000)[1] == pattern(500_000)


@pytest.mark.parametrize("way", BOTH)
def test_a_blackhole_holds_all_and_lets_go_of_it(proxy: Proxy, way: Direction) -> None:
    with Client(proxy.port, timeout_s=SILENCE_S) as client:
        client.ask(b"x")
        proxy.impose(Blackhole(directions=(way,)))
        with pytest.raises(TimeoutError):
            client.ask(b"\x05")
        proxy.clear()
        client.socket.settimeout(60)
        assert SUM.unpack(client._receive(SUM.size)) == (5,)


def test_a_reset_is_one(proxy: Proxy) -> None:
    proxy.impose(Reset())
    before = proxy.traffic().reset
    assert [meets(proxy.port, timeout_s=60) for _ in range(5)] == ["reset"] * 5
    # A connection that an earlier test left open may be among them.
    assert proxy.traffic().reset - before >= 5


def test_a_reset_towards_the_service_ends_for_the_client(proxy: Proxy) -> None:
    proxy.impose(Reset(directions=(UP,)))
    assert meets(proxy.port, timeout_s=60) == "ended"


def test_a_late_reset_meets_open_connections_only_then(proxy: Proxy) -> None:
    with Client(proxy.port) as client:
        client.ask(b"x", 1)
        began = time.monotonic()
        proxy.impose(Reset(after_ms=300))
        with pytest.raises(ConnectionError):
            client.round_trips_ms(1_000_000)
        assert time.monotonic() - began >= 0.299


def test_slices(proxy: Proxy) -> None:
    proxy.impose(Slicing(size_bytes=100, variation_bytes=50, delay_ms=5, directions=(DOWN,)))
    with Client(proxy.port) as client:
        began = time.monotonic()
        assert client.ask(want=2_000)[1] == pattern(2_000)
        # 2,008 bytes in slices of 150 at most are 14 slices, 13 pauses.
        assert time.monotonic() - began >= 13 * 0.005


@pytest.mark.parametrize("way", BOTH)
def test_corruption_flips_bits_one_way(proxy: Proxy, way: Direction) -> None:
    before = proxy.traffic().flipped
    size = 200_000
    with Client(proxy.port) as client:
        client.ask(b"x")
        # Frames stay whole: the numbers of request and answer are few of many bytes.
        proxy.impose(Corruption(per_byte=1e-4, directions=(way,)))
        zeros = bytes(size)
        total, got = client.ask(zeros if way is UP else b"", 0 if way is UP else size)
    wrong = sum(a != b for a, b in zip(got, pattern(size), strict=False)) if way is DOWN else total
    assert wrong > 0
    flipped = proxy.traffic().flipped - before
    assert 5 <= flipped <= 60
    if way is DOWN:
        assert wrong == flipped


def test_a_slow_close(proxy: Proxy) -> None:
    proxy.impose(SlowClose(delay_ms=300))
    with Client(proxy.port) as client:
        client.ask(b"x", 1)
        began = time.monotonic()
        client.socket.shutdown(socket.SHUT_WR)
        assert client.socket.recv(1) == b""
        # Up, then down.
        assert time.monotonic() - began >= 0.599


def test_bandwidth_is_shared(proxy: Proxy) -> None:
    proxy.impose(Bandwidth(bytes_per_s=400_000, directions=(DOWN,)))
    with Client(proxy.port) as one, Client(proxy.port) as two:
        began = time.monotonic()
        for client in (one, two):
            client.socket.sendall(REQUEST.pack(0, 100_000))
        for client in (one, two):
            client._receive(SUM.size + 100_000)
        assert time.monotonic() - began >= 0.4


def test_a_change_frees_what_is_under_way(proxy: Proxy) -> None:
    proxy.impose(Bandwidth(bytes_per_s=10, directions=(DOWN,)))
    with Client(proxy.port) as client:
        client.socket.sendall(REQUEST.pack(0, 1_000_000))
        assert client._receive(SUM.size)
        proxy.clear()
        assert client._receive(1_000_000) == pattern(1_000_000)


def test_refused_and_accepted_again(proxy: Proxy) -> None:
    with Client(proxy.port) as client:
        client.ask(b"x")
        proxy.refuse()
        with pytest.raises((ConnectionError, EOFError)):
            client.ask(b"x")
    assert meets(proxy.port, timeout_s=60) == "refused"
    proxy.accept()
    assert meets(proxy.port, timeout_s=60) == "answered"


def test_a_share_of_the_connections_is_the_one_the_seed_says(service: str) -> None:
    toxic = Reset(share=0.4)
    with Proxy.start(service, seed=11) as proxy:
        proxy.impose(toxic)
        met = [meets(proxy.port, timeout_s=60) for _ in range(30)]
        said = {number for number, _, kind in proxy.traffic().afflicted if kind == "reset"}
    expected = {number for number in range(30) if Schedule(11).afflicts(toxic, number, UP)}
    assert {number for number, end in enumerate(met) if end == "reset"} == expected == said
    assert 0 < len(expected) < 30


def test_a_service_that_is_gone_resets(proxy: Proxy) -> None:
    with Proxy.start(f"tcp://{LOOPBACK}:{free_port()}", seed=1) as to_nobody:
        assert meets(to_nobody.port, timeout_s=60) == "reset"
        assert to_nobody.traffic().unreachable == 1
    assert proxy.traffic().unreachable == 0


def test_a_port_that_is_taken_is_told(proxy: Proxy, service: str) -> None:
    with pytest.raises(ServiceError, match=f"port {proxy.port}"):
        Proxy.start(service, seed=1, port=proxy.port)
    with pytest.raises(HologramError, match="host and port"):
        Proxy.start("http://nowhere/graphql", seed=1)


def test_a_dead_proxy_is_told(service: str) -> None:
    with Proxy.start(service, seed=1) as proxy:
        os.kill(proxy.pid, signal.SIGKILL)
        assert wait_until(lambda: meets(proxy.port, timeout_s=60) == "refused", timeout_s=60)
        with pytest.raises(ServiceError, match="died"):
            proxy.impose(Reset())
    with pytest.raises(ServiceError, match="stopped"):
        proxy.traffic()
