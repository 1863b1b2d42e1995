"""One launch seen from the gate: its process, its deadline, what it answered.

What belongs here: running `client_process` and turning whatever comes back into samples
or a fault. What does not: what happens inside (`loop`), what the samples mean (`samples`).
"""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

import hologram_dagster
from hologram_dagster.errors import HologramError
from hologram_dagster.perf.paired.http_caller import last_lines
from hologram_dagster.perf.paired.job import Gc, Job, LaunchSamples, Reply, Servers, Workers
from hologram_dagster.perf.paired.schedule import Schedule
from hologram_dagster.processes import scrubbed_environment, start_child, stop_child

_CLIENT = "hologram_dagster.perf.paired.client_process"
_SOURCES = Path(hologram_dagster.__file__).parents[1]


class LaunchError(HologramError):
    """A launch is no measurement: a side broke, hung, or answered wrongly."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, s: for an answer, and for a whole launch."""

    answer_s: float = 20.0
    launch_s: float = 90.0


def run_launch(
    target: Workers | Servers, schedule: Schedule, *, core: int, gc: Gc, patience: Patience
) -> LaunchSamples:
    """Carry out one launch.

    Raises:
        LaunchError: it is no measurement; the text says why and ends with the last lines of who broke.
    """
    with tempfile.TemporaryDirectory(prefix="hologram-launch-") as folder:
        logs = Path(folder)
        job = Job(target=target, schedule=schedule, core=core, gc=gc, deadline_s=patience.answer_s, logs=logs)
        errors = logs / "client.log"
        with errors.open("wb") as stderr:
            process = start_child(
                # -P: the folder we are called in may hold another revision of ourselves.
                [sys.executable, "-P", "-m", _CLIENT],
                env=scrubbed_environment({"PYTHONPATH": str(_SOURCES)}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
        try:
            output, _ = process.communicate(job.model_dump_json().encode(), timeout=patience.launch_s)
        except subprocess.TimeoutExpired:
            raise LaunchError(
                f"the launch took more than {patience.launch_s:g} s and was stopped{_all_lines(logs)}"
            ) from None
        finally:
            stop_child(process, grace_s=0)
        if process.returncode:
            raise LaunchError(
                f"the launch's process ended with exit code {process.returncode}{_all_lines(logs)}"
            )
        return _understand(output, logs)


def _understand(output: bytes, logs: Path) -> LaunchSamples:
    try:
        reply = Reply.model_validate_json(output)
    except ValidationError:
        raise LaunchError(f"the launch's process did not answer with a launch{_all_lines(logs)}") from None
    if reply.samples is None:
        raise LaunchError(reply.fault or "the launch's process gave neither samples nor a reason")
    return reply.samples


def _all_lines(logs: Path) -> str:
    return "".join(last_lines(log) for log in sorted(logs.glob("*.log")))
