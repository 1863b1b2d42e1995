"""Killing, freezing and starting the process of a service, ours or the user's.

What belongs here: what is done to a process, and what the kernel says of it. What does not: the
traffic to it (`proxy`, `link`).
"""

import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hologram_dagster.errors import HologramError
from hologram_dagster.policy import ServiceCommands
from hologram_dagster.processes import scrubbed_environment
from hologram_dagster.secrets.redactor import redact

_COMMAND_TIMEOUT_S = 60
_QUOTED = 300
_DEAD = "ZX"
_STOPPED = "T"


class Killable(Protocol):
    """A service that can be killed and started again (`IpfsNode`, `RegistryProcess`, `UserService`)."""

    def kill(self) -> None:
        """End it as a crash would."""

    def restart(self) -> None:
        """Start it again where it was; returns when it serves, or was told to."""


@dataclass(frozen=True, slots=True)
class Incarnation:
    """One life of a process: its pid, and when it began, as pids are used again."""

    pid: int
    began_ticks: int

    @classmethod
    def of(cls, pid: int) -> "Incarnation":
        """The process that has `pid` now.

        Raises:
            HologramError: none has.
        """
        stat = _stat(pid)
        if stat is None:
            raise HologramError(f"there is no process {pid}.")
        return cls(pid, stat[1])

    @property
    def alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        stat = _stat(self.pid)
        return stat is not None and stat[1] == self.began_ticks and stat[0] not in _DEAD

    @property
    def frozen(self) -> bool:
        """Whether it is stopped by a signal."""
        stat = _stat(self.pid)
        return stat is not None and stat[1] == self.began_ticks and stat[0] == _STOPPED


def _stat(pid: int) -> tuple[str, int] | None:
    """State and start time (clock ticks since boot) of a process, by proc(5)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name, in parentheses, may hold anything.
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[19])


def freeze(pid: int) -> None:
    """SIGSTOP: it keeps its ports and connections, and answers nothing."""
    _send(pid, signal.SIGSTOP)


def thaw(pid: int) -> None:
    """SIGCONT; a process that has gone meanwhile is fine."""
    with suppress(HologramError):
        _send(pid, signal.SIGCONT)


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError) as error:
        raise HologramError(f"cannot send {number.name} to process {pid}: {error.strerror}.") from error


def start_late(service: Killable, delay_s: float, *, give_up: threading.Event | None = None) -> None:
    """Start a dead service `delay_s` seconds from now, as one does that is slow to come up.

    `give_up` starts it at once: a rollback need not wait.
    """
    (give_up or threading.Event()).wait(delay_s)
    service.restart()


@dataclass(frozen=True, slots=True)
class UserService:
    """A service of the user's, killed and started by the commands that `hologram.toml` names."""

    name: str
    kill_command: Sequence[str]
    start_command: Sequence[str]

    def kill(self) -> None:
        """Run the user's kill command.

        Raises:
            HologramError: it failed.
        """
        self._run("kill", self.kill_command)

    def restart(self) -> None:
        """Run the user's start command.

        Raises:
            HologramError: it failed.
        """
        self._run("start", self.start_command)

    def _run(self, what: str, command: Sequence[str]) -> None:
        told = f"the command that would {what} {self.name}"
        try:
            done = subprocess.run(
                command,
                env=scrubbed_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=_COMMAND_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise HologramError(f"{told} did not end within {_COMMAND_TIMEOUT_S} s.") from None
        except (OSError, ValueError) as error:
            raise HologramError(f"{told} cannot be run: {error}.") from error
        if done.returncode:
            said = redact(done.stderr.decode(errors="replace").strip())[-_QUOTED:]
            raise HologramError(f"{told} ended with status {done.returncode}: {said or '(no message)'}")


def user_service(name: str, commands: ServiceCommands | None) -> UserService | str:
    """The user's service `name`, or, where no commands are configured for it, why nothing can kill it."""
    if commands is None:
        return (
            f"{name} was not started by this run: to have it killed and started, name the commands "
            f"under [chaos.{name}] in hologram.toml"
        )
    return UserService(name, commands.kill, commands.start)
