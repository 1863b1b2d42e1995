"""Child processes that never outlive us, and free loopback ports.

What belongs here: starting, waiting for and stopping children, whatever they are.
What does not: what a child serves (see `ipfs`, `registry`, `target`).
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

LOOPBACK = "127.0.0.1"
_LIFELINE = Path(__file__).with_name("_lifeline.py")
# What a child needs of our environment; everything else (tokens, keys, webhooks) stays here.
_HARMLESS = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "SYSTEMROOT", "LD_LIBRARY_PATH")


@cache
def _spawner() -> ThreadPoolExecutor:
    # The kernel counts the death of the *thread* that forked as the parent's death
    # (prctl(2)), so one thread that lives as long as the process starts all children.
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


def scrubbed_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a child: paths and locale, nothing secret, plus `extra`."""
    kept = {name: os.environ[name] for name in _HARMLESS if name in os.environ}
    return {**kept, "PYTHONUNBUFFERED": "1", **(extra or {})}


def start_child(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: int | IO[Any] = subprocess.DEVNULL,
    stdout: int | IO[Any] = subprocess.DEVNULL,
    stderr: int | IO[Any] = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start `command` in its own session; the kernel kills it when this process dies.

    `env` is the whole environment (default: `scrubbed_environment()`). The returned
    process has the pid of the command itself.
    """
    return (
        _spawner()
        .submit(
            subprocess.Popen,
            [sys.executable, "-I", "-S", str(_LIFELINE), str(os.getpid()), *command],
            cwd=cwd,
            env=dict(scrubbed_environment() if env is None else env),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        .result()
    )


def stop_child(process: subprocess.Popen[bytes], *, grace_s: float = 5.0) -> None:
    """SIGTERM, up to `grace_s` seconds of patience, then SIGKILL to its whole group."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace_s)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()


def wait_until(condition: Callable[[], bool], *, timeout_s: float, every_s: float = 0.02) -> bool:
    """Poll `condition` until it holds (True) or `timeout_s` seconds have passed (False)."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(every_s)
    return True


def listening(host: str, port: int, *, backlog: int = 2048) -> socket.socket:
    """A TCP socket that listens on `host` and `port` (0 takes a free one), whose answers are not held back.

    What is accepted inherits TCP_NODELAY; asyncio sets it only where a socket names its protocol. Without
    it, the second piece of an answer can wait for the client's delayed acknowledgement, 40 ms (tcp(7)).

    Raises:
        OSError: the port is taken, or not allowed.
        OverflowError: there is no such port.
    """
    listener = socket.create_server((host, port), backlog=backlog)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def free_port() -> int:
    """A TCP port on the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
