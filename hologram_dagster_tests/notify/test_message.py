"""What a message says: the verdict, the worst figures, when to escalate, and no secret."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from hologram_dagster.evidence.check import CheckResult
from hologram_dagster.evidence.document import Waiver
from hologram_dagster.evidence.gathered import Gathered
from hologram_dagster.evidence.verdict import Verdict, Word, conclude
from hologram_dagster.notify.chat import plain_text, slack_payload, teams_payload
from hologram_dagster.notify.message import E2E, PERFORMANCE, Message, make_message
from hologram_dagster.notify.statuses import github_status, gitlab_status
from hologram_dagster.observation import Status
from hologram_dagster.profiles import Override
from hologram_dagster_tests.evidence.helpers import NOW, run_of

pytestmark = pytest.mark.phase0_ready

LINKS = {"report": "https://ci.example.com/a?b=1&c=2", "Dagster run": "http://localhost:3000/runs/run-1"}


def result(
    kind: str, check: str, status: Status = Status.PASSED, message: str = "done", **figures: object
) -> CheckResult:
    return CheckResult(status, message, kind=kind, check=check, **figures)  # type: ignore[arg-type]


P95 = result("perf_gql", "p95_within_budget", value=2.0, limit=80.0, unit="ms")
SLOW = result(
    "perf_verify",
    "p95_within_budget",
    Status.FAILED,
    "p95 16 ms, budget 8 ms: over by 100 %",
    value=16.0,
    limit=8.0,
    unit="ms",
)
USE = [result("e2e_use", "resolve"), result("e2e_use", "search", Status.FAILED, "not found")]


def verdict_of(*reasons: CheckResult, word: Word = Word.FAIL, **changes: object) -> Verdict:
    made = conclude(run_of(), Gathered((), ()), finished_at=NOW + timedelta(seconds=95), key_id="k")
    return replace(made, reasons=reasons, verdict=word, profile="main", **changes)  # type: ignore[arg-type]


def told(verdict: Verdict, *before: Word) -> Message:
    return make_message(verdict, before=before, links=LINKS)


def test_it_says_verdict_cause_figures_and_revision() -> None:
    message = told(verdict_of(SLOW, P95, *USE))
    assert message.title == (
        "Hologram main gate: fail: perf_verify p95_within_budget: p95 16 ms, budget 8 ms: over by 100 %"
    )
    # The nearest to its limit first.
    assert message.fields[PERFORMANCE] == (
        "perf_verify: 16 ms (limit 8 ms)",
        "perf_gql: 2 ms (limit 80 ms)",
    )
    assert message.fields[E2E] == ("e2e_use: 1 of 2 checks green; red: search",)
    assert message.fields["Red checks"][1] == "e2e_use.search: not found"
    assert message.fields["Revision"] == ("aaaaaaaaaaaa, refs/heads/main, local, 1 min 35 s",)
    assert not message.escalated


def test_a_pass_without_figures_still_has_the_contracts_fields() -> None:
    message = told(verdict_of(word=Word.PASS))
    assert message.title == "Hologram main gate: pass"
    assert set(message.fields) == {PERFORMANCE, E2E, "Revision"}


def test_a_pass_says_what_was_not_compared() -> None:
    why = result("regression_gql", "observed", Status.NOT_APPLICABLE, "not applicable: no baseline yet")
    message = told(verdict_of(why, word=Word.PASS))
    assert message.fields["Not compared"] == ("gql: no baseline yet",)


def test_waivers_and_loosened_limits_are_told() -> None:
    waiver = Waiver("e2e_use.search", "ada", "ticket 7", NOW + timedelta(days=1))
    message = told(
        verdict_of(*USE, waivers=(waiver,), overrides=(Override("SLO_GQL_P95_MS", 80, 500, looser=True),))
    )
    assert message.title.startswith("Hologram main gate: fail (waived): e2e_use search")
    assert message.fields["Waived"] == ("e2e_use.search by ada until 2026-03-05 12:00 UTC",)
    assert message.fields["Looser than the profile"] == ("SLO_GQL_P95_MS = 500 (profile: 80)",)


def regression(pct: float, status: Status = Status.FAILED) -> CheckResult:
    return result("regression_verify", "no_regression", status, "slower", value=pct, limit=5.0, unit="%")


@pytest.mark.parametrize(
    ("verdict", "before", "why"),
    [
        (verdict_of(regression(50.5)), (), "slower by 50 %, more than 50 %"),
        (verdict_of(regression(50)), (), ""),
        (verdict_of(regression(80, Status.NOT_APPLICABLE)), (), ""),
        (verdict_of(*USE, environment="production"), (), "end to end failed on production: e2e_use search"),
        (verdict_of(SLOW, environment="production"), (), ""),
        (verdict_of(*USE), (), ""),
    ],
)
def test_escalation_by_the_verdict_alone(verdict: Verdict, before: tuple[Word, ...], why: str) -> None:
    message = told(verdict, *before)
    assert why in " ".join(message.escalated)
    assert bool(message.escalated) is bool(why)
    assert message.title.startswith("ESCALATION: ") is bool(why)
    assert ("Escalation" in message.fields) is bool(why)


@pytest.mark.parametrize("words", list(product(Word, repeat=3)))
def test_three_in_a_row_that_did_not_pass_escalate(words: tuple[Word, ...]) -> None:
    message = told(verdict_of(word=words[0]), *words[1:])
    assert bool(message.escalated) is (Word.PASS not in words)
    assert not told(verdict_of(word=words[0]), *words[1:2]).escalated


COLOURS = {
    Word.PASS: ("good", "00ff00", "success", "success"),
    Word.FAIL: ("danger", "ff0000", "failure", "failed"),
    Word.INCONCLUSIVE: ("warning", "ffff00", "error", "failed"),
}


@pytest.mark.parametrize("word", Word)
def test_the_forms_of_each_service(word: Word) -> None:
    verdict = verdict_of(P95, word=word)
    message = told(verdict)
    slack, teams, github, gitlab = COLOURS[word]
    attachment = slack_payload(message)["attachments"][0]
    assert attachment["color"] == slack
    assert {"Performance (Best p95)", "E2E Highlights"} <= {each["title"] for each in attachment["fields"]}
    assert attachment["title_link"] == LINKS["report"]
    assert "<https://ci.example.com/a?b=1&amp;c=2|report>" in attachment["text"]
    card = teams_payload(message)
    assert (card["@type"], card["themeColor"]) == ("MessageCard", teams)
    facts = {fact["name"] for fact in card["sections"][0]["facts"]}
    assert {"Performance (Best p95)", "E2E Highlights"} <= facts
    assert card["potentialAction"][0]["targets"][0]["uri"] == LINKS["report"]
    assert "Dagster run: http://localhost:3000/runs/run-1" in plain_text(message)

    status = github_status(
        verdict, api="https://api.github.com/", repository="o/r", token="t0", link="https://x"
    )
    assert status.url == f"https://api.github.com/repos/o/r/statuses/{'a' * 40}"
    assert status.body == {
        "state": github,
        "description": f"Hologram main gate: {word}",
        "context": "hologram/main",
        "target_url": "https://x",
    }
    status = gitlab_status(verdict, api="https://gitlab.com/api/v4", project="group/p", token="t0", link="")
    assert status.url == f"https://gitlab.com/api/v4/projects/group%2Fp/statuses/{'a' * 40}"
    assert (status.body["state"], "target_url" in status.body) == (gitlab, False)


def test_colours_of_what_is_neither() -> None:
    odd = replace(told(verdict_of()), word="unknown")  # type: ignore[arg-type]
    assert slack_payload(odd)["attachments"][0]["color"] == "#808080"
    assert teams_payload(odd)["themeColor"] == "808080"


def test_nothing_hostile_or_secret_gets_through() -> None:
    nasty = "<!channel> & token=hunter2hunter2 " + "x" * 5000
    message = told(verdict_of(result("perf_gql", "observed", Status.ERROR, nasty)))
    text = str(slack_payload(message)) + str(teams_payload(message)) + plain_text(message)
    assert "hunter2" not in text
    assert "<!channel>" not in str(slack_payload(message))
    long = github_status(
        verdict_of(replace(SLOW, message=nasty)), api="a", repository="r", token="t0ken", link=""
    )
    assert len(long.body["description"]) <= 140
    assert "hunter2" not in long.body["description"]
    assert "t0ken" not in repr(long)
