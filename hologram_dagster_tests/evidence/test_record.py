"""A record has one byte form, whatever is not that form is refused, and version 1 verifies for ever."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.errors import FormatError, TamperedError
from hologram_dagster.evidence.record import MAX_BYTES, Record, from_iso, iso, parse
from hologram_dagster.observation import Artifact, Finding, Observation, Status
from hologram_dagster_tests.evidence.helpers import NOW, identity, observation, signer

pytestmark = [pytest.mark.phase9_chaos, pytest.mark.proof_chain_mandatory]

FROZEN_V1 = Path(__file__).parent / "fixtures" / "record_v1.json"


def record_of(seen: Observation) -> Record:
    return Record.from_observation(seen, identity(), signer(), now=NOW)


def full() -> Observation:
    return observation(
        "perf_verify",
        facts={"cid": "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPrdG"},
        artifacts=(Artifact("file:///reports/perf/core_perf.csv", "0" * 64),),
    )


def changed(record: Record, change: Callable[[dict[str, Any]], object]) -> bytes:
    content = json.loads(record.to_bytes())
    change(content)
    return (json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def test_a_record_parses_to_itself_and_its_proof_holds() -> None:
    record = record_of(full())
    again = parse(record.to_bytes())
    assert again == record
    assert again.check() is None
    assert again.values["p95_ms"] == 2.0
    assert again.revision.commit == "a" * 40


def test_schema_version_1_verifies_for_ever() -> None:
    record = parse(FROZEN_V1.read_bytes())
    assert record.check() is None
    assert record.schema_version == 1
    assert (record.kind, record.status, record.run_id) == ("perf_verify", Status.PASSED, "frozen-run")
    assert record.values["p95_ms"] == 6.125
    assert record.machine.fingerprint == "05dd6e613c488fab"


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.update(extra=1),
        lambda c: c["revision"].update(extra=1),
        lambda c: c["machine"].update(extra=1),
        lambda c: c["machine"].update(cores="2"),
        lambda c: c["findings"][0].update(extra=1),
        lambda c: c["artifacts"][0].update(extra=1),
        lambda c: c["proof_chain"].update(extra=1),
        lambda c: c.pop("facts"),
        lambda c: c.pop("proof_chain"),
        lambda c: c.update(status="green"),
        lambda c: c.update(kind="../perf_verify"),
        lambda c: c.update(run_id="a/b"),
        lambda c: c.update(run_id=".."),
        lambda c: c.update(started_at=1),
        lambda c: c.update(started_at="yesterday"),
        lambda c: c["values"].update(p95_ms="2.0"),
        lambda c: c["values"].update(p95_ms=True),
        lambda c: c["values"].update(p95_ms=None),
        lambda c: c["facts"].update(cid=1),
        lambda c: c.update(schema_version=2),
        lambda c: c.update(schema_version=True),
        lambda c: c.update(schema_version="1"),
        lambda c: c["revision"].update(dirty=0),
    ],
)
def test_unknown_fields_and_wrong_types_are_refused(change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(FormatError):
        parse(changed(record_of(full()), change))


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["values"].update(n=60),
        lambda c: c.update(started_at="2026-03-04T12:00:00Z"),
        lambda c: c.update(started_at="2026-03-04T13:00:00.000000+01:00"),
        lambda c: c["machine"].update(fingerprint="0" * 16),
    ],
)
def test_another_spelling_of_the_same_record_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(TamperedError, match="byte form"):
        parse(changed(record_of(full()), change))


def test_duplicate_keys_are_refused() -> None:
    data = record_of(full()).to_bytes()
    doubled = data.replace(b'"kind": "perf_verify"', b'"kind": "perf_gql",\n  "kind": "perf_verify"')
    assert doubled != data
    with pytest.raises(FormatError, match="twice"):
        parse(doubled)


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"1e999"])
def test_numbers_that_are_not_finite_are_refused(number: bytes) -> None:
    with pytest.raises(FormatError):
        parse(record_of(full()).to_bytes().replace(b'"p95_ms": 2.0', b'"p95_ms": ' + number))


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b"null"])
def test_what_is_no_record_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse(data)


def test_an_oversized_record_is_refused_unread() -> None:
    with pytest.raises(FormatError, match=str(MAX_BYTES)):
        parse(b" " * (MAX_BYTES + 1))


def test_an_oversized_observation_is_refused() -> None:
    with pytest.raises(FormatError, match="artifact"):
        record_of(replace(full(), facts={"log": "x" * MAX_BYTES}))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_observation_needs_finite_values(value: float) -> None:
    with pytest.raises(FormatError, match="p95_ms"):
        record_of(replace(full(), values={"p95_ms": value}))


def test_a_text_that_has_no_utf_8_form_is_refused() -> None:
    with pytest.raises(FormatError):
        record_of(replace(full(), facts={"name": "\udcff"}))


@given(cut=st.integers(min_value=0, max_value=2000))
def test_no_truncated_record_is_accepted(cut: int) -> None:
    data = record_of(full()).to_bytes()
    with pytest.raises((FormatError, TamperedError)):
        parse(data[: min(cut, len(data) - 1)])


@given(position=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
def test_no_flipped_bit_survives(position: int, bit: int) -> None:
    data = bytearray(record_of(full()).to_bytes())
    data[position % len(data)] ^= 1 << bit
    try:
        record = parse(bytes(data))
    except (FormatError, TamperedError):
        return
    assert record.check() is not None


def test_a_changed_value_breaks_the_proof() -> None:
    record = record_of(full())
    assert replace(record, values={**record.values, "p95_ms": 1.0}).check() is not None


def test_findings_in_another_order_break_the_proof() -> None:
    record = record_of(observation("e2e_publish"))
    assert replace(record, findings=record.findings[::-1]).check() is not None


def test_secrets_never_reach_a_record() -> None:
    seen = replace(
        full(),
        facts={"header": "Authorization: Bearer sesame-open-now", "token": "sesame-open-now"},
        findings=(Finding("answers_correct", Status.FAILED, "refused with token=sesame-open-now"),),
        artifacts=(Artifact("https://user:sesame-open-now@example.org/x", "0" * 64),),
    )
    record = record_of(seen)
    assert b"sesame" not in record.to_bytes()
    assert record.check() is None


def test_content_addresses_survive_redaction() -> None:
    assert record_of(full()).facts["cid"] == "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPrdG"


def test_evidence_of_a_self_made_key_is_marked() -> None:
    made = Record.from_observation(full(), identity(), signer(self_made=True), now=NOW)
    assert made.self_made_key
    assert not record_of(full()).self_made_key


def test_times_need_a_zone() -> None:
    with pytest.raises(ValueError, match="zone"):
        iso(datetime(2026, 1, 1))
    assert from_iso(iso(NOW)) == NOW
