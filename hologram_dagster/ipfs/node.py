"""An embedded IPFS node as a child process.

What belongs here: starting, killing and restarting such a child. What does not: what it
serves (see `server`), and talking to it (see `client`).
"""

import json
import os
import select
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from hologram_dagster.errors import HologramError
from hologram_dagster.ipfs.library import KUBO_VERSION, WORK_FOLDER
from hologram_dagster.processes import LOOPBACK, start_child, stop_child

START_TIMEOUT_S = 60.0
LOG_NAME = "node.log"
_TAIL_LINES = 15
# A process that closed its output is about to end.
_EXIT_S = 2.0


class IpfsNode:
    """A running node (libkubo behind our RPC) on the loopback. Make one with `start`.

    What the node acknowledged (`add`, `pin/add`) survives its death by any signal, and is
    there after `restart` without repair. That is process death, not power loss: the
    library syncs its files, but nobody has pulled a plug on it here. The kernel kills the
    node when this process dies, and frees its ports and `repo.lock` with it.
    """

    # What serves, for people; and the name of its repository's folder.
    provider: ClassVar[str] = f"libkubo {KUBO_VERSION}, embedded"
    repository: ClassVar[str] = "ipfs"

    def __init__(self, repo: Path, process: subprocess.Popen[bytes], report: dict[str, Any]) -> None:
        self.repo = repo
        self.peer_id: str = report["peer_id"]
        self.swarm_address: str = report["swarm_address"]
        self._api_port = int(report["api_port"])
        self._swarm_port = int(self.swarm_address.split("/")[4])
        self._process = process

    @classmethod
    def start(
        cls, repo: Path, *, api_port: int = 0, swarm_port: int = 0, timeout_s: float = START_TIMEOUT_S
    ) -> Self:
        """Start a node on the repository folder `repo`, created if absent; returns when it serves.

        Port 0 takes a free one; `restart` keeps what was taken.

        Raises:
            HologramError: libkubo is not available here, a port or the repository is in
                use, or the node does not serve within `timeout_s` seconds. The text holds
                the reason or the last lines of the node's log.
        """
        repo = repo.absolute()
        return cls(repo, *cls._launch(repo, api_port, swarm_port, timeout_s))

    @property
    def api_url(self) -> str:
        """URL of the RPC, without a path: what `IPFS_API` takes."""
        return f"http://{LOOPBACK}:{self._api_port}"

    @property
    def api_port(self) -> int:
        """TCP port of the RPC."""
        return self._api_port

    @property
    def pid(self) -> int:
        """Process ID of the node, of the last one if it is dead."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    @property
    def log_path(self) -> Path:
        """The node's log: errors only, at most a few MiB; the last run's is beside it, `.1`."""
        return self.repo / WORK_FOLDER / LOG_NAME

    def kill(self) -> None:
        """SIGKILL, and wait until the process is gone."""
        self._process.kill()
        stop_child(self._process)

    def stop(self) -> None:
        """End the node in order: SIGTERM, and SIGKILL if that does not do."""
        stop_child(self._process)

    def restart(self, *, timeout_s: float = START_TIMEOUT_S) -> None:
        """Stop the node if it runs, and start it again: same repository, peer ID and ports.

        Raises:
            HologramError: as `start`.
        """
        self.stop()
        self._process, report = self._launch(self.repo, self._api_port, self._swarm_port, timeout_s)
        # Another peer ID where the repository was removed meanwhile.
        self.peer_id, self.swarm_address = report["peer_id"], report["swarm_address"]

    @classmethod
    def _launch(
        cls, repo: Path, api_port: int, swarm_port: int, timeout_s: float
    ) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
        log = repo / WORK_FOLDER / LOG_NAME
        command = [sys.executable, "-P", "-m", "hologram_dagster.ipfs.server"]
        command += ["--repo", str(repo), "--api-port", str(api_port), "--swarm-port", str(swarm_port)]
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            if log.exists():
                log.replace(log.with_name(f"{LOG_NAME}.1"))
            with log.open("ab") as stream:
                process = start_child(command, cwd=repo, stdout=subprocess.PIPE, stderr=stream)
        except OSError as error:
            raise HologramError(f"cannot write the IPFS repository {repo}: {error.strerror}") from None
        try:
            report = _read_report(process, timeout_s)
            if "error" in report:
                raise HologramError(str(report["error"]))
        except _NoReportError as error:
            stop_child(process)
            raise HologramError(f"the IPFS node of {repo} {error}. {tail_of(log)}") from None
        except BaseException:
            stop_child(process)
            raise
        assert process.stdout is not None
        process.stdout.close()
        return process, report

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def tail_of(log: Path) -> str:
    """The last lines of a log, in one line with its path."""
    tail = " | ".join(log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]) or "(empty)"
    return f"The end of {log}: {tail}"


class _NoReportError(Exception):
    """The node did not say that it serves; the text says how."""


def _read_report(process: subprocess.Popen[bytes], timeout_s: float) -> dict[str, Any]:
    """The JSON line of a starting node."""
    assert process.stdout is not None
    handle = process.stdout.fileno()
    deadline = time.monotonic() + timeout_s
    received = b""
    while not received.endswith(b"\n"):
        ready, _, _ = select.select([handle], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise _NoReportError(f"does not serve after {timeout_s:g} s")
        piece = os.read(handle, 65536)
        if not piece:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_EXIT_S)
            raise _NoReportError(f"ended with exit code {process.returncode}")
        received += piece
    report: dict[str, Any] = json.loads(received)
    return report
