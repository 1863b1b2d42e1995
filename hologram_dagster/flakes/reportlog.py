"""Attempts from pytest-reportlog: JSON lines, one a phase of each attempt.

With pytest-rerunfailures every attempt is there, set-up and teardown too; its outcome
`rerun` is a failure that was tried again.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hologram_dagster.errors import FormatError, HologramError
from hologram_dagster.flakes.attempts import Attempt, Outcome, Phase, Results, TestRun, fingerprint

_FAILED = frozenset({"failed", "rerun"})


def read_reportlog(path: Path, run: TestRun) -> Results:
    """Every attempt in the log at `path`, in the order of their beginning.

    A last line that a killed run tore is left out and told.

    Raises:
        FormatError: not such a log; names file and line.
        HologramError: it cannot be read.
    """
    results = Results()
    open_attempts: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    numbers: dict[str, int] = {}

    def close(key: tuple[str, str]) -> None:
        if reports := open_attempts.pop(key, None):
            number = numbers.get(key[0], 0)
            numbers[key[0]] = number + 1
            results.attempts.append(_attempt(key[0], run, number, reports))

    ended = False
    for where, line in _lines(path, results):
        kind = line.get("$report_type")
        if kind == "SessionFinish":
            ended = True
        elif kind == "CollectReport" and line.get("outcome") == "failed":
            results.attempts.append(_collection(where, line, run))
        elif kind == "TestReport":
            # Each worker of pytest-xdist may run the same test.
            key = (_text(where, line, "nodeid"), str(line.get("worker_id", "")))
            _text(where, line, "outcome")
            if _text(where, line, "when") == Phase.SETUP:
                close(key)
            open_attempts.setdefault(key, []).append(line)
    if not ended:
        results.notes.append(f"{path}: the run did not end: what it had not run is not in it")
        for key in [key for key, reports in open_attempts.items() if not _is_over(reports)]:
            # Nobody knows how it would have ended, nor whether it is what ended the run.
            del open_attempts[key]
            results.notes.append(f"{path}: {key[0]} was running when the run ended: left out")
    for key in list(open_attempts):
        close(key)
    return results


def _lines(path: Path, results: Results) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        with path.open("rb") as stream:
            for number, raw in enumerate(stream, start=1):
                where = f"{path} line {number}"
                try:
                    line = json.loads(raw)
                except json.JSONDecodeError as error:
                    if raw.endswith(b"\n"):
                        raise FormatError(f"{where} column {error.colno}: {error.msg}") from None
                    results.notes.append(f"{where}: a torn last line was left out")
                    return
                except (UnicodeDecodeError, RecursionError) as error:
                    raise FormatError(f"{where}: {error}") from None
                if not isinstance(line, dict) or "$report_type" not in line:
                    raise FormatError(
                        f"{where}: no line of pytest-reportlog: write the file with pytest --report-log=FILE"
                    )
                yield where, line
    except OSError as error:
        raise HologramError(f"cannot read {path}: {error.strerror}.") from error


def _is_over(reports: list[Mapping[str, Any]]) -> bool:
    return any(report.get("when") == Phase.TEARDOWN or report["outcome"] in _FAILED for report in reports)


def _text(where: str, line: Mapping[str, Any], name: str) -> str:
    value = line.get(name)
    if not isinstance(value, str):
        raise FormatError(f"{where}: {name} is missing or no text")
    return value


def _attempt(test: str, run: TestRun, number: int, reports: list[Mapping[str, Any]]) -> Attempt:
    decisive = next((report for report in reports if report["outcome"] in _FAILED), None)
    skipped = any(report["outcome"] == "skipped" for report in reports)
    outcome = Outcome.FAILED if decisive else Outcome.SKIPPED if skipped else Outcome.PASSED
    when = decisive["when"] if decisive else Phase.CALL
    return Attempt(
        test=test,
        run=run,
        number=number,
        outcome=outcome,
        phase=Phase(when) if when in set(Phase) else Phase.CALL,
        duration_s=sum(_number(report.get("duration")) for report in reports),
        fingerprint=fingerprint(_message(decisive.get("longrepr"))) if decisive else "",
        started_at=_time(reports[0].get("start")),
    )


def _collection(where: str, line: Mapping[str, Any], run: TestRun) -> Attempt:
    """A module that cannot be collected counts as a test that failed."""
    test = _text(where, line, "nodeid") or "(collection)"
    lines = [text for text in str(line.get("longrepr")).splitlines() if text.startswith("E ")]
    why = fingerprint(lines[-1].removeprefix("E ") if lines else _message(line.get("longrepr")))
    return Attempt(test, run, 0, Outcome.FAILED, Phase.COLLECT, fingerprint=why)


def _message(longrepr: object) -> str:
    if isinstance(longrepr, dict):
        crash = longrepr.get("reprcrash")
        return str(crash.get("message", "")) if isinstance(crash, dict) else ""
    return str(longrepr or "")


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _time(value: object) -> datetime | None:
    try:
        return datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else None
    except (OverflowError, ValueError, OSError):
        return None
