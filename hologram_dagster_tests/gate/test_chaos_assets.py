"""The chaos assets by Dagster's own command, and their rules: green, red, undecided."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from hologram_dagster.evidence.chaos_rules import STEPS
from hologram_dagster.evidence.judge import judge
from hologram_dagster.evidence.record import Record
from hologram_dagster.observation import Finding, Observation, Status
from hologram_dagster.profiles import CHAOS, PROFILES, ProfileName, apply_overrides
from hologram_dagster.settings import load_settings
from hologram_dagster_tests.evidence.helpers import NOW, identity, signer
from hologram_dagster_tests.gate.bench import MakeBench

pytestmark = [pytest.mark.phase9_chaos, pytest.mark.phase8_e2e]

PLAN = apply_overrides(PROFILES[ProfileName.NIGHTLY], load_settings())


def test_the_short_experiments_are_observed_and_green(make_bench: MakeBench) -> None:
    bench = make_bench()
    done = bench.materialize("revision,chaos_ipfs_restart,chaos_heuristics", HOLOGRAM_PROFILE="main")
    statuses = set()
    for kind in ("chaos_heuristics", "chaos_ipfs_restart"):
        seen = json.loads(bench.record(kind).read_text())
        statuses.add(seen["status"])
        # A host too busy for the load leaves it undecided three times over: red, and not failed.
        assert seen["status"] in ("passed", "inconclusive"), seen["findings"]
        assert seen["values"]["chaos_events"] >= 1
        journal = json.loads((bench.reports / "chaos" / "journals" / f"{kind}.json").read_text())
        assert journal["outcome"] == seen["status"]
        assert journal["windows"]
        # The evidence keeps it, as the reports have it.
        (kept,) = seen["artifacts"]
        data = (bench.reports / "chaos" / "journals" / f"{kind}.json").read_bytes()
        assert kept["sha256"] == hashlib.sha256(data).hexdigest()
        assert Path(urlsplit(kept["uri"]).path).read_bytes() == data
    assert done.returncode == (0 if statuses == {"passed"} else 1), done.stderr
    assert len(journal["timeline"]) >= 10
    assert not list((bench.folder / ".hologram" / "chaos" / "runs").glob("*/*"))


def red(kind: str, findings: Mapping[str, Status], *, events: float = 99) -> set[str]:
    """The checks of `kind` that are red, where its findings ended so and the others passed."""
    found = tuple(
        Finding(name, findings.get(name, Status.PASSED), "seen")
        for name in {**dict.fromkeys(STEPS[kind]), **findings}
    )
    worst = next((status for status in findings.values() if status is not Status.PASSED), Status.PASSED)
    now = datetime.now(UTC)
    seen = Observation(kind, worst, "1", now, now, {"chaos_events": events}, {}, found)
    record = Record.from_observation(seen, identity(), signer(), now=NOW)
    return {result.check for result in judge(record, PLAN) if result.red}


@pytest.mark.parametrize("kind", CHAOS)
def test_each_thing_that_does_not_hold_is_red_by_its_check(kind: str) -> None:
    assert red(kind, {}) == set()
    for name in STEPS[kind]:
        assert name in red(kind, {name: Status.FAILED})
        assert red(kind, {name: Status.INCONCLUSIVE})
    assert "faults_took_hold" in red(kind, {}, events=0)
    assert "observed" in red(kind, {"witness of the fault": Status.INCONCLUSIVE})
    assert "observed" in red(kind, {"load stop": Status.ERROR})
    assert "observed" in red(kind, {"state after": Status.FAILED})
