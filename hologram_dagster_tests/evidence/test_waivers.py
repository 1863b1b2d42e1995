"""Waivers: which count, and what ends them; each on a real ledger with real signatures."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.errors import HologramError
from hologram_dagster.evidence.answer import answer
from hologram_dagster.evidence.archive import Evidence
from hologram_dagster.evidence.document import ExitCode, Verdict, Waiver, Word
from hologram_dagster.evidence.record import iso
from hologram_dagster.evidence.waivers import LONGEST, Waivers, checked_waiver, end, grant, waivers_of
from hologram_dagster.profiles import ProfileName
from hologram_dagster_tests.evidence.helpers import (
    NOW,
    REVISION,
    Clock,
    archive,
    conclude_run,
    observation,
    plan_of,
    run_of,
    signer,
)

pytestmark = pytest.mark.phase7_security

CHECK = "e2e_use.present"
UNTIL = (NOW + timedelta(days=3)).date().isoformat()


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    """A failed run of `REVISION`: there is no evidence of `e2e_use`."""
    made = archive(tmp_path)
    run = run_of()
    made.start_run(run)
    for kind in run.required:
        if kind != "e2e_use":
            made.add(observation(kind), run.identity)
    conclude_run(made, run)
    return made


def granted(evidence: Evidence, commit: str = REVISION.commit, **texts: str) -> Waiver:
    asked_for = {"check": CHECK, "who": "ada", "why": "ticket 7", "until": UNTIL, **texts}
    waiver = checked_waiver(**asked_for, now=evidence.now())
    grant(evidence, commit, waiver)
    return waiver


def given_waiver(evidence: Evidence, check: str = CHECK, until: str = UNTIL) -> None:
    granted(evidence, check=check, until=until)


def found(evidence: Evidence, now: datetime = NOW + timedelta(hours=1), profile: str = "dev") -> Waivers:
    return waivers_of(evidence, REVISION, profile, now=now)


def asked(evidence: Evidence, now: datetime = NOW + timedelta(hours=1)) -> Verdict:
    verdict, code = answer(evidence, REVISION.commit, now=now)
    assert verdict is not None
    assert verdict.exit_code is code
    return verdict


def test_a_waiver_in_force_changes_the_exit_code_and_not_the_verdict(evidence: Evidence) -> None:
    assert asked(evidence).exit_code is ExitCode.FAIL
    given_waiver(evidence)
    waived = asked(evidence)
    assert (waived.verdict, waived.exit_code) == (Word.FAIL, ExitCode.WAIVED)
    assert [(w.check, w.who, w.why) for w in waived.waivers] == [(CHECK, "ada", "ticket 7")]


def test_a_waiver_of_another_check_or_commit_waives_nothing_here(evidence: Evidence) -> None:
    given_waiver(evidence, "e2e_use.search")
    granted(evidence, "f" * 40)
    asked_now = asked(evidence)
    assert asked_now.exit_code is ExitCode.FAIL
    assert [waiver.check for waiver in asked_now.waivers] == ["e2e_use.search"]


def test_it_ends_with_its_last_day_and_that_is_told(evidence: Evidence) -> None:
    given_waiver(evidence)
    last = datetime.fromisoformat(f"{UNTIL}T23:59:59+00:00")
    assert asked(evidence, now=last).exit_code is ExitCode.WAIVED
    assert asked(evidence, now=last + timedelta(seconds=1)).exit_code is ExitCode.FAIL
    (told,) = found(evidence, last + timedelta(seconds=1)).refused
    assert "expired at" in told
    assert CHECK in told


def test_it_can_be_ended_before_and_given_again(evidence: Evidence) -> None:
    given_waiver(evidence)
    end(evidence, REVISION.commit, check=CHECK, who="ada")
    assert asked(evidence).exit_code is ExitCode.FAIL
    given_waiver(evidence)
    assert asked(evidence).exit_code is ExitCode.WAIVED


def test_a_foreign_key_waives_nothing_and_is_told(evidence: Evidence, tmp_path: Path) -> None:
    given_waiver(Evidence(tmp_path, signer=signer(9), clock=Clock()))
    assert asked(evidence).exit_code is ExitCode.FAIL
    (told,) = found(evidence).refused
    assert f"signed by key {signer(9).key_id}, which is not trusted" in told


def test_where_keys_are_pinned_main_takes_no_other(tmp_path: Path) -> None:
    pinned = archive(tmp_path, trusted_keys=[signer(9).public_hex])
    given_waiver(pinned)
    assert found(pinned, profile="dev").in_force
    assert not found(pinned, profile="main").in_force
    assert "trusted_keys does not name" in found(pinned, profile="main").refused[0]


def test_an_edited_waiver_waives_nothing_and_is_told(evidence: Evidence) -> None:
    given_waiver(evidence)
    path = evidence.ledger.path
    longer = iso(NOW + timedelta(days=13))
    waiver = next(w for w in found(evidence).in_force)
    path.write_text(path.read_text().replace(iso(waiver.expires_at), longer))
    assert asked(evidence).exit_code is ExitCode.FAIL
    (told,) = found(evidence).refused
    assert "no waiver counts" in told
    assert "bad_data_hash" in told


def test_a_waiver_that_was_cut_out_of_the_ledger_is_noticed(evidence: Evidence) -> None:
    given_waiver(evidence)
    end(evidence, REVISION.commit, check=CHECK, who="ada")
    given_waiver(evidence, "e2e_use.search")
    path = evidence.ledger.path
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if '"waiver_end"' not in line))
    assert not found(evidence).in_force
    assert "no waiver counts" in found(evidence).refused[0]


def test_what_the_rightful_key_signed_outside_the_rules_does_not_count(evidence: Evidence) -> None:
    entry: dict[str, object] = {"entry": "waiver", "commit": REVISION.commit, "who": "ada", "why": "x"}
    for check, expires_at in (
        (CHECK, iso(NOW + timedelta(days=15))),
        ("e2e_use.authentic", iso(NOW + timedelta(days=1))),
        ("verdict.completed", iso(NOW + timedelta(days=1))),
        (CHECK, "some day"),
    ):
        evidence.enter({**entry, "check": check, "expires_at": expires_at})
    evidence.enter(entry)
    assert found(evidence).in_force == ()
    told = "\n".join(found(evidence).refused)
    for words in ("more than 14 days", "cannot be waived", "names no check", "malformed"):
        assert words in told
    assert asked(evidence).exit_code is ExitCode.FAIL


def test_a_tree_with_changes_of_its_own_is_not_covered(evidence: Evidence) -> None:
    given_waiver(evidence)
    dirty = replace(REVISION, tree="e" * 40, dirty=True)
    assert waivers_of(evidence, dirty, "dev", now=NOW) == Waivers()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"check": "e2e_use"}, "KIND.CHECK"),
        ({"check": "e2e_use.nothing"}, "use one of observed, resolve"),
        ({"check": "ledger.authentic"}, "cannot be waived"),
        ({"check": "perf_gql.authentic"}, "no check .authentic. that can be waived"),
        ({"until": "2026-03-03"}, "is past"),
        ({"until": "2026-03-19"}, "2026-03-18 is the last day"),
        ({"until": "soon"}, "YYYY-MM-DD"),
        ({"why": " "}, "--reason"),
        ({"why": "\x1b\x07"}, "--reason"),
        ({"who": ""}, "--by"),
        ({"why": "x" * 1001}, "--reason"),
    ],
)
def test_what_cannot_be_granted_is_refused(tmp_path: Path, changes: dict[str, str], told: str) -> None:
    evidence = archive(tmp_path)
    with pytest.raises(HologramError, match=told):
        granted(evidence, **changes)
    assert not evidence.ledger.path.exists()


@given(days=st.integers(0, 14))
def test_every_date_within_the_14_days_is_granted_and_never_beyond(
    tmp_path_factory: pytest.TempPathFactory, days: int
) -> None:
    evidence = archive(tmp_path_factory.mktemp("ledger"))
    until = (NOW + timedelta(days=days)).date().isoformat()
    waiver = granted(evidence, until=until)
    assert waiver.expires_at - NOW <= LONGEST + timedelta(seconds=1)
    just_before = waiver.expires_at - timedelta(microseconds=1)
    assert waivers_of(evidence, REVISION, "dev", now=just_before).in_force == (waiver,)
    assert waivers_of(evidence, REVISION, "dev", now=waiver.expires_at).in_force == ()


def test_reasons_are_kept_without_secrets(evidence: Evidence) -> None:
    granted(evidence, why="see token=hunter2hunter2")
    assert "hunter2" not in evidence.ledger.path.read_text()
    assert found(evidence).in_force[0].why == "see token=[REDACTED]"


def test_every_profile_that_trusts_the_key_lists_it(tmp_path: Path) -> None:
    evidence = archive(tmp_path)
    run = run_of(plan=plan_of(ProfileName.MAIN))
    evidence.start_run(run)
    conclude_run(evidence, run)
    given_waiver(evidence)
    verdict = asked(evidence)
    assert (verdict.profile, verdict.exit_code) == ("main", ExitCode.FAIL)
    assert [waiver.check for waiver in verdict.waivers] == [CHECK]


def test_a_terminal_obeys_no_waiver(evidence: Evidence) -> None:
    waiver = granted(evidence, who="a\x1b]0;da", why="ticket\n\x1b[2J7\x9b1m\u202e")
    assert (waiver.who, waiver.why) == ("a ]0;da", "ticket [2J7 1m")
    # One that was entered by another program is read no worse.
    entry = {"entry": "waiver", "commit": REVISION.commit, "check": "e2e_use.search", "who": "\x1b[31mada"}
    evidence.enter({**entry, "why": "x\x1b[0m", "expires_at": iso(NOW + timedelta(days=1))})
    evidence.enter({**entry, "why": "x", "expires_at": "never"})
    read = found(evidence)
    assert [(w.who, w.why) for w in read.in_force] == [("a ]0;da", "ticket [2J7 1m"), ("[31mada", "x [0m")]
    assert all(told.isprintable() for told in read.refused)
