"""The revision is read exactly, and the user's repository is never written to."""

import hashlib
import os
import subprocess
import time
from pathlib import Path

import pytest

from hologram_dagster.errors import HologramError
from hologram_dagster.target.revision import is_shallow, read_revision, resolve_ref, show_file

pytestmark = pytest.mark.phase2_integration


def run_git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@t", *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    run_git(folder, "init", "-b", "main")
    (folder / "a.txt").write_text("one\n")
    (folder / ".gitignore").write_text("ignored/\n")
    run_git(folder, "add", "-A")
    run_git(folder, "commit", "-m", "first")
    return folder


def snapshot(folder: Path) -> dict[str, tuple[int, str]]:
    """Every file under `folder`: its time stamp and digest.

    Objects go without the stamp: git renews it, and nothing else, on objects it finds.
    """
    return {
        str(path.relative_to(folder)): (
            0 if ".git/objects" in str(path) else path.stat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_clean_tree_is_its_commit(repository: Path) -> None:
    (repository / "ignored").mkdir()
    (repository / "ignored" / "x").write_text("not part of the revision")
    revision = read_revision(repository)
    assert revision.commit == run_git(repository, "rev-parse", "HEAD")
    assert revision.tree == run_git(repository, "rev-parse", "HEAD^{tree}")
    assert not revision.dirty
    assert revision.ref == "refs/heads/main"


def test_read_from_a_folder_inside(repository: Path) -> None:
    (repository / "inner").mkdir()
    (repository / "b.txt").write_text("beside\n")
    assert read_revision(repository / "inner") == read_revision(repository)


def test_every_dirty_state_has_its_own_tree(repository: Path) -> None:
    trees = {read_revision(repository).tree}
    (repository / "a.txt").write_text("two\n")
    changed = read_revision(repository)
    (repository / "new.txt").write_text("untracked\n")
    added = read_revision(repository)
    (repository / "a.txt").unlink()
    removed = read_revision(repository)
    assert changed.dirty
    assert added.dirty
    assert removed.dirty
    trees |= {changed.tree, added.tree, removed.tree}
    assert len(trees) == 4
    assert {changed.commit, added.commit, removed.commit} == {run_git(repository, "rev-parse", "HEAD")}


def test_the_digest_is_the_tree_git_would_commit(repository: Path) -> None:
    (repository / "a.txt").write_text("two\n")
    (repository / "näme with\ttab").write_bytes(b"\x00\xff")
    seen = read_revision(repository)
    run_git(repository, "add", "-A")
    run_git(repository, "commit", "-m", "second")
    assert seen.tree == run_git(repository, "rev-parse", "HEAD^{tree}")


def test_a_change_in_the_same_tick_and_of_the_same_size_is_seen(repository: Path) -> None:
    index = repository / ".git" / "index"
    stamp = time.time_ns()
    target = repository / "a.txt"
    target.write_text("uno\n")
    os.utime(target, ns=(stamp, stamp))
    run_git(repository, "commit", "-am", "tick")
    target.write_text("duo\n")
    os.utime(target, ns=(stamp, stamp))
    os.utime(index, ns=(stamp, stamp))
    assert read_revision(repository).dirty


@pytest.mark.parametrize("mark", ["--assume-unchanged", "--skip-worktree"])
def test_a_change_hidden_from_git_status_is_seen(repository: Path, mark: str) -> None:
    run_git(repository, "update-index", mark, "a.txt")
    (repository / "a.txt").write_text("hidden change\n")
    assert run_git(repository, "status", "--porcelain") == ""
    assert read_revision(repository).dirty


def test_a_sparse_checkout_is_clean(repository: Path) -> None:
    for name in ("kept", "left"):
        (repository / name).mkdir()
        (repository / name / "file").write_text(name)
    run_git(repository, "add", "-A")
    run_git(repository, "commit", "-m", "folders")
    run_git(repository, "sparse-checkout", "set", "kept")
    assert not (repository / "left").exists()
    assert not read_revision(repository).dirty


def test_the_repository_is_not_written_to(repository: Path) -> None:
    hook = repository / ".git" / "hooks" / "post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch hook-ran\n")
    hook.chmod(0o755)
    run_git(repository, "config", "core.splitIndex", "true")
    run_git(repository, "config", "core.fsmonitor", "touch monitor-ran; false")
    (repository / "a.txt").write_text("two\n")
    os.utime(repository / ".gitignore")
    before = snapshot(repository)
    read_revision(repository)
    assert snapshot(repository) == before


def test_what_the_gate_writes_is_left_out(repository: Path) -> None:
    clean = read_revision(repository)
    (repository / "reports" / "perf").mkdir(parents=True)
    (repository / "reports" / "perf" / "core_perf.csv").write_text("rows\n")
    assert read_revision(repository).dirty
    assert read_revision(repository, exclude=[repository / "reports", Path("/elsewhere")]) == clean


def test_detached_head_has_no_ref(repository: Path) -> None:
    run_git(repository, "checkout", "--detach")
    assert read_revision(repository).ref is None


def test_a_dirty_submodule_is_dirty(repository: Path, tmp_path: Path) -> None:
    run_git(tmp_path, "clone", str(repository), "other")
    run_git(
        repository, "-c", "protocol.file.allow=always", "submodule", "add", str(tmp_path / "other"), "sub"
    )
    run_git(repository, "commit", "-m", "submodule")
    assert not read_revision(repository).dirty
    (repository / "sub" / "a.txt").write_text("changed inside\n")
    assert read_revision(repository).dirty


def test_no_repository_no_commit_and_no_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(HologramError, match=r"no git repository.*HOLOGRAM_REPOSITORY"):
        read_revision(tmp_path)
    with pytest.raises(HologramError, match="no git repository"):
        read_revision(tmp_path / "absent")
    run_git(tmp_path, "init")
    with pytest.raises(HologramError, match="no commit yet"):
        read_revision(tmp_path)
    run_git(tmp_path, "init", "--bare", "bare")
    with pytest.raises(HologramError, match="bare repository"):
        read_revision(tmp_path / "bare")


@pytest.mark.system("root")
def test_a_repository_of_another_user_is_refused_with_the_remedy(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(repository.parent))
    for path in (repository, repository / ".git"):
        os.chown(path, 12345, 12345)
    with pytest.raises(HologramError, match=r"git config --global --add safe\.directory"):
        read_revision(repository)


def test_a_corrupt_index_is_an_error_that_says_so(repository: Path) -> None:
    (repository / ".git" / "index").write_bytes(b"rubbish")
    with pytest.raises(HologramError, match=r"git \S+ failed in .*index"):
        read_revision(repository)


def test_git_that_is_not_installed(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    with pytest.raises(HologramError, match="install git"):
        read_revision(repository)


def test_refs_resolve_and_unknown_ones_are_named(repository: Path, tmp_path: Path) -> None:
    first = run_git(repository, "rev-parse", "HEAD")
    run_git(repository, "tag", "-a", "v1", "-m", "tag")
    run_git(repository, "commit", "--allow-empty", "-m", "second")
    assert resolve_ref(repository, "v1") == first
    assert resolve_ref(repository, "HEAD~1") == first
    assert resolve_ref(repository, first[:12]) == first
    for bad in ("nowhere", "", "--all", "v1:a.txt"):
        with pytest.raises(HologramError, match=r"no git ref|no commit named"):
            resolve_ref(repository, bad)
    run_git(tmp_path, "clone", "--depth=1", f"file://{repository}", "shallow")
    assert not is_shallow(repository)
    assert is_shallow(tmp_path / "shallow")
    with pytest.raises(HologramError, match="fetch --unshallow"):
        resolve_ref(tmp_path / "shallow", first)


def test_files_of_a_commit_are_shown_as_they_were(repository: Path) -> None:
    (repository / "bin*").write_bytes(b"\x00\r\n\xff")
    (repository / "link").symlink_to("a.txt")
    run_git(repository, "add", "-A")
    run_git(repository, "commit", "-m", "binary")
    (repository / "a.txt").write_text("changed, not committed\n")
    assert show_file(repository, "HEAD", "a.txt") == b"one\n"
    assert show_file(repository, "HEAD", "bin*") == b"\x00\r\n\xff"
    assert show_file(repository, "HEAD", "a*") is None
    assert show_file(repository, "HEAD~1", "link") is None
    with pytest.raises(HologramError, match="not a plain file"):
        show_file(repository, "HEAD", "link")
    with pytest.raises(HologramError, match="no commit named"):
        show_file(repository, "f" * 40, "a.txt")


def test_an_excluded_folder_may_be_an_ignored_one(repository: Path) -> None:
    (repository / ".gitignore").write_text("/state/\n")
    (repository / "state").mkdir()
    (repository / "state" / "key").write_text("secret")
    (repository / "new.txt").write_text("untracked")
    seen = read_revision(repository, exclude=[repository / "state"])
    assert seen.dirty
    (repository / "state" / "key").write_text("another")
    assert read_revision(repository, exclude=[repository / "state"]) == seen
