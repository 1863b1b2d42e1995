"""Attempts from files: of real pytest runs, of Surefire, and of files that are not what they should be."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.errors import FormatError, HologramError
from hologram_dagster.flakes.attempts import Attempt, Outcome, Results, TestRun, fingerprint
from hologram_dagster.flakes.junit import read_junit
from hologram_dagster.flakes.reportlog import read_reportlog
from hologram_dagster_tests.flakes.suites import run_of, run_pytest

pytestmark = pytest.mark.phase9_chaos

# What happened, attempt by attempt: `.` passed, `F` failed, `s` skipped.
HAPPENED = {
    "test_sound": ".",
    "test_twice_red": "FF.",
    "test_set_up": "F.",
    "test_torn_down": "F.",
    "test_broken": "FFF",
    "test_broken_twice_over": "FFF",
    "test_expected": "s",
    "test_skipped": "s",
    "TestMore::test_value[a/b]": ".",
    "TestMore::test_value[x::y]": ".",
}
SUREFIRE = """<?xml version="1.0" encoding="UTF-8"?>
<testsuite xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" name="com.acme.ShopTest" tests="4"
           timestamp="2026-03-10T12:00:00">
  <properties><property name="java.version" value="21"/></properties>
  <testcase name="sound" classname="com.acme.ShopTest" time="1,000.5"/>
  <testcase name="flaky" classname="com.acme.ShopTest" time="0.2">
    <flakyFailure message="expected 1 but was 2" type="java.lang.AssertionError">
      <stackTrace><![CDATA[java.lang.AssertionError: expected 1 but was 2]]></stackTrace>
      <system-out>noise</system-out>
    </flakyFailure>
    <flakyError message="no route to host" type="java.io.IOException"><stackTrace>x</stackTrace></flakyError>
  </testcase>
  <testcase name="broken" classname="com.acme.ShopTest" time="0.2">
    <failure message="no" type="java.lang.AssertionError">java.lang.AssertionError: no</failure>
    <rerunFailure message="no" type="java.lang.AssertionError"><stackTrace>x</stackTrace></rerunFailure>
    <rerunError message="no" type="java.lang.AssertionError"><stackTrace>x</stackTrace></rerunError>
  </testcase>
  <testcase name="skipped" classname="com.acme.ShopTest"><skipped/></testcase>
</testsuite>
"""


def patterns(attempts: list[Attempt]) -> dict[str, str]:
    letters = {Outcome.PASSED: ".", Outcome.FAILED: "F", Outcome.SKIPPED: "s"}
    told: dict[str, str] = {}
    for attempt in attempts:
        assert attempt.number == len(told.get(attempt.test, ""))
        told[attempt.test] = told.get(attempt.test, "") + letters[attempt.outcome]
    return told


def test_reportlog_tells_every_attempt_of_set_up_call_and_teardown(ran: Path) -> None:
    results = read_reportlog(ran / "log.jsonl", run_of())
    assert patterns(results.attempts) == {f"test_kinds.py::{test}": told for test, told in HAPPENED.items()}
    assert results.notes == []
    causes = {a.test.partition("::")[2]: (a.phase, a.fingerprint) for a in results.attempts if a.fingerprint}
    assert causes["test_set_up"] == ("setup", "OSError: no port N at <address>")
    assert causes["test_torn_down"] == ("teardown", "OSError: still busy")
    assert causes["test_twice_red"] == ("call", "AssertionError: not yet")
    # What failed first decided it.
    assert causes["test_broken_twice_over"][0] == "call"


def test_junit_tells_every_attempt_and_says_which_causes_it_lacks(ran: Path) -> None:
    results = read_junit(ran / "junit.xml", run_of())
    told = {
        "::".join(["test_kinds", test]).replace("test_kinds::TestMore", "test_kinds.TestMore"): told
        for test, told in HAPPENED.items()
    }
    assert patterns(results.attempts) == told
    assert "8 attempts failed and were run again" in results.notes[0]
    broken = [a for a in results.attempts if a.test == "test_kinds::test_broken"]
    assert [a.fingerprint for a in broken] == ["", "", "assert N == N"]


def test_without_reruns_phases_come_from_junit_too(tmp_path: Path) -> None:
    (tmp_path / "test_phases.py").write_text(
        "import pytest\n"
        "@pytest.fixture\ndef up():\n    raise OSError('a')\n"
        "@pytest.fixture\ndef down():\n    yield\n    raise OSError('b')\n"
        "def test_up(up): pass\ndef test_down(down): pass\ndef test_both(down): assert False\n"
    )
    (tmp_path / "test_import.py").write_text("import not_there_at_all\n")
    run_pytest(tmp_path, "--junitxml=junit.xml", "--report-log=log.jsonl", "--continue-on-collection-errors")
    found = read_junit(tmp_path / "junit.xml", run_of()).attempts
    assert [(a.test, str(a.phase)) for a in found if a.outcome is Outcome.FAILED] == [
        ("test_import", "collect"),
        ("test_phases::test_up", "setup"),
        ("test_phases::test_down", "teardown"),
        ("test_phases::test_both", "call"),
    ]
    logged = {
        a.test: (str(a.phase), a.fingerprint)
        for a in read_reportlog(tmp_path / "log.jsonl", run_of()).attempts
    }
    assert logged["test_import.py"] == ("collect", "ModuleNotFoundError: No module named 'not_there_at_all'")


def test_surefire_reruns_are_attempts(tmp_path: Path) -> None:
    path = tmp_path / "TEST-com.acme.ShopTest.xml"
    path.write_text(SUREFIRE)
    results = read_junit(path, run_of())
    assert patterns(results.attempts) == {
        "com.acme.ShopTest::sound": ".",
        "com.acme.ShopTest::flaky": "FF.",
        "com.acme.ShopTest::broken": "FFF",
        "com.acme.ShopTest::skipped": "s",
    }
    first, second, last = (a for a in results.attempts if a.test.endswith("flaky"))
    assert first.fingerprint == "java.lang.AssertionError: expected N but was N"
    assert second.fingerprint == "java.io.IOException: no route to host"
    assert last.fingerprint == ""
    assert results.attempts[0].duration_s == 1000.5
    assert first.at.isoformat() == "2026-03-10T12:00:00+00:00"


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE bomb [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    "<testsuite><testcase name='x'><failure message='m'>&b;</failure></testcase></testsuite>"
)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (BOMB, "line 1: a document type"),
        ('<!DOCTYPE x SYSTEM "file:///etc/passwd"><testsuite/>', "line 1: a document type"),
        ("<testsuite>\n<testcase name='a'>\n</testsuite>", "line 3: not well-formed XML: mismatched tag"),
        ("<testsuite>\n<testcase name='a'/>", "line 2: not well-formed XML"),
        ("", "line 1: not well-formed XML: no element found"),
        ("<html/>", "line 1: the root is <html>"),
        ("<testsuite>\n<testcase/></testsuite>", "line 2: a <testcase> without a name"),
        ("<testsuites><testcase name='a'/></testsuites>", "line 1: a <testcase> outside a <testsuite>"),
        ("<testsuite>" + "<a>" * 200, "nested more than 100 deep"),
        ("<?xml version='1.0' encoding='martian'?><testsuite/>", "line 1: "),
    ],
)
def test_xml_that_is_hostile_or_no_junit_is_refused_by_file_and_line(
    tmp_path: Path, content: str, why: str
) -> None:
    path = tmp_path / "junit.xml"
    path.write_text(content)
    with pytest.raises(FormatError) as refused:
        read_junit(path, run_of())
    assert str(refused.value).startswith(str(path))
    assert why in str(refused.value)


def test_what_is_kept_of_a_failure_is_bounded_and_holds_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    path.write_text(
        "<testsuite><testcase name='a'><failure>"
        + "password=hunter2hunter2 "
        + "x" * 5_000_000
        + "</failure></testcase></testsuite>"
    )
    (attempt,) = read_junit(path, run_of()).attempts
    assert len(attempt.fingerprint) <= 200
    assert "hunter" not in attempt.fingerprint


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (['{"$report_type": "SessionStart"}', "{oops}", "{}"], "line 2 column 2"),
        (['{"a": 1}'], "line 1: no line of pytest-reportlog"),
        (["[]"], "line 1: no line of pytest-reportlog"),
        (
            ['{"$report_type": "TestReport", "when": "call", "outcome": "passed"}'],
            "line 1: nodeid is missing",
        ),
        (
            ['{"$report_type": "TestReport", "nodeid": "a", "outcome": 3, "when": "call"}'],
            "line 1: outcome is",
        ),
    ],
)
def test_a_log_that_is_none_is_refused_by_file_and_line(tmp_path: Path, lines: list[str], why: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(FormatError, match=r"log\.jsonl") as refused:
        read_reportlog(path, run_of())
    assert why in str(refused.value)


def test_the_log_of_a_killed_run_is_read_up_to_where_it_was_torn(ran: Path, tmp_path: Path) -> None:
    whole = (ran / "log.jsonl").read_bytes()
    torn = tmp_path / "torn.jsonl"
    lines = whole.splitlines(keepends=True)
    # Cut off in the middle of `test_twice_red`, whose second attempt has begun.
    begun = next(n for n, line in enumerate(lines) if b'"rerun": 1' in line and b"test_twice_red" in line)
    torn.write_bytes(b"".join(lines[: begun + 1]) + lines[begun + 1][:40])
    results = read_reportlog(torn, run_of())
    assert any("torn last line" in note for note in results.notes)
    assert any("did not end" in note for note in results.notes)
    assert any("test_twice_red was running when the run ended: left out" in note for note in results.notes)
    assert patterns(results.attempts) == {
        "test_kinds.py::test_sound": ".",
        "test_kinds.py::test_twice_red": "F",
    }


def _told(read: Callable[[Path, TestRun], Results], path: Path) -> str:
    try:
        return f"{path}: {len(read(path, run_of()).attempts)} attempts"
    except HologramError as error:
        return str(error)


@given(st.binary(max_size=300))
def test_any_bytes_are_attempts_or_a_named_fault(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(data)
    for read in (read_junit, read_reportlog):
        assert str(path) in _told(read, path)


_LINE = st.fixed_dictionaries(
    {
        "$report_type": st.just("TestReport"),
        "nodeid": st.sampled_from(["a", "b"]),
        "when": st.sampled_from(["setup", "call", "teardown", "other"]),
        "outcome": st.sampled_from(["passed", "failed", "rerun", "skipped"]),
    },
    optional={"start": st.floats() | st.text(), "duration": st.floats() | st.none(), "longrepr": st.text()},
)


@given(st.lists(_LINE))
def test_as_many_failed_attempts_as_groups_of_reports_that_hold_a_failure(
    tmp_path_factory: pytest.TempPathFactory, lines: list[dict[str, object]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    end = {"$report_type": "SessionFinish"}
    path.write_text("".join(json.dumps(line) + "\n" for line in [*lines, end]))
    groups: dict[str, list[bool]] = {}
    for line in lines:
        of = groups.setdefault(str(line["nodeid"]), [])
        if line["when"] == "setup" or not of:
            of.append(False)
        of[-1] = of[-1] or line["outcome"] in {"failed", "rerun"}
    read = patterns(read_reportlog(path, run_of()).attempts)
    assert {test: [letter == "F" for letter in told] for test, told in read.items()} == groups


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("OSError: [Errno 98] port 4711 in use", "OSError: [Errno 98] port 80 in use"),
        ("KeyError: /tmp/pytest-of-a/pytest-1/x.json", "KeyError: /var/tmp/q/x.json"),
        ("Boom: <object at 0x7f12ab>", "Boom: <object at 0x1>"),
    ],
)
def test_what_varies_is_not_part_of_a_fingerprint(one: str, other: str) -> None:
    assert fingerprint(one) == fingerprint(other)


def test_other_failures_have_other_fingerprints() -> None:
    assert fingerprint("OSError: busy") != fingerprint("OSError: gone")
    assert fingerprint("\n  OSError: busy\nmore") == "OSError: busy"
    assert fingerprint("") == ""
