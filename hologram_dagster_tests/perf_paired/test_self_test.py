"""The self-test is green when the comparison works, and inconclusive for each way it can err."""

import pytest

from hologram_dagster.observation import Status
from hologram_dagster.perf.paired.compare import Options
from hologram_dagster.perf.paired.self_test import NO_FALSE_ALARM, PLAIN, SLOWDOWN_FOUND, SLOWED, self_test

pytestmark = [pytest.mark.phase6_perf, pytest.mark.performance]


def test_a_comparison_that_works_passes() -> None:
    seen = self_test(Options())
    assert {finding.name: finding.status for finding in seen.findings} == {
        NO_FALSE_ALARM: Status.PASSED,
        SLOWDOWN_FOUND: Status.PASSED,
    }, seen.findings
    assert seen.status is Status.PASSED


def test_a_comparison_that_finds_nothing_is_inconclusive() -> None:
    seen = self_test(Options(), slowed=PLAIN)
    assert seen.status is Status.INCONCLUSIVE
    assert seen.why.startswith("expected fail: encode: pass")


def test_a_comparison_that_cries_wolf_is_inconclusive() -> None:
    # The slowed worker as the plain one: the candidate of the second pair is then the faster.
    seen = self_test(Options(), plain=SLOWED, slowed=PLAIN)
    assert seen.status is Status.INCONCLUSIVE


def test_a_worker_that_does_not_start_is_inconclusive() -> None:
    broken = PLAIN.model_copy(update={"command": ("/no/such/python",)})
    seen = self_test(Options(), slowed=broken)
    assert seen.status is Status.INCONCLUSIVE
    assert "no verdict" in seen.why
