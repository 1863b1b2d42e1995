"""The rules for evidence of flaky tests and of the quarantine: figures against fixed limits.

Beside `rules`, which has the rest.
"""

from hologram_dagster.evidence.check import NOTHING, Check, Outcome
from hologram_dagster.evidence.record import Record
from hologram_dagster.evidence.rules import CUT_SHORT, figure
from hologram_dagster.observation import Status
from hologram_dagster.profiles import FLAKE_RATE_BELOW_PCT, Plan, most_quarantined


def attempts_recorded() -> Check:
    """The check that every planned run of the tests left attempts."""

    def rule(record: Record, _: Plan) -> Outcome:
        attempts, runs = record.values.get("attempts"), record.values.get("runs")
        planned = record.values.get("planned_runs")
        if record.status in CUT_SHORT or attempts is None or runs is None or planned is None:
            return NOTHING
        message = f"{attempts:g} attempts in {runs:g} of {planned:g} runs"
        status = Status.PASSED if attempts and 0 < planned <= runs else Status.FAILED
        return Outcome(status, message, runs, planned, "runs")

    return Check("attempts_recorded", "Every run of the tests left its attempts.", rule)


def no_new_flake() -> Check:
    """The check that no test outside the quarantine flaked twice in seven days."""
    return _none(
        "no_new_flake",
        "new_flakes",
        "No test outside the quarantine flaked twice in seven days.",
        "not in quarantine: fix them, or run `hologram flakes detect` and commit quarantine.json",
        of="tests",
    )


def nothing_broken() -> Check:
    """The check that no test fails every time on this revision."""
    description = "No test fails every time on this revision."
    return _none("nothing_broken", "broken", description, "broken, not flaky: fix it", of="tests")


def no_broken_entry() -> Check:
    """The check that no test in quarantine is known to fail every time."""
    description = "No test in quarantine is known to fail every time."
    return _none("no_broken_entry", "broken", description, "broken, not flaky: fix it, and take it out")


def nothing_expired() -> Check:
    """The check that every entry of the quarantine is still in force."""
    return _none(
        "nothing_expired",
        "expired",
        "No entry of the quarantine has expired.",
        "fix the test, or take the entry on with owner and ticket (hologram flakes quarantine)",
    )


def _none(name: str, figure_name: str, description: str, remedy: str, *, of: str | None = None) -> Check:
    """A check that the record's figure `figure_name` is 0; the fact of that name says which.

    Where the figure `of` is missing or 0, there was nothing to count in.
    """

    def rule(record: Record, _: Plan) -> Outcome:
        count = record.values.get(figure_name)
        if count is None or record.status in CUT_SHORT or (of and not record.values.get(of)):
            return NOTHING
        if not count:
            return Outcome(Status.PASSED, "none", count, 0, "tests")
        which = record.facts.get(figure_name) or f"{count:g} not named"
        return Outcome(Status.FAILED, f"{which}: {remedy}", count, 0, "tests")

    return Check(name, description, rule)


def flake_rate_within_limit() -> Check:
    """The check that fewer than 2 % of the runs of tests flaked, those in quarantine left out."""

    def rule(record: Record, _: Plan) -> Outcome:
        rate, runs = record.values.get("flake_rate_pct"), record.values.get("runs")
        if rate is None or runs is None or not record.values.get("tests") or record.status in CUT_SHORT:
            return NOTHING
        low, high = (record.values.get(f"flake_rate_{end}_pct") for end in ("low", "high"))
        between = "" if low is None or high is None else f" (95 % sure: {figure(low)} to {figure(high)} %)"
        message = f"{figure(rate)} % of {runs:g} runs in 7 days flaked{between}"
        status = Status.PASSED if rate < FLAKE_RATE_BELOW_PCT else Status.FAILED
        return Outcome(status, f"{message}; {record.facts.get('power', '')}", rate, FLAKE_RATE_BELOW_PCT, "%")

    description = f"Fewer than {FLAKE_RATE_BELOW_PCT:g} % of the runs flaked, those in quarantine left out."
    return Check("flake_rate_within_limit", description, rule)


def quarantine_within_limits() -> Check:
    """The check that at most 5 % of the tests, but always one, are in quarantine."""

    def rule(record: Record, _: Plan) -> Outcome:
        count, tests = record.values.get("quarantined"), record.values.get("tests")
        if count is None or record.status in CUT_SHORT:
            return NOTHING
        most = most_quarantined(int(tests or 0))
        if tests is None and count > most:
            why = (
                f"{count:g} are in it, and how many tests there are is unknown: run `hologram flakes detect`"
            )
            return Outcome(Status.INCONCLUSIVE, why, count, None, "tests")
        of = "" if tests is None else f" of {tests:g} tests"
        message = f"{count:g}{of} in quarantine, at most {most}"
        return Outcome(Status.PASSED if count <= most else Status.FAILED, message, count, most, "tests")

    return Check("quarantine_within_limits", "At most 5 % of the tests, but always one, are in it.", rule)
