"""Load and stress: whole operations against the real services, and what is wrong with them seen."""

import itertools
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.e2e import load
from hologram_dagster.e2e.events import EventLog, read_events
from hologram_dagster.e2e.load import LOAD, STRESS, Done, End, observe_traffic, stats
from hologram_dagster.e2e.services import Services
from hologram_dagster.errors import HologramError
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.observation import Observation, Status
from hologram_dagster.processes import LOOPBACK, free_port
from hologram_dagster.profiles import TRAFFIC
from hologram_dagster.registry.client import RegistryClient
from hologram_dagster.stack.stack import Stack
from hologram_dagster_tests.gate.rogue import rogue_node, rogue_registry

pytestmark = [pytest.mark.phase8_e2e, pytest.mark.performance]

# 20 operations in a second, 2 workers.
SHORT = replace(TRAFFIC["e2e_load"], duration_s=1, workers=2, ops_per_s=20)
OTHER_CID = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"


@pytest.fixture
def services_at(
    stack: Stack, tmp_path: Path
) -> Callable[..., Callable[[], AbstractContextManager[Services]]]:
    """Opens services of the stack, or of other ones by URL."""

    def at(
        graphql_url: str = "", ipfs_api: str = "", timeout_s: float = 5
    ) -> Callable[[], AbstractContextManager[Services]]:
        @contextmanager
        def opened() -> Iterator[Services]:
            with (
                IpfsClient(ipfs_api or stack.ipfs_api, timeout_s=timeout_s) as ipfs,
                RegistryClient(graphql_url or stack.graphql_url, timeout_s=timeout_s) as registry,
            ):
                yield Services(ipfs, registry, EventLog(tmp_path / "unused.jsonl", "phase8"))

        return opened

    return at


@pytest.fixture
def nothing_left(stack: Stack) -> Iterator[None]:
    """Fails the test that leaves a pin or a name behind."""

    def made() -> tuple[set[str], list[Any]]:
        with IpfsClient(stack.ipfs_api) as ipfs, RegistryClient(stack.graphql_url) as registry:
            found = registry.execute('{ searchApps(q: "load/") { name } }')["searchApps"]
            return set(ipfs.pins()), found

    before = made()
    yield
    assert made() == before


def why(seen: Observation, name: str) -> str:
    return next(finding.message for finding in seen.findings if finding.name == name)


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("suite", [LOAD, STRESS])
def test_operations_are_delivered_counted_and_taken_back(
    services_at: Callable[..., Any], tmp_path: Path, suite: load.Suite
) -> None:
    logs = [EventLog(tmp_path / name, suite.name) for name in ("events.jsonl", suite.log_name)]
    seen = observe_traffic(suite, services_at(), SHORT, logs)
    assert (seen.kind, seen.status) == (suite.kind, Status.PASSED), seen.why
    assert [finding.name for finding in seen.findings] == ["answers_correct", "removal"]
    assert (seen.values["sent"], seen.values["delivered"]) == (20, 20)
    assert seen.values["throughput_mbps"] == pytest.approx(
        20 * 2 * 8 * 1024 / 1e6 / seen.values["duration_sec"]
    )
    for log in logs:
        (event,), _ = read_events(log.path)
        assert (event["suite"], event["event"]) == (f"phase8_{suite.word}", f"{suite.word}_test_complete")
        # Contract section 3.7.
        assert list(event["stats"]) == [
            *("duration_sec", "sent", "delivered", "rejected", "ops_per_sec", "throughput_mbps"),
            *("p50_latency_ms", "p99_latency_ms", "avg_latency_ms", "error_count", "errors"),
        ]
        assert event["stats"]["errors"] == []


@pytest.mark.usefixtures("nothing_left")
def test_a_payload_that_comes_back_changed_is_wrong(services_at: Callable[..., Any], stack: Stack) -> None:
    reads = itertools.count(1)

    def change(command: str, body: bytes) -> bytes:
        return body[:-1] + bytes([body[-1] ^ 1]) if command == "cat" and next(reads) == 7 else body

    with rogue_node(stack.ipfs_api, change) as api:
        seen = observe_traffic(LOAD, services_at(ipfs_api=api), SHORT, [])
    assert seen.status is Status.FAILED
    assert "1 of 20 operations were answered wrongly" in why(seen, "answers_correct")
    assert "other bytes" in seen.facts["first_error"]
    assert (seen.values["delivered"], seen.values["wrong"], seen.values["error_count"]) == (19, 1, 1)


@pytest.mark.usefixtures("nothing_left")
def test_a_registry_that_resolves_to_another_cid_is_wrong(
    services_at: Callable[..., Any], stack: Stack
) -> None:
    def change(query: str, answer: dict[str, Any]) -> dict[str, Any]:
        resolved = (answer.get("data") or {}).get("resolve")
        if resolved and "cid" in resolved:
            resolved["cid"] = OTHER_CID
        return answer

    with rogue_registry(stack.graphql_url, change) as url:
        seen = observe_traffic(LOAD, services_at(url), SHORT, [])
    assert seen.status is Status.FAILED
    assert OTHER_CID in why(seen, "answers_correct")
    assert seen.values["delivered"] == 0
    assert "p99_latency_ms" not in seen.values


@pytest.mark.usefixtures("nothing_left")
def test_what_a_busy_registry_refuses_is_counted_and_still_taken_back(
    services_at: Callable[..., Any], stack: Stack
) -> None:
    asked = itertools.count(1)

    def change(query: str, answer: dict[str, Any]) -> dict[str, Any] | int:
        # The real one has published it all the same: that must be removed, too.
        return 503 if next(asked) % 3 == 0 else answer

    with rogue_registry(stack.graphql_url, change) as url:
        seen = observe_traffic(STRESS, services_at(url), SHORT, [])
    assert seen.status is Status.PASSED, seen.why
    assert seen.values["rejected"] > 5
    assert seen.values["error_count"] == 0
    assert seen.values["delivered"] + seen.values["rejected"] == 20
    assert "503" in seen.facts["first_error"]


@pytest.mark.usefixtures("nothing_left")
def test_refusals_in_graphql_are_errors(services_at: Callable[..., Any], stack: Stack) -> None:
    def change(query: str, answer: dict[str, Any]) -> dict[str, Any]:
        refused = query.startswith("mutation") and "unpublish" not in query
        return {"errors": [{"message": "the disk is full"}], "data": None} if refused else answer

    with rogue_registry(stack.graphql_url, change) as url:
        seen = observe_traffic(LOAD, services_at(url), SHORT, [])
    assert (seen.status, seen.values["error_count"], seen.values["rejected"]) == (Status.PASSED, 20, 0)
    assert "the disk is full" in seen.facts["first_error"]


def test_nobody_there_is_errors_and_what_could_not_be_removed_is_told(
    services_at: Callable[..., Any], stack: Stack
) -> None:
    url = f"http://{LOOPBACK}:{free_port()}/graphql"
    seen = observe_traffic(LOAD, services_at(url), SHORT, [])
    assert (seen.values["delivered"], seen.values["error_count"]) == (0, 20)
    assert seen.status is Status.FAILED
    assert "20 of 20 operations could not be taken back" in why(seen, "removal")


def test_a_registry_that_cannot_take_names_back_is_told(
    services_at: Callable[..., Any], stack: Stack
) -> None:
    def change(query: str, answer: dict[str, Any]) -> dict[str, Any]:
        if "unpublishApp" in query:
            return {"errors": [{"message": "Cannot query field 'unpublishApp' on type 'Mutation'."}]}
        return answer

    with rogue_registry(stack.graphql_url, change) as url:
        seen = observe_traffic(LOAD, services_at(url), replace(SHORT, ops_per_s=2), [])
    assert seen.status is Status.PASSED
    assert "2 names stay" in why(seen, "removal")
    with RegistryClient(stack.graphql_url) as registry:
        for found in registry.execute('{ searchApps(q: "load/") { name } }')["searchApps"]:
            registry.execute(
                "mutation($n: String!) { unpublishApp(name: $n) { name } }", {"n": found["name"]}
            )


def test_what_cannot_be_sent_at_all_is_an_event_and_an_error(tmp_path: Path) -> None:
    def broken() -> AbstractContextManager[Services]:
        raise HologramError("IPFS_API must be a URL")

    log = EventLog(tmp_path / STRESS.log_name, STRESS.name)
    with pytest.raises(HologramError, match="IPFS_API"):
        observe_traffic(STRESS, broken, SHORT, [log])
    (event,), _ = read_events(log.path)
    assert (event["event"], event["error"]) == ("stress_test_error", "IPFS_API must be a URL")


def test_a_service_that_hangs_does_not_hang_the_run(
    services_at: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, stack: Stack
) -> None:
    monkeypatch.setattr(load, "_LATEST_S", 0.5)
    monkeypatch.setattr(load, "_REMOVAL_S", 1.0)
    stack.registry.kill()
    try:
        with _hanging() as url:
            seen = observe_traffic(LOAD, services_at(url, timeout_s=0.5), SHORT, [])
    finally:
        stack.registry.restart()
    assert (seen.values["sent"], seen.values["delivered"]) == (20, 0)
    assert seen.values["error_count"] == 20
    assert "within 1 s" in why(seen, "removal") or "no answer" in why(seen, "removal")


@contextmanager
def _hanging() -> Iterator[str]:
    with socket.socket() as silent:
        silent.bind((LOOPBACK, 0))
        silent.listen(128)
        yield f"http://{LOOPBACK}:{silent.getsockname()[1]}/graphql"


@given(
    st.lists(st.tuples(st.sampled_from(End), st.floats(0, 1e6)), min_size=1),
    st.floats(0.001, 1e4),
    st.integers(32, 2**26),
)
def test_stats_add_up(ends: list[tuple[End, float]], duration_s: float, size: int) -> None:
    done = [Done(end, latency_ms) for end, latency_ms in ends]
    figures = stats(done, duration_s, size)
    assert figures["sent"] == len(ends)
    assert figures["sent"] == figures["delivered"] + figures["rejected"] + figures["error_count"]
    latencies = sorted(latency for end, latency in ends if end is End.DELIVERED)
    assert figures["ops_per_sec"] == len(latencies) / duration_s
    if latencies:
        assert figures["p50_latency_ms"] in latencies
        assert sum(latency <= figures["p99_latency_ms"] for latency in latencies) >= 0.99 * len(latencies)
        assert latencies[0] <= figures["avg_latency_ms"] * 1.0000001 + 1e-9
    else:
        assert figures["throughput_mbps"] == 0
        assert not [name for name in figures if "latency" in name]
