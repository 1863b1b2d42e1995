"""The embedded stack of main is strict, and the gate's own operations pass it."""

import pytest

from hologram_dagster_tests.gate.bench import Bench

pytestmark = pytest.mark.phase4_network


def test_a_run_of_main_publishes_to_a_strict_registry(bench: Bench) -> None:
    done = bench.materialize("revision,e2e_publish,e2e_install,e2e_use", HOLOGRAM_PROFILE="main")
    assert done.returncode == 0, done.stdout + done.stderr
