"""Evidence that real runs left: records, events, and the journals of experiments."""

import json
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "evidence"


def records() -> list[dict[str, Any]]:
    """What the page reads of the records; copies of one's own."""
    content: list[dict[str, Any]] = json.loads((_FOLDER / "records.json").read_text())
    return content


def record(kind: str) -> dict[str, Any]:
    """That of the record of `kind`."""
    return next(each for each in records() if each["kind"] == kind)


def events() -> list[dict[str, Any]]:
    """The events of the run that left the `e2e_*` records."""
    return [json.loads(line) for line in (_FOLDER / "events.jsonl").read_text().splitlines()]


def journal(kind: str) -> dict[str, Any]:
    """The journal of the experiment `kind`."""
    content: dict[str, Any] = json.loads(journal_path(kind).read_text())
    return content


def journal_path(kind: str) -> Path:
    """Where that journal is."""
    return _FOLDER / f"{kind}.json"


JOURNALS = ("chaos_gql_latency", "chaos_ipfs_restart", "chaos_partial_failure", "chaos_heuristics")
# Left undecided by a busy host; one of its operations failed.
UNDECIDED = "chaos_region_failover"
_NAMED = ("finding", "history")


def journal_record(kind: str) -> dict[str, Any]:
    """The record that a run makes of the journal of `kind`, as far as the page reads it."""
    told = journal(kind)
    findings = [
        {
            "name": each["name"] if each["step"] in _NAMED else f"{each['step']} {each['name']}".strip(),
            "status": each["status"],
            "message": each["told"],
        }
        for each in told["entries"]
        if each["status"] != "passed" or each["step"] in (*_NAMED, "load")
    ]
    facts = {"tries": "1", "seed": str(told["seed"])}
    return {
        "kind": kind,
        "status": told["outcome"],
        "values": told["values"],
        "facts": facts,
        "findings": findings,
    }
