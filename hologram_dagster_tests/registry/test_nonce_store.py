"""The shared table of nonces: over restarts, among threads and processes, within its bounds."""

import multiprocessing
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, MetaData, text

from hologram_dagster.protocol.nonce import NonceValidator, mint
from hologram_dagster.protocol.nonces import CONTRACT_WINDOW, Refusal
from hologram_dagster.registry.faults import RefusedError
from hologram_dagster.registry.nonce_store import SharedNonces
from hologram_dagster.registry.tables import open_database
from hologram_dagster_tests.postgres import POSTGRESQL, running_postgres

pytestmark = pytest.mark.phase4_network

NOW = 1_800_000_000.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(params=["sqlite", POSTGRESQL])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'registry.sqlite'}"
        return
    url = request.getfixturevalue("server")
    yield url
    opened = open_database(url)
    metadata = MetaData()
    metadata.reflect(opened)
    metadata.drop_all(opened)
    opened.dispose()


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    opened = open_database(url)
    yield opened
    opened.dispose()


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


def validator(engine: Engine, clock: Clock | None = None, capacity: int = 1000) -> NonceValidator:
    return NonceValidator(SharedNonces(engine, CONTRACT_WINDOW, capacity=capacity), clock=clock or Clock())


def test_a_replay_is_refused_also_after_a_restart_and_by_another_process(url: str, engine: Engine) -> None:
    nonce = mint(b"x", NOW + 300)
    assert validator(engine).check(b"other", nonce) is Refusal.MISMATCH
    assert validator(engine).check(b"x", nonce) is None
    assert validator(engine).check(b"x", nonce) is Refusal.REPLAYED
    other = open_database(url)
    assert validator(other).check(b"x", nonce) is Refusal.REPLAYED
    other.dispose()


def test_what_one_process_forgot_another_with_a_slow_clock_refuses(engine: Engine) -> None:
    clock, slow = Clock(), Clock()
    nonce = mint(b"x", NOW - 299)
    first, second = validator(engine, clock), validator(engine, slow)
    assert first.check(b"x", nonce) is None
    clock.now += 2
    assert first.check(b"y", mint(b"y", clock.now)) is None
    with engine.connect() as connection:
        assert connection.scalar(text("select count(*) from nonces")) == 1
    assert second.check(b"x", nonce) is Refusal.TOO_OLD


def test_full_refuses_until_there_is_room(engine: Engine) -> None:
    clock = Clock()
    checks = validator(engine, clock, capacity=5)
    for number in range(5):
        assert checks.check(b"%d" % number, mint(b"%d" % number, NOW)) is None
    assert checks.check(b"x", mint(b"x", NOW)) is Refusal.FULL
    clock.now += 301
    assert checks.check(b"x", mint(b"x", clock.now)) is None


def test_without_its_database_nothing_passes(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("drop table nonces"))
    with pytest.raises(RefusedError, match="database failed"):
        validator(engine).check(b"x", mint(b"x", NOW))


def _race(url: str, start: float, won: "multiprocessing.Queue[list[int]]") -> None:
    engine = open_database(url)
    nonces = SharedNonces(engine, CONTRACT_WINDOW)
    time.sleep(max(0.0, start - time.time()))
    taken: list[int] = []

    def run() -> None:
        for number in range(40):
            if nonces.use(f"{number:016x}_{int(NOW)}", int(NOW), NOW) is None:
                taken.append(number)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won.put(taken)


def test_of_threads_in_two_processes_exactly_one_wins(url: str, engine: Engine) -> None:
    assert engine.dialect.name in url
    context = multiprocessing.get_context("fork")
    won: multiprocessing.Queue[list[int]] = context.Queue()
    start = time.time() + 0.5
    processes = [context.Process(target=_race, args=(url, start, won)) for _ in range(2)]
    for process in processes:
        process.start()
    taken = won.get(timeout=60) + won.get(timeout=60)
    for process in processes:
        process.join(60)
    assert sorted(taken) == list(range(40))
