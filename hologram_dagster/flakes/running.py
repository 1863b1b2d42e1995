"""Running a target's tests: one run, its result files, and whether its exit code is accounted for."""

import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hologram_dagster.errors import HologramError
from hologram_dagster.flakes.attempts import Attempt, Outcome, TestRun
from hologram_dagster.flakes.results import read_folder
from hologram_dagster.processes import scrubbed_environment, start_child, stop_child

RESULTS = "{results}"
_LAST_LINES = 10
_LAST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of a test command: its attempts, notes, and in words why it did not tell all; else None."""

    attempts: list[Attempt]
    notes: list[str]
    fault: str | None


def run_tests(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], run: TestRun, timeout_s: float
) -> Ran:
    """Run `command` in `cwd` with `env` on top of the scrubbed environment, and read what it wrote.

    `{results}` in the command is a folder for result files, which is removed afterwards.

    Raises:
        HologramError: it cannot be started.
    """
    with tempfile.TemporaryDirectory(prefix="hologram-tests-") as folder:
        results = Path(folder, "results")
        results.mkdir()
        filled = [part.replace(RESULTS, str(results)) for part in command]
        code, last = _run(filled, Path(folder, "output"), cwd=cwd, env=env, timeout_s=timeout_s)
        try:
            read = read_folder(results, run)
        except HologramError as error:
            return Ran([], [], str(error).replace(f"{results}/", ""))
    attempts, notes = read.attempts, [note.replace(f"{results}/", "") for note in read.notes]
    return Ran(attempts, notes, _fault(filled, code, last, attempts, timeout_s))


def _run(
    command: Sequence[str], output: Path, *, cwd: Path, env: Mapping[str, str], timeout_s: float
) -> tuple[int | None, str]:
    """The exit code, None after `timeout_s` seconds, and the last lines of the output."""
    with output.open("wb+") as stream:
        process = start_child(
            command, cwd=cwd, env=scrubbed_environment(env), stdout=stream, stderr=subprocess.STDOUT
        )
        try:
            code: int | None = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            stop_child(process)
        stream.seek(max(0, stream.seek(0, 2) - _LAST_BYTES))
        lines = stream.read().decode(errors="replace").splitlines()
    return code, "\n".join(lines[-_LAST_LINES:])


def _fault(
    command: Sequence[str], code: int | None, last: str, attempts: Sequence[Attempt], timeout_s: float
) -> str | None:
    told = f"; its last lines:\n{last}" if last else ""
    if code is None:
        return f"the test command {command[0]!r} took longer than {timeout_s:g} s{told}"
    if code and not any(attempt.outcome is Outcome.FAILED for attempt in attempts):
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return (
            f"the test command {command[0]!r} ended with {how}, and no test that failed accounts for it{told}"
        )
    if not attempts:
        return f"the test command {command[0]!r} wrote no attempt of any test into {RESULTS}{told}"
    return None
