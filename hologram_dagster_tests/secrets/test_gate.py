"""The gate on secrets: green on a clean revision, red for a secret in each place it looks at."""

import json
from pathlib import Path

import pytest

from hologram_dagster.errors import FormatError
from hologram_dagster.gate.conclusion import judge_kind
from hologram_dagster.gate.leaks import report_check, scan_run
from hologram_dagster.gate.run import open_gate_run
from hologram_dagster.secrets.accepted import Accepted
from hologram_dagster.secrets.scan import find
from hologram_dagster.settings import load_settings
from hologram_dagster_tests.gate.bench import Bench, MakeBench, git

pytestmark = [pytest.mark.phase7_security, pytest.mark.phase2_integration]

TOKEN = "ghp_" + "q7Rt" * 9
FILE = ".hologram-secrets.json"


def judged(bench: Bench, logged: tuple[str, ...] = (), **settings: str) -> dict[str, str]:
    """What the gate judges of secrets in the state of `bench`: check -> message, red ones marked."""
    given = load_settings(
        repository=bench.folder,
        state_dir=bench.folder / ".hologram",
        reports_dir=bench.reports,
        **settings,
    )
    run = open_gate_run(given, run_id="run", profile_tag="pr")
    run.evidence.ensure_started(run.recorded)
    (bench.reports / "perf").mkdir(parents=True, exist_ok=True)
    (bench.reports / "perf" / "core_perf.csv").write_text(bench.variables.get("REPORT", "suite,metric"))
    stored = run.evidence.add(scan_run(run, lambda: logged), run.identity)
    assert TOKEN not in json.dumps(stored.record.to_json())
    results = judge_kind(run, "secrets_scan")
    assert TOKEN not in str(results)
    return {each.check: f"{'RED ' if each.red else ''}{each.message}" for each in results}


def commit(bench: Bench, name: str, content: str | None) -> str:
    path = bench.folder / name
    if content is None:
        path.unlink()
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    git(bench.folder, "add", "-A")
    git(bench.folder, "commit", "-qm", name)
    return git(bench.folder, "rev-parse", "HEAD")


@pytest.fixture
def scratch(tmp_path: Path) -> Bench:
    return Bench.make(tmp_path / "repository")


def test_green_then_red_for_a_file_then_for_a_commit_whose_secret_a_later_one_took_out(
    scratch: Bench,
) -> None:
    git(scratch.folder, "checkout", "-qb", "change")
    commit(scratch, "docs/cids.md", "cid bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi\n")
    assert judged(scratch) == {
        "observed": "observed to the end",
        "tree_clean": "no secret in 2 files of the revision",
        "commits_clean": "no secret in 1 new commit",
        "outputs_clean": "no secret in 3 outputs of the run",
    }
    leaking = commit(scratch, "src/app.py", f"# one\nclient = Client('{TOKEN}')\n")
    told = judged(scratch)
    assert told["tree_clean"] == "RED 1 secret in files of the revision: src/app.py:2 (github)"
    commit(scratch, "src/app.py", None)
    told = judged(scratch)
    assert told["tree_clean"].startswith("no secret")
    assert told["commits_clean"] == f"RED 1 secret in new commits: {leaking[:12]}:src/app.py:2 (github)"


def test_a_change_cannot_accept_its_own_secret_but_an_earlier_one_can(scratch: Bench) -> None:
    git(scratch.folder, "checkout", "-qb", "change")
    sample = f"CLIENT = '{TOKEN}'\n"
    Accepted().with_all([("sample.py", leak) for leak in find(sample)]).write(scratch.folder / FILE)
    git(scratch.folder, "add", FILE)
    git(scratch.folder, "commit", "-qm", "accept")
    accepting = git(scratch.folder, "rev-parse", "HEAD")
    commit(scratch, "sample.py", sample)
    assert judged(scratch)["tree_clean"] == "RED 1 secret in files of the revision: sample.py:1 (github)"
    git(scratch.folder, "branch", "-f", "main", accepting)
    assert judged(scratch)["tree_clean"] == "no secret in 3 files of the revision"


def test_red_for_a_secret_in_an_output_of_the_run(scratch: Bench) -> None:
    scratch.variables["REPORT"] = f"# it was refused: {TOKEN}"
    told = judged(scratch)["outputs_clean"]
    assert told == f"RED 1 secret in outputs of the run: {scratch.reports}/perf/core_perf.csv:1 (github)"


def test_red_for_a_secret_of_the_gates_own_settings_whatever_stands_around_it(scratch: Bench) -> None:
    scratch.variables["REPORT"] = "it said Qwerty-0-sesame"
    told = judged(
        scratch, logged=("all well", '{"message": "a Qwerty-0-sesame"}'), graphql_token="Qwerty-0-sesame"
    )
    assert "core_perf.csv (known), entry 2 of the run's log (known)" in told["outputs_clean"]
    assert told["outputs_clean"].startswith("RED 2 secrets")


@pytest.mark.parametrize("where", ["baseline", "candidate"])
def test_what_cannot_be_read_is_no_pass(scratch: Bench, where: str) -> None:
    commit(scratch, FILE, "{}")
    if where == "baseline":
        commit(scratch, FILE, '{"schema_version": 1, "salt": "00000000000000000000000000000000"}')
    with pytest.raises(FormatError, match=rf"{FILE} at [0-9a-f]{{12}}: salt"):
        judged(scratch)


def test_uncommitted_files_are_scanned_where_they_lie(scratch: Bench) -> None:
    (scratch.folder / "notes.txt").write_text(f"# {TOKEN}\n")
    assert judged(scratch)["tree_clean"] == "RED 1 secret in files of the revision: notes.txt:1 (github)"


def test_a_name_that_git_quotes_a_trap_and_a_merge_are_read(scratch: Bench) -> None:
    top = scratch.folder
    git(top, "checkout", "-qb", "side")
    commit(scratch, 'odd "name".txt', f"one\n+++ b/trap\n{TOKEN}\n")
    git(top, "checkout", "-qB", "change", "main")
    commit(scratch, "other.txt", "clean\n")
    git(top, "merge", "-q", "--no-ff", "--no-edit", "side")
    commit(scratch, 'odd "name".txt', None)
    told = judged(scratch)["commits_clean"]
    # In the side's commit, and in the merge that brought it.
    assert told.startswith("RED 2 secrets in new commits: ")
    assert told.count('name\\".txt:3 (github)') == 2


def test_red_for_a_secret_in_a_commits_message(scratch: Bench) -> None:
    git(scratch.folder, "commit", "-q", "--allow-empty", "-m", f"deploy\n\nwith {TOKEN}")
    told = judged(scratch)["commits_clean"]
    assert told.endswith("(message):3 (github)")
    assert told.startswith("RED 1 secret")


def test_the_rendered_reports_are_checked_after_the_verdict(scratch: Bench) -> None:
    settings = load_settings(
        repository=scratch.folder, state_dir=scratch.folder / ".hologram", reports_dir=scratch.reports
    )
    run = open_gate_run(settings, run_id="run", profile_tag="pr")
    page = scratch.reports / "index.html"
    page.parent.mkdir(exist_ok=True)
    page.write_text("<p>all well</p>\n")
    # The .gitignore of the folder is the run's, too.
    assert (report_check(run).red, report_check(run).message) == (
        False,
        "no secret in 2 files of the reports",
    )
    page.write_text(f"<p>all</p>\n<p>{TOKEN}</p>\n")
    told = report_check(run)
    assert (told.red, told.message) == (True, f"1 secret in files of the reports: {page}:2 (github)")


def test_in_dagster_the_step_is_red_and_says_where(make_bench: MakeBench) -> None:
    bench = make_bench()
    commit(bench, "app.py", f"client = Client('{TOKEN}')\n")
    done = bench.materialize("revision,secrets_scan", HOLOGRAM_PROFILE="pr")
    assert done.returncode == 1
    assert "tree_clean: 1 secret in files of the revision: app.py:1 (github)" in done.stderr
    assert TOKEN not in done.stdout + done.stderr
