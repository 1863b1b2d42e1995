"""The nightly assets of load and of cold calls, by Dagster's own command: green, red and refused."""

import json
import time
from typing import Any

import pytest

from hologram_dagster.processes import LOOPBACK
from hologram_dagster.stack.stack import Stack
from hologram_dagster_tests.gate.bench import Bench, MakeBench
from hologram_dagster_tests.gate.rogue import rogue_node, rogue_registry

pytestmark = [pytest.mark.phase6_perf, pytest.mark.phase8_e2e, pytest.mark.performance]

SHORT = {
    "HOLOGRAM_PROFILE": "nightly",
    "HOLOGRAM_LOAD_DURATION_S": "0.5",
    "E2E_LOAD_DURATION": "1",
    "E2E_STRESS_DURATION": "0.5",
    # On a busy machine the client itself may lag by more than a tenth of the profile's budget.
    "SLO_GQL_P95_MS": "100000",
}
ASSETS = "revision,perf_load,perf_cold_warm,e2e_load,e2e_stress"


def record(bench: Bench, kind: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(bench.record(kind).read_text())
    return content


def test_on_the_embedded_stack_all_is_observed_and_green(make_bench: MakeBench) -> None:
    bench = make_bench()
    done = bench.materialize(ASSETS, **SHORT)
    assert done.returncode == 0, done.stderr
    assert record(bench, "perf_load")["values"]["n"] == 25
    assert record(bench, "e2e_load")["values"]["delivered"] == 10
    assert record(bench, "e2e_stress")["values"]["sent"] == 10
    profiles = json.loads((bench.reports / "perf" / "cache_profiles.json").read_text())
    assert set(profiles) == {
        f"{name}_{cache}" for name in ("verify", "encode", "gql") for cache in ("cold", "warm")
    }
    assert "error" not in profiles["gql_cold"]
    for name, suites in (
        ("load_events.jsonl", {"phase8_load"}),
        ("stress_events.jsonl", {"phase8_stress"}),
        ("events.jsonl", {"phase8_load", "phase8_stress"}),
    ):
        lines = (bench.reports / "e2e" / name).read_text().splitlines()
        assert {json.loads(line)["suite"] for line in lines} == suites


def test_services_of_others_are_not_disturbed_unless_their_host_is_named(bench: Bench, stack: Stack) -> None:
    assets = "revision,perf_load,e2e_load,e2e_stress"
    done = bench.materialize(assets, **SHORT)
    assert done.returncode == 0, done.stderr
    for kind in ("perf_load", "e2e_load", "e2e_stress"):
        seen = record(bench, kind)
        assert seen["status"] == "not_applicable"
        assert f"HOLOGRAM_ALLOW_DISRUPTION={LOOPBACK}" in seen["findings"][0]["message"]

    def change(command: str, body: bytes) -> bytes:
        return bytes(len(body)) if command == "cat" else body

    def slow(query: str, answer: dict[str, Any]) -> dict[str, Any]:
        # One at a time, and only what `perf_load` asks: requests come five times as fast.
        if "cid" not in query:
            time.sleep(0.1)
        return answer

    with rogue_node(stack.ipfs_api, change) as api, rogue_registry(stack.graphql_url, slow) as url:
        named = {"HOLOGRAM_ALLOW_DISRUPTION": LOOPBACK, "IPFS_API": api, "GRAPHQL_URL": url}
        done = bench.materialize(assets, **{**SHORT, **named, "SLO_GQL_P95_MS": "300"})
    assert done.returncode == 1
    for kind in ("perf_load", "e2e_load", "e2e_stress"):
        assert f"GateFailed: {kind}" in done.stderr
    loaded = record(bench, "perf_load")
    assert loaded["values"]["p95_ms"] > 300
    assert (loaded["status"], loaded["values"]["launches"]) == ("passed", 3)
    assert record(bench, "e2e_load")["values"]["wrong"] == 10
