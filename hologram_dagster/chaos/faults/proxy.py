"""A TCP proxy in a process of its own, through which a service is reached badly.

What belongs here: starting it and telling it what to do. What does not: how it does it
(`proxy_server`), and what can be done (`toxics`).
"""

import json
import os
import select
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from hologram_dagster.chaos.faults.toxics import Toxic, as_json
from hologram_dagster.errors import HologramError, ServiceError, ServiceTimeoutError
from hologram_dagster.processes import LOOPBACK, start_child, stop_child

_START_TIMEOUT_S = 60.0
# It only changes its mind; a busy host may still take its time.
_ANSWER_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """What went through a proxy since it started.

    `up_bytes` and `down_bytes` passed on, `flipped` bits, connections in all, `open` now, `reset` by
    a toxic, and `unreachable`: those for which the service could not be reached. `afflicted`: the
    newest decisions, as connection number, way and kind of toxic.
    """

    connections: int
    open: int
    reset: int
    unreachable: int
    up_bytes: int
    down_bytes: int
    flipped: int
    afflicted: tuple[tuple[int, str, str], ...]


class Proxy:
    """A running proxy. `Proxy.start(url, seed=...)` starts one; a context manager ends it.

    Safe to use from several threads.
    """

    def __init__(self, process: subprocess.Popen[bytes], service_url: str, host: str) -> None:
        """Prefer `start`."""
        self._process = process
        self._mutex = threading.Lock()
        self._service = urlsplit(service_url)
        self._host = host
        self.port = 0

    @classmethod
    def start(
        cls,
        service_url: str,
        *,
        seed: int,
        port: int = 0,
        host: str = LOOPBACK,
        namespace: str | None = None,
    ) -> Self:
        """Start a proxy to the service at `service_url` (`http://host:port/...`).

        It listens on `host` and `port` (0 takes a free one), and connects from `namespace` if that
        is given. `seed` decides every random choice.

        Raises:
            HologramError: it did not start, or the URL has no port.
        """
        service = urlsplit(service_url)
        if service.hostname is None or service.port is None:
            raise HologramError(f"a fault proxy needs a service URL with host and port, not {service_url!r}.")
        command = [sys.executable, "-P", "-m", "hologram_dagster.chaos.faults.proxy_server"]
        command += ["--host", service.hostname, "--port", str(service.port), "--seed", str(seed)]
        command += ["--listen-host", host, "--listen-port", str(port)]
        if namespace is not None:
            command += ["--namespace", namespace]
        process = start_child(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        proxy = cls(process, service_url, host)
        try:
            proxy.port = int(proxy._answer(_START_TIMEOUT_S)["port"])
        except BaseException:
            proxy.stop()
            raise
        return proxy

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The service's URL, by way of the proxy."""
        return self._service._replace(netloc=f"{self._host}:{self.port}").geturl()

    @property
    def pid(self) -> int:
        """Process ID of the proxy."""
        return self._process.pid

    def impose(self, *toxics: Toxic) -> None:
        """Have these toxics, and no others, in force from now on, for open connections, too."""
        self._tell(f'{{"impose": {as_json(toxics)}}}')

    def clear(self) -> None:
        """Let everything through as it comes."""
        self.impose()

    def refuse(self) -> None:
        """Reset all connections, and refuse new ones."""
        self._tell('{"listen": false}')

    def accept(self) -> None:
        """End `refuse`."""
        self._tell('{"listen": true}')

    def traffic(self) -> Traffic:
        """What went through so far."""
        said = self._tell('{"stats": true}')
        said["up_bytes"], said["down_bytes"] = said.pop("up"), said.pop("down")
        said["afflicted"] = tuple((number, way, kind) for number, way, kind in said["afflicted"])
        return Traffic(**said)

    def stop(self) -> None:
        """End the proxy; every connection through it breaks. Twice is fine."""
        stop_child(self._process)

    def _tell(self, command: str) -> dict[str, Any]:
        """Send one command; the answer.

        Raises:
            ServiceError: the proxy has died, or refuses.
        """
        stdin = self._process.stdin
        assert stdin is not None
        with self._mutex:
            with suppress(OSError, ValueError):  # a dead proxy gives no answer either
                stdin.write(command.encode() + b"\n")
                stdin.flush()
            return self._answer(_ANSWER_TIMEOUT_S)

    def _answer(self, timeout_s: float) -> dict[str, Any]:
        pipe = self._process.stdout
        assert pipe is not None
        deadline = time.monotonic() + timeout_s
        said = b""
        while not said.endswith(b"\n"):
            if pipe.closed:
                raise ServiceError("the fault proxy was stopped.")
            readable, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
            if not readable:
                raise ServiceTimeoutError(f"the fault proxy gave no answer within {timeout_s:g} s.")
            piece = os.read(pipe.fileno(), 1 << 16)
            if not piece:
                raise ServiceError("the fault proxy has died.")
            said += piece
        answer: dict[str, Any] = json.loads(said)
        if "error" in answer:
            raise ServiceError(str(answer["error"]))
        return answer
