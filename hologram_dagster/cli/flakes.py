"""`hologram flakes`: detect, report, run, quarantine, unquarantine (contract section 7.1)."""

import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from hologram_dagster.flakes.judgement import Judged, State
from hologram_dagster.flakes.quarantine import FILE_NAME, NAMES_FILE
from hologram_dagster.flakes.reportlog import read_reportlog
from hologram_dagster.flakes.score import power
from hologram_dagster.gate import detecting
from hologram_dagster.gate.detecting import Known
from hologram_dagster.processes import start_child, stop_child
from hologram_dagster.profiles import FLAKE_RATE_BELOW_PCT, most_quarantined
from hologram_dagster.settings import load_settings

app = typer.Typer(
    help="Flaky tests: found, quarantined with owner and expiry, released.", no_args_is_help=True
)

_TOP = 10
_MARKERS = "phase6_perf or phase8_e2e"
# pytest's own exit codes: what they are here. Interrupted and internal errors decide nothing.
_EXIT = {0: 0, 1: 1, 2: 3, 3: 3, 4: 2, 5: 2}
_JSON = typer.Option(False, "--json", help="As JSON.")


@app.command()
def detect(
    files: list[Path] | None = typer.Argument(
        None, help="Results of this revision: JUnit XML, pytest --report-log, or a flake database."
    ),
    commit: str | None = typer.Option(
        None, help="The revision the results are of (default: the working tree)."
    ),
    as_json: bool = _JSON,
) -> None:
    """Judge all attempts kept, and bring the quarantine up to date: commit quarantine.json afterwards.

    In goes what flaked twice in 7 days, unassigned and for 7 days; out comes what was green 10 times in
    a row. Exit codes: 0 judged, 2 a file cannot be read. Example: hologram flakes detect results.xml
    """
    settings = load_settings()
    _tell(detecting.read_files(settings, files or [], ref=commit))
    found, proposal = detecting.detect(settings)
    _tell(found.notes)
    if as_json:
        changes = {
            "quarantined": [entry.test for entry in proposal.added],
            "released": [entry.test for entry, _ in proposal.released],
            "left_out": [judged.test for judged in proposal.left_out],
        }
        typer.echo(json.dumps({**_report_json(found), **changes}, indent=2))
        return
    _summary(found)
    for entry in proposal.added:
        typer.echo(f"quarantined until {entry.expires}: {entry.test}: {entry.reason}")
    for entry, why in proposal.released:
        typer.echo(f"released: {entry.test}: {why}")
    for judged in proposal.left_out:
        typer.echo(f"flaky, but the quarantine is full: {judged.test}: fix it, or another one")
    if proposal.added or proposal.released:
        typer.echo(f"commit {FILE_NAME}: a gate excuses what its baseline has quarantined")


@app.command()
def report(
    as_json: bool = _JSON,
    check: bool = typer.Option(False, "--check", help="Exit 1 if the quarantine breaks its rules."),
) -> None:
    """Tell the flaky tests, worst first, and write reports/quarantined_tests.json for pytest.

    Exit codes: 0, with --check 1 if an entry has expired, is broken, or there are too many.
    Example: hologram flakes report --json
    """
    found = detecting.known(load_settings())
    _tell(found.notes)
    if as_json:
        typer.echo(json.dumps(_report_json(found), indent=2))
    else:
        _summary(found)
        _table(found)
    faults = detecting.faults(found)
    for fault in faults:
        typer.echo(f"against the rules: {fault}", err=True)
    raise typer.Exit(1 if check and faults else 0)


@app.command()
def run(
    markers: str = typer.Argument(_MARKERS, help="Which tests, as pytest -m takes it; an empty text is all."),
    timeout: float = typer.Option(300, min=1, help="Seconds the run may take."),
    reruns: int = typer.Option(1, min=0, help="How often a test that failed is run again."),
    repeat_changed: int = typer.Option(0, min=0, help="Run new and changed tests so often, without reruns."),
    path: list[Path] | None = typer.Option(
        None, help="Files or folders of tests (default: as pytest finds)."
    ),
) -> None:
    """Run tests with pytest, keep every attempt; quarantined tests run, and do not fail the run.

    Exit codes: 0 passed, 1 failed, 2 usage or no such tests, 3 not run to the end.
    Example: hologram flakes run "phase1_core"
    """
    settings = load_settings()
    # Before the run, so that pytest has it, and the revision is that of before the run.
    found, test_run = detecting.known(settings), detecting.run_now(settings, f"run-{uuid.uuid4().hex[:16]}")
    _tell(found.notes)
    with tempfile.TemporaryDirectory(prefix="hologram-tests-") as folder:
        log = Path(folder, "attempts.jsonl")
        names = (settings.reports_dir / NAMES_FILE).resolve()
        command = [
            *(sys.executable, "-m", "pytest", f"--report-log={log}", f"--quarantined={names}"),
            *(("-m", markers) if markers else ()),
            *((f"--reruns={reruns}",) if reruns else ()),
            *((f"--repeat-changed={repeat_changed}",) if repeat_changed else ()),
            *(str(each) for each in path or ()),
        ]
        # The user's own tests, in the user's own environment.
        process = start_child(command, env=dict(os.environ), stdout=1, stderr=2)
        try:
            code: int | None = process.wait(timeout)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            stop_child(process)
        results = read_reportlog(log, test_run) if log.exists() else None
    if results is not None:
        _, notes = detecting.keep(settings, results.attempts)
        _tell([*(note.replace(f"{folder}/", "") for note in results.notes), *notes])
        tests = {attempt.test for attempt in results.attempts}
        typer.echo(f"{len(results.attempts)} attempts of {len(tests)} tests kept: hologram flakes report")
    if code is None:
        typer.echo(f"hologram: the tests took longer than {timeout:g} s: allow more with --timeout", err=True)
    raise typer.Exit(3 if code is None else _EXIT.get(code, 3))


@app.command()
def quarantine(
    name: str = typer.Argument(help="The test, as the report names it."),
    owner: str | None = typer.Option(None, help="Who looks after it."),
    reason: str | None = typer.Option(None, help="What is wrong with it."),
    ticket: str | None = typer.Option(None, help="Where that is worked on."),
    days: int | None = typer.Option(None, min=0, help="How long: at most 30, without owner and ticket 7."),
) -> None:
    """Let NAME fail for a while: commit quarantine.json afterwards. Also renews an entry.

    Example: hologram flakes quarantine tests/test_shop.py::test_pay --owner ann --ticket SHOP-7
    """
    entry = detecting.quarantine(load_settings(), name, owner=owner, reason=reason, ticket=ticket, days=days)
    typer.echo(
        f"quarantined until {entry.expires}: {entry.test} ({entry.owner}, {entry.ticket}): {entry.reason}"
    )


@app.command()
def unquarantine(name: str = typer.Argument(help="The test, as the report names it.")) -> None:
    """Let NAME fail no longer: commit quarantine.json afterwards.

    Example: hologram flakes unquarantine tests/test_shop.py::test_pay
    """
    early = detecting.unquarantine(load_settings(), name)
    typer.echo(f"no longer quarantined: {name}{f' ({early})' if early else ''}")


def _tell(notes: Iterable[str]) -> None:
    for note in notes:
        typer.echo(f"note: {note}", err=True)


def _flaky(found: Known) -> list[Judged]:
    flaky = [judged for judged in found.judged if judged.score.flakes]
    return sorted(flaky, key=lambda judged: (-judged.score.flakes, judged.test))


def _report_json(found: Known) -> dict[str, Any]:
    """The report in the contract's form (7.1), with what more is known of each test."""
    return {
        "total_tests": len(found.judged),
        "quarantined_tests": len(found.quarantine.entries),
        "flaky_tests": [
            {
                "test_name": judged.test,
                "pass_rate": round(judged.passed / judged.runs, 4),
                "flake_count": judged.score.flakes,
                "total_runs": judged.runs,
                "score": round(judged.score.mean, 4),
                "score_95": [round(bound, 4) for bound in judged.score.interval()],
                "quarantined": found.quarantine.get(judged.test) is not None,
                "fingerprint": judged.fingerprint,
            }
            for judged in _flaky(found)
        ],
        "flake_stats": {
            "flake_rate_pct": round(found.rate.pct, 3),
            "runs_in_7_days": found.rate.runs,
            "broken": [judged.test for judged in found.judged if judged.state is State.BROKEN],
            "power": power(_fewest(found)),
        },
    }


def _fewest(found: Known) -> int:
    return min((judged.score.runs for judged in found.judged if judged.score.runs), default=0)


def _summary(found: Known) -> None:
    typer.echo(
        f"{len(found.judged)} tests, {len(_flaky(found))} flaky, "
        f"{len(found.quarantine.entries)} in quarantine (at most {most_quarantined(len(found.judged))})"
    )
    typer.echo(
        f"flake rate: {found.rate.pct:.2g} % of {found.rate.runs} runs in 7 days "
        f"(less than {FLAKE_RATE_BELOW_PCT:g} % is asked for); "
        f"of the test run least often: {power(_fewest(found))}"
    )


def _table(found: Known) -> None:
    for judged in _flaky(found)[:_TOP]:
        low, high = (100 * bound for bound in judged.score.interval())
        held = "  quarantined" if found.quarantine.get(judged.test) else ""
        typer.echo(
            f"  {judged.test}\n    pass rate {100 * judged.passed / judged.runs:.1f} %, "
            f"{judged.score.flakes} flakes in {judged.runs} runs ({low:.2g} to {high:.2g} %){held}"
        )
    for state, told in (
        (State.BROKEN, "fails every time"),
        (State.UNDECIDED, "failed, and did not pass since"),
    ):
        for judged in [each for each in found.judged if each.state is state][:_TOP]:
            typer.echo(f"  {judged.test}\n    {told}: {judged.fingerprint or 'no cause told'}")
