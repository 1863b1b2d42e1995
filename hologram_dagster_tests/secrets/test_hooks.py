"""The hooks of a commit, run by pre-commit in repositories made for it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hologram_dagster_tests.secrets.addresses import lines

pytestmark = pytest.mark.phase7_security

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
# No line breaks within it, and no four repetitions: all tools take it for one.
TOKEN = "ghp_" + "q7RtZz9yA1bC3dE5fG8hJ2kL4mN6pQ0sT9vX"


def git(repository: Path, *arguments: str) -> str:
    command = [
        "git",
        "-C",
        str(repository),
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@example.org",
        *arguments,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def hooks(tmp_path: Path) -> Path:
    """A repository that offers this project's hooks."""
    folder = tmp_path / "hooks"
    folder.mkdir()
    shutil.copy(ROOT / ".pre-commit-hooks.yaml", folder)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "hooks")
    return folder


@pytest.fixture
def repository(tmp_path: Path, hooks: Path) -> Path:
    """A repository that uses them all."""
    folder = tmp_path / "repository"
    folder.mkdir()
    offered = [hook["id"] for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())]
    rev = git(hooks, "rev-parse", "HEAD").strip()
    uses = {"repo": str(hooks), "rev": rev, "hooks": [{"id": name} for name in offered]}
    (folder / ".pre-commit-config.yaml").write_text(yaml.safe_dump({"repos": [uses]}))
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n  proof_chain_mandatory: proofs\n")
    (folder / "test_proof.py").write_text(
        "import pytest\n\n@pytest.mark.proof_chain_mandatory\ndef test_links():\n    assert True\n"
    )
    (folder / "addresses.log").write_text("\n".join(lines(600)) + "\n")
    (folder / "tests").mkdir()
    (folder / "tests" / "notes.txt").write_text("none yet\n")
    (folder / ".gitignore").write_text("/reports/\n/.hologram/\n")
    git(folder, "init", "-q")
    return folder


def run(repository: Path) -> tuple[int, dict[str, bool], str]:
    """pre-commit on all files: its exit code, each hook's name with whether it passed, what it said."""
    git(repository, "add", "-A")
    done = subprocess.run(
        [BIN / "pre-commit", "run", "--all-files", "--color", "never"],
        cwd=repository,
        env={
            **os.environ,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "PRE_COMMIT_HOME": str(repository.parent / "home"),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    ended = [line for line in said.splitlines() if line.endswith(("Passed", "Failed"))]
    return done.returncode, {line.split("..")[0]: line.endswith("Passed") for line in ended}, said


SECRETS, DETECT, PROOFS = "secrets", "secrets, by detect-secrets", "proof chains"
FLAKES = "quarantine of flaky tests"


def test_content_addresses_pass_and_a_secret_does_not(repository: Path) -> None:
    code, passed, said = run(repository)
    assert (code, passed) == (0, {SECRETS: True, DETECT: True, PROOFS: True, FLAKES: True}), said
    (repository / "app.py").write_text(f'"""App."""\nCLIENT = "{TOKEN}"\n')
    code, passed, said = run(repository)
    assert (code, passed) == (1, {SECRETS: False, DETECT: False, PROOFS: True, FLAKES: True}), said
    assert "app.py:2: github" in said
    assert TOKEN not in said


def test_a_broken_proof_chain_and_an_expired_quarantine_stop_the_commit(repository: Path) -> None:
    proof = repository / "test_proof.py"
    proof.write_text(proof.read_text().replace("assert True", "assert 1 == 2"))
    entry = {"test": "t", "owner": "ann", "reason": "races", "ticket": "A-1"}
    dates = {"since": "2025-01-01", "expires": "2025-01-20"}
    quarantine = {"schema_version": 1, "quarantined": [{**entry, **dates}]}
    (repository / "quarantine.json").write_text(json.dumps(quarantine))
    _, passed, said = run(repository)
    assert passed == {SECRETS: True, DETECT: True, PROOFS: False, FLAKES: False}
    assert "exit code: 1" in said
    # That no proof is tested is no pass.
    proof.unlink()
    assert run(repository)[1][PROOFS] is False


def test_without_its_tuning_detect_secrets_fires_on_content_addresses(repository: Path) -> None:
    command = [str(BIN / "detect-secrets-hook"), "--no-verify", "addresses.log"]
    plain = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert plain.returncode == 1
    assert plain.stdout.count("High Entropy") > 20


def test_the_projects_own_settings_know_the_same_addresses(tmp_path: Path) -> None:
    (tmp_path / "addresses.log").write_text("\n".join(lines(600)) + "\n")
    shutil.copy(ROOT / ".secrets.baseline", tmp_path)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    command = [
        str(BIN / "detect-secrets-hook"),
        "--no-verify",
        "--baseline",
        ".secrets.baseline",
        "addresses.log",
    ]
    tuned = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert tuned.returncode == 0, tuned.stdout
