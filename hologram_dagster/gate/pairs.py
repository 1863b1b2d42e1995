"""The candidate beside its baseline: both revisions checked out, set up, and compared.

What belongs here: which commands run which revision's code. What does not: measuring and
deciding (`perf.paired`), checking out (`target.checkouts`).
"""

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx

from hologram_dagster.errors import HologramError, ServiceError
from hologram_dagster.gate.baselines import baselines_of
from hologram_dagster.gate.run import GateRun
from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.observation import Finding, Observation, Status
from hologram_dagster.perf.gql import QUERY, SEED, SEED_CONTENT
from hologram_dagster.perf.paired.compare import METHOD, Options, compare_servers, compare_workers
from hologram_dagster.perf.paired.job import HttpRequest, ServerCommand, WorkerCommand, without_gc
from hologram_dagster.perf.paired.rule import Limits
from hologram_dagster.perf.paired.wording import facts, sentence, values
from hologram_dagster.policy import Server, Target
from hologram_dagster.processes import (
    LOOPBACK,
    free_port,
    scrubbed_environment,
    start_child,
    stop_child,
    wait_until,
)
from hologram_dagster.profiles import DRIFTS, REGRESSIONS
from hologram_dagster.registry.client import RegistryClient
from hologram_dagster.target.checkouts import CACHE_BYTES, Checkout, Checkouts
from hologram_dagster.target.revision import show_file

# Paired at 1 MiB whatever the profile measures: the budget is `perf_encode`'s.
_PAYLOAD_BYTES = {"verify": 65_536, "encode": 2**20}
_READY_S = 60.0
_OWN_WORKER = "hologram_dagster.target.reference_worker"
_OWN_WORKER_FILE = "hologram_dagster/target/reference_worker.py"


class NotComparable(HologramError):  # noqa: N818 (a reason, not a fault)
    """There is nothing to compare with; the text says why and what would change that."""


@dataclass(frozen=True, slots=True)
class _Sides:
    """Both revisions, ready to run."""

    target: Target
    baseline: Checkout
    candidate: Checkout


def observe_regression(run: GateRun, operation: str) -> Observation:
    """The candidate's `operation` compared with that of the run's baseline revision."""
    reason = "the revision is the repository's first: there is no baseline yet"
    return _observe(run, operation, REGRESSIONS[operation], run.identity.baseline_commit, reason)


def observe_drift(run: GateRun, operation: str) -> Observation:
    """The candidate's `operation` compared with that of the baseline in force."""
    shown = baselines_of(run).show()
    # A baseline of another machine is a revision like any other: it is measured again, here.
    in_force = shown.baseline or next(iter(shown.elsewhere), None)
    reason = "no baseline is in force: hologram baseline roll-forward, after a green main gate"
    return _observe(run, operation, DRIFTS[operation], in_force.commit if in_force else None, reason)


def _observe(run: GateRun, operation: str, kind: str, baseline: str | None, reason: str) -> Observation:
    """Procedure H on both revisions; `reason` says why there is no `baseline`.

    Whoever calls holds the measuring lock. Never raises for what the revisions do.
    """
    started_at = datetime.now(UTC)

    def seen(status: Status, message: str) -> Observation:
        finding = Finding("no_regression", status, message)
        return Observation(kind, status, METHOD, started_at, datetime.now(UTC), findings=(finding,))

    try:
        if baseline is None:
            raise NotComparable(reason)
        sides = _sides(run, operation, baseline)
        options = Options(limits=Limits(run.plan.threshold_pct))
        if operation == "gql":
            with _servers(run, sides) as (before, after, request):
                compared = compare_servers(
                    "gql", baseline=before, candidate=after, request=request, options=options
                )
        else:
            compared = compare_workers(
                operation,
                baseline=_worker(sides.target, sides.baseline),
                candidate=_worker(sides.target, sides.candidate),
                payload_bytes=_PAYLOAD_BYTES[operation],
                options=options,
            )
    except NotComparable as cause:
        return seen(Status.NOT_APPLICABLE, str(cause))
    except HologramError as error:
        return seen(Status.ERROR, str(error))
    status = {"pass": Status.PASSED, "fail": Status.FAILED, "error": Status.ERROR}[compared.verdict]
    return replace(
        seen(status, sentence(compared)),
        values=values(compared),
        facts={**facts(compared), "baseline_commit": sides.baseline.commit},
    )


def _sides(run: GateRun, operation: str, baseline: str) -> _Sides:
    """Both revisions, checked out and set up.

    Raises:
        NotComparable: the target does not say how to run itself.
        HologramError: a revision cannot be checked out or set up.
    """
    repository = run.settings.repository
    target = run.policy.target or _own_target(repository, baseline)
    if (operation == "gql" and target.server is None) or (operation != "gql" and not target.worker):
        part = "server" if operation == "gql" else "worker"
        raise NotComparable(
            f"the baseline's hologram.toml names no {part} command of the target: "
            "add [target] (docs/targets.md)"
        )
    checkouts = Checkouts(run.settings.state_dir / "checkouts", cap_bytes=CACHE_BYTES)
    before = checkouts.get(repository, baseline, dependencies=target.dependencies, setup=target.setup)
    commit = run.identity.revision.commit
    if run.identity.revision.dirty:
        # The files as they are: no commit has them.
        after = checkouts.of_files(repository, commit, dependencies=target.dependencies, setup=target.setup)
    else:
        after = checkouts.get(repository, commit, dependencies=target.dependencies, setup=target.setup)
    return _Sides(target, before, after)


def _own_target(repository: Path, baseline: str) -> Target:
    """The default target is this project itself, where the repository holds it."""
    if show_file(repository, baseline, _OWN_WORKER_FILE) is None:
        return Target()
    return Target(
        name="hologram-reference",
        worker=without_gc(sys.executable, _OWN_WORKER),
        server=Server(
            command=(
                *without_gc(sys.executable, "hologram_dagster.registry.server"),
                *(
                    "--port",
                    "{port}",
                    "--database",
                    "sqlite:///{data}/registry.sqlite",
                    "--ipfs-api",
                    "{ipfs}",
                ),
            )
        ),
    )


def _worker(target: Target, side: Checkout) -> WorkerCommand:
    return WorkerCommand(command=tuple(side.command(target.worker)), cwd=side.tree, env=_environment(side))


def _environment(side: Checkout) -> dict[str, str]:
    # Python finds the revision's own package before an installed one.
    return {"PYTHONPATH": str(side.tree), "HOLOGRAM_ENV": str(side.environment)}


@contextmanager
def _servers(run: GateRun, sides: _Sides) -> Iterator[tuple[ServerCommand, ServerCommand, HttpRequest]]:
    """Both servers' commands, each with data of its own that holds the name to resolve, and the request.

    Raises:
        ServiceError: a server does not start, or refuses the name.
    """
    server = sides.target.server
    assert server is not None
    folder = run.settings.state_dir.absolute() / "stack" / "pairs" / run.identity.run_id
    name = run.settings.graphql_test_name
    try:
        with IpfsNode.start(folder / "ipfs") as node:
            commands = []
            for word, side in (("baseline", sides.baseline), ("candidate", sides.candidate)):
                data = folder / word
                data.mkdir()
                filled = _fill(side.command(server.command), data=str(data), ipfs=node.api_url)
                command = ServerCommand(
                    command=tuple(filled), ready_path=server.ready, cwd=side.tree, env=_environment(side)
                )
                _seed(command, server.path, name, word)
                commands.append(command)
            body = json.dumps({"query": QUERY, "variables": {"n": name}})
            request = HttpRequest(path=server.path, body=body, headers={"content-type": "application/json"})
            yield commands[0], commands[1], request
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fill(command: Sequence[str], **values: str) -> list[str]:
    for name, value in values.items():
        command = [part.replace(f"{{{name}}}", value) for part in command]
    return list(command)


def _seed(command: ServerCommand, path: str, name: str, word: str) -> None:
    """Run the server once, and publish the name in its data."""
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    process = start_child(
        _fill(command.command, port=str(port)), cwd=command.cwd, env=scrubbed_environment(command.env)
    )
    try:
        if not wait_until(
            lambda: process.poll() is not None or _answers(url + command.ready_path), timeout_s=_READY_S
        ):
            raise ServiceError(f"the {word}'s server was not ready within {_READY_S:g} s")
        if process.poll() is not None:
            raise ServiceError(f"the {word}'s server ended with exit code {process.returncode} at its start")
        with RegistryClient(url + path) as registry:
            registry.execute(SEED, {"n": name, "c": SEED_CONTENT})
    finally:
        stop_child(process)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False
