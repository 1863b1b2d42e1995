"""`hologram waive`, `unwaive` and what `hologram verdict` then says: the installed commands."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hologram_dagster.evidence.archive import Evidence
from hologram_dagster.protocol.signing import load_or_create_signer
from hologram_dagster.target.revision import read_revision
from hologram_dagster_tests.evidence.helpers import conclude_run, observation, run_of, signer
from hologram_dagster_tests.gate.bench import Bench

pytestmark = pytest.mark.phase7_security

CHECKS = ("e2e_use.present", "e2e_install.present")
UNTIL = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()


@pytest.fixture
def red(tmp_path: Path) -> Bench:
    """A repository whose newest run failed: two kinds of evidence are missing."""
    bench = Bench.make(tmp_path / "repository")
    key = load_or_create_signer(bench.folder / ".hologram" / "keys" / "ed25519.pem", None)
    evidence = Evidence(bench.evidence, signer=key)
    now = datetime.now(UTC)
    run = run_of(revision=read_revision(bench.folder), started_at=now)
    evidence.start_run(run)
    for kind in run.required:
        if f"{kind}.present" not in CHECKS:
            evidence.add(observation(kind, at=now), run.identity)
    conclude_run(evidence, run)
    return bench


def _waive(bench: Bench, check: str, *more: str) -> str:
    done = bench.hologram("waive", "HEAD", "--check", check, "--reason", "ticket 7", "--until", UNTIL, *more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_only_when_all_that_is_red_is_waived_the_answer_is_5(red: Bench) -> None:
    assert red.hologram("verdict", "HEAD").returncode == 1
    assert "by ada until" in _waive(red, CHECKS[0], "--by", "ada")
    half = red.hologram("verdict", "HEAD")
    assert half.returncode == 1
    assert f"waived:   {CHECKS[0]} by ada" in half.stdout
    _waive(red, CHECKS[1])
    whole = red.hologram("verdict", "HEAD")
    assert (whole.returncode, "FAIL (waived)" in whole.stdout) == (5, True)
    document = json.loads(red.hologram("verdict", "HEAD", "--json").stdout)
    assert document["verdict"] == "fail"
    assert {waiver["check"] for waiver in document["waivers"]} == set(CHECKS)

    ended = red.hologram("unwaive", "HEAD", "--check", CHECKS[0])
    assert ended.returncode == 0, ended.stderr
    assert red.hologram("verdict", "HEAD").returncode == 1
    again = red.hologram("unwaive", "HEAD", "--check", CHECKS[0])
    assert (again.returncode, "no waiver of" in again.stderr) == (2, True)


def test_waivers_that_do_not_count_are_told(red: Bench, tmp_path: Path) -> None:
    foreign = Evidence(red.evidence, signer=signer(9))
    commit = read_revision(red.folder).commit
    for check in CHECKS:
        foreign.enter(
            {
                "entry": "waiver",
                "commit": commit,
                "check": check,
                "who": "mallory",
                "why": "x",
                "expires_at": f"{UNTIL}T00:00:00.000000Z",
            }
        )
    done = red.hologram("verdict", "HEAD")
    assert done.returncode == 1
    assert f"{CHECKS[0]} by mallory does not count: signed by key" in done.stderr


def test_an_edited_waiver_is_a_ledger_that_nobody_answers_from(red: Bench) -> None:
    for check in CHECKS:
        _waive(red, check)
    ledger = red.evidence / "ledger.jsonl"
    ledger.write_text(ledger.read_text().replace("ticket 7", "ticket 8"))
    done = red.hologram("verdict", "HEAD")
    assert done.returncode == 1
    assert "no waiver counts" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nowhere", "--check", CHECKS[0], "--reason", "x", "--until", UNTIL), "nowhere"),
        (("HEAD", "--check", "e2e_use.typo", "--reason", "x", "--until", UNTIL), "use one of"),
        (("HEAD", "--check", CHECKS[0], "--reason", "x", "--until", "2999-01-01"), "14 days"),
        (("HEAD", "--check", CHECKS[0], "--reason", "x", "--until", "2020-01-01"), "is past"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_2(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    bench = Bench.make(tmp_path / "repository")
    done = bench.hologram("waive", *arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert told in done.stderr
    assert not (bench.evidence / "ledger.jsonl").exists()


def test_what_is_not_red_cannot_be_waived(red: Bench, tmp_path: Path) -> None:
    arguments = ("waive", "HEAD", "--reason", "ticket 7", "--until", UNTIL, "--check")
    green = red.hologram(*arguments, "perf_gql.p95_within_budget")
    assert (green.returncode, "is not red" in green.stderr) == (2, True), green.stderr
    unseen = Bench.make(tmp_path / "other").hologram(*arguments, CHECKS[0])
    assert (unseen.returncode, "run the gate first" in unseen.stderr) == (2, True), unseen.stderr


def test_a_gate_run_of_a_waived_revision_is_still_red_and_exits_5(bench: Bench) -> None:
    assert bench.hologram("gate", SLO_GQL_P95_MS="0.0001").returncode == 1
    _waive(bench, "perf_gql.p95_within_budget")
    done = bench.hologram("gate", SLO_GQL_P95_MS="0.0001")
    assert done.returncode == 5, done.stdout + done.stderr
    assert "verdict: FAIL (waived)" in done.stdout
    assert bench.verdict()["verdict"] == "fail"
    assert [waiver["check"] for waiver in bench.verdict()["waivers"]] == ["perf_gql.p95_within_budget"]
    assert "ticket 7" in (bench.reports / "index.html").read_text()
