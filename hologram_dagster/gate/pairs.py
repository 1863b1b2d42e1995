"""The candidate beside its baseline: both revisions checked out, set up, and compared.

What belongs here: starting both sides. What does not: their code (`sides`), measuring and
deciding (`perf.paired`).
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import httpx

from hologram_dagster.errors import HologramError, ServiceError
from hologram_dagster.evidence.rules import NO_REGRESSION
from hologram_dagster.gate.baselines import baselines_of
from hologram_dagster.gate.run import GateRun
from hologram_dagster.gate.sides import (
    candidate_side,
    checkouts_of,
    environment_of,
    start_worker,
    target_of,
    worker_of,
)
from hologram_dagster.gate.stored import compare_with_stored
from hologram_dagster.ipfs.providers import start_node
from hologram_dagster.observation import Finding, Observation, Status
from hologram_dagster.perf.gql import QUERY, SEED, SEED_CONTENT
from hologram_dagster.perf.paired.compare import METHOD, Options, compare_servers, compare_workers
from hologram_dagster.perf.paired.job import HttpRequest, ServerCommand, WorkerCommand
from hologram_dagster.perf.paired.rule import Limits
from hologram_dagster.perf.paired.wording import facts, sentence, values
from hologram_dagster.policy import Target
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
from hologram_dagster.target.checkouts import Checkout

# Paired at 1 MiB whatever the profile measures: the budget is `perf_encode`'s.
_PAYLOAD_BYTES = {"verify": 65_536, "encode": 2**20}
_READY_S = 60.0


class NotComparable(HologramError):  # noqa: N818 (a reason, not a fault)
    """There is nothing to compare with; the text says why and what would change that."""


class BaselineNotRunnable(HologramError):  # noqa: N818 (a reason, not a fault)
    """The baseline, `commit`, cannot be run here, the candidate can; the text says why."""

    def __init__(self, commit: str, what: str, error: HologramError):
        super().__init__(f"the baseline {commit[:12]} cannot {what} any more: {str(error).rstrip()}")
        self.commit = commit


@dataclass(frozen=True, slots=True)
class _Sides:
    """Both revisions, ready to run."""

    target: Target
    baseline: Checkout
    candidate: Checkout


def observe_regression(run: GateRun, operation: str) -> Observation:
    """The candidate's `operation` compared with that of the run's baseline revision."""
    reason = "the revision is the repository's first: there is no baseline yet"
    identity = run.identity
    rule = identity.baseline_rule or ""
    return _observe(run, operation, REGRESSIONS[operation], identity.baseline_commit, rule, reason)


def observe_drift(run: GateRun, operation: str) -> Observation:
    """The candidate's `operation` compared with that of the baseline in force."""
    shown = baselines_of(run).show()
    # A baseline of another machine is a revision like any other: it is measured again, here.
    in_force = shown.baseline or next(iter(shown.elsewhere), None)
    reason = "no baseline is in force: hologram baseline roll-forward, after a green main gate"
    commit = in_force.commit if in_force else None
    return _observe(run, operation, DRIFTS[operation], commit, "the baseline in force", reason)


def _observe(
    run: GateRun, operation: str, kind: str, baseline: str | None, rule: str, reason: str
) -> Observation:
    """Procedure H on both revisions; `rule` says why that `baseline`, `reason` why there is none.

    A stored number stands in for a baseline that cannot be run. Whoever calls holds the
    measuring lock. Never raises for what the revisions do.
    """
    started_at = datetime.now(UTC)

    def seen(status: Status, message: str) -> Observation:
        finding = Finding(NO_REGRESSION, status, message)
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
            old, new = _workers(sides, operation)
            compared = compare_workers(
                operation,
                baseline=old,
                candidate=new,
                payload_bytes=_PAYLOAD_BYTES[operation],
                options=options,
            )
    except NotComparable as cause:
        return seen(Status.NOT_APPLICABLE, str(cause))
    except BaselineNotRunnable as cause:
        try:
            return compare_with_stored(
                run, operation, kind, cause.commit, why=str(cause), started_at=started_at
            )
        except HologramError as error:
            return seen(Status.ERROR, str(error))
    except HologramError as error:
        return seen(Status.ERROR, str(error))
    status = {"pass": Status.PASSED, "fail": Status.FAILED, "error": Status.ERROR}[compared.verdict]
    return replace(
        seen(status, sentence(compared)),
        values=values(compared),
        facts={**facts(compared), "baseline_commit": sides.baseline.commit, "baseline_rule": rule},
    )


def _sides(run: GateRun, operation: str, baseline: str) -> _Sides:
    """Both revisions, checked out and set up.

    Raises:
        NotComparable: the target does not say how to run itself.
        BaselineNotRunnable: the baseline cannot be checked out or set up.
        HologramError: the candidate cannot.
    """
    target = target_of(run)
    if (operation == "gql" and target.server is None) or (operation != "gql" and not target.worker):
        missing = "[target.server] table: add it" if operation == "gql" else "`worker` in [target]: add it"
        if run.policy.target is None:
            missing = "[target] table: add it, with `worker` and [target.server]"
        raise NotComparable(f"the baseline's hologram.toml has no {missing} (docs/targets.md)")
    after = candidate_side(run, target)
    try:
        before = checkouts_of(run).get(
            run.settings.repository, baseline, dependencies=target.dependencies, setup=target.setup
        )
    except HologramError as error:
        raise BaselineNotRunnable(baseline, "be checked out and set up", error) from None
    return _Sides(target, before, after)


def _workers(sides: _Sides, operation: str) -> tuple[WorkerCommand, WorkerCommand]:
    """The commands of the baseline's worker, which was seen to start, and of the candidate's.

    Raises:
        BaselineNotRunnable: the baseline's worker does not start, while the candidate's does.
        HologramError: the candidate's does not start either.
    """
    before, after = (worker_of(sides.target, side) for side in (sides.baseline, sides.candidate))
    try:
        _try(before, operation)
    except HologramError as error:
        try:
            _try(after, operation)
        except HologramError as own:
            raise HologramError(f"the candidate's worker does not start: {own}") from None
        raise BaselineNotRunnable(sides.baseline.commit, "run its worker", error) from None
    return before, after


def _try(worker: WorkerCommand, operation: str) -> None:
    """Have the worker start and make one call.

    Raises:
        WorkerError: it did not.
    """
    with start_worker(worker) as started:
        started.prepare(operation, _PAYLOAD_BYTES[operation])
        started.run(1)


@contextmanager
def _servers(run: GateRun, sides: _Sides) -> Iterator[tuple[ServerCommand, ServerCommand, HttpRequest]]:
    """Both servers' commands, each with data of its own that holds the name to resolve, and the request.

    Raises:
        BaselineNotRunnable: the baseline's does not start, or refuses the name; the candidate's does not.
        HologramError: the candidate's does.
    """
    server = sides.target.server
    assert server is not None
    folder = run.settings.state_dir.absolute() / "stack" / "pairs" / run.identity.run_id
    name = run.settings.graphql_test_name
    try:
        with start_node(folder) as node:
            commands = []
            fault: HologramError | None = None
            for word, side in (("baseline", sides.baseline), ("candidate", sides.candidate)):
                data = folder / word
                data.mkdir()
                filled = _fill(side.command(server.command), data=str(data), ipfs=node.api_url)
                command = ServerCommand(
                    command=tuple(filled), ready_path=server.ready, cwd=side.tree, env=environment_of(side)
                )
                try:
                    _seed(command, server.path, name, word)
                except HologramError as error:
                    if side is sides.candidate:
                        raise
                    # Whose fault it is shows in whether the candidate starts.
                    fault = error
                commands.append(command)
            if fault is not None:
                raise BaselineNotRunnable(sides.baseline.commit, "run its server", fault)
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
