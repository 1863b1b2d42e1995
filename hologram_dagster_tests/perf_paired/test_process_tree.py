"""What the kernel tells of a process and its descendants, asked of real ones."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from hologram_dagster.errors import HologramError
from hologram_dagster.perf.paired import process_tree
from hologram_dagster.perf.paired.process_tree import (
    LostProcessError,
    ProcessTree,
    has_cpu_clock,
    usable_cores,
)
from hologram_dagster.processes import start_child, stop_child, wait_until

pytestmark = pytest.mark.phase6_perf

_PARENT_OF_ONE = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]]); input()"
_BURN = "import time\nwhile time.process_time() < 0.2: pass\nprint('burnt', flush=True)\ntime.sleep(600)"


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits for a child, which burns 0.2 s and then sleeps."""
    process = start_child(
        [sys.executable, "-c", _PARENT_OF_ONE, _BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    assert process.stdout.readline() == b"burnt\n"
    yield process
    stop_child(process)


def test_cpu_time_is_summed_over_the_tree(parent: subprocess.Popen[bytes]) -> None:
    tree = ProcessTree(parent.pid)
    assert len(tree.pids) == 2
    assert tree.cpu_ns() >= 200_000_000
    assert all(has_cpu_clock(pid) for pid in tree.pids)


def test_a_lost_process_is_no_time(parent: subprocess.Popen[bytes]) -> None:
    tree = ProcessTree(parent.pid)
    before = tree.faults_of_ended_children()
    os.kill(tree.pids[1], 9)
    assert wait_until(lambda: tree.faults_of_ended_children() != before, timeout_s=10)
    with pytest.raises(LostProcessError):
        tree.cpu_ns()
    tree.refresh()
    assert tree.pids == (parent.pid,)


def test_pinning_reaches_threads_and_children(parent: subprocess.Popen[bytes]) -> None:
    core, tree = usable_cores()[-1], ProcessTree(parent.pid)
    tree.pin(core)
    assert all(os.sched_getaffinity(pid) == {core} for pid in tree.pids)
    assert not tree.left_core(core)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="leaving a core takes a second one")
def test_leaving_the_core_is_seen(parent: subprocess.Popen[bytes]) -> None:
    first, second = usable_cores()[:2]
    tree = ProcessTree(parent.pid)
    tree.pin(first)
    os.sched_setaffinity(tree.pids[1], {second})
    assert tree.left_core(first)


def test_a_port_belongs_to_who_listens(parent: subprocess.Popen[bytes]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as ours:
        port = ours.getsockname()[1]
        assert ProcessTree(os.getpid()).listens_on(port)
        assert not ProcessTree(parent.pid).listens_on(port)


def test_no_clock_of_a_process_that_is_gone() -> None:
    process = start_child([sys.executable, "-c", ""])
    process.wait()
    assert not has_cpu_clock(process.pid)


def test_a_system_that_cannot_pin_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    with pytest.raises(HologramError, match="compare on Linux"):
        process_tree.pin_thread(0, 0)
    monkeypatch.delattr(os, "sched_getaffinity")
    with pytest.raises(HologramError, match="cannot pin"):
        usable_cores()


def test_a_clock_of_ours_runs() -> None:
    tree = ProcessTree(os.getpid())
    before, until = tree.cpu_ns(), time.process_time() + 0.02
    while time.process_time() < until:
        pass
    assert tree.cpu_ns() - before >= 15_000_000
