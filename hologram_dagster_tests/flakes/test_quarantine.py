"""The rules of the quarantine, each seen to refuse what it should."""

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from hologram_dagster.errors import FormatError, HologramError
from hologram_dagster.flakes.judgement import Judged, judge_test
from hologram_dagster.flakes.quarantine import (
    Entry,
    Quarantine,
    parse_quarantine,
    propose,
    read_quarantine,
    write_quarantine,
    write_reports,
)
from hologram_dagster.profiles import most_quarantined
from hologram_dagster_tests.flakes.suites import NOW, occasions

pytestmark = pytest.mark.phase9_chaos

TODAY = NOW.date()
FLAKY = (("c1", "F."), ("c1", "F."))


def entry(test: str = "t", **changes: Any) -> Entry:
    made = Entry(test, "ann", "races", "SHOP-7", TODAY, TODAY + timedelta(days=30))
    return replace(made, **changes)


def judged(test: str, *runs: tuple[str, str], days: float = 0.1) -> Judged:
    return judge_test(occasions(test, *runs, days=days), now=NOW)


def suite(tests: int) -> list[Judged]:
    return [judged(f"sound-{number}", ("c1", ".")) for number in range(tests)]


def test_what_is_written_is_read_again_and_tools_before_read_the_names(tmp_path: Path) -> None:
    path = tmp_path / "quarantine.json"
    kept = Quarantine((entry("a"), entry("b")), tests=400)
    write_quarantine(path, kept)
    assert read_quarantine(path) == kept
    write_reports(tmp_path, kept.entries)
    assert json.loads((tmp_path / "quarantined_tests.json").read_text()) == {"quarantined": ["a", "b"]}
    beside = json.loads((tmp_path / "quarantined_tests.meta.json").read_text())["entries"]
    assert beside[0] == {
        "test": "a",
        "owner": "ann",
        "reason": "races",
        "ticket": "SHOP-7",
        "since": "2026-03-10",
        "expires": "2026-04-09",
    }


def test_without_a_file_nothing_is_quarantined_and_none_is_written(tmp_path: Path) -> None:
    path = tmp_path / "quarantine.json"
    assert read_quarantine(path) == Quarantine()
    write_quarantine(path, Quarantine())
    assert not path.exists()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"expires": "2026-04-10"}, "lasts at most 30"),
        ({"expires": "2026-03-18", "owner": "unassigned"}, "without an owner and a ticket lasts at most 7"),
        ({"expires": "2026-03-18", "ticket": "unassigned"}, "without an owner and a ticket lasts at most 7"),
        ({"expires": "2026-03-09"}, "before it began"),
        ({"owner": ""}, "quarantined.0.owner"),
        ({"ticket": None}, "quarantined.0.ticket"),
        ({"expires": "never"}, "quarantined.0.expires"),
        ({"more": 1}, "quarantined.0.more"),
    ],
)
def test_an_entry_against_the_rules_is_refused_by_file_and_entry(changes: dict[str, Any], why: str) -> None:
    whole = {"test": "t", "owner": "ann", "reason": "races", "ticket": "SHOP-7"}
    dates = {"since": "2026-03-10", "expires": "2026-03-17"}
    content = {"schema_version": 1, "quarantined": [{**whole, **dates}]}
    assert len(parse_quarantine(json.dumps(content).encode(), where="q").entries) == 1
    content["quarantined"] = [{**whole, **dates, **changes}]
    with pytest.raises(FormatError, match=r"^quarantine\.json at abc: ") as refused:
        parse_quarantine(json.dumps(content).encode(), where="quarantine.json at abc")
    assert why in str(refused.value)


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b"\xff", b'{"schema_version": 9, "quarantined": []}', b'{"quarantined": ["a"]}']
)
def test_a_file_that_is_no_quarantine_is_refused(content: bytes) -> None:
    with pytest.raises(FormatError, match=r"^q[: ]"):
        parse_quarantine(content, where="q")


def test_a_test_stands_in_it_once() -> None:
    one = {
        "test": "t",
        "owner": "a",
        "reason": "r",
        "ticket": "x",
        "since": "2026-03-10",
        "expires": "2026-03-10",
    }
    with pytest.raises(FormatError, match="twice"):
        parse_quarantine(json.dumps({"schema_version": 1, "quarantined": [one, one]}).encode(), where="q")


def test_an_entry_protects_to_the_end_of_its_last_day() -> None:
    kept = Quarantine((entry(),))
    last = TODAY + timedelta(days=30)
    assert (kept.expired(last), len(kept.in_force(last))) == ([], 1)
    assert (len(kept.expired(last + timedelta(days=1))), kept.in_force(last + timedelta(days=1))) == (1, [])


@pytest.mark.parametrize(("tests", "most"), [(0, 1), (19, 1), (39, 1), (40, 2), (400, 20)])
def test_five_percent_but_always_one_may_be_in_it(tests: int, most: int) -> None:
    assert most_quarantined(tests) == most


def test_what_is_due_goes_in_unassigned_for_seven_days() -> None:
    proposal = propose(Quarantine(), [*suite(30), judged("flaky", *FLAKY)], today=TODAY)
    (added,) = proposal.added
    assert (added.test, added.owner, added.ticket) == ("flaky", "unassigned", "unassigned")
    assert added.expires - added.since == timedelta(days=7)
    assert added.reason.startswith("2 flakes in 7 days; 2 of 2 runs")
    assert proposal.quarantine.tests == 31


def test_the_worst_go_in_first_and_the_rest_is_left_out_and_told() -> None:
    tests = [*suite(37), judged("b", *FLAKY), judged("a", *FLAKY), judged("worst", *FLAKY, ("c1", "F."))]
    proposal = propose(Quarantine((entry("kept"),)), tests, today=TODAY)
    assert [added.test for added in proposal.added] == ["worst"]
    assert [each.test for each in proposal.left_out] == ["a", "b"]
    assert len(proposal.quarantine.entries) == most_quarantined(40)


def test_what_is_broken_never_goes_in_and_comes_out() -> None:
    broken = judged("t", *[("c1", ".")] * 20, *FLAKY, ("c2", "FFFFF"))
    assert propose(Quarantine(), [broken], today=TODAY).added == ()
    ((_, why),) = propose(Quarantine((entry(),)), [broken], today=TODAY).released
    assert "broken" in why


def test_ten_greens_in_a_row_after_its_beginning_release_it_and_nine_do_not() -> None:
    since = TODAY - timedelta(days=10)
    kept = Quarantine((entry(since=since, expires=since + timedelta(days=30)),))
    for greens, released in ((9, 0), (10, 1)):
        seen = judged("t", ("c1", "F."), *[("c1", ".")] * greens, days=0.9)
        assert len(propose(kept, [seen], today=TODAY).released) == released
    # Greens from before do not count, else what was quarantined by hand would come out at once.
    before = judged("t", *[("c1", ".")] * 50)
    assert propose(Quarantine((entry(),)), [before], today=TODAY).released == ()
    assert propose(kept, [], today=TODAY).quarantine.entries == kept.entries


def test_an_expired_entry_stays_until_somebody_takes_it_on() -> None:
    old = entry(owner="unassigned", since=TODAY - timedelta(days=9), expires=TODAY - timedelta(days=2))
    proposal = propose(Quarantine((old,)), [judged("t", *FLAKY)], today=TODAY)
    assert proposal.quarantine.entries == (old,)
    assert proposal.added == ()


def test_an_entry_too_long_is_refused_when_made() -> None:
    with pytest.raises(HologramError, match="at most 30"):
        Quarantine().with_entry(entry(expires=date(2027, 1, 1)))
