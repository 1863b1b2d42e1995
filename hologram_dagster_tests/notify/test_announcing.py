"""Each verdict of a run is told once, to whom the settings name, and what came of it is evidence."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hologram_dagster.evidence.answer import answer
from hologram_dagster.evidence.verdict import Verdict, Word
from hologram_dagster.gate.announcing import announce, links_of, undelivered
from hologram_dagster.gate.conclusion import begin, conclude_run, own_verdict
from hologram_dagster.gate.publishing import finish_run
from hologram_dagster.gate.run import GateRun, open_gate_run
from hologram_dagster.observation import Status
from hologram_dagster.processes import LOOPBACK
from hologram_dagster.settings import load_settings
from hologram_dagster_tests.evidence.helpers import observation
from hologram_dagster_tests.gate.bench import Bench, git
from hologram_dagster_tests.notify.receiver import Receiver

pytestmark = pytest.mark.phase0_ready

TOKEN = "tok-XsecretX"
PAUSES_S = (0.01,)
MakeRun = Callable[..., GateRun]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Opens and begins a run of one repository."""
    folder = Bench.make(tmp_path / "repository").folder

    def make(run_id: str = "run-1", profile: str = "main", **settings: Any) -> GateRun:
        given = load_settings(
            repository=folder,
            state_dir=folder / ".hologram",
            reports_dir=folder / "reports",
            # What `observation` sees.
            gql_samples=5,
            enc_mb=1,
            **settings,
        )
        run = open_gate_run(given, run_id=run_id, profile_tag=profile)
        begin(run)
        return run

    return make


def concluded(run: GateRun, status: Status = Status.PASSED) -> Verdict:
    now = run.identity.started_at
    for kind in run.recorded.required:
        run.evidence.add(observation(kind, status, at=now), run.identity)
    return conclude_run(run).verdict


def titles(receiver: Receiver) -> list[str]:
    return [each.body["attachments"][0]["title"] for each in receiver.received]


def test_everybody_named_is_told_once(make_run: MakeRun, receiver: Receiver) -> None:
    run = make_run(
        slack_webhook_url=f"{receiver.url}/slack/{TOKEN}",
        teams_webhook_url=f"{receiver.url}/teams",
        apprise_urls=f"{receiver.url.replace('http', 'json')}/a {receiver.url.replace('http', 'json')}/b",
        github_token=TOKEN,
        github_repository="o/r",
        github_api_url=receiver.url,
        gitlab_token=TOKEN,
        gitlab_project="42",
        gitlab_api_url=f"{receiver.url}/api/v4",
        reports_url="https://pages.example.com/r/",
    )
    verdict = concluded(run, Status.FAILED)
    deliveries = announce(run, verdict, pauses_s=PAUSES_S)
    assert {d.channel: d.delivered for d in deliveries} == dict.fromkeys(
        ("github_status", "gitlab_status", "slack", "teams", "apprise_1", "apprise_2"), True
    )
    commit = run.identity.revision.commit
    by_path = {each.path: each for each in receiver.received}
    assert set(by_path) == {
        *(f"/repos/o/r/statuses/{commit}", f"/api/v4/projects/42/statuses/{commit}"),
        *(f"/slack/{TOKEN}", "/teams", "/a", "/b"),
    }
    status = by_path[f"/repos/o/r/statuses/{commit}"]
    assert status.headers["Authorization"] == f"Bearer {TOKEN}"
    assert status.body["state"] == "failure"
    assert status.body["target_url"] == "https://pages.example.com/r/index.html"
    assert by_path[f"/api/v4/projects/42/statuses/{commit}"].headers["PRIVATE-TOKEN"] == TOKEN

    assert announce(run, verdict, pauses_s=PAUSES_S) == ()
    assert len(receiver.received) == 6
    assert undelivered(run) == ()
    everything = b"".join(path.read_bytes() for path in run.evidence.ledger.path.parent.rglob("*.*"))
    assert TOKEN.encode() not in everything


def test_a_changed_verdict_of_the_run_is_told_again(make_run: MakeRun, receiver: Receiver) -> None:
    run = make_run(slack_webhook_url=receiver.url)
    announce(run, concluded(run))
    finish_run(run, "the run broke")
    finish_run(run, "the run broke")
    assert [title.split(": ")[1] for title in titles(receiver)] == ["pass", "inconclusive"]


def test_a_failed_delivery_changes_no_verdict_and_is_evidence(make_run: MakeRun, receiver: Receiver) -> None:
    run = make_run(slack_webhook_url=f"{receiver.url}/{TOKEN}")
    receiver.answers = [404]
    verdict = concluded(run)
    announce(run, verdict, pauses_s=PAUSES_S)
    (told,) = undelivered(run)
    assert told == "slack: not delivered: HTTP 404 at try 1: check SLACK_WEBHOOK_URL and the network"
    repeated = own_verdict(run)
    assert repeated is not None
    assert (repeated.verdict, repeated.reasons) == (verdict.verdict, verdict.reasons)
    again, _ = answer(run.evidence, run.identity.revision.commit, now=run.identity.started_at)
    assert again is not None
    assert again.verdict is Word.PASS
    assert announce(run, verdict, pauses_s=PAUSES_S) == ()


def test_one_that_hangs_leaves_the_others_their_time(make_run: MakeRun, receiver: Receiver) -> None:
    with socket.create_server((LOOPBACK, 0)) as silent:
        run = make_run(
            slack_webhook_url=f"http://{LOOPBACK}:{silent.getsockname()[1]}/{TOKEN}",
            teams_webhook_url=receiver.url,
        )
        # So many pauses that only the time can end the tries.
        deliveries = announce(run, concluded(run), pauses_s=[0.01] * 10_000, within_s=4)
    assert {d.channel: d.delivered for d in deliveries} == {"slack": False, "teams": True}
    assert len(undelivered(run)) == 1


def test_people_are_told_of_main_and_nightly_unless_said_otherwise(
    make_run: MakeRun, receiver: Receiver
) -> None:
    def told(run_id: str, profile: str, **settings: str) -> bool:
        run = make_run(run_id, profile, slack_webhook_url=receiver.url, **settings)
        return bool(announce(run, concluded(run)))

    assert told("run-1", "main")
    assert told("run-2", "nightly")
    assert not told("run-3", "pr")
    assert not told("run-4", "dev")
    assert told("run-5", "dev", notify="pr, dev")
    assert not told("run-6", "main", notify="none")


def test_a_status_is_the_commits_only(make_run: MakeRun, receiver: Receiver) -> None:
    github = {"github_token": TOKEN, "github_repository": "o/r", "github_api_url": receiver.url}
    developers = make_run("run-1", "dev", **github)
    assert announce(developers, concluded(developers)) == ()
    pr = make_run("run-2", "pr", **github)
    (status,) = announce(pr, concluded(pr))
    assert (status.channel, status.delivered) == ("github_status", True)
    assert receiver.received[0].body["context"] == "hologram/pr"
    (developers.settings.repository / "new.txt").write_text("uncommitted")
    dirty = make_run("run-3", "pr", **github)
    assert announce(dirty, concluded(dirty)) == ()
    without = make_run("run-4", "pr", github_token=TOKEN)
    assert announce(without, concluded(without)) == ()


def test_three_in_a_row_that_did_not_pass_escalate(make_run: MakeRun, receiver: Receiver) -> None:
    for number, status in enumerate((Status.FAILED, Status.PASSED, *[Status.FAILED] * 3)):
        run = make_run(f"run-{number}", slack_webhook_url=receiver.url)
        announce(run, concluded(run, status))
        # Of another profile, so not of the row.
        other = make_run(f"pr-{number}", "pr", slack_webhook_url=receiver.url)
        concluded(other, Status.PASSED)
    assert [title.startswith("ESCALATION") for title in titles(receiver)] == [False] * 4 + [True]


def test_a_running_verdict_and_nobody_to_tell_leave_no_record(make_run: MakeRun, receiver: Receiver) -> None:
    run = make_run()
    verdict = concluded(run)
    entries = run.evidence.ledger.seq()
    assert announce(run, verdict) == ()
    assert run.evidence.ledger.seq() == entries


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {}),
        ({"ui_url": "http://ui:3000/"}, {"Dagster run": "http://ui:3000/runs/r"}),
        (
            {"github_repository": "o/r", "github_run_id": "7"},
            {"CI job": "https://github.com/o/r/actions/runs/7"},
        ),
        ({"gitlab_job_url": "https://gitlab.example.com/j/1"}, {"CI job": "https://gitlab.example.com/j/1"}),
    ],
)
def test_links(given: dict[str, str], expected: dict[str, str]) -> None:
    assert links_of(load_settings(**given), "r") == expected


def test_a_gate_run_tells_of_its_verdict_by_itself(bench: Bench, receiver: Receiver) -> None:
    """The installed command: told once, from the run's last step."""
    git(bench.folder, "commit", "-q", "--allow-empty", "-m", "second")
    variables = {"HOLOGRAM_NOTIFY": "dev", "SLACK_WEBHOOK_URL": f"{receiver.url}/{TOKEN}"}
    done = bench.hologram("gate", **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert titles(receiver) == ["Hologram dev gate: pass"]
    assert TOKEN not in done.stdout + done.stderr
    logs = "".join(path.read_text(errors="replace") for path in (bench.folder / ".hologram/logs").iterdir())
    assert TOKEN not in logs

    receiver.answers = [404]
    red = bench.hologram("gate", **variables, SLO_GQL_P95_MS="0.0001")
    assert red.returncode == 1
    assert "slack: not delivered: HTTP 404" in red.stderr
    assert "perf_gql p95_within_budget" in titles(receiver)[1]


def test_a_killed_run_is_told_of_as_inconclusive(bench: Bench, receiver: Receiver) -> None:
    variables = {"HOLOGRAM_NOTIFY": "dev", "SLACK_WEBHOOK_URL": receiver.url, "HOLOGRAM_DEADLINE_S": "1"}
    done = bench.hologram("gate", **variables)
    assert done.returncode == 3, done.stdout + done.stderr
    assert [title.split(": ")[1] for title in titles(receiver)] == ["inconclusive"]
