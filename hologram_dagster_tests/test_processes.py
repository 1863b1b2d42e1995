"""Children never outlive us, and get nothing secret."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from hologram_dagster.processes import (
    LOOPBACK,
    free_port,
    listening,
    scrubbed_environment,
    start_child,
    stop_child,
    wait_until,
)

pytestmark = pytest.mark.phase3_runtime

HANG = [sys.executable, "-c", "import time; time.sleep(600)"]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_kill_9_of_the_parent_leaves_no_child(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import threading, time
            from hologram_dagster.processes import start_child
            pids = []
            # A thread that has ended must not take its child with it, nor keep it.
            thread = threading.Thread(target=lambda: pids.append(start_child({HANG!r}).pid))
            thread.start(); thread.join()
            time.sleep(0.3)
            print(pids[0], flush=True)
            time.sleep(600)
            """
        )
    )
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert _alive(child), "the child outlives the thread that asked for it"
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert wait_until(lambda: not _alive(child), timeout_s=10)


def test_stop_ends_a_child_that_ignores_sigterm() -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print(1, flush=True); time.sleep(600)"
    )
    child = start_child([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    stop_child(child, grace_s=0.2)
    assert child.returncode == -signal.SIGKILL


def test_a_command_that_is_not_there_says_so() -> None:
    child = start_child(["/no/such/command"], stderr=subprocess.PIPE)
    _, errors = child.communicate(timeout=30)
    assert child.returncode != 0
    assert b"cannot run /no/such/command" in errors


def test_children_get_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHQL_TOKEN", "sesame")
    monkeypatch.setenv("HOLOGRAM_SIGNING_KEY", "pem")
    child = start_child([sys.executable, "-c", "import os; print(dict(os.environ))"], stdout=subprocess.PIPE)
    output, _ = child.communicate(timeout=30)
    assert b"sesame" not in output
    assert b"pem" not in output
    assert set(scrubbed_environment()) <= set(os.environ) | {"PYTHONUNBUFFERED"}


def test_free_port_can_be_listened_on() -> None:
    assert 1024 < free_port() < 65536


def test_what_a_server_accepts_is_not_held_back() -> None:
    with listening(LOOPBACK, 0) as server, socket.create_connection(server.getsockname()):
        accepted, _ = server.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_is_listened_on_once() -> None:
    with listening(LOOPBACK, 0) as server, pytest.raises(OSError, match="in use"):
        listening(LOOPBACK, server.getsockname()[1])
