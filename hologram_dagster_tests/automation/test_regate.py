"""`hologram regate`: the commit asked for, from its own worktree, whatever lies in anybody's."""

from pathlib import Path

import dagster as dg
import pytest

from hologram_dagster.errors import HologramError
from hologram_dagster.gate.origin import OWN, find_commit
from hologram_dagster.settings import load_settings
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
    assert "mirror" not in done.stderr


@pytest.mark.parametrize("ref", ["HEAD", "HEAD~0", "main"])
def test_a_ref_is_first_the_repositorys_own(tmp_path: Path, ref: str) -> None:
    folder = Bench.make(tmp_path / "repository").folder
    settings = load_settings(repository=folder, state_dir=folder / ".hologram")
    for _ in range(2):
        git(folder, "commit", "-q", "--allow-empty", "-m", "next")
        assert find_commit(settings, ref) == (git(folder, "rev-parse", "HEAD"), OWN)


def test_of_a_commit_of_both_the_watched_branch_is_the_origin(tmp_path: Path, remote: Remote) -> None:
    commit = remote.push("first")[-1]
    label = f"{remote.url}#main"
    settings = load_settings(repository=remote.clone, state_dir=tmp_path / "state", watch=label)
    assert find_commit(settings, "HEAD") == (commit, label)


def test_without_a_repository_an_unknown_commit_is_one_of_what_is_watched(
    tmp_path: Path, remote: Remote
) -> None:
    commit = remote.push("first")[-1]
    label = f"{remote.url}#main"
    settings = load_settings(repository=tmp_path, state_dir=tmp_path / "state", watch=label)
    for ref in ("deadbeef", "HEAD"):
        with pytest.raises(HologramError) as refused:
            find_commit(settings, ref)
        assert f"{ref!r} names no commit that is known of {label}" in str(refused.value)
    assert find_commit(settings, commit[:12]) == (commit, label)
