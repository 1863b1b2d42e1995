"""Killing, freezing and starting real services, and what is seen of it from outside."""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest

from hologram_dagster.chaos.faults.proxy import Proxy
from hologram_dagster.chaos.faults.services import (
    Incarnation,
    Killable,
    UserService,
    freeze,
    start_late,
    thaw,
    user_service,
)
from hologram_dagster.chaos.faults.toxics import Latency, Reset
from hologram_dagster.chaos.faults.witness import Reach, bytes_per_s, reach, round_trips_ms
from hologram_dagster.errors import HologramError, ServiceError, SettingsError
from hologram_dagster.policy import parse_policy
from hologram_dagster.processes import LOOPBACK, free_port, start_child, stop_child, wait_until
from hologram_dagster.registry.process import RegistryProcess

pytestmark = [pytest.mark.phase9_chaos, pytest.mark.phase3_runtime]

HANG_S = 60.0


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryProcess]:
    nobody = f"http://{LOOPBACK}:{free_port()}"
    with RegistryProcess.start(tmp_path_factory.mktemp("registry"), ipfs_api=nobody) as started:
        yield started


@pytest.fixture
def health(registry: RegistryProcess) -> str:
    if not registry.alive:
        registry.restart()
    return urljoin(registry.url, "/health")


def lives(life: Incarnation) -> bool:
    return life.alive


def test_a_kill_is_seen(registry: RegistryProcess, health: str) -> None:
    assert reach(health, timeout_s=HANG_S) is Reach.ANSWERS
    before = Incarnation.of(registry.pid)
    assert lives(before)
    registry.kill()
    assert not lives(before)
    assert reach(health, timeout_s=HANG_S) is Reach.REFUSED
    registry.restart()
    assert reach(health, timeout_s=HANG_S) is Reach.ANSWERS
    after = Incarnation.of(registry.pid)
    assert lives(after)
    assert after != before


def test_a_freeze_is_seen(registry: RegistryProcess, health: str) -> None:
    life = Incarnation.of(registry.pid)
    freeze(registry.pid)
    try:
        assert wait_until(lambda: life.frozen, timeout_s=HANG_S)
        assert life.alive
        assert reach(health, timeout_s=0.3) is Reach.SILENT
    finally:
        thaw(registry.pid)
    assert reach(health, timeout_s=HANG_S) is Reach.ANSWERS
    assert not life.frozen


def test_a_slow_start_is_seen(registry: RegistryProcess, health: str) -> None:
    registry.kill()
    began = time.monotonic()
    starting = threading.Thread(target=start_late, args=(registry, 0.5))
    starting.start()
    assert reach(health, timeout_s=HANG_S) is Reach.REFUSED
    starting.join(HANG_S)
    assert time.monotonic() - began >= 0.5
    assert reach(health, timeout_s=HANG_S) is Reach.ANSWERS


def test_a_rollback_need_not_wait_for_a_slow_start(registry: RegistryProcess, health: str) -> None:
    registry.kill()
    give_up = threading.Event()
    starting = threading.Thread(target=start_late, args=(registry, 3600), kwargs={"give_up": give_up})
    starting.start()
    give_up.set()
    starting.join(HANG_S)
    assert reach(health, timeout_s=HANG_S) is Reach.ANSWERS


def test_a_zombie_and_a_pid_used_again_are_not_alive() -> None:
    child = start_child([sys.executable, "-c", "pass"])
    try:
        life = Incarnation.of(child.pid)
        # Nobody waits for it yet, so its pid is still there.
        assert wait_until(lambda: not life.alive, timeout_s=HANG_S)
    finally:
        stop_child(child)
    own = Incarnation.of(os.getpid())
    assert own.alive
    assert not Incarnation(own.pid, own.began_ticks - 1).alive
    with pytest.raises(HologramError, match=str(child.pid)):
        Incarnation.of(child.pid)


def test_signals_to_nobody() -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as gone:
        gone.wait()
    with pytest.raises(HologramError, match=f"SIGSTOP to process {gone.pid}"):
        freeze(gone.pid)
    thaw(gone.pid)


def test_a_proxy_is_seen_from_outside(health: str) -> None:
    with Proxy.start(health, seed=1) as proxy:
        plain = min(round_trips_ms(proxy.url, times=3))
        proxy.impose(Latency(delay_ms=100))
        assert min(round_trips_ms(proxy.url, times=2)) >= plain / 2 + 199
        proxy.impose(Reset())
        assert reach(proxy.url, timeout_s=HANG_S) in {Reach.RESET, Reach.REFUSED}
        with pytest.raises(ServiceError, match="no answer to time"):
            round_trips_ms(proxy.url, times=1)


def test_throughput() -> None:
    def transfer() -> int:
        time.sleep(0.1)
        return 1000

    assert 10 < bytes_per_s(transfer) <= 10_000


def test_a_users_service_is_killed_and_started_by_their_commands(tmp_path: Path) -> None:
    mark = tmp_path / "it's here"
    service: Killable = UserService("ipfs", ("rm", str(mark)), ("touch", str(mark)))
    service.restart()
    assert mark.exists()
    service.kill()
    assert not mark.exists()


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ((sys.executable, "-c", "import sys; sys.exit('password=hunter2hunter2 no')"), "status 1"),
        (("no-such-program-anywhere",), "cannot be run"),
        (("a\0b",), "cannot be run"),
    ],
)
def test_a_users_command_that_fails_is_told(command: tuple[str, ...], told: str) -> None:
    service = UserService("registry", command, command)
    with pytest.raises(HologramError, match=f"kill registry.*{told}") as caught:
        service.kill()
    assert "hunter2" not in str(caught.value)
    with pytest.raises(HologramError, match=f"start registry.*{told}"):
        service.restart()


def test_a_users_service_without_commands_cannot_be_killed() -> None:
    policy = parse_policy(
        b'[chaos.ipfs]\nkill = ["docker", "kill", "ipfs"]\nstart = ["docker", "start", "ipfs"]\n', where="f"
    )
    service = user_service("ipfs", policy.chaos.ipfs)
    assert service == UserService("ipfs", ("docker", "kill", "ipfs"), ("docker", "start", "ipfs"))
    why = user_service("registry", policy.chaos.registry)
    assert isinstance(why, str)
    assert "[chaos.registry] in hologram.toml" in why


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b'[chaos.ipfs]\nkill = ["x"]\n', "chaos.ipfs.start"),
        (b'[chaos.ipfs]\nkill = []\nstart = ["x"]\n', "line 2: chaos.ipfs.kill"),
        (b'[chaos.disk]\nkill = ["x"]\nstart = ["x"]\n', "chaos.disk"),
    ],
)
def test_commands_that_are_malformed_are_named(text: bytes, told: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(told)):
        parse_policy(text, where="hologram.toml")
