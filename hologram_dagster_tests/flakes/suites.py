"""Real pytest runs of small suites, and attempts made by hand."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hologram_dagster.flakes.attempts import Attempt, Outcome, TestRun
from hologram_dagster.flakes.judgement import Occasion

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
HANG_S = 240

# A test of each kind: which fail is decided by how often each was tried before.
SUITE = """
from pathlib import Path
import pytest

def tried(name):
    counter = Path(__file__).with_name(name + ".tried")
    before = int(counter.read_text()) if counter.exists() else 0
    counter.write_text(str(before + 1))
    return before

@pytest.fixture
def set_up():
    if tried("set_up") == 0:
        raise OSError("no port 4711 at 0x7f00")

@pytest.fixture
def torn_down():
    yield
    if tried("torn_down") == 0:
        raise OSError("still busy")

@pytest.fixture
def never_down():
    yield
    raise OSError("never down")

def test_sound(): pass
def test_twice_red(): assert tried("twice") == 2, "not yet"
def test_set_up(set_up): pass
def test_torn_down(torn_down): pass
def test_broken(): assert 1 == 2
def test_broken_twice_over(never_down): assert False
@pytest.mark.xfail
def test_expected(): assert False
@pytest.mark.skip
def test_skipped(): pass
class TestMore:
    @pytest.mark.parametrize("value", ["a/b", "x::y"])
    def test_value(self, value): pass
"""


# Others would take most of the time.
PLUGINS = ("pytest_reportlog.plugin", "pytest_rerunfailures", "hologram_dagster.flakes.pytest_plugin")


def run_pytest(
    folder: Path, *arguments: str, plugins: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    loaded = [option for plugin in (*PLUGINS, *plugins) for option in ("-p", plugin)]
    quick = ["-p", "no:cacheprovider", "--disable-plugin-autoload", *loaded]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *quick, "-q", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )


def run_of(run_id: str = "run-1", commit: str = "a" * 40, at: datetime = NOW) -> TestRun:
    return TestRun(run_id, commit, "local", at)


def attempts(test: str, pattern: str, run: TestRun | None = None) -> list[Attempt]:
    """One attempt for each letter of `pattern`: `.` passed, `F` failed, `s` skipped."""
    outcomes = {".": Outcome.PASSED, "F": Outcome.FAILED, "s": Outcome.SKIPPED}
    return [Attempt(test, run or run_of(), number, outcomes[letter]) for number, letter in enumerate(pattern)]


def occasions(test: str, *runs: tuple[str, str], days: float = 0.1) -> list[Occasion]:
    """A run for each commit and pattern, `days` apart, the last one now."""
    return [
        Occasion(
            test,
            f"run-{place}",
            commit,
            "local" if commit else "",
            NOW - timedelta(days=days * (len(runs) - 1 - place)),
            pattern.count("."),
            pattern.count("F"),
            "AssertionError: N" if "F" in pattern else "",
        )
        for place, (commit, pattern) in enumerate(runs)
    ]
