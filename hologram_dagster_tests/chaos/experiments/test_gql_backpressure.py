"""Overload of a real registry: green on ours, red on one that queues, hangs, or refuses in silence."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hologram_dagster.chaos.experiments.gql_backpressure import GqlBackpressure, Step
from hologram_dagster.chaos.experiments.trial import carry_out
from hologram_dagster.observation import Finding, Status
from hologram_dagster.processes import LOOPBACK, free_port, start_child, stop_child
from hologram_dagster.stack.stack import Stack

pytestmark = [pytest.mark.phase9_chaos, pytest.mark.phase5_graphql, pytest.mark.performance]

NAME = "demo/object/alpha"


def experiment_on(url: str, *, budget_ms: float = 2000.0) -> GqlBackpressure:
    """Short, and with a budget that says nothing of how busy the host is."""
    return GqlBackpressure(url, None, NAME, budget_ms, step_s=1.0, ramp=(0.25, 1.0, 3.0), requests_a_client=5)


def by_name(experiment: GqlBackpressure) -> dict[str, Finding]:
    return {finding.name: finding for finding in experiment.findings()}


def test_our_registry_refuses_in_time_and_is_soon_as_before(tmp_path: Path) -> None:
    with Stack.start(tmp_path / "stack", demo=True) as stack:
        experiment = experiment_on(stack.graphql_url)
        seen, journal = carry_out(experiment.trial())
    assert journal.missing() == [], journal.entries
    found = {finding.name: finding for finding in seen.findings}
    for name in ("crowd_of_5", "crowd_of_10", "accepted", "refused", "nothing_hangs", "overloaded"):
        assert found[name].status is Status.PASSED, found[name]
    values = seen.values
    assert values["shed_rate"] > 0
    assert values["goodput_per_s"] > 0
    assert values["step_3_shed"] > values["step_1_shed"]
    assert values["recovery_time_ms"] >= 0


SERVER = """
import asyncio, json, sys
how, answer = sys.argv[1], json.dumps({"data": {"n0": {"encoding": "x"}}}).encode()
turn = asyncio.Lock()
waiting = 0

def reply(status, body, more=b""):
    return b"HTTP/1.1 %d X\\r\\nContent-Length: %d\\r\\n%s\\r\\n" % (status, len(body), more) + body

async def serve(reader, writer):
    global waiting
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\\r\\n")[0])
            await reader.readexactly(length)
            if how != "queues" and waiting >= 10:
                if how == "hangs":
                    await asyncio.sleep(3600)
                writer.write(reply(503, b"", b"Retry-After: soon\\r\\n"))
                continue
            waiting += 1
            async with turn:
                await asyncio.sleep(0.02)
            waiting -= 1
            writer.write(reply(200, answer))
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


@contextmanager
def registry_that(how: str) -> Iterator[str]:
    """One that takes 20 ms a request, and `queues` all, `hangs` beyond ten, or refuses `badly`."""
    process = start_child([sys.executable, "-c", SERVER, how], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield f"http://{LOOPBACK}:{int(process.stdout.readline())}/graphql"
    finally:
        stop_child(process)


@pytest.mark.parametrize(
    ("how", "red"), [("queues", "accepted"), ("hangs", "nothing_hangs"), ("badly", "refused")]
)
def test_a_registry_that_bears_overload_badly_is_red(how: str, red: str) -> None:
    with registry_that(how) as url:
        experiment = experiment_on(url, budget_ms=400)
        experiment.timeout_s = 60 if how == "queues" else 2
        assert experiment.steady() == ""
        experiment.overload()
        found = by_name(experiment)
        assert found[red].status is Status.FAILED, found[red]
        assert found["overloaded"].status is Status.PASSED


def test_crowds_that_get_no_answers_are_red() -> None:
    with registry_that("badly") as url:
        experiment = experiment_on(url)
        assert experiment.steady() == ""
        experiment.crowd()
        experiment.overload()
    found = by_name(experiment)
    assert found["crowd_of_5"].status is Status.PASSED
    assert found["crowd_of_20"].status is Status.FAILED


def test_a_load_that_overloads_nothing_is_inconclusive() -> None:
    with registry_that("queues") as url:
        experiment = experiment_on(url)
        assert experiment.steady() == ""
        experiment.ramp = (0.25,)
        experiment.overload()
    assert by_name(experiment)["overloaded"].status is Status.INCONCLUSIVE
    assert experiment.knee is experiment.steps[0]


def test_no_registry_is_not_steady() -> None:
    assert "cannot connect" in experiment_on(f"http://{LOOPBACK}:{free_port()}/graphql").steady()


def test_another_answer_to_the_same_request_is_a_failure() -> None:
    async def scenario() -> str:
        numbers = iter(range(1000))

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await reader.read(65536):
                body = json.dumps({"data": next(numbers)}).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            writer.close()

        async with await asyncio.start_server(serve, LOOPBACK, 0) as server:
            experiment = experiment_on(f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}/graphql")
            return await asyncio.to_thread(experiment.steady)

    assert "otherwise than before" in asyncio.run(scenario())


@pytest.mark.parametrize(
    ("late_ms", "below", "others", "status"),
    [
        (90.0, True, 1.5, Status.PASSED),
        (120.0, True, 0.1, Status.FAILED),
        (120.0, True, 1.5, Status.INCONCLUSIVE),
        # Of a registry elsewhere nobody knows whose the host's work is.
        (120.0, False, 1.5, Status.FAILED),
    ],
)
def test_what_is_late_on_a_host_that_others_keep_busy_is_undecided(
    late_ms: float, below: bool, others: float, status: Status
) -> None:
    experiment = experiment_on("http://nobody", budget_ms=100)
    experiment.below = below
    experiment.steps.append(Step(100, 200, [late_ms] * 100, 100, 0, 0, "", 1, 2, 0.1, others))
    finding = experiment._accepted()
    assert finding.status is status
    assert ("1.50 cores" in finding.message) == (status is Status.INCONCLUSIVE)
