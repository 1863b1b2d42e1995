"""Namespaces and links: made whole or not at all, and gone when they are closed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hologram_dagster.chaos.faults import namespaces
from hologram_dagster.chaos.faults.disk import unmount_stale
from hologram_dagster.chaos.faults.link import Cut, Link
from hologram_dagster.chaos.faults.namespaces import Namespace, existing, lacking, remove
from hologram_dagster.chaos.faults.owners import maker_lives, mark_of_this_process
from hologram_dagster.errors import HologramError
from hologram_dagster.processes import start_child, stop_child
from hologram_dagster_tests.chaos.faults.asking import bytes_service, meets

pytestmark = [pytest.mark.phase9_chaos, pytest.mark.phase4_network]


def interfaces() -> set[str]:
    return {path.name for path in Path("/sys/class/net").iterdir()}


@pytest.mark.system("root", "iproute2")
def test_a_link_leaves_nothing_behind() -> None:
    before = (existing(), interfaces())
    with bytes_service() as url, Link.start(url) as link:
        assert link.namespace.name in existing()
        assert link.namespace.outside in interfaces()
        assert meets(int(link.url.rpartition(":")[2]), timeout_s=60) == "answered"
        link.narrow(1e6)
        link.cut(Cut.DOWN)
    assert (existing(), interfaces()) == before
    link.close()


@pytest.mark.system("root", "iproute2")
def test_mending_and_widening_what_is_whole_is_fine() -> None:
    with bytes_service() as url, Link.start(url) as link:
        link.mend()
        link.widen()
        link.narrow(1e6)
        link.narrow(2e6)
        link.widen()
        link.cut(Cut.DOWN)
        link.mend()
        link.mend()
        assert meets(int(link.url.rpartition(":")[2]), timeout_s=60) == "answered"


@pytest.mark.system("root", "iproute2")
def test_a_namespace_that_is_half_made_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = (existing(), interfaces())
    real = namespaces.run

    def run(*command: str) -> str:
        if "lo" in command:
            raise HologramError("no")
        return real(*command)

    monkeypatch.setattr(namespaces, "run", run)
    with pytest.raises(HologramError, match="no"):
        Namespace.create()
    assert (existing(), interfaces()) == before


@pytest.mark.system("root", "iproute2")
def test_what_an_earlier_run_left_can_be_found_and_removed() -> None:
    made = Namespace.create()
    assert made.name in existing()
    remove(made.name)
    remove(made.name)
    assert made.name not in existing()
    assert made.outside not in interfaces()


def test_what_lacks_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert lacking("ip", "tc") == "needs ip, tc: apt-get install iproute2"
    assert lacking("ip", "nft") == "needs ip, nft: apt-get install iproute2 nftables"
    with pytest.raises(HologramError, match="cannot run ip"):
        namespaces.run("ip", "netns")


def test_a_program_that_fails_says_why() -> None:
    false = shutil.which("false")
    assert false is not None
    with pytest.raises(HologramError, match="failed"):
        namespaces.run(false)


@pytest.mark.system("root", "iproute2")
def test_nobody_enters_a_namespace_that_is_not_there() -> None:
    with pytest.raises(HologramError, match="nowhere"):
        namespaces.enter("nowhere")
    assert subprocess.run(["ip", "link", "show", "lo"], check=False, capture_output=True).returncode == 0


MAKER = """
import sys, time
from pathlib import Path
from hologram_dagster.chaos.faults.disk import SmallDisk
from hologram_dagster.chaos.faults.namespaces import Namespace
disk = SmallDisk(Path(sys.argv[1]), 1 << 20)
print(Namespace.create().name, flush=True)
time.sleep(3600)
"""


@pytest.mark.system("root", "iproute2")
def test_what_a_killed_experiment_left_is_removed_and_nothing_of_a_living_one(tmp_path: Path) -> None:
    folder = tmp_path / "a disk"
    folder.mkdir()
    own = Namespace.create()
    maker = start_child([sys.executable, "-c", MAKER, str(folder)], stdout=subprocess.PIPE)
    try:
        assert maker.stdout is not None
        left = maker.stdout.readline().decode().strip()
        assert left in existing()
        assert folder.is_mount()
        assert left not in namespaces.remove_stale()
        assert folder not in unmount_stale()
        maker.kill()
        maker.wait()
        assert left in namespaces.remove_stale()
        assert folder in unmount_stale()
        assert left not in existing()
        assert not folder.is_mount()
        assert own.name in existing()
    finally:
        stop_child(maker)
        remove(own.name)
        namespaces.remove_stale()
        unmount_stale()


def test_what_has_no_mark_has_no_maker() -> None:
    assert maker_lives(mark_of_this_process())
    assert not any(map(maker_lives, ("", "1", "1-", "x-y", "1-2-3", "-1-5")))
