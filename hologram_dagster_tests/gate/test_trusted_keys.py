"""Whose word on a revision counts is not the revision's to say."""

from pathlib import Path

from hologram_dagster.gate.answering import open_evidence
from hologram_dagster.settings import load_settings
from hologram_dagster_tests.gate.bench import Bench, git

PINNED, OTHER = "aa" * 32, "bb" * 32


def trusting(bench: Bench, key: str) -> str:
    """A commit whose settings file trusts `key`."""
    (bench.folder / "hologram.toml").write_text(f'trusted_keys = ["{key}"]\n')
    git(bench.folder, "add", ".")
    git(bench.folder, "commit", "-qm", f"trust {key}")
    return git(bench.folder, "rev-parse", "HEAD")


def trusted(bench: Bench, commit: str) -> set[str]:
    """Which of the two keys may sign evidence of a main gate of `commit`."""
    settings = load_settings(repository=bench.folder, state_dir=bench.folder / ".hologram")
    trust = open_evidence(settings, commit).trust
    return {key for key in (PINNED, OTHER) if trust.fault(key, "main") is None}


def test_a_commit_on_main_is_read_with_the_keys_of_its_parent(tmp_path: Path) -> None:
    bench = Bench.make(tmp_path / "repository")
    trusting(bench, PINNED)
    assert trusted(bench, trusting(bench, OTHER)) == {PINNED}


def test_a_branch_is_read_with_the_keys_of_main_however_many_commits_it_has(tmp_path: Path) -> None:
    bench = Bench.make(tmp_path / "repository")
    trusting(bench, PINNED)
    git(bench.folder, "checkout", "-qb", "change")
    trusting(bench, OTHER)
    git(bench.folder, "commit", "-q", "--allow-empty", "-m", "one more")
    assert trusted(bench, git(bench.folder, "rev-parse", "HEAD")) == {PINNED}


def test_the_first_commit_has_only_itself(tmp_path: Path) -> None:
    bench = Bench.make(tmp_path / "repository")
    assert trusted(bench, git(bench.folder, "rev-parse", "HEAD")) == set()
