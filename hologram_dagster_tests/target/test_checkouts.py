"""Revisions are checked out beside the user's repository, set up once, shared, and bounded in size."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hologram_dagster.errors import HologramError
from hologram_dagster.target.checkouts import Checkouts, SetupFailed

pytestmark = pytest.mark.phase2_integration

PLENTY = 1 << 30


def _git(repository: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main")
    done = subprocess.run(
        ["git", "-C", str(repository), *identity, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def _commit(repository: Path, name: str, content: str) -> str:
    (repository / name).write_text(content)
    _git(repository, "add", name)
    _git(repository, "commit", "-qm", content)
    return _git(repository, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    _git(folder, "init", "-q", ".")
    return folder


@pytest.fixture
def checkouts(tmp_path: Path) -> Checkouts:
    return Checkouts(tmp_path / "cache", cap_bytes=PLENTY)


COUNT = [sys.executable, "-c", "import pathlib; pathlib.Path(r'{env}/made').open('a').write('x')"]


def test_each_revision_has_its_own_files_and_the_users_repository_none_of_ours(
    repository: Path, checkouts: Checkouts
) -> None:
    first, second = _commit(repository, "code", "one"), _commit(repository, "code", "two")
    before = sorted(str(path) for path in (repository / ".git").rglob("*"))
    trees = {commit: checkouts.get(repository, commit).tree for commit in (first, second)}
    assert (trees[first] / "code").read_text() == "one"
    assert (trees[second] / "code").read_text() == "two"
    assert sorted(str(path) for path in (repository / ".git").rglob("*")) == before


def test_a_commit_that_only_a_detached_head_holds_is_checked_out(
    repository: Path, checkouts: Checkouts
) -> None:
    _commit(repository, "code", "one")
    for content in ("two", "three"):
        _git(repository, "checkout", "-q", "--detach", "HEAD~0")
        commit = _commit(repository, "code", content)
        assert (checkouts.get(repository, commit).tree / "code").read_text() == content
        _git(repository, "checkout", "-q", "main")


def test_a_shallow_clone_is_checked_out_as_far_as_it_goes(
    repository: Path, checkouts: Checkouts, tmp_path: Path
) -> None:
    _commit(repository, "code", "one")
    commit = _commit(repository, "code", "two")
    _git(tmp_path, "clone", "-q", "--depth=1", f"file://{repository}", "shallow")
    assert (checkouts.get(tmp_path / "shallow", commit).tree / "code").read_text() == "two"


def test_a_later_commit_is_fetched(repository: Path, checkouts: Checkouts) -> None:
    checkouts.get(repository, _commit(repository, "code", "one"))
    later = _commit(repository, "code", "two")
    assert (checkouts.get(repository, later).tree / "code").read_text() == "two"


def test_an_environment_is_made_once_for_the_same_dependencies(
    repository: Path, checkouts: Checkouts
) -> None:
    _commit(repository, "lock", "a==1")
    commits = [_commit(repository, "code", text) for text in ("one", "two")]
    changed = _commit(repository, "lock", "a==2")
    made = [
        checkouts.get(repository, commit, dependencies=["lock"], setup=[COUNT]).environment
        for commit in (*commits, changed, commits[0])
    ]
    assert made[0] == made[1] == made[3]
    assert made[2] != made[0]
    assert {(path / "made").read_text() for path in made} == {"x"}


def test_a_failed_set_up_shows_its_last_lines_and_is_tried_again(
    repository: Path, checkouts: Checkouts
) -> None:
    commit = _commit(repository, "code", "one")
    broken = [sys.executable, "-c", "print('no wheel for you'); raise SystemExit(3)"]
    for _ in range(2):
        with pytest.raises(SetupFailed, match=r"exit code 3(.|\n)*no wheel for you"):
            checkouts.get(repository, commit, setup=[broken])


def test_a_worktree_that_was_changed_is_made_anew(repository: Path, checkouts: Checkouts) -> None:
    commit = _commit(repository, "code", "one")
    tree = checkouts.get(repository, commit).tree
    (tree / "code").write_text("tampered")
    assert (checkouts.get(repository, commit).tree / "code").read_text() == "one"


def test_the_set_up_sees_no_secret(
    repository: Path, checkouts: Checkouts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPHQL_TOKEN", "sesame")
    dump = [sys.executable, "-c", "import os; open(r'{env}/seen', 'w').write(repr(dict(os.environ)))"]
    made = checkouts.get(repository, _commit(repository, "code", "one"), setup=[dump])
    assert "sesame" not in (made.environment / "seen").read_text()


def test_what_was_used_least_recently_goes_first(repository: Path, tmp_path: Path) -> None:
    small = Checkouts(tmp_path / "cache", cap_bytes=250_000)
    commits = [_commit(repository, "code", str(number) * 100_000) for number in range(4)]
    trees = [small.get(repository, commit).tree for commit in commits]
    assert [tree.exists() for tree in trees] == [False, False, True, True]
    assert (small.get(repository, commits[0]).tree / "code").exists()


def test_what_nobody_asked_for_lately_can_be_removed_unless_somebody_does_meanwhile(
    repository: Path, checkouts: Checkouts
) -> None:
    commits = [_commit(repository, "code", str(number)) for number in range(3)]
    trees = [checkouts.get(repository, commit).tree for commit in commits]
    for tree in trees[:2]:
        os.utime(tree, (1000, 1000))
    assert set(checkouts.unused(since=2000)) == set(trees[:2])
    checkouts.get(repository, commits[1])
    for tree in trees:
        checkouts.remove_unused(tree, since=2000)
    assert [tree.exists() for tree in trees] == [False, True, True]
    assert (checkouts.get(repository, commits[0]).tree / "code").read_text() == "0"


def test_an_unknown_commit_is_refused(repository: Path, checkouts: Checkouts) -> None:
    _commit(repository, "code", "one")
    with pytest.raises(HologramError):
        checkouts.get(repository, "0" * 40)
