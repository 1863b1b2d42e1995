"""How well are flaky tests found? A study on tests whose flakiness is known, by the very code that users run.

`python benchmarks/flake_study.py` makes a suite of 400 tests, runs it 60 times with pytest (20
revisions, three runs each, four runs a day), reads every attempt, judges after each run, and writes
the table of `docs/flake_evidence.md`. `--runs N --json` is the short form: one JSON object, nothing
written. Run it from a checkout with the `dev` extra installed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from hologram_dagster.files import write_whole  # noqa: E402 (the checkout must come first)
from hologram_dagster.flakes.attempts import Attempt, Outcome, TestRun  # noqa: E402
from hologram_dagster.flakes.judgement import Judged, Occasion, State, judge  # noqa: E402
from hologram_dagster.flakes.reportlog import read_reportlog  # noqa: E402
from hologram_dagster.flakes.score import power  # noqa: E402
from hologram_dagster.flakes.store import Store  # noqa: E402

DOCUMENT = ROOT / "docs" / "flake_evidence.md"
BEGIN, END = "<!-- begin of flake_study -->", "<!-- end of flake_study -->"
RUNS, RUNS_A_REVISION, RUNS_A_DAY, RERUNS = 60, 3, 4, 2
# The revisions that break the tests of that kind, and the runs they last.
BROKEN_REVISIONS = range(6, 9)
START = datetime(2026, 1, 5, tzinfo=UTC)
LONG_AGO = START - timedelta(days=1)


@dataclass(frozen=True)
class Kind:
    """Tests of one kind: how many, in words, whether they are flaky, and the rate at which a run flakes."""

    name: str
    tests: int
    told: str
    flaky: bool = False
    rate: float | None = None


KINDS = (
    Kind("sound", 200, "0 %"),
    Kind("rare", 40, "1 %", flaky=True, rate=0.01),
    Kind("some", 40, "5 %", flaky=True, rate=0.05),
    Kind("often", 30, "20 %", flaky=True, rate=0.2),
    Kind("set_up", 20, "set-up, 5 %", flaky=True, rate=0.05),
    Kind("order", 20, "order-dependent, one order in four", flaky=True, rate=0.25),
    Kind("always", 20, "always failing"),
    Kind("regressed", 30, f"broken for {len(BROKEN_REVISIONS)} revisions, then mended"),
)

CONFTEST = '''
import os, random
import pytest

RUN = os.environ["STUDY_RUN"]
ran, tried = set(), {}

def pytest_collection_modifyitems(items):
    random.Random(RUN).shuffle(items)

def pytest_runtest_setup(item):
    tried[item.nodeid] = tried.get(item.nodeid, 0) + 1

def pytest_runtest_teardown(item):
    ran.add(item.name)

@pytest.fixture
def fails(request):
    """Whether this attempt of this run fails, at a rate."""
    def decide(rate):
        nodeid = request.node.nodeid
        return random.Random(f"{RUN} {nodeid} {tried[nodeid]}").random() < rate
    return decide

@pytest.fixture
def set_up(fails):
    if fails(0.05):
        raise OSError("the port is in use")

@pytest.fixture
def before():
    return ran
'''
BODIES = {
    "sound": "def test_sound_{n}(): pass",
    "rare": "def test_rare_{n}(fails): assert not fails(0.01), 'a race'",
    "some": "def test_some_{n}(fails): assert not fails(0.05), 'a race'",
    "often": "def test_often_{n}(fails): assert not fails(0.2), 'a race'",
    "set_up": "def test_set_up_{n}(set_up): pass",
    # After all three of them, which is so in one order of four.
    "order": (
        "def test_order_{n}(before):\n"
        "    assert not {{'test_sound_{n}', 'test_rare_{n}', 'test_some_{n}'}} <= before, 'left behind'"
    ),
    "always": "def test_always_{n}(): assert False, 'wrong'",
    "regressed": (
        "def test_regressed_{n}():\n"
        "    assert int(__import__('os').environ['STUDY_REVISION']) not in {broken}, 'wrong'"
    ),
}


def write_suite(folder: Path) -> None:
    (folder / "conftest.py").write_text(CONFTEST)
    for kind in KINDS:
        broken = list(BROKEN_REVISIONS)
        tests = [BODIES[kind.name].format(n=number, broken=broken) for number in range(kind.tests)]
        (folder / f"test_{kind.name}.py").write_text("\n\n".join(tests) + "\n")


def run_suite(folder: Path, number: int) -> list[Attempt]:
    """Run the suite for the `number`th time; its attempts, at the time the run has in the study."""
    revision = number // RUNS_A_REVISION
    log = folder / f"{number}.jsonl"
    plugins = ("-p", "pytest_reportlog.plugin", "-p", "pytest_rerunfailures")
    subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--disable-plugin-autoload"),
            *(*plugins, f"--reruns={RERUNS}", f"--report-log={log}", "--tb=line"),
        ],
        cwd=folder,
        env={**os.environ, "STUDY_RUN": str(number), "STUDY_REVISION": str(revision)},
        stdout=subprocess.DEVNULL,
        check=False,
    )
    at = START + timedelta(days=number / RUNS_A_DAY)
    results = read_reportlog(log, TestRun(f"run-{number}", f"revision-{revision}", "study", at))
    if results.notes:
        raise RuntimeError(results.notes[0])
    return [replace(attempt, started_at=None) for attempt in results.attempts]


@dataclass
class Found:
    """What one way of looking called flaky by the end, and put into quarantine at any time."""

    flaky: set[str] = field(default_factory=set)
    quarantined: set[str] = field(default_factory=set)
    judged: dict[str, Judged] = field(default_factory=dict)


def look(store: Path, attempts: Iterable[Sequence[Attempt]]) -> Found:
    """Judge after each run, as a nightly job would."""
    found = Found()
    with Store(store) as kept:
        for run in attempts:
            kept.add(run)
            occasions: list[Occasion] = kept.occasions(since=LONG_AGO)
            now = run[0].at
            found.judged = {each.test: each for each in judge(occasions, now=now)}
            found.quarantined |= {each.test for each in found.judged.values() if each.quarantine_due}
    found.flaky = {test for test, each in found.judged.items() if each.score.flakes}
    return found


def tool_before(attempts: Iterable[Sequence[Attempt]]) -> set[str]:
    """What contract section 7.1's rule calls flaky: three results, both outcomes, two failures."""
    results: dict[str, list[bool]] = {}
    for run in attempts:
        last = {attempt.test: attempt.outcome is Outcome.PASSED for attempt in run}
        for test, passed in last.items():
            results.setdefault(test, []).append(passed)
    return {test for test, told in results.items() if len(told) >= 3 and any(told) and told.count(False) >= 2}


def kind_of(test: str) -> Kind:
    module = test.partition(".py")[0].removeprefix("test_")
    return next(kind for kind in KINDS if kind.name == module)


def study(runs: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="hologram-flake-study-") as name:
        folder = Path(name)
        write_suite(folder)
        attempts = []
        for number in range(runs):
            attempts.append(run_suite(folder, number))
            print(f"run {number + 1} of {runs}", file=sys.stderr)
        with_reruns = look(folder / "with.sqlite", attempts)
        first = [[each for each in run if each.number == 0] for run in attempts]
        without = look(folder / "without.sqlite", first)
        before = tool_before(attempts)
    return {
        "runs": runs,
        "attempts": sum(map(len, attempts)),
        "kinds": [row(kind, with_reruns, without, before, runs) for kind in KINDS],
        "precision": {
            "flaky": precision(with_reruns.flaky),
            "flaky_without_reruns": precision(without.flaky),
            "quarantined": precision(with_reruns.quarantined),
            "tool_before": precision(before),
        },
        "power": power(runs),
    }


def row(kind: Kind, reruns: Found, without: Found, before: set[str], runs: int) -> dict[str, object]:
    def share(tests: set[str]) -> float:
        return sum(kind_of(test) is kind for test in tests) / kind.tests

    judged = [each for test, each in reruns.judged.items() if kind_of(test) is kind]
    if len(judged) != kind.tests:
        raise RuntimeError(f"{len(judged)} of {kind.tests} tests of kind {kind.name} were judged")
    rate = kind.rate or 0.0
    held = [each.score.interval()[0] <= rate <= each.score.interval()[1] for each in judged]
    return {
        "kind": kind.name,
        "told": kind.told,
        "tests": kind.tests,
        "flaky": kind.flaky,
        "called_flaky": share(reruns.flaky),
        "could_be_seen": 1 - (1 - rate) ** runs,
        "called_flaky_without_reruns": share(without.flaky),
        "quarantined": share(reruns.quarantined),
        "broken": sum(each.state is State.BROKEN for each in judged) / kind.tests,
        "tool_before": share(before),
        "rate_within_interval": sum(held) / kind.tests if kind.flaky else None,
    }


def precision(called: set[str]) -> float | None:
    return sum(kind_of(test).flaky for test in called) / len(called) if called else None


def table(result: Mapping[str, object]) -> str:
    head = (
        "| kind | tests | called flaky | could be seen | without reruns | quarantined | broken at the end | "
        "true rate in the 95 % interval | flaky by the tools before |\n"
        "|---|---|---|---|---|---|---|---|---|\n"
    )
    rows: list[Mapping[str, object]] = result["kinds"]  # type: ignore[assignment]
    lines = [
        f"| {each['told']} | {each['tests']} | {pct(each['called_flaky'])} | {pct(each['could_be_seen'])} | "
        f"{pct(each['called_flaky_without_reruns'])} | {pct(each['quarantined'])} | {pct(each['broken'])} | "
        f"{pct(each['rate_within_interval'])} | {pct(each['tool_before'])} |"
        for each in rows
    ]
    said: Mapping[str, object] = result["precision"]  # type: ignore[assignment]
    precisions = (
        f"| precision | | {pct(said['flaky'])} | | {pct(said['flaky_without_reruns'])} | "
        f"{pct(said['quarantined'])} | | | {pct(said['tool_before'])} |"
    )
    told = f"{result['runs']} runs, {result['attempts']} attempts; {result['power']}."
    return f"{head}" + "\n".join([*lines, precisions]) + f"\n\n{told}\n"


def pct(share: object) -> str:
    return f"{100 * share:.3g} %" if isinstance(share, float) else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--json", action="store_true", help="print the figures, write nothing")
    given = parser.parse_args()
    result = study(given.runs)
    if given.json:
        print(json.dumps(result, indent=2))
        return
    document = DOCUMENT.read_text()
    before, rest = document.split(BEGIN)
    write_whole(DOCUMENT, f"{before}{BEGIN}\n{table(result)}{END}{rest.split(END)[1]}")
    print(table(result))


if __name__ == "__main__":
    main()
