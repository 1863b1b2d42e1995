"""A test is known by a name that holds no secret, tells it from others, and quarantines it all the same."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from hologram_dagster.flakes.attempts import Attempt, Outcome, TestRun, known_as
from hologram_dagster.flakes.database_file import read_database, write_database
from hologram_dagster.flakes.quarantine import Entry, Quarantine
from hologram_dagster.secrets.scan import find

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.phase2_5_hardening

SECRETS = (
    "test_a.py::test_it[http://u:Qwerty-0-sesame@h.test-x]",
    "test_a.py::test_it[http://u:Qwerty-1-sesame@h.test-x]",
    "test_a.py::test_it[Set-Cookie: session_id=abc123def456; Path=/]",
    "test_a.py::test_it[api_key=sk-1234567890-api_key=]",
    'test_a.py::test_it["refresh_token": "abc12345"]',
)


@pytest.mark.parametrize("name", SECRETS, ids=range(len(SECRETS)))
def test_a_name_without_its_secret(name: str) -> None:
    told = known_as(name)
    assert find(name)
    assert not find(told)
    assert known_as(told) == told
    assert told.startswith("test_a.py::test_it[")


def test_names_stay_apart_and_others_as_they_are() -> None:
    assert len({known_as(name) for name in SECRETS}) == len(SECRETS)
    for name in ("test_a.py::test_it", "test_a.py::test_it[1-two-a b/c:d]", "tests.test_a::test_it[größe]"):
        assert known_as(name) == name


def test_the_database_file_holds_none_and_is_read_again(tmp_path: Path) -> None:
    run = TestRun("run-1", "c" * 40, "linux", datetime(2026, 3, 1, tzinfo=UTC))
    attempts = [Attempt(name, run, 0, Outcome.PASSED) for name in SECRETS]
    path = tmp_path / "flake_database.json"
    write_database(path, attempts, [])
    assert not find(path.read_text())
    assert {attempt.test for attempt in read_database(path).attempts} == {known_as(name) for name in SECRETS}


def test_it_is_quarantined_by_either_name() -> None:
    entry = Entry(SECRETS[0], "ann", "flaky", "SHOP-7", date(2026, 3, 1), date(2026, 3, 20))
    quarantine = Quarantine((entry,))
    assert entry.test == known_as(SECRETS[0])
    assert quarantine.get(SECRETS[0]) is quarantine.get(entry.test) is entry
    assert quarantine.get(SECRETS[1]) is None


def test_pytest_lets_it_fail_in_quarantine(pytester: pytest.Pytester) -> None:
    path = pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("key", ["api_key=sk-1234567890", "api_key=sk-0987654321"])
        def test_it(key):
            assert not key
        """
    )
    name = f"{path.name}::test_it[api_key=sk-1234567890]"
    names = pytester.path / "names.json"
    names.write_text(f'{{"quarantined": ["{known_as(name)}"]}}')
    assert known_as(name) != name
    ended = pytester.runpytest_subprocess("-p", "no:cacheprovider", f"--quarantined={names}")
    ended.stdout.fnmatch_lines(["*QUARANTINED*sk-1234567890*"])
    # The other one is not in it, and fails the run.
    assert ended.ret == 1
