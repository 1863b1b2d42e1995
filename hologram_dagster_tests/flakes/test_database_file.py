"""Old `flake_database.json` files load; ours load in tools written for them (contract sections 7.1 and 8)."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from hologram_dagster.errors import FormatError
from hologram_dagster.flakes.database_file import (
    MOST_RESULTS,
    database_json,
    read_database,
    read_or_set_aside,
    write_database,
)
from hologram_dagster.flakes.judgement import judge
from hologram_dagster.flakes.store import Store
from hologram_dagster_tests.flakes.suites import NOW, attempts, run_of

pytestmark = pytest.mark.phase9_chaos

OLD = {
    "test_results": {
        "test_flaky": [
            {"passed": True, "run_id": "run_1", "timestamp": "2026-03-01 10:00:00"},
            {"passed": False, "run_id": "run_2", "timestamp": "2026-03-02 10:00:00"},
            {"passed": True, "run_id": "run_2", "timestamp": "2026-03-02 10:01:00"},
        ],
        "test_regressed": [
            {"passed": True, "run_id": "run_1", "timestamp": "2026-03-01 10:00:00"},
            {"passed": False, "run_id": "run_2", "timestamp": "2026-03-02 10:00:00"},
            {"passed": False, "run_id": "run_3", "timestamp": "2026-03-03 10:00:00"},
        ],
    },
    "flake_counts": {"test_flaky": 1, "test_regressed": 2},
}


def tool_before(document: dict[str, object]) -> set[str]:
    """What a tool written for the contract calls flaky of a document, by the rule of section 7.1."""
    flaky = set()
    for name, results in document["test_results"].items():  # type: ignore[attr-defined]
        outcomes = {result["passed"] for result in results if result["run_id"] and result["timestamp"]}
        if len(results) >= 3 and len(outcomes) == 2 and document["flake_counts"].get(name, 0) >= 2:  # type: ignore[attr-defined]
            flaky.add(name)
    return flaky


def test_an_old_file_loads_and_its_failures_are_not_called_flakes(tmp_path: Path) -> None:
    path = tmp_path / "flake_database.json"
    path.write_text(json.dumps(OLD))
    assert tool_before(OLD) == {"test_regressed"}
    results = read_database(path)
    assert "without a commit" in results.notes[0]
    with Store.in_folder(tmp_path) as store:
        assert store.add(results.attempts) == 6
        judged = {each.test: each for each in judge(store.occasions(since=NOW - timedelta(30)), now=NOW)}
    # Contract trap 23: two failures in two runs are no flake; a pass and a failure in one run are.
    assert judged["test_flaky"].score.flakes == 1
    assert judged["test_regressed"].score.flakes == 0


def test_ours_loads_in_a_tool_written_for_the_contract_and_back_here(tmp_path: Path) -> None:
    path = tmp_path / "flake_database.json"
    with Store(tmp_path / "one.sqlite") as store:
        for number in range(3):
            run = run_of(f"r{number}", at=NOW - timedelta(days=number))
            store.add(
                [*attempts("flaky", "F.", run), *attempts("broken", "FFF", run), *attempts("sound", ".", run)]
            )
        occasions, kept = (
            store.occasions(since=NOW - timedelta(30)),
            store.attempts(since=NOW - timedelta(30)),
        )
    judged = list(judge(occasions, now=NOW))
    write_database(path, kept, judged)
    document = json.loads(path.read_text())
    assert document["flake_counts"] == {"flaky": 3}
    assert tool_before(document) == {"flaky"}
    assert document["tests"]["broken"]["state"] == "broken"
    first = document["test_results"]["flaky"][0]
    assert (first["passed"], first["run_id"], first["timestamp"]) == (False, "r2", "2026-03-08 12:00:00")
    with Store(tmp_path / "two.sqlite") as again:
        again.add(read_database(path).attempts)
        assert again.occasions(since=NOW - timedelta(30)) == occasions
        assert again.add(kept) == 0


def test_only_the_newest_results_of_a_test_are_exported() -> None:
    many = [each for number in range(300) for each in attempts("t", ".", run_of(f"r{number}"))]
    results = database_json(many, [])["test_results"]["t"]
    assert (len(results), results[-1]["run_id"]) == (MOST_RESULTS, "r299")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "line 1"),
        ("[]", "no object with test_results"),
        ('{"test_results": []}', "no object with test_results"),
        ('{"test_results": {"a": 3}}', "'a' is no list"),
        ('{"test_results": {"a": [{"passed": 1}]}}', "result 0 of 'a'"),
        ('{"test_results": {"a": [{"passed": true, "run_id": "r"}]}}', "the timestamp None"),
        ('{"test_results": {"a": [{"passed": true, "timestamp": "soon"}]}}', "the timestamp 'soon'"),
    ],
)
def test_a_corrupt_file_is_named_kept_aside_and_never_replaced_silently(
    tmp_path: Path, content: str, why: str
) -> None:
    path = tmp_path / "flake_database.json"
    path.write_text(content)
    with pytest.raises(FormatError, match=r"flake_database\.json") as refused:
        read_database(path)
    assert why in str(refused.value)
    results = read_or_set_aside(path)
    assert results.attempts == []
    assert "flake_database.json.damaged-1" in results.notes[0]
    assert (tmp_path / "flake_database.json.damaged-1").read_text() == content
    assert not path.exists()
    assert read_or_set_aside(path).notes == []
