"""Faults are what they are said to be, measured on real traffic.

The host may be busy with something else: a measurement outside its limit is repeated, a few times.
"""

from collections.abc import Callable, Iterator

import pytest

from hologram_dagster.chaos.faults.link import Link
from hologram_dagster.chaos.faults.namespaces import lacking
from hologram_dagster.chaos.faults.proxy import Proxy
from hologram_dagster.chaos.faults.toxics import Direction
from hologram_dagster_tests.chaos.faults import fidelity
from hologram_dagster_tests.chaos.faults.asking import bytes_service
from hologram_dagster_tests.chaos.faults.fidelity import BY_PROXY, Figure, by_link, by_proxy, cuts

pytestmark = [pytest.mark.phase9_chaos, pytest.mark.phase4_network]

TRIES = 5


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with bytes_service() as url:
        yield url


@pytest.fixture(scope="module")
def proxy(service: str) -> Iterator[Proxy]:
    with Proxy.start(service, seed=1) as started:
        yield started


@pytest.fixture(scope="module")
def link(service: str) -> Iterator[Link]:
    with Link.start(service) as started:
        yield started


def nearest(measure: Callable[[], Figure]) -> Figure:
    """The first figure that holds, else the nearest of a few."""
    seen: list[Figure] = []
    while len(seen) < TRIES:
        seen.append(measure())
        if seen[-1].holds:
            break
    return min(seen, key=lambda figure: abs(figure.measured - figure.asked))


@pytest.mark.parametrize("name", BY_PROXY)
def test_the_proxy(name: str, proxy: Proxy, service: str) -> None:
    direct = int(service.rpartition(":")[2])
    figure = nearest(lambda: by_proxy(name, proxy, direct))
    assert figure.holds, figure


def test_jitter_is_uniform(proxy: Proxy) -> None:
    """Of 40 ms either side the standard deviation is 23.1 ms."""
    near = False
    for _ in range(TRIES):
        mean, deviation = fidelity.jitter_spread_ms(proxy, 50, 40)
        near = near or (abs(mean - 50) <= 12 and abs(deviation - 23.1) <= 7)
        if near:
            break
    assert near, (mean, deviation)


@pytest.mark.system("root", "iproute2")
@pytest.mark.parametrize("way", Direction)
def test_a_narrow_link(link: Link, way: Direction) -> None:
    figure = nearest(lambda: by_link(link, 1e6, way))
    assert figure.holds, figure


@pytest.mark.system("root", "iproute2", "nftables")
def test_a_link_that_is_cut(link: Link) -> None:
    assert lacking("ip", "tc", "nft") == ""
    assert [figure for figure in cuts(link) if not figure.holds] == []


def test_a_fault_that_is_not_imposed_is_seen_to_be_missing(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The measuring itself is not blind: without the fault no figure holds."""
    direct = int(service.rpartition(":")[2])
    with Proxy.start(service, seed=1) as idle:
        monkeypatch.setattr(idle, "impose", lambda *_: None)
        monkeypatch.setattr(idle, "refuse", lambda: None)
        names = ("latency-50-up", "bandwidth-1M-down", "reset", "blackhole-up", "refused")
        assert not any(by_proxy(name, idle, direct).holds for name in names)
