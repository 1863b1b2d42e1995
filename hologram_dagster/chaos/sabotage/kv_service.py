"""The process of a key-value service (`kv_server`), and its client."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import httpx

from hologram_dagster.errors import HologramError, ServiceError, ServiceTimeoutError
from hologram_dagster.processes import LOOPBACK, free_port, start_child, stop_child, wait_until

_START_TIMEOUT_S = 60.0
_TIMEOUT_S = 5.0
FIXED: Mapping[str, str] = {f"fixed-{number}": f"value {number}" for number in range(3)}


class KvClient:
    """Speaks to a service; safe to use from several threads."""

    def __init__(self, url: str, *, timeout_s: float = _TIMEOUT_S) -> None:
        self.url = url
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=32)
        self._http = httpx.Client(base_url=url, timeout=timeout_s, trust_env=False, limits=limits)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def health(self) -> int:
        """The status of `/health`.

        Raises:
            ServiceError: no answer.
        """
        return self._ask("GET", "/health").status_code

    def get(self, key: str) -> str | None:
        """A value; None where there is none.

        Raises:
            ServiceError: no answer, or another status.
        """
        answer = self._ask("GET", f"/k/{key}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return self._good(answer).text

    def put(self, key: str, value: str) -> None:
        """Write a value.

        Raises:
            ServiceError: it was not acknowledged.
        """
        self._good(self._ask("PUT", f"/k/{key}", value))

    def state(self) -> dict[str, str]:
        """What of the fixed keys is there."""
        return {key: value for key in FIXED if (value := self.get(key)) is not None}

    def _ask(self, method: str, path: str, body: str | None = None) -> httpx.Response:
        try:
            return self._http.request(method, path, content=body)
        except httpx.TimeoutException as error:
            raise ServiceTimeoutError(f"no answer in time from {self.url}") from error
        except httpx.HTTPError as error:
            raise ServiceError(f"no answer from {self.url}: {error or type(error).__name__}") from error

    def _good(self, answer: httpx.Response) -> httpx.Response:
        if answer.is_success:
            return answer
        raise ServiceError(f"{self.url} answered with status {answer.status_code}")


def server_command(port: int, values: Path, spoil: str = "") -> list[str]:
    """The command that serves."""
    command = [sys.executable, "-P", "-m", "hologram_dagster.chaos.sabotage.kv_server"]
    return [*command, "--port", str(port), "--file", str(values), "--spoil", spoil]


class KvService:
    """A running service. `KvService.start(folder)` starts one; a context manager ends it."""

    def __init__(self, folder: Path, port: int, spoil: str, timeout_s: float) -> None:
        """Prefer `start`."""
        self._folder = folder
        self._port = port
        self._spoil = spoil
        self.url = f"http://{LOOPBACK}:{port}"
        self.client = KvClient(self.url, timeout_s=timeout_s)
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls, folder: Path, *, spoil: str = "", timeout_s: float = _TIMEOUT_S) -> Self:
        """Start one with the fixed keys in it; `spoil` as in `kv_server`, `timeout_s` its client's patience.

        Raises:
            HologramError: it does not answer.
        """
        folder.mkdir(parents=True, exist_ok=True)
        service = cls(folder, free_port(), spoil, timeout_s)
        try:
            service.restart()
            for key, value in FIXED.items():
                service.client.put(key, value)
        except BaseException:
            service.close()
            raise
        return service

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Process ID; 0 where none runs."""
        return self._process.pid if self._process is not None else 0

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            stop_child(self._process)

    def restart(self) -> None:
        """Start it where it was, unless it runs; returns when it listens.

        Raises:
            HologramError: it does not listen.
        """
        if self.alive:
            return
        values = self._folder / "values.jsonl"
        mute = self._spoil == "mute" and values.exists()
        self._process = start_child(server_command(self._port, values, self._spoil))
        if not mute and not wait_until(self._answers, timeout_s=_START_TIMEOUT_S):
            raise HologramError(f"the service at {self.url} did not start.")

    def close(self) -> None:
        """End it. Twice is fine."""
        self.kill()
        self.client.close()

    def _answers(self) -> bool:
        try:
            return self.alive and bool(self.client.health())
        except ServiceError:
            return False
