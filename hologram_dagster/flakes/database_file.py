"""`reports/flake_database.json`: the contract's form (7.1), read from whatever tool wrote it, and written.

Tools written for the contract read `passed`, `run_id` and `timestamp` of a result, and
`flake_counts`; what more we know stands beside. A result that says no commit is of a
revision of its own: then only a pass and a failure within one run are a flake.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

from hologram_dagster.errors import FormatError, HologramError, not_json
from hologram_dagster.evidence.record import iso
from hologram_dagster.files import write_whole
from hologram_dagster.flakes.attempts import Attempt, Outcome, Phase, Results, TestRun
from hologram_dagster.flakes.judgement import Judged

FILE_NAME = "flake_database.json"
SCHEMA_VERSION = 1
# The newest of each test; the store has them all.
MOST_RESULTS = 200
_TIME = "%Y-%m-%d %H:%M:%S"


def database_json(attempts: Iterable[Attempt], judged: Iterable[Judged]) -> dict[str, Any]:
    """The document of `attempts` (oldest first) and what was judged of their tests."""
    results: dict[str, list[dict[str, Any]]] = {}
    for attempt in attempts:
        if attempt.outcome is not Outcome.SKIPPED:
            results.setdefault(attempt.test, []).append(_result(attempt))
    known = {each.test: each for each in judged}
    return {
        "schema_version": SCHEMA_VERSION,
        "test_results": {test: kept[-MOST_RESULTS:] for test, kept in results.items()},
        "flake_counts": {test: each.score.flakes for test, each in known.items() if each.score.flakes},
        "tests": {test: _test(each) for test, each in known.items()},
    }


def write_database(path: Path, attempts: Iterable[Attempt], judged: Iterable[Judged]) -> None:
    """Replace the file at `path`, whole or not at all.

    Raises:
        HologramError: it cannot be written.
    """
    write_whole(path, json.dumps(database_json(attempts, judged), ensure_ascii=False, indent=1) + "\n")


def _result(attempt: Attempt) -> dict[str, Any]:
    return {
        "passed": attempt.outcome is Outcome.PASSED,
        "run_id": attempt.run.run_id,
        "timestamp": attempt.at.astimezone(UTC).strftime(_TIME),
        "commit": attempt.run.commit,
        "environment": attempt.run.environment,
        "attempt": attempt.number,
        "phase": str(attempt.phase),
        "duration_s": round(attempt.duration_s, 6),
        "fingerprint": attempt.fingerprint,
    }


def _test(judged: Judged) -> dict[str, Any]:
    low, high = judged.score.interval()
    return {
        "hash": sha256(judged.test.encode()).hexdigest()[:16],
        "state": str(judged.state),
        "runs": judged.runs,
        "flakes": judged.score.flakes,
        "score": round(judged.score.mean, 4),
        "score_95": [round(low, 4), round(high, 4)],
        "last_flake": iso(judged.last_flake) if judged.last_flake else None,
        "greens_in_a_row": len(judged.greens),
        "fingerprint": judged.fingerprint,
    }


def read_database(path: Path) -> Results:
    """The attempts in the file at `path`.

    Raises:
        FileNotFoundError: there is none.
        FormatError: not in the contract's form; names file and place.
        HologramError: it cannot be read.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise
    except json.JSONDecodeError as error:
        raise not_json(path, error) from None
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: {error}") from None
    except OSError as error:
        raise HologramError(f"cannot read {path}: {error.strerror}.") from error
    if not isinstance(content, dict) or not isinstance(tests := content.get("test_results"), dict):
        raise FormatError(f"{path}: no object with test_results, as contract section 7.1 has it")
    results = Results()
    for test, entries in tests.items():
        if not isinstance(entries, list):
            raise FormatError(f"{path}: test_results of {test!r} is no list")
        seen: dict[str, int] = {}
        for place, entry in enumerate(entries):
            attempt = _attempt(f"{path}: result {place} of {test!r}", test, entry, seen)
            results.attempts.append(attempt)
    if any(not attempt.run.commit for attempt in results.attempts):
        results.notes.append(
            f"{path}: results without a commit count as runs; only a pass and a failure within one run "
            "are a flake among them"
        )
    return results


def read_or_set_aside(path: Path) -> Results:
    """The attempts in the file at `path`, none where there is no file; a damaged one is kept aside and told.

    Raises:
        HologramError: it cannot be read or moved.
    """
    try:
        return read_database(path)
    except FileNotFoundError:
        return Results()
    except FormatError as error:
        names = (path.with_name(f"{path.name}.damaged-{number}") for number in count(1))
        aside = next(name for name in names if not name.exists())
        try:
            path.rename(aside)
        except OSError as fault:
            raise HologramError(f"cannot move {path} aside: {fault.strerror}.") from fault
        return Results(notes=[f"{error}: kept aside as {aside.name}, and left out"])


def _attempt(where: str, test: str, entry: object, seen: dict[str, int]) -> Attempt:
    if not isinstance(entry, dict) or not isinstance(entry.get("passed"), bool):
        raise FormatError(f"{where}: no object with passed, run_id and timestamp")
    run_id = str(entry.get("run_id", ""))
    number = seen.get(run_id, 0)
    seen[run_id] = number + 1
    at = _moment(where, entry)
    stated = entry.get("attempt")
    return Attempt(
        test=test,
        run=TestRun(run_id, str(entry.get("commit", "")), str(entry.get("environment", "")), at),
        number=stated if isinstance(stated, int) else number,
        outcome=Outcome.PASSED if entry["passed"] else Outcome.FAILED,
        phase=_phase(entry),
        duration_s=float(entry.get("duration_s") or 0.0) if _is_number(entry.get("duration_s")) else 0.0,
        fingerprint=str(entry.get("fingerprint", "")),
        started_at=at,
    )


def _phase(entry: Mapping[str, Any]) -> Phase:
    said = entry.get("phase")
    return Phase(said) if said in set(Phase) else Phase.CALL


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _moment(where: str, entry: Mapping[str, Any]) -> datetime:
    said = entry.get("timestamp")
    try:
        moment = datetime.fromisoformat(said) if isinstance(said, str) else None
    except ValueError:
        moment = None
    if moment is None:
        raise FormatError(f"{where}: the timestamp {said!r} is not YYYY-mm-dd HH:MM:SS")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
