"""`hologram audit verify` and `show`: the installed commands."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hologram_dagster.evidence.archive import Evidence
from hologram_dagster.protocol.signing import load_or_create_signer
from hologram_dagster.target.revision import read_revision
from hologram_dagster_tests.evidence.helpers import green_run, run_of
from hologram_dagster_tests.gate.bench import Bench, git

pytestmark = pytest.mark.phase7_security


def test_what_was_recorded_is_verified_and_told(tmp_path: Path) -> None:
    bench = Bench.make(tmp_path / "repository")
    assert bench.hologram("audit", "show", "HEAD").returncode == 4
    key = load_or_create_signer(bench.folder / ".hologram" / "keys" / "ed25519.pem", None)
    evidence = Evidence(bench.evidence, signer=key)
    green_run(evidence, run_of(revision=read_revision(bench.folder), started_at=datetime.now(UTC)))

    verified = bench.hologram("audit", "verify")
    assert verified.returncode == 0, verified.stderr + verified.stdout
    assert verified.stdout.startswith("ok: ")
    shown = bench.hologram("audit", "show", "HEAD")
    assert (shown.returncode, "evidence verdict" in shown.stdout) == (0, True)
    entries = json.loads(bench.hologram("audit", "show", "HEAD", "--json").stdout)["entries"]
    assert len(entries) == len(shown.stdout.splitlines())
    assert entries[-1]["kind"] == "verdict"

    content = evidence.ledger.path.read_bytes()
    evidence.ledger.path.write_bytes(content.replace(b'"passed"', b'"failed"', 1))
    broken = bench.hologram("audit", "verify", "--json", "--since", "2026-01-01")
    assert broken.returncode == 1
    assert json.loads(broken.stdout)["broken"][0]["code"] == "bad_data_hash"

    evidence.ledger.path.write_bytes(content)
    other = bench.hologram("audit", "verify", "--head", "0" * 64)
    assert (other.returncode, "cut_off" in other.stdout) == (1, True)
    assert bench.hologram("audit", "verify", "--since", "soon").returncode == 2

    (bench.folder / "hologram.toml").write_text(f'revoked_keys = ["{key.key_id}"]\n')
    git(bench.folder, "add", "hologram.toml")
    git(bench.folder, "commit", "-q", "--amend", "-m", "first")
    revoked = bench.hologram("audit", "verify")
    assert (revoked.returncode, "is revoked" in revoked.stdout) == (1, True)
