"""Which revision is the baseline, in real repositories."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from hologram_dagster.errors import HologramError
from hologram_dagster.target.baseline import MOST_ANCESTORS, Baseline, Rule, choose_baseline
from hologram_dagster.target.revision import read_revision

pytestmark = pytest.mark.phase2_integration


def _git(repository: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main")
    done = subprocess.run(
        ["git", "-C", str(repository), *identity, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def _commit(repository: Path, name: str) -> str:
    (repository / name).write_text(name)
    _git(repository, "add", name)
    _git(repository, "commit", "-qm", name)
    return _git(repository, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    _git(tmp_path, "init", "-q", ".")
    return tmp_path


def _choose(repository: Path, *, given: str | None = None, pull_request: bool = False) -> str | None:
    chosen = choose_baseline(repository, read_revision(repository), given=given, pull_request=pull_request)
    return chosen.commit


def _on_main(repository: Path, *green: str, given: str | None = None) -> Baseline:
    def nearest(ancestors: Sequence[str]) -> str | None:
        return next((commit for commit in ancestors if commit in green), None)

    revision = read_revision(repository)
    return choose_baseline(repository, revision, given=given, pull_request=False, nearest_green=nearest)


def test_the_first_commit_has_none(repository: Path) -> None:
    _commit(repository, "a")
    assert _choose(repository) is None
    assert _choose(repository, pull_request=True) is None


def test_main_is_compared_with_its_first_parent(repository: Path) -> None:
    first = _commit(repository, "a")
    _git(repository, "checkout", "-qb", "side")
    _commit(repository, "b")
    _git(repository, "checkout", "-q", "main")
    main = _commit(repository, "c")
    _git(repository, "merge", "-q", "--no-ff", "-m", "merge", "side")
    assert _choose(repository) == main
    _git(repository, "checkout", "-q", main)
    assert _choose(repository) == first


def test_a_pull_request_is_compared_with_its_merge_base(repository: Path) -> None:
    base = _commit(repository, "a")
    _git(repository, "checkout", "-qb", "feature")
    _commit(repository, "b")
    _commit(repository, "c")
    _git(repository, "checkout", "-q", "main")
    _commit(repository, "d")
    _git(repository, "checkout", "-q", "feature")
    assert _choose(repository, pull_request=True) == base


def test_the_remote_main_counts_before_a_local_one(repository: Path) -> None:
    base = _commit(repository, "a")
    _git(repository, "update-ref", "refs/remotes/origin/main", base)
    _commit(repository, "b")
    _commit(repository, "c")
    assert _choose(repository, pull_request=True) == base


def test_a_dirty_tree_is_compared_with_head(repository: Path) -> None:
    _commit(repository, "a")
    head = _commit(repository, "b")
    (repository / "a").write_text("changed")
    assert _choose(repository, pull_request=True) == head


def test_a_given_ref_wins_and_an_unknown_one_is_refused(repository: Path) -> None:
    first = _commit(repository, "a")
    _commit(repository, "b")
    _commit(repository, "c")
    assert _choose(repository, given="HEAD~2") == first
    with pytest.raises(HologramError, match="no commit named 'nowhere'"):
        _choose(repository, given="nowhere")


def test_a_clone_too_shallow_for_the_merge_base_says_how_to_deepen(repository: Path, tmp_path: Path) -> None:
    _commit(repository, "a")
    _git(repository, "checkout", "-qb", "feature")
    _commit(repository, "b")
    _git(repository, "checkout", "-q", "main")
    _commit(repository, "c")
    clone = tmp_path / "clone"
    _git(
        tmp_path,
        "clone",
        "-q",
        "--depth=1",
        "--no-single-branch",
        "--branch=feature",
        f"file://{repository}",
        "clone",
    )
    with pytest.raises(HologramError, match="git fetch --unshallow"):
        _choose(clone, pull_request=True)


def test_a_clone_without_the_parent_is_not_taken_for_the_first_commit(
    repository: Path, tmp_path: Path
) -> None:
    _commit(repository, "a")
    commit = _commit(repository, "b")
    _git(tmp_path, "clone", "-q", "--depth=1", f"file://{repository}", "clone")
    clone = tmp_path / "clone"
    with pytest.raises(HologramError, match=f"parent of {commit[:12]}: run `git fetch --unshallow`"):
        _choose(clone, pull_request=True)
    # Where nothing is compared, it is said and no hindrance.
    chosen = choose_baseline(clone, read_revision(clone), given=None, pull_request=False)
    assert chosen == Baseline(None, Rule.SHALLOW)


def test_main_is_compared_with_the_nearest_green_ancestor_along_first_parents(repository: Path) -> None:
    first = _commit(repository, "a")
    second = _commit(repository, "b")
    _git(repository, "checkout", "-qb", "side")
    side = _commit(repository, "c")
    _git(repository, "checkout", "-q", "main")
    third = _commit(repository, "d")
    _git(repository, "merge", "-q", "--no-ff", "-m", "merge", "side")
    head = _git(repository, "rev-parse", "HEAD")
    assert _on_main(repository, first, second) == Baseline(second, Rule.GREEN)
    assert _on_main(repository, first, side, head) == Baseline(first, Rule.GREEN)
    assert _on_main(repository, side, head) == Baseline(third, Rule.NO_GREEN)
    assert _on_main(repository, second, given="HEAD~1") == Baseline(third, Rule.GIVEN)


def test_each_rule_is_named(repository: Path) -> None:
    first = _commit(repository, "a")
    assert _on_main(repository) == Baseline(None, Rule.FIRST)
    _git(repository, "checkout", "-qb", "feature")
    second = _commit(repository, "b")
    revision = read_revision(repository)
    assert choose_baseline(repository, revision, given=None, pull_request=True) == (
        Baseline(first, Rule.MERGE_BASE)
    )
    assert choose_baseline(repository, revision, given=None, pull_request=False) == (
        Baseline(first, Rule.FIRST_PARENT)
    )
    (repository / "a").write_text("changed")
    assert _on_main(repository, first) == Baseline(second, Rule.HEAD)


def test_a_long_history_is_walked_so_far_and_no_further(repository: Path) -> None:
    first = _commit(repository, "a")
    # As many commits of one tree, in one process.
    stream = "".join(
        f"commit refs/heads/main\ncommitter t <t@example.com> {10**9 + number} +0000\ndata 1\nx\n"
        + (f"from {first}\n" if number == 0 else "")
        for number in range(MOST_ANCESTORS + 1)
    )
    subprocess.run(
        ["git", "-C", str(repository), "fast-import", "--quiet"], input=stream, text=True, check=True
    )
    _git(repository, "reset", "-q", "--hard")
    parent = _git(repository, "rev-parse", "HEAD~1")
    assert _on_main(repository, first) == Baseline(parent, Rule.NO_GREEN)
    last = _git(repository, "rev-parse", f"HEAD~{MOST_ANCESTORS}")
    assert _on_main(repository, first, last) == Baseline(last, Rule.GREEN)
