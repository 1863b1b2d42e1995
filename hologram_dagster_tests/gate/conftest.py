"""One prepared Dagster home and one real stack for all gate tests; a fresh repository for each."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hologram_dagster.stack.stack import Stack
from hologram_dagster_tests.gate.bench import Bench


@pytest.fixture(scope="session")
def dagster_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Dagster home after its first use."""
    bench = Bench.make(tmp_path_factory.mktemp("home") / "repository")
    done = bench.hologram("setup")
    assert done.returncode == 0, done.stderr
    return bench.folder / ".hologram" / "dagster"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A real stack, shared: the gate leaves nothing behind in it."""
    with Stack.start(tmp_path_factory.mktemp("stack")) as running:
        yield running


MakeBench = Callable[..., Bench]


@pytest.fixture
def make_bench(tmp_path: Path, dagster_home: Path) -> MakeBench:
    """Makes a bench with the variables given."""

    def make(**variables: str) -> Bench:
        return Bench.make(tmp_path / "repository", dagster_home, **variables)

    return make


@pytest.fixture
def bench(make_bench: MakeBench, stack: Stack) -> Bench:
    """A bench whose gate judges the shared stack."""
    return make_bench(IPFS_API=stack.ipfs_api, GRAPHQL_URL=stack.graphql_url)
