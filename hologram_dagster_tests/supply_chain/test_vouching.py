"""The attestation of a real run's verdict: green as published, red when changed; and `hologram verify`."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hologram_dagster.cli.app import app
from hologram_dagster.errors import HologramError
from hologram_dagster.evidence.verdict import Verdict, Word
from hologram_dagster.gate import vouching
from hologram_dagster.gate.conclusion import conclude_run
from hologram_dagster.gate.publishing import finish_run, publish_report, publish_summary, start_run
from hologram_dagster.gate.run import GateRun, open_gate_run
from hologram_dagster.observation import Status
from hologram_dagster.protocol.canonical import sha256_hex
from hologram_dagster.settings import load_settings
from hologram_dagster.supply_chain.bundle import open_bundle
from hologram_dagster_tests.evidence.helpers import observation, signer
from hologram_dagster_tests.gate.bench import MakeBench, git
from hologram_dagster_tests.supply_chain.test_locks import NPM, REQUIREMENTS

pytestmark = pytest.mark.phase7_security

OF_VERDICT, OF_REPORT = vouching.OF_VERDICT, vouching.OF_REPORT


def opened(folder: Path, run_id: str = "run-1", profile: str = "dev") -> GateRun:
    settings = load_settings(
        repository=folder, state_dir=folder / ".hologram", reports_dir=folder / "reports"
    )
    return open_gate_run(settings, run_id=run_id, profile_tag=profile)


def attested(folder: Path, *, broken: bool = False) -> tuple[GateRun, Verdict]:
    """A whole run of profile dev, whose evidence is well unless it is `broken`."""
    run = opened(folder)
    start_run(run)
    for kind in run.recorded.required:
        status = Status.FAILED if broken and kind == "e2e_use" else Status.PASSED
        run.evidence.add(observation(kind, status, at=datetime.now(UTC)), run.identity)
    verdict = conclude_run(run).verdict
    publish_report(run)
    publish_summary(run)
    vouching.attest(run, verdict)
    return run, verdict


def red(run: GateRun) -> set[str]:
    return {result.check for result in vouching.attestation_results(run) if result.red}


def published(run: GateRun, name: str) -> Path:
    return run.settings.reports_dir / vouching.FOLDER / name


def statement(run: GateRun, name: str) -> dict[str, Any]:
    return open_bundle(published(run, name).read_bytes(), run.signer.public_hex).statement


def test_the_verdict_is_attested_over_the_tree_and_all_evidence(folder: Path) -> None:
    run, verdict = attested(folder)
    assert verdict.verdict is Word.PASS
    assert red(run) == set()
    stated = statement(run, OF_VERDICT)
    subjects = {each["name"]: each["digest"] for each in stated["subject"]}
    revision = run.identity.revision
    assert subjects["revision"] == {"gitTree": revision.tree, "gitCommit": revision.commit}
    record = run.evidence.gather(run.identity, ["verdict"], now=datetime.now(UTC)).get("verdict")
    assert record is not None
    assert {digest.get("sha256") for digest in subjects.values()} == {
        None,
        record.sha256,
        *(item.sha256 for item in verdict.evidence),
    }
    assert stated["predicate"]["verifiedLevels"] == ["HOLOGRAM_DEV"]
    report = {each["name"]: each["digest"]["sha256"] for each in statement(run, OF_REPORT)["subject"]}
    assert report["index.html"] == sha256_hex((run.settings.reports_dir / "index.html").read_bytes())
    assert set(report) == {"index.html", "junit.xml", "summary.md", "verdict.json"}


def flip(path: Path) -> None:
    content = json.loads(path.read_bytes())
    payload = content["dsseEnvelope"]["payload"]
    content["dsseEnvelope"]["payload"] = payload[:100] + ("A" if payload[100] != "A" else "B") + payload[101:]
    path.write_text(json.dumps(content))


def reformat(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_bytes())))


@pytest.mark.parametrize(
    ("name", "change", "checks"),
    [
        (OF_VERDICT, flip, {"signed", "covers", "report"}),
        (OF_REPORT, flip, {"signed", "covers", "report"}),
        (OF_VERDICT, Path.unlink, {"signed", "covers", "report"}),
        (OF_VERDICT, reformat, {"signed"}),
        ("../index.html", lambda path: path.write_text("other"), {"report"}),
        ("../summary.md", Path.unlink, {"report"}),
    ],
)
def test_what_is_changed_after_it_was_attested_is_red(
    folder: Path, name: str, change: Callable[[Path], object], checks: set[str]
) -> None:
    run, _ = attested(folder)
    change(published(run, name))
    assert red(run) == checks


def test_a_statement_that_leaves_out_evidence_or_says_another_verdict_is_red(folder: Path) -> None:
    run, verdict = attested(folder)
    for changed in (
        Verdict.from_json({**verdict.to_json(), "evidence": verdict.to_json()["evidence"][1:]}),
        Verdict.from_json({**verdict.to_json(), "verdict": "fail"}),
    ):
        vouching.attest(run, changed)
        assert red(run) == {"covers"}
    vouching.attest(run, verdict)
    assert red(run) == set()


def test_what_another_run_publishes_since_is_that_runs_to_attest(folder: Path) -> None:
    run, _ = attested(folder)
    start_run(opened(folder, "run-2"))
    assert not published(run, OF_VERDICT).exists()
    assert red(run) == set()
    # What was kept still has to hold.
    (kept,) = run.evidence.ledger.path.parent.rglob(f"artifacts/*/{OF_VERDICT}")
    flip(kept)
    assert red(run) == {"signed", "covers"}


def test_a_run_without_a_verdict_has_nothing_to_attest_and_is_red(folder: Path) -> None:
    _, verdict = attested(folder)
    other = opened(folder, "run-2")
    start_run(other)
    # What stands there is of another run, and gone.
    assert not published(other, OF_VERDICT).exists()
    with pytest.raises(HologramError, match="no verdict"):
        vouching.attest(other, verdict)
    assert red(other) == set(vouching.CHECKS)


def test_a_run_that_broke_is_attested_as_not_passed(folder: Path) -> None:
    run, _ = attested(folder)
    finish_run(run, "killed")
    predicate = statement(run, OF_VERDICT)["predicate"]
    assert (predicate["verificationResult"], predicate["verifiedLevels"]) == ("FAILED", ["FAILED"])
    assert red(run) == set()


def hologram(*arguments: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["verify", *map(str, arguments)])
    if isinstance(done.exception, HologramError):
        return 2, str(done.exception)
    return done.exit_code, done.output


def test_verify_answers_a_stranger_who_has_bundle_and_key(folder: Path) -> None:
    run, verdict = attested(folder)
    bundle, key = published(run, OF_VERDICT), published(run, vouching.PUBLIC_KEY)
    commit = run.identity.revision.commit
    code, output = hologram(bundle, "--key", key, "--commit", commit)
    assert (code, output) == (0, f"verified: verdict: pass of commit {commit[:12]}, key {run.key_id}\n")
    assert hologram(bundle, "--key", run.signer.public_hex)[0] == 0
    record = run.evidence.ledger.path.parent / "records"
    of_use = next(record.rglob("e2e_use-*.json"))
    assert hologram(bundle, "--key", key, "--file", of_use)[0] == 0
    page = run.settings.reports_dir / "index.html"
    assert hologram(published(run, OF_REPORT), "--key", key, "--file", page, "--commit", commit)[0] == 0

    code, output = hologram(bundle, "--key", key, "--json")
    told = json.loads(output)
    assert (code, told["holds"], told["authentic"], told["verdict"]) == (0, True, True, "pass")
    assert (told["kind"], told["commit"], told["faults"]) == ("verdict", commit, [])
    assert set(told["subjects"]) == {
        "revision",
        "evidence/verdict",
        *(f"evidence/{e.kind}" for e in verdict.evidence),
    }


def test_verify_refuses_another_key_a_flipped_byte_another_file_and_another_commit(folder: Path) -> None:
    run, _ = attested(folder)
    bundle, key = published(run, OF_VERDICT), published(run, vouching.PUBLIC_KEY)
    code, output = hologram(bundle, "--key", signer(9).public_hex)
    assert (code, "NOT VERIFIED" in output) == (1, True)
    code, output = hologram(bundle, "--key", key, "--file", folder / ".gitignore", "--commit", "0" * 40)
    assert code == 1
    assert ".gitignore is not what it is about" in output
    assert "it is not of commit 000000000000" in output
    flip(bundle)
    assert hologram(bundle, "--key", key)[0] == 1
    bundle.write_text("[]")
    assert hologram(bundle, "--key", key)[0] == 1


def test_a_verdict_that_is_not_pass_does_not_hold(folder: Path) -> None:
    run, verdict = attested(folder, broken=True)
    assert verdict.verdict is Word.FAIL
    code, output = hologram(published(run, OF_VERDICT), "--key", run.signer.public_hex, "--json")
    told = json.loads(output)
    assert (code, told["authentic"], told["holds"], told["faults"]) == (
        1,
        True,
        False,
        ["the verdict is fail"],
    )


def test_verify_needs_a_key_and_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run, _ = attested(folder)
    bundle = shutil.copy(published(run, OF_VERDICT), tmp_path / "bundle.json")
    monkeypatch.chdir(tmp_path)
    assert hologram(bundle) == (2, "there is no key of a gate here: name the gate's public key with --key.")
    assert not (tmp_path / ".hologram").exists()
    assert hologram(tmp_path / "nothing", "--key", run.signer.public_hex)[0] == 2
    assert hologram(bundle, "--key", bundle)[0] == 2
    monkeypatch.chdir(folder)
    assert hologram(bundle)[0] == 0


def test_the_lock_files_of_a_revision_are_those_of_its_commit_or_of_its_changed_files(folder: Path) -> None:
    (folder / "requirements.txt").write_text(REQUIREMENTS)
    (folder / "notes.txt").write_text("=== no lock")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "locked")
    assert [lock.path for lock in vouching.locks_of(opened(folder))] == ["requirements.txt"]
    (folder / "package-lock.json").write_text(NPM)
    locks = vouching.locks_of(opened(folder))
    assert [(lock.path, len(lock.packages)) for lock in locks] == [
        ("package-lock.json", 2),
        ("requirements.txt", 3),
    ]


def test_the_assets_gather_it_and_red_is_red_by_dagsters_own_command(make_bench: MakeBench) -> None:
    bench = make_bench(HOLOGRAM_PROFILE="main")
    (bench.folder / "requirements.txt").write_text(REQUIREMENTS)
    git(bench.folder, "add", ".")
    git(bench.folder, "commit", "-qm", "locked")
    # The provenance lacks all other evidence, which was not gathered.
    done = bench.materialize("revision,sbom,vulnerabilities,provenance")
    assert done.returncode == 1
    assert "GateFailed: provenance" in done.stderr
    assert "GateFailed: sbom" not in done.stderr
    assert "GateFailed: vulnerabilities" not in done.stderr
    values = json.loads(bench.record("sbom").read_text())["values"]
    assert values["target_components"] == 3
    assert values["gate_hashed_pct"] >= 95
    assert (bench.reports / "supply_chain" / "target.cdx.json").exists()
    assert json.loads(bench.record("provenance").read_text())["facts"]["level"] == "SLSA_BUILD_LEVEL_1"
