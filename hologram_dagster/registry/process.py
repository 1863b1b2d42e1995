"""A registry as a child process: started, stopped, killed and restarted.

No process outlives its parent (`processes`); what it acknowledged outlives both.
"""

import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from hologram_dagster.errors import HologramError
from hologram_dagster.processes import start_child, stop_child

# What the process prints before its URL, once it serves. Here, since the server is slow to import.
ANNOUNCEMENT = "listening on "
_START_TIMEOUT_S = 30.0
# More than the server takes to answer what it has accepted.
_STOP_TIMEOUT_S = 20.0
_MAX_LOG_BYTES = 1 << 20


class RegistryProcess:
    """One registry. Its database and log are in `folder`; the port stays over restarts."""

    def __init__(
        self,
        folder: Path,
        *,
        ipfs_api: str,
        port: int,
        tokens: Path | None,
        database: str,
        operation_keys: Path | None,
        strict: bool,
        replica_apis: Sequence[str],
    ) -> None:
        """Prefer `start`, which also starts the process."""
        self._replica_apis = tuple(replica_apis)
        self._operation_keys = operation_keys
        self._strict = strict
        self.folder = folder
        self.database = database
        self._ipfs_api = ipfs_api
        self._port = port
        self._tokens = tokens
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    @classmethod
    def start(
        cls,
        folder: Path,
        *,
        ipfs_api: str,
        port: int = 0,
        tokens: Path | None = None,
        database: str | None = None,
        operation_keys: Path | None = None,
        strict: bool = False,
        replica_apis: Sequence[str] = (),
    ) -> Self:
        """Start a registry over the IPFS node at `ipfs_api`, and wait until it serves.

        `port` 0 takes a free one. `database` is SQLAlchemy's URL (default: an SQLite file
        in `folder`). `operation_keys` is the file of those whose signed operations count;
        `strict` takes no other mutations (see `guard`). `replica_apis` are further nodes that are to hold
        a copy.

        Raises:
            HologramError: it did not start; the text is what it said.
        """
        folder = folder.absolute()
        registry = cls(
            folder,
            ipfs_api=ipfs_api,
            port=port,
            tokens=tokens.absolute() if tokens else None,
            database=database or f"sqlite:///{folder / 'registry.sqlite'}",
            operation_keys=operation_keys.absolute() if operation_keys else None,
            strict=strict,
            replica_apis=replica_apis,
        )
        registry._launch()
        return registry

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def log(self) -> Path:
        """Where the registry writes what went wrong."""
        return self.folder / "registry.log"

    @property
    def port(self) -> int:
        """The TCP port it listens on, also after it was killed."""
        return self._port

    @property
    def pid(self) -> int:
        """The pid of the process started last."""
        return self._started().pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_status(self) -> int | None:
        """What the process started last ended with (negative: the signal); None while it runs."""
        return self._started().poll()

    def kill(self) -> None:
        """SIGKILL, and wait until it is dead."""
        process = self._started()
        process.kill()
        process.wait()

    def stop(self) -> None:
        """End it; it answers first what it has begun. Stopped already is fine."""
        if self._process is not None:
            stop_child(self._process, grace_s=_STOP_TIMEOUT_S)

    def restart(self) -> None:
        """Stop it if it runs, and start it again on the same port and database.

        Raises:
            HologramError: it did not start; the text is what it said.
        """
        self.stop()
        self._launch()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise HologramError("the registry was never started.")
        return self._process

    def _command(self) -> list[str]:
        command = [sys.executable, "-P", "-m", "hologram_dagster.registry.server"]
        command += ["--port", str(self._port), "--database", self.database, "--ipfs-api", self._ipfs_api]
        for option, path in (("--tokens", self._tokens), ("--operation-keys", self._operation_keys)):
            if path is not None:
                command += [option, str(path)]
        for api in self._replica_apis:
            command += ["--replica-api", api]
        return [*command, "--strict"] if self._strict else command

    def _launch(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            large = self.log.exists() and self.log.stat().st_size > _MAX_LOG_BYTES
            log = self.log.open("wb" if large else "ab")
        except OSError as error:
            raise HologramError(f"cannot write in {self.folder}: {error.strerror}.") from error
        with log:
            said_before = log.tell()
            self._process = start_child(self._command(), cwd=self.folder, stdout=subprocess.PIPE, stderr=log)
        try:
            self.url = self._announced(self._process)
        except BaseException:
            stop_child(self._process)
            raise
        if not self.url:
            stop_child(self._process)
            said = self.log.read_bytes()[said_before:].decode(errors="replace").strip().splitlines()
            reason = said[-1] if said else f"it gave no sign within {_START_TIMEOUT_S:.0f} s"
            raise HologramError(f"the registry did not start: {reason}")
        self._port = urlsplit(self.url).port or self._port

    @staticmethod
    def _announced(process: subprocess.Popen[bytes]) -> str:
        """The URL it announces; empty when it ends, or the time is over, before it does."""
        deadline = time.monotonic() + _START_TIMEOUT_S
        pipe = process.stdout
        if pipe is None:
            return ""
        said = b""
        while not said.endswith(b"\n"):
            readable, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(pipe.fileno(), 4096) if readable else b""
            if not chunk:
                return ""
            said += chunk
        return said.decode().strip().removeprefix(ANNOUNCEMENT)
