"""`reports/junit.xml`: each check a test case, for the tools that read no other report."""

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any

from hologram_dagster.reports.reading import (
    FAILED,
    NOT_APPLICABLE,
    PASSED,
    mapping_of,
    mappings_of,
    text_of,
    time_of,
    with_unit,
)

_LONGEST = 4000


def junit_xml(verdict: Mapping[str, Any]) -> str:
    """The verdict document as JUnit XML.

    One suite a kind of evidence, one case a check: `failed` is a failure, `error`,
    `inconclusive` and anything unknown an error, `not_applicable` skipped with its reason.
    Evidence without a check is a case of its own. The last suite holds the verdict, so
    that a run that is unfinished, or has no check at all, is never green.
    """
    cases: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for reason in mappings_of(verdict.get("reasons")):
        cases.setdefault(_text(reason.get("kind")), []).append((_text(reason.get("check")), reason))
    for item in mappings_of(verdict.get("evidence")):
        kind = _text(item.get("kind"))
        if kind not in cases:
            cases[kind] = [("evidence", item)]
    profile = _text(verdict.get("profile"))
    root = ET.Element("testsuites", name="Hologram gate")
    started = time_of(verdict.get("started_at"))
    for kind, results in [*cases.items(), ("gate", [("verdict", _verdict_case(verdict))])]:
        suite = ET.SubElement(root, "testsuite", name=kind)
        if started:
            suite.set("timestamp", f"{started:%Y-%m-%dT%H:%M:%S}")
        for name, result in results:
            case = ET.SubElement(suite, "testcase", classname=f"hologram.{profile}.{kind}", name=name)
            _add_outcome(case, result)
        _count(suite)
    _count(root)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _verdict_case(verdict: Mapping[str, Any]) -> Mapping[str, Any]:
    word, state = _text(verdict.get("verdict")), _text(verdict.get("state"))
    if state != "final":
        return {"status": "inconclusive", "message": f"the run has not finished (state {state})"}
    status = {"pass": PASSED, "fail": FAILED}.get(word, "inconclusive")
    waivers = [
        f"{_text(waiver.get('check'))} is waived by {_text(waiver.get('who'))} "
        f"until {_text(waiver.get('expires_at'))}: {_text(waiver.get('why'))}"
        for waiver in mappings_of(verdict.get("waivers"))
    ]
    commit = _text(mapping_of(verdict.get("revision")).get("commit"))
    return {"status": status, "message": "; ".join([f"the verdict on {commit} is {word}", *waivers])}


def _add_outcome(case: ET.Element, result: Mapping[str, Any]) -> None:
    status, message = _text(result.get("status")), _text(result.get("message"))
    if status == PASSED:
        return
    tag = {FAILED: "failure", NOT_APPLICABLE: "skipped"}.get(status, "error")
    outcome = ET.SubElement(case, tag, message=message or status)
    if tag != "skipped":
        outcome.set("type", status)
        figures = {
            "figure": with_unit(result.get("value"), result.get("unit")),
            "limit": with_unit(result.get("limit"), result.get("unit")),
        }
        outcome.text = "\n".join([message, *(f"{name}: {text}" for name, text in figures.items() if text)])


def _count(element: ET.Element) -> None:
    element.set("tests", str(len(element.findall(".//testcase"))))
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(name, str(len(element.findall(f".//{tag}"))))


def _text(value: object) -> str:
    return text_of(value, longest=_LONGEST)
