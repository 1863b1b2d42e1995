"""Cold is a fresh process's first call, warm a later one; a broken one is told and never a time."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from hologram_dagster.errors import ServiceError
from hologram_dagster.observation import Status
from hologram_dagster.perf.cold_warm import ColdWarm, Serve, observe_cold_warm
from hologram_dagster.processes import LOOPBACK, free_port
from hologram_dagster.registry.process import RegistryProcess
from hologram_dagster.stack.stack import Stack
from hologram_dagster.target.worker import Worker

pytestmark = [pytest.mark.phase6_perf, pytest.mark.performance]

REFERENCE = (sys.executable, "-m", "hologram_dagster.target.reference_worker")
NOWHERE = f"http://{LOOPBACK}:{free_port()}/graphql"
SLOW_FIRST = """
import sys, time
from hologram_dagster.protocol import atlas
from hologram_dagster.target import reference_worker
right = atlas.{operation}
calls = 0
def changed(argument):
    global calls
    calls += 1
    {body}
    return right(argument)
atlas.{operation} = changed
reference_worker.main()
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack.start(tmp_path_factory.mktemp("stack")) as started:
        yield started


def observed(command: tuple[str, ...], serve: Serve) -> ColdWarm:
    return observe_cold_warm(
        lambda: Worker(command),
        serve=serve,
        token=None,
        name="perf/cold",
        rounds=1,
        warm_calls=3,
        timeout_s=5.0,
    )


def changed_worker(operation: str, body: str) -> tuple[str, ...]:
    """The reference worker, whose `operation` does `body` first; `calls` counts from 1."""
    return sys.executable, "-c", SLOW_FIRST.format(operation=operation, body=body)


def test_each_operation_has_a_cold_and_a_warm_time(stack: Stack, tmp_path: Path) -> None:
    started: list[int] = []

    @contextmanager
    def serve() -> Iterator[str]:
        with RegistryProcess.start(tmp_path, ipfs_api=stack.ipfs_api) as registry:
            started.append(registry.pid)
            yield registry.url

    done = observed(REFERENCE, serve)
    seen = done.observation
    assert (seen.kind, seen.status) == ("perf_cold_warm", Status.PASSED), seen.why
    # One to seed the name, one cold.
    assert len(set(started)) == 2
    assert [finding.name for finding in seen.findings] == ["verify", "encode", "gql"]
    assert [(timing.operation, timing.cache) for timing in done.timings] == [
        (operation, cache) for operation in ("verify", "encode", "gql") for cache in ("cold", "warm")
    ]
    for timing in done.timings:
        assert timing.error is None
        assert timing.duration_ms == seen.values[f"{timing.operation}_{timing.cache}_ms"]
    for operation in ("verify", "encode", "gql"):
        cold, warm = seen.values[f"{operation}_cold_ms"], seen.values[f"{operation}_warm_ms"]
        assert seen.values[f"{operation}_ratio"] == cold / warm
        assert seen.values[f"{operation}_start_ms"] > 0


def test_a_slow_first_call_is_seen(stack: Stack) -> None:
    # The state of `verify` is made by `encode`, so only `encode`'s own worker counts.
    command = changed_worker("encode", "time.sleep(0.5 if calls == 1 else 0)")
    seen = observed(command, lambda: nullcontext(stack.graphql_url)).observation
    assert seen.status is Status.PASSED, seen.why
    assert seen.values["encode_cold_ms"] >= 500
    assert seen.values["encode_ratio"] > 1


@pytest.mark.parametrize(("first_wrong", "cache"), [(1, "cold"), (2, "warm")])
def test_a_wrong_answer_is_failed(stack: Stack, first_wrong: int, cache: str) -> None:
    command = changed_worker("verify", f"argument = argument[:-1] if calls >= {first_wrong} else argument")
    done = observed(command, lambda: nullcontext(stack.graphql_url))
    seen = done.observation
    assert seen.status is Status.FAILED
    assert "answered verify wrongly" in seen.why
    assert "verify_cold_ms" not in seen.values
    assert seen.values["encode_cold_ms"] > 0
    (broken,) = [timing for timing in done.timings if timing.operation == "verify"]
    assert broken.cache == cache
    assert broken.error is not None


def test_what_is_not_there_is_an_error_and_the_others_are_still_timed(stack: Stack) -> None:
    done = observed(REFERENCE, lambda: nullcontext(NOWHERE))
    assert done.observation.status is Status.ERROR
    assert [finding.status for finding in done.observation.findings] == [
        Status.PASSED,
        Status.PASSED,
        Status.ERROR,
    ]
    assert "cannot reach" in done.observation.why
    done = observed(("/nowhere/worker",), lambda: nullcontext(stack.graphql_url))
    assert done.observation.status is Status.ERROR
    assert "gql_ratio" in done.observation.values


def test_a_registry_that_does_not_start_again_is_an_error(stack: Stack) -> None:
    starts = iter([True, False])

    @contextmanager
    def serve() -> Iterator[str]:
        if not next(starts):
            raise ServiceError("the registry did not start: the disk is full")
        yield stack.graphql_url

    done = observed(REFERENCE, serve)
    assert done.observation.status is Status.ERROR
    assert (done.timings[-1].operation, done.timings[-1].cache) == ("gql", "cold")
    assert done.timings[-1].error == "the registry did not start: the disk is full"
