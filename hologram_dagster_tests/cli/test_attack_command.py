"""`hologram attack` as people type it: the table, and whose registry it leaves alone."""

import json

import pytest

from hologram_dagster.gate.attacking import GROUPS
from hologram_dagster.processes import LOOPBACK
from hologram_dagster.stack.stack import Stack
from hologram_dagster_tests.gate.bench import MakeBench

pytestmark = pytest.mark.phase7_security


def test_every_attack_on_a_registry_of_our_own_is_refused_as_it_must(make_bench: MakeBench) -> None:
    bench = make_bench()
    done = bench.hologram("attack", "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    said = json.loads(done.stdout)
    assert said["wrong"] == 0
    assert all(set(case) == {"name", "expected", "seen"} for case in said["cases"])
    assert {case["name"].partition(":")[0] for case in said["cases"]} == {
        group for groups in GROUPS.values() for group in groups
    }
    assert not list((bench.folder / ".hologram" / "stack" / "attacked").iterdir())


def test_a_registry_is_attacked_only_where_its_host_is_named(make_bench: MakeBench, stack: Stack) -> None:
    bench = make_bench()
    nodeless = bench.hologram("attack", "--target", stack.graphql_url, IPFS_API="")
    assert (nodeless.returncode, "set IPFS_API" in nodeless.stderr) == (2, True)
    node = {"IPFS_API": stack.ipfs_api}
    refused = bench.hologram("attack", "--target", stack.graphql_url, **node)
    assert refused.returncode == 2
    assert f"HOLOGRAM_ALLOW_DISRUPTION={LOOPBACK}" in refused.stderr
    # Hostile manifests are put into its node, too.
    allowed = {**node, "HOLOGRAM_ALLOW_DISRUPTION": LOOPBACK}
    elsewhere = {**allowed, "IPFS_API": stack.ipfs_api.replace(LOOPBACK, "localhost")}
    half = bench.hologram("attack", "--target", stack.graphql_url, **elsewhere)
    assert (half.returncode, "localhost (ipfs)" in half.stderr) == (2, True)
    # Named, but it has no keys of operations, so that nothing could be refused for them.
    unkeyed = bench.hologram("attack", "--target", stack.graphql_url, **allowed)
    assert unkeyed.returncode == 2
    assert "start it with operation keys" in unkeyed.stderr
