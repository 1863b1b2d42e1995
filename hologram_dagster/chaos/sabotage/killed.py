"""Experiments whose own process is killed, or told to end, in the middle of the fault.

What they broke was not theirs, so the kernel does not bring it back: the guardian must (`leftovers`).
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hologram_dagster.chaos.journal_file import journal_path, read_journal
from hologram_dagster.chaos.sabotage.kv_service import FIXED, KvClient, server_command
from hologram_dagster.chaos.sabotage.victim import NAME, process_lives
from hologram_dagster.errors import HologramError, ServiceError
from hologram_dagster.observation import Status
from hologram_dagster.processes import LOOPBACK, free_port, start_child, stop_child, wait_until

_LIMIT_S = 90.0
_HOLD_S = 60.0
_SHORT_HOLD_S = 0.2


@dataclass(frozen=True, slots=True)
class KilledCase:
    """One signal to the process of the experiment, and what must come of it."""

    name: str
    expected: Status
    number: signal.Signals


KILLED: Sequence[KilledCase] = (
    KilledCase("orchestrator killed", Status.ERROR, signal.SIGKILL),
    KilledCase("orchestrator told to end", Status.INCONCLUSIVE, signal.SIGTERM),
    KilledCase("orchestrator interrupted", Status.INCONCLUSIVE, signal.SIGINT),
)


def carry_out_killed(case: KilledCase | None) -> tuple[Status, str, str]:
    """What came of it, what the witness saw before the signal, and why. None sends no signal.

    A service that is not there afterwards, or a process that stays, is `failed`, whatever the journal says.

    Raises:
        HologramError: it did not come to the fault.
    """
    with tempfile.TemporaryDirectory(prefix="hologram-chaos-") as name:
        folder = Path(name)
        url, pid_file = f"http://{LOOPBACK}:{free_port()}", folder / "pid"
        start = _start_command(folder, url, pid_file)
        client = KvClient(url)
        victim = None
        try:
            subprocess.run(start, check=True)
            if not wait_until(lambda: _healthy(client), timeout_s=_LIMIT_S):
                raise HologramError(f"the service at {url} did not start.")
            for key, value in FIXED.items():
                client.put(key, value)
            hold = str(_SHORT_HOLD_S if case is None else _HOLD_S)
            module = ["-P", "-m", "hologram_dagster.chaos.sabotage.victim"]
            victim = start_child([sys.executable, *module, name, url, str(pid_file), hold, *start])
            path = journal_path(folder, NAME)
            if case is not None:
                _await_fault(path)
                os.kill(victim.pid, case.number)
            wait_until(lambda: _state(path) == "final", timeout_s=_LIMIT_S)
            victim.wait(_LIMIT_S)
            return _judged(folder, client)
        finally:
            if victim is not None:
                stop_child(victim)
            client.close()
            _end(pid_file)


def _judged(folder: Path, client: KvClient) -> tuple[Status, str, str]:
    journal = read_journal(journal_path(folder, NAME))
    witness = next((each["told"] for each in journal["entries"] if each["step"] == "witness"), "")
    if not wait_until(lambda: _healthy(client), timeout_s=_LIMIT_S):
        return Status.FAILED, witness, "the service was left broken"
    if not wait_until(lambda: not _others(folder), timeout_s=_LIMIT_S):
        return Status.FAILED, witness, f"left running: {_others(folder)}"
    return Status(journal["outcome"]), witness, journal["told"]


def _start_command(folder: Path, url: str, pid_file: Path) -> list[str]:
    port = int(url.rpartition(":")[2])
    command = [*server_command(port, folder / "values.jsonl"), "--pid-file", str(pid_file)]
    command += ["--of", str(os.getpid())]
    return ["sh", "-c", f"{shlex.join(command)} >/dev/null 2>&1 </dev/null &"]


def _await_fault(path: Path) -> None:
    def there() -> bool:
        return any(each["step"] == "witness" for each in _read(path).get("entries", ()))

    if not wait_until(there, timeout_s=_LIMIT_S):
        raise HologramError(f"the experiment to be killed did not come to its fault: {_read(path)}")


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_bytes()) if path.exists() else {}


def _state(path: Path) -> str:
    return str(_read(path).get("state", ""))


def _healthy(client: KvClient) -> bool:
    try:
        return client.health() == 200
    except ServiceError:
        return False


def _others(folder: Path) -> list[str]:
    """Command lines of processes that know of `folder` and are not the service's."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().decode(errors="replace").split("\0")
            if any(str(folder) in word for word in words) and "kv_server" not in " ".join(words):
                found.append(" ".join(words).strip())
    return found


def _end(pid_file: Path) -> None:
    """End the service, which nobody else does."""
    if pid_file.exists():
        pid = int(pid_file.read_text())
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not process_lives(pid), timeout_s=_LIMIT_S)
