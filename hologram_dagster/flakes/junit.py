"""Attempts from JUnit XML of any runner: the forms of Surefire's and pytest's reruns, too.

The XML may be hostile: it is parsed as a stream, a document type or an entity is refused,
and what is kept of a test is bounded. Surefire: maven-surefire-report's schema, `flakyFailure`,
`flakyError` (passed in the end), `rerunFailure`, `rerunError` (did not).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from xml.parsers import expat

from hologram_dagster.errors import FormatError, HologramError
from hologram_dagster.flakes.attempts import (
    FINGERPRINT_CHARS,
    Attempt,
    Outcome,
    Phase,
    Results,
    TestRun,
    fingerprint,
)

# The property that tells repeats of one test, which all may pass, from reruns, which follow failures.
REPEAT_PROPERTY = "repeat"
_FAILURES = frozenset({"failure", "error"})
_EARLIER = frozenset({"flakyFailure", "flakyError"})
_RERUNS = frozenset({"rerunFailure", "rerunError"})
_TOLD = _FAILURES | _EARLIER | _RERUNS
_MOST_TEXT = 10 * FINGERPRINT_CHARS
_DEPTH = 100


@dataclass(slots=True)
class _Failure:
    tag: str
    type: str
    message: str
    text: str = ""

    def told(self) -> str:
        said = self.message or self.text.strip()
        return f"{self.type}: {said}" if self.type and not said.startswith(self.type) else said


@dataclass(slots=True)
class _Case:
    test: str
    duration_s: float
    repeat: str = ""
    skipped: bool = False
    failures: list[_Failure] = field(default_factory=list)

    @property
    def ended_red(self) -> bool:
        return any(failure.tag in _FAILURES for failure in self.failures)


@dataclass(slots=True)
class _Suite:
    pytest: bool
    started_at: datetime | None
    cases: list[_Case] = field(default_factory=list)


def read_junit(path: Path, run: TestRun) -> Results:
    """Every attempt that the file at `path` tells of.

    Raises:
        FormatError: not JUnit XML, or with a document type; names file and line.
        HologramError: it cannot be read.
    """
    reader = _Reader(path)
    reader.read()
    results = Results()
    numbers: dict[str, int] = {}
    for suite in reader.suites:
        for case, failures, outcome in _attempts_of(suite, results, path):
            number = numbers.get(case.test, 0)
            numbers[case.test] = number + 1
            failure = failures[0] if failures else None
            results.attempts.append(
                Attempt(
                    test=case.test,
                    run=run,
                    number=number,
                    outcome=outcome,
                    phase=_phase(failure),
                    duration_s=case.duration_s,
                    fingerprint=fingerprint(failure.told()) if failure else "",
                    started_at=suite.started_at,
                )
            )
    return results


class _Reader:
    """Builds suites and cases from the stream."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.suites: list[_Suite] = []
        self._tags: list[str] = []
        self._open: list[_Suite] = []
        self._case: _Case | None = None
        self._pytest = False
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._doctype

    def read(self) -> None:
        try:
            with self.path.open("rb") as stream:
                self._parser.ParseFile(stream)
        except expat.ExpatError as error:
            why = expat.errors.messages.get(error.code, str(error))
            raise FormatError(f"{self.path} line {error.lineno}: not well-formed XML: {why}") from None
        except OSError as error:
            raise HologramError(f"cannot read {self.path}: {error.strerror}.") from error
        except (LookupError, ValueError) as error:
            # An encoding that it does not know.
            raise self._fault(str(error)) from None

    def _fault(self, why: str) -> FormatError:
        return FormatError(f"{self.path} line {self._parser.CurrentLineNumber}: {why}")

    def _doctype(self, *_: object) -> None:
        raise self._fault("a document type, which JUnit XML has not, is not read (it could hold entities)")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self._tags and tag not in {"testsuites", "testsuite"}:
            raise self._fault(f"the root is <{tag}>, of JUnit XML it is <testsuites> or <testsuite>")
        self._tags.append(tag)
        if len(self._tags) > _DEPTH:
            raise self._fault(f"elements are nested more than {_DEPTH} deep")
        if tag == "testsuites":
            self._pytest = attributes.get("name") == "pytest tests"
        elif tag == "testsuite":
            pytest = self._pytest or attributes.get("name") == "pytest"
            suite = _Suite(pytest, _time(attributes.get("timestamp", "")))
            self.suites.append(suite)
            self._open.append(suite)
        elif tag == "testcase":
            if not self._open:
                raise self._fault("a <testcase> outside a <testsuite>")
            self._case = _Case(self._name(attributes), _seconds(attributes.get("time", "")))
            self._open[-1].cases.append(self._case)
        elif self._case is not None:
            self._inside(self._case, tag, attributes)

    def _name(self, attributes: dict[str, str]) -> str:
        name, of = attributes.get("name", ""), attributes.get("classname", "")
        if not name:
            raise self._fault("a <testcase> without a name")
        return f"{of}::{name}" if of else name

    def _inside(self, case: _Case, tag: str, attributes: dict[str, str]) -> None:
        if tag in _TOLD:
            message = attributes.get("message", "")[:_MOST_TEXT]
            case.failures.append(_Failure(tag, attributes.get("type", "")[:_MOST_TEXT], message))
        elif tag == "skipped":
            case.skipped = True
        elif tag == "property" and attributes.get("name") == REPEAT_PROPERTY:
            case.repeat = attributes.get("value", "")

    def _text(self, data: str) -> None:
        if self._case is not None and self._tags[-1] in _TOLD:
            failure = self._case.failures[-1]
            failure.text += data[: _MOST_TEXT - len(failure.text)]

    def _end(self, tag: str) -> None:
        self._tags.pop()
        if tag == "testcase":
            self._case = None
        elif tag == "testsuite":
            self._open.pop()


def _attempts_of(
    suite: _Suite, results: Results, path: Path
) -> Iterable[tuple[_Case, list[_Failure], Outcome]]:
    """Case, failures and outcome of each attempt of `suite`."""
    cases = _joined(suite.cases)
    later: dict[tuple[str, str], int] = {}
    if suite.pytest:
        for case in cases:
            later[case.test, case.repeat] = later.get((case.test, case.repeat), 0) + 1
    lost = 0
    for case in cases:
        if suite.pytest:
            later[case.test, case.repeat] -= 1
        # pytest writes a rerun attempt as a test without a failure; but it was only rerun since it failed.
        rerun = suite.pytest and later[case.test, case.repeat] > 0
        if rerun and not case.ended_red and not case.skipped:
            lost += 1
            yield case, [], Outcome.FAILED
            continue
        yield from _surefire(case)
    if lost:
        results.notes.append(
            f"{path}: {lost} attempts failed and were run again, of which JUnit XML holds no cause: "
            "pytest --report-log does"
        )


def _joined(cases: list[_Case]) -> list[_Case]:
    """The cases, those that pytest wrote for a failing teardown as part of the attempt before them."""
    joined: list[_Case] = []
    last: dict[tuple[str, str], _Case] = {}
    for case in cases:
        before = last.get((case.test, case.repeat))
        teardown = [f for f in case.failures if f.message.startswith("failed on teardown")]
        if before is not None and before.ended_red and teardown and len(teardown) == len(case.failures):
            before.failures.extend(teardown)
            continue
        last[case.test, case.repeat] = case
        joined.append(case)
    return joined


def _surefire(case: _Case) -> Iterable[tuple[_Case, list[_Failure], Outcome]]:
    for failure in case.failures:
        if failure.tag in _EARLIER:
            yield case, [failure], Outcome.FAILED
    own = [failure for failure in case.failures if failure.tag in _FAILURES]
    yield case, own, Outcome.FAILED if own else Outcome.SKIPPED if case.skipped else Outcome.PASSED
    for failure in case.failures:
        if failure.tag in _RERUNS:
            yield case, [failure], Outcome.FAILED


def _phase(failure: _Failure | None) -> Phase:
    said = failure.message if failure else ""
    if said.startswith("failed on setup"):
        return Phase.SETUP
    if said.startswith("failed on teardown"):
        return Phase.TEARDOWN
    return Phase.COLLECT if said == "collection failure" else Phase.CALL


def _seconds(text: str) -> float:
    try:
        seconds = float(text.replace(",", ""))
    except ValueError:
        return 0.0
    return seconds if 0 <= seconds < float("inf") else 0.0


def _time(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
