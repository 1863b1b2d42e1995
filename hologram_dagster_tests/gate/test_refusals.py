"""What the gate refuses to judge, each with exit 2 and what to do; and the holes of an empty selection."""

import subprocess
from pathlib import Path

import dagster as dg
import pytest

from hologram_dagster import profiles
from hologram_dagster.build import build_defs
from hologram_dagster.defs.jobs import gate_job
from hologram_dagster.profiles import EVIDENCE, PROFILES, ProfileName, required_kinds
from hologram_dagster_tests.gate.bench import Bench, MakeBench, git

pytestmark = pytest.mark.phase0_ready


def _refused(bench: Bench, *arguments: str, told: str, **variables: str) -> None:
    done = bench.hologram("gate", *arguments, **variables)
    assert done.returncode == 2, done.stdout + done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not (bench.reports / "verdict.json").exists()


@pytest.mark.parametrize("profile", ["main", "nightly"])
def test_a_dirty_tree_is_refused_where_commits_are_judged(make_bench: MakeBench, profile: str) -> None:
    bench = make_bench()
    (bench.folder / "new.txt").write_text("uncommitted")
    _refused(bench, "--profile", profile, told="uncommitted changes")


@pytest.mark.parametrize("profile", ["main", "nightly"])
def test_a_shallow_clone_is_refused_where_history_counts(
    make_bench: MakeBench, tmp_path: Path, profile: str
) -> None:
    bench = make_bench()
    git(bench.folder, "commit", "-q", "--allow-empty", "-m", "second")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{bench.folder}", "shallow")
    _refused(Bench(tmp_path / "shallow"), "--profile", profile, told="git fetch --unshallow")


def test_no_repository_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "nothing"
    folder.mkdir()
    _refused(Bench(folder), told="HOLOGRAM_REPOSITORY")


@pytest.mark.parametrize("variable", ["SLO_GQL_P95_MS", "GQL_SAMPLES", "ENC_MB", "SLO_VERIFY_P95_MS"])
def test_a_malformed_variable_is_refused_by_name(make_bench: MakeBench, variable: str) -> None:
    _refused(make_bench(), told=variable, **{variable: "many"})


def test_ci_without_a_profile_is_refused(make_bench: MakeBench) -> None:
    _refused(make_bench(), told="HOLOGRAM_PROFILE", CI="true")


def test_an_unknown_profile_is_refused(make_bench: MakeBench) -> None:
    _refused(make_bench(), "--profile", "weekly", told="pr, main, nightly, dev")


def test_half_of_the_services_is_refused(make_bench: MakeBench) -> None:
    _refused(make_bench(), told="IPFS_API is not set", GRAPHQL_URL="http://127.0.0.1:9/graphql")


def test_a_broken_policy_is_refused_with_line_and_key(make_bench: MakeBench) -> None:
    bench = make_bench()
    (bench.folder / "hologram.toml").write_text("\ntrusted_keys = 7\n")
    git(bench.folder, "add", "hologram.toml")
    git(bench.folder, "commit", "-qm", "policy")
    git(bench.folder, "commit", "-q", "--allow-empty", "-m", "its baseline has the policy")
    _refused(bench, told="line 2: trusted_keys")


@pytest.mark.parametrize("committed", [True, False])
def test_a_candidate_that_breaks_its_policy_is_refused_itself(make_bench: MakeBench, committed: bool) -> None:
    bench = make_bench()
    (bench.folder / "hologram.toml").write_text("[budgets.main]\n# gql\ngql = 'fast'\n")
    if committed:
        git(bench.folder, "add", "hologram.toml")
        git(bench.folder, "commit", "-qm", "its baseline has no policy")
    _refused(bench, told="line 3: budgets.main.gql")


def test_a_throw_away_instance_is_refused_unless_allowed(bench: Bench) -> None:
    selection = "revision,perf_verify"
    refused = bench.materialize(selection, DAGSTER_HOME="")
    assert refused.returncode == 1
    assert "set DAGSTER_HOME to a folder that stays" in refused.stderr
    assert bench.materialize(selection, DAGSTER_HOME="", HOLOGRAM_ALLOW_EPHEMERAL="1").returncode == 0


def test_a_profile_that_requires_nothing_is_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "EVIDENCE", {"perf_gql": frozenset({ProfileName.PR})})
    with pytest.raises(ValueError, match="would pass on nothing"):
        gate_job(PROFILES[ProfileName.DEV])


def test_definitions_load_and_every_required_kind_has_asset_gate_and_tags() -> None:
    defs = build_defs()
    dg.Definitions.validate_loadable(defs)
    graph = defs.resolve_asset_graph()
    keys = {key.to_user_string() for key in graph.get_all_asset_keys()}
    checked = {key.asset_key.to_user_string() for key in graph.asset_check_keys}
    assert set(EVIDENCE) <= keys
    assert set(EVIDENCE) | {"verdict"} <= checked
    for profile in PROFILES.values():
        tagged = {
            key.to_user_string()
            for key in graph.get_all_asset_keys()
            if f"gate/{profile.name}" in graph.get(key).tags
        }
        assert set(required_kinds(profile.name)) <= tagged
        job = defs.resolve_job_def(profile.job)
        assert {key.to_user_string() for key in job.asset_layer.selected_asset_keys} == tagged


def test_every_asset_says_what_it_is_and_who_owns_it() -> None:
    graph = build_defs().resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.owners, key
        assert node.group_name != "default", key
        assert node.kinds, key
        assert node.code_version, key


@pytest.mark.system("root")
@pytest.mark.parametrize("options", ["size=64k,ro", "size=8k"])
def test_reports_that_cannot_be_written_are_told_and_never_a_pass(bench: Bench, options: str) -> None:
    bench.reports.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(bench.reports)], check=True)
    try:
        done = bench.hologram("gate")
        assert done.returncode in {2, 3}, done.stdout + done.stderr
        assert "Free space or fix its permissions" in done.stdout + done.stderr
        assert "bug" not in done.stdout
        assert "Traceback" not in done.stdout + done.stderr
    finally:
        subprocess.run(["umount", str(bench.reports)], check=True)


def test_files_of_other_tools_are_noted_and_kept(bench: Bench) -> None:
    rows, events = bench.reports / "perf" / "other.csv", bench.reports / "e2e" / "events.jsonl"
    rows.parent.mkdir(parents=True)
    events.parent.mkdir()
    rows.write_text("a,b\n1\n")
    events.write_text("garbage{\n")
    assert bench.hologram("gate").returncode == 0
    page = (bench.reports / "index.html").read_text()
    assert "other.csv line 1" in page
    assert "events.jsonl" in page
    assert rows.read_text() == "a,b\n1\n"
    assert events.read_text().startswith("garbage{\n")


def test_a_verdict_that_no_run_concluded_is_not_reported(bench: Bench) -> None:
    assert bench.hologram("gate", SLO_GQL_P95_MS="0.0001").returncode == 1
    path = bench.reports / "verdict.json"
    path.write_text(path.read_text().replace('"verdict": "fail"', '"verdict": "pass"'))
    done = bench.materialize("report")
    assert done.returncode == 1
    assert "is not what a gate run concluded" in done.stderr


def test_without_a_gate_run_there_is_no_verdict(make_bench: MakeBench) -> None:
    done = make_bench().hologram("verdict")
    assert done.returncode == 4
    assert "hologram verdict HEAD" in done.stderr
