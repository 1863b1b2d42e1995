"""The baseline of main: the nearest ancestor whose last verdict here is pass, verified, and found quickly."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hologram_dagster.evidence.archive import Evidence
from hologram_dagster.evidence.document import Word
from hologram_dagster.evidence.earlier import LOOK_BACK
from hologram_dagster.evidence.gathered import Gathered
from hologram_dagster.evidence.green import nearest_green
from hologram_dagster.evidence.verdict import conclude
from hologram_dagster.profiles import ProfileName
from hologram_dagster.target.revision import Revision
from hologram_dagster_tests.evidence.helpers import (
    NOW,
    OTHER_MACHINE,
    archive,
    identity,
    plan_of,
    run_of,
    signer,
)

pytestmark = [pytest.mark.phase6_perf, pytest.mark.phase7_security]

NEAR, MIDDLE, FAR = (f"{number:040x}" for number in (3, 2, 1))
ANCESTORS = [NEAR, MIDDLE, FAR]


def say(evidence: Evidence, commit: str, word: Word, run_id: str = "run-1", **changes: object) -> None:
    """Keep `word` as the verdict of a main gate of `commit`."""
    plan = plan_of(changes.pop("profile", ProfileName.MAIN))  # type: ignore[arg-type]
    changes.setdefault("revision", Revision(commit, "b" * 40, dirty=False, ref=None))
    run = run_of(run_id, plan, **changes)
    made = conclude(run, Gathered((), ()), finished_at=NOW, key_id=signer().key_id)
    evidence.add_verdict(replace(made, verdict=word), run)


def nearest(evidence: Evidence, **changes: object) -> str | None:
    return nearest_green(evidence, identity("candidate", **changes), ANCESTORS)


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    return archive(tmp_path)


def test_a_green_one_is_found_and_a_red_one_passed_over(evidence: Evidence) -> None:
    assert nearest(evidence) is None
    say(evidence, FAR, Word.PASS)
    assert nearest(evidence) == FAR
    say(evidence, NEAR, Word.FAIL)
    assert nearest(evidence) == FAR
    say(evidence, MIDDLE, Word.PASS)
    assert nearest(evidence) == MIDDLE


def test_the_last_word_counts_and_an_inconclusive_one_is_none(evidence: Evidence) -> None:
    say(evidence, NEAR, Word.FAIL, "run-1")
    say(evidence, NEAR, Word.PASS, "run-2")
    say(evidence, NEAR, Word.INCONCLUSIVE, "run-3")
    assert nearest(evidence) == NEAR
    say(evidence, NEAR, Word.FAIL, "run-4", profile=ProfileName.NIGHTLY)
    assert nearest(evidence) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"environment": "staging"},
        {"profile": ProfileName.PR},
        {"profile": ProfileName.DEV},
        {"revision": Revision(NEAR, "c" * 40, dirty=True, ref=None)},
        {"revision": Revision("f" * 40, "c" * 40, dirty=False, ref=None)},
    ],
    ids=["environment", "pr", "dev", "dirty", "stranger"],
)
def test_what_is_green_elsewhere_is_not_green_here(evidence: Evidence, changes: dict[str, object]) -> None:
    say(evidence, NEAR, Word.PASS, "run-1", **changes)
    assert nearest(evidence) is None


def test_a_green_of_another_machine_counts(evidence: Evidence) -> None:
    say(evidence, NEAR, Word.PASS, machine=OTHER_MACHINE)
    assert nearest(evidence) == NEAR


@pytest.mark.parametrize("how", ["edited", "removed", "listing", "stranger", "unpinned"])
def test_what_is_not_what_was_written_is_not_green(evidence: Evidence, tmp_path: Path, how: str) -> None:
    say(evidence, FAR, Word.PASS)
    if how == "stranger":
        say(archive(tmp_path, signer(2)), NEAR, Word.PASS)
    elif how == "listing":
        say(evidence, NEAR, Word.FAIL)
        ledger = evidence.ledger.path
        *others, last = ledger.read_text().splitlines()
        ledger.write_text("".join(f"{line}\n" for line in [*others, last.replace("failed", "passed")]))
    else:
        say(evidence, NEAR, Word.PASS, "run-2")
        assert nearest(evidence) == NEAR
        (record,) = evidence.ledger.path.parent.glob("records/*/*/*/run-2/verdict-0.json")
        if how == "removed":
            record.unlink()
        elif how == "edited":
            record.write_text(record.read_text().replace(NEAR, FAR))
    if how == "unpinned":
        assert nearest(archive(tmp_path, trusted_keys=[signer(3).key_id])) is None
    else:
        assert nearest(evidence) == FAR


def test_a_year_back_is_far_enough(evidence: Evidence) -> None:
    say(evidence, NEAR, Word.PASS)
    assert nearest(evidence, started_at=NOW + timedelta(days=300)) == NEAR
    assert nearest(evidence, started_at=NOW + LOOK_BACK + timedelta(days=1)) is None


def test_what_is_known_is_not_read_on_for(evidence: Evidence, tmp_path: Path) -> None:
    say(evidence, NEAR, Word.PASS)
    text = evidence.ledger.path.read_text()
    # A line before it that no reader could bear.
    evidence.ledger.path.write_text("\n" + "x" * (3 << 20) + "\n" + text)
    assert nearest(evidence) == NEAR


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(said=st.lists(st.tuples(st.sampled_from(ANCESTORS), st.sampled_from(Word)), max_size=6))
def test_it_is_what_a_search_from_ancestor_to_ancestor_finds(
    said: list[tuple[str, Word]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    evidence = archive(tmp_path_factory.mktemp("green"))
    for number, (commit, word) in enumerate(said):
        say(evidence, commit, word, f"run-{number}")
    last = {commit: word for commit, word in said if word is not Word.INCONCLUSIVE}
    expected = next((commit for commit in ANCESTORS if last.get(commit) is Word.PASS), None)
    assert nearest(evidence) == expected
