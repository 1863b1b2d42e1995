"""What all tests share: the rule for tests marked `system`, an environment without surprises, and
one prepared Dagster home and one real stack, with a fresh repository for each test of the gate.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from hologram_dagster.secrets.known import forget_all
from hologram_dagster.stack.stack import Stack
from hologram_dagster_tests.gate.bench import SURPRISES, Bench, MakeBench
from hologram_dagster_tests.kubo import can_build_kubo, kubo_program
from hologram_dagster_tests.postgres import programs

# How fast this machine is says nothing about the code.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("here")

NEEDS = {
    "chromium": lambda: shutil.which("chromium") is not None,
    "kubo": lambda: kubo_program() is not None,
    "root": lambda: os.geteuid() == 0,
    "iproute2": lambda: shutil.which("ip") is not None and shutil.which("tc") is not None,
    "nftables": lambda: shutil.which("nft") is not None,
    "node": lambda: shutil.which("node") is not None,
    "postgresql": lambda: programs() is not None,
}


# What CI cannot have everywhere, and why not: a test that needs it is skipped there, too.
NOT_TO_BE_HAD = {"kubo": "no `ipfs` on PATH, and no Go to build Kubo with"}


def in_ci() -> bool:
    """Whether every test must run, whatever it needs."""
    return os.environ.get("CI", "").lower() in {"1", "true"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Outside CI, name what a `system` test lacks here instead of failing it."""
    for item in items:
        for marker in item.iter_markers("system"):
            if in_ci():
                missing = [
                    NOT_TO_BE_HAD[need]
                    for need in marker.args
                    if need in NOT_TO_BE_HAD and not can_build_kubo()
                ]
            else:
                missing = [need for need in marker.args if not NEEDS[need]()]
            if missing:
                item.add_marker(pytest.mark.skip(reason=f"not run: needs {', '.join(missing)}"))


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    # What another test's settings held is no secret of this one.
    forget_all()
    for name in [*SURPRISES, *(name for name in os.environ if name.startswith("HOLOGRAM_"))]:
        monkeypatch.delenv(name, raising=False)


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
