"""The candidate's and the baseline's code, ready to run: what is measured is the revision's own.

What belongs here: which commands run which revision's code. What does not: checking out
(`target.checkouts`), measuring (`perf`), comparing (`pairs`).
"""

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

from hologram_dagster.gate.run import GateRun
from hologram_dagster.perf.paired.job import WorkerCommand, without_gc
from hologram_dagster.policy import Server, Target, Tests
from hologram_dagster.target.checkouts import CACHE_BYTES, Checkout, Checkouts
from hologram_dagster.target.revision import show_file
from hologram_dagster.target.worker import Worker

_OWN_WORKER = "hologram_dagster.target.reference_worker"
_OWN_WORKER_FILE = "hologram_dagster/target/reference_worker.py"
_OWN_SERVER = (
    *("--port", "{port}", "--database", "sqlite:///{data}/registry.sqlite"),
    *("--ipfs-api", "{ipfs}"),
)
# Of the project's own tests those that start processes and write files, and one that computes much.
_OWN_TESTS = (
    *("hologram_dagster_tests/test_processes.py", "hologram_dagster_tests/test_files.py"),
    "hologram_dagster_tests/secrets",
)


@dataclass(frozen=True, slots=True)
class MeasuredWorker:
    """The worker that is measured alone, and in words whose code it runs."""

    command: WorkerCommand
    code: str


def target_of(run: GateRun) -> Target:
    """How to run revisions: what the baseline's `hologram.toml` says, else this project as its own target."""
    return run.policy.target or _own_target(
        run.settings.repository, run.identity.baseline_commit or run.identity.revision.commit
    )


def checkouts_of(run: GateRun) -> Checkouts:
    """The run's cache of worktrees and environments."""
    return Checkouts(run.settings.state_dir / "checkouts", cap_bytes=CACHE_BYTES)


def candidate_side(run: GateRun, target: Target) -> Checkout:
    """The candidate, set up.

    Raises:
        HologramError: it cannot be checked out or set up.
    """
    repository, revision = run.settings.repository, run.identity.revision
    # The files as they are, where no commit has them.
    get = checkouts_of(run).of_files if revision.dirty else checkouts_of(run).get
    return get(repository, revision.commit, dependencies=target.dependencies, setup=target.setup)


def measured_worker(run: GateRun) -> MeasuredWorker:
    """The candidate's worker; the installed reference worker where the target names none.

    Raises:
        HologramError: the candidate cannot be checked out or set up.
    """
    target = target_of(run)
    if not target.worker:
        command = WorkerCommand(command=without_gc(sys.executable, _OWN_WORKER))
        return MeasuredWorker(command, "the installed reference: the target names no worker")
    return MeasuredWorker(worker_of(target, candidate_side(run, target)), "the candidate's")


def worker_of(target: Target, side: Checkout) -> WorkerCommand:
    """The command that starts the worker of a revision."""
    return WorkerCommand(command=tuple(side.command(target.worker)), cwd=side.tree, env=environment_of(side))


def start_worker(command: WorkerCommand) -> Worker:
    """The worker, started.

    Raises:
        WorkerError: it does not start, or does not greet as it should.
    """
    return Worker(command.command, cwd=command.cwd, env=command.env)


def environment_of(side: Checkout) -> dict[str, str]:
    """The variables that a revision's commands run with, on top of the scrubbed environment."""
    # Python finds the revision's own package before an installed one.
    return {"PYTHONPATH": str(side.tree), "HOLOGRAM_ENV": str(side.environment)}


def _own_target(repository: Path, commit: str) -> Target:
    """The default target is this project itself, where the repository holds it."""
    if show_file(repository, commit, _OWN_WORKER_FILE) is None:
        return Target()
    return Target(
        name="hologram-reference",
        worker=without_gc(sys.executable, _OWN_WORKER),
        server=Server(
            command=(*without_gc(sys.executable, "hologram_dagster.registry.server"), *_OWN_SERVER)
        ),
        tests=_own_tests(),
    )


def _own_tests() -> Tests | None:
    """How the project's own tests are run; None where it is installed without what they need."""
    if importlib.util.find_spec("hypothesis") is None:
        return None
    return Tests(
        command=(
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("--report-log={results}/attempts.jsonl", *_OWN_TESTS),
        )
    )
