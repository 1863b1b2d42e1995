"""`hologram health`: is the gate itself well, and what did it say last (contract section 7.4).

What belongs here: one answer a question, from the files of the last run or from a gate run
in a folder of its own. What does not: verifying evidence (`hologram verdict`, `hologram audit`).
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import typer
from rich.console import Console
from rich.text import Text

from hologram_dagster.cli.reading import last_verdict
from hologram_dagster.cli.summary import summarize
from hologram_dagster.evidence.document import ExitCode, read_verdict
from hologram_dagster.flakes.judgement import State
from hologram_dagster.gate.baselines import baselines_of
from hologram_dagster.gate.detecting import known
from hologram_dagster.gate.run import open_gate_run
from hologram_dagster.perf.csv_rows import COLUMNS, read_rows
from hologram_dagster.profiles import OPERATIONS
from hologram_dagster.reports.badge import BadgeStatus, make_badge
from hologram_dagster.reports.panels import best_p95
from hologram_dagster.reports.reading import number_text, text_of
from hologram_dagster.settings import Settings, load_settings

# A budget that nothing can keep, ms.
_HOPELESS_MS = "0.0001"
_GATE_S = 300
_HOLOGRAM = "from hologram_dagster.cli import main; main()"


class Health(StrEnum):
    """`red`: something is wrong; `unsure`: it could not be told; `absent`: there is nothing to look at."""

    OK = "ok"
    RED = "red"
    UNSURE = "unsure"
    ABSENT = "absent"


_EXIT = {
    Health.OK: ExitCode.PASS,
    Health.RED: ExitCode.FAIL,
    Health.UNSURE: ExitCode.INCONCLUSIVE,
    Health.ABSENT: ExitCode.NO_VERDICT,
}
# The worst first: what `all` comes to.
_WORST = (Health.RED, Health.UNSURE, Health.ABSENT, Health.OK)
_OF_BADGE = {
    BadgeStatus.PASS: Health.OK,
    BadgeStatus.FAIL: Health.RED,
    BadgeStatus.RUNNING: Health.UNSURE,
    BadgeStatus.UNKNOWN: Health.UNSURE,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One question answered: `told` is one sentence, `lines` what there is to show."""

    question: str
    health: Health
    told: str
    lines: tuple[str, ...] = ()


def _dashboard(settings: Settings) -> Answer:
    page = settings.reports_dir / "index.html"
    if not page.exists():
        return Answer("dashboard", Health.ABSENT, f"{page} is not there: run hologram gate")
    state = page.stat()
    written = datetime.fromtimestamp(state.st_mtime, UTC)
    told = f"{page.resolve()} of {written:%Y-%m-%d %H:%M} UTC, {state.st_size} bytes"
    return Answer("dashboard", Health.OK, told)


def _status(settings: Settings) -> Answer:
    found = last_verdict(settings)
    if found.document is None:
        return Answer("status", Health.ABSENT, "no gate has run here: run hologram gate")
    badge = make_badge(found.document, datetime.now(UTC), last_run=found.reported_at)
    when = f"{badge.last_run:%Y-%m-%d %H:%M} UTC" if badge.last_run else "an unknown time"
    told = f"{badge.status} (perf {badge.perf_gate}, e2e {badge.e2e_tests}), last run {when}"
    return Answer("status", _OF_BADGE[badge.status], told)


def _e2e_summary(settings: Settings) -> Answer:
    summary = summarize(settings)
    if not summary.total:
        return Answer("e2e-summary", Health.ABSENT, "no events: run hologram gate, which writes them")
    lines = tuple(f"{suite} {event}: {count}" for suite, event, count in summary.counts)
    notes = tuple(f"note: {note}" for note in summary.notes)
    health = Health.UNSURE if notes else Health.OK
    return Answer("e2e-summary", health, f"{summary.total} events", (*lines, *notes))


def _performance(settings: Settings) -> Answer:
    rows, notes = read_rows(settings.reports_dir / "perf")
    shown = [{**{name: getattr(row, name) for name in COLUMNS}, "_file": row.file} for row in rows]
    if not shown:
        return Answer("performance", Health.ABSENT, "no perf rows: run hologram gate, which writes them")
    lines = [
        f"{text_of(row['suite'])} {text_of(row['metric'])}: best p95 {number_text(row['p95_ms'])} ms"
        for row in best_p95(shown)
    ]
    health = Health.UNSURE if notes else Health.OK
    return Answer("performance", health, f"{len(shown)} rows", (*lines, *(f"note: {n}" for n in notes)))


def _baseline(settings: Settings) -> Answer:
    shown = baselines_of(open_gate_run(settings, run_id="health", profile_tag="dev")).show()
    if shown.baseline is None:
        return Answer("baseline", Health.ABSENT, "none is set: hologram baseline roll-forward sets one")
    numbers = tuple(f"{key}: {p95:.3f} ms" for key, p95 in sorted(shown.baseline.numbers.items()))
    told = f"{shown.baseline.commit[:12]} of {shown.baseline.at:%Y-%m-%d}: {shown.baseline.reason}"
    return Answer("baseline", Health.OK, told, numbers)


def _flake_report(settings: Settings) -> Answer:
    found = known(settings)
    flaky = [judged for judged in found.judged if judged.state is State.FLAKY]
    if not found.judged:
        return Answer("flake-report", Health.ABSENT, "no attempts are kept: hologram flakes run makes some")
    told = f"{len(flaky)} flaky of {len(found.judged)} tests"
    return Answer("flake-report", Health.RED if flaky else Health.OK, told, tuple(j.test for j in flaky))


def _gate(
    settings: Settings,
    question: str,
    *,
    expected: ExitCode,
    variables: Mapping[str, str],
    missing: Callable[[Path], str] = lambda reports: "",
) -> Answer:
    """A real dev gate of this repository, in folders of its own; what is here stays as it is.

    `missing` says what of its reports is not as it should be, empty where all is.
    """
    with tempfile.TemporaryDirectory(prefix="hologram-health-") as folder:
        apart = {
            "HOLOGRAM_STATE_DIR": str(Path(folder, "state")),
            "HOLOGRAM_REPORTS_DIR": str(Path(folder, "reports")),
            "DAGSTER_HOME": str(Path(folder, "state", "dagster")),
        }
        # Nobody is to be told of it, and no CI summary to hold it.
        quiet = {
            "SLACK_WEBHOOK_URL": "",
            "TEAMS_WEBHOOK_URL": "",
            "GITHUB_TOKEN": "",
            "GITHUB_STEP_SUMMARY": "",
        }
        try:
            done = subprocess.run(
                [sys.executable, "-c", _HOLOGRAM, "gate", "--profile", "dev"],
                cwd=settings.repository,
                env={**{k: v for k, v in os.environ.items() if k not in quiet}, **apart, **variables},
                capture_output=True,
                text=True,
                timeout=_GATE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Answer(question, Health.UNSURE, f"a dev gate did not end within {_GATE_S} s")
        wrong = missing(Path(folder, "reports"))
    told = f"a dev gate ended with {done.returncode}, expected {int(expected)}"
    last = tuple(done.stdout.strip().splitlines()[-8:])
    if done.returncode == expected and wrong:
        return Answer(question, Health.RED, f"{told}, but {wrong}", last)
    return Answer(question, Health.OK if done.returncode == expected else Health.RED, told, last)


def _perf_fail(settings: Settings) -> Answer:
    """Whether a budget that is broken turns the gate red."""

    def missing(reports: Path) -> str:
        verdict = read_verdict(reports / "verdict.json")
        red = {
            reason.kind for reason in verdict.reasons if reason.red and reason.check == "p95_within_budget"
        }
        green = [operation.kind for operation in OPERATIONS.values() if operation.kind not in red]
        return f"the budget of {', '.join(green)} was not what failed" if green else ""

    hopeless = {operation.budget_variable: _HOPELESS_MS for operation in OPERATIONS.values()}
    return _gate(settings, "perf-fail", expected=ExitCode.FAIL, variables=hopeless, missing=missing)


def _smoke_test(settings: Settings) -> Answer:
    return _gate(settings, "smoke-test", expected=ExitCode.PASS, variables={})


class Question(StrEnum):
    """What can be asked; `all` asks everything that needs no gate run."""

    DASHBOARD = "dashboard"
    PERF_FAIL = "perf-fail"
    E2E_SUMMARY = "e2e-summary"
    STATUS = "status"
    FLAKE_REPORT = "flake-report"
    PERFORMANCE = "performance"
    BASELINE = "baseline"
    SMOKE_TEST = "smoke-test"
    ALL = "all"


_READ: dict[Question, Callable[[Settings], Answer]] = {
    Question.STATUS: _status,
    Question.DASHBOARD: _dashboard,
    Question.PERFORMANCE: _performance,
    Question.E2E_SUMMARY: _e2e_summary,
    Question.BASELINE: _baseline,
    Question.FLAKE_REPORT: _flake_report,
}
_RUN: dict[Question, Callable[[Settings], Answer]] = {
    Question.PERF_FAIL: _perf_fail,
    Question.SMOKE_TEST: _smoke_test,
}


def health(
    question: Question = typer.Argument(Question.ALL, help="What to look at."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object."),
) -> None:
    """Look at what the gate said last, or run it apart (perf-fail, smoke-test) to see that it can.

    Exit codes: 0 well, 1 something is red, 3 it could not be told, 4 there is nothing to look at.
    Example: hologram health status
    """
    settings = load_settings()
    asked = _READ.values() if question is Question.ALL else [{**_READ, **_RUN}[question]]
    answers = [ask(settings) for ask in asked]
    worst = next(state for state in _WORST if any(answer.health is state for answer in answers))
    if as_json:
        typer.echo(json.dumps({"health": worst, "answers": [asdict(answer) for answer in answers]}, indent=2))
    else:
        console = Console(highlight=False, soft_wrap=True)
        for answer in answers:
            console.print(Text(f"{answer.health.upper():<7} {answer.question}: {answer.told}"))
            for line in answer.lines:
                console.print(Text(f"        {line}"))
    raise typer.Exit(_EXIT[worst])


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(health)
