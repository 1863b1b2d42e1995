"""The evidence of flaky tests: the target's attempts, their judgement, and the quarantine."""

from collections.abc import Callable

import dagster as dg

from hologram_dagster.defs.evidence_assets import evidence_asset
from hologram_dagster.gate.flakes import (
    METHOD,
    observe_attempts,
    observe_database,
    observe_detection,
    observe_quarantine,
)
from hologram_dagster.gate.run import GateRun
from hologram_dagster.observation import Observation


def _asset(
    kind: str,
    observe: Callable[[GateRun], Observation],
    description: str,
    *,
    deps: tuple[str, ...] = (),
    shown: tuple[str, ...] = (),
) -> dg.AssetsDefinition:
    return evidence_asset(
        kind=kind,
        group="quality",
        deps=list(deps),
        kinds={"pytest"},
        method=METHOD,
        description=description,
        observe=lambda scene: observe(scene.run),
        shown=shown,
    )


test_attempts = _asset(
    "test_attempts",
    observe_attempts,
    "Runs the target's tests as often as its hologram.toml says ([target.tests]) and keeps every attempt.",
    shown=("attempts", "failed", "tests"),
)

flake_database = _asset(
    "flake_database",
    observe_database,
    "`reports/flake_database.json`: every test whose attempts are kept, judged by revision.",
    deps=("test_attempts",),
    shown=("tests", "flaky", "broken"),
)

flake_detection = _asset(
    "flake_detection",
    observe_detection,
    "A pass and a failure of one test on one revision, in the last 7 days. Red when a test outside the "
    "quarantine flaked twice, 2 % of the runs flaked, or a test fails every time.",
    deps=("flake_database",),
    shown=("flake_rate_pct", "new_flakes", "seen_from_pct"),
)

quarantine = _asset(
    "quarantine",
    observe_quarantine,
    "The revision's quarantine.json. Red when an entry has expired, is broken, or there are too many. In "
    "force is what the baseline has, too.",
    deps=("flake_database",),
    shown=("quarantined", "in_force", "expired"),
)

assets = [test_attempts, flake_database, flake_detection, quarantine]
