"""Evidence that real runs left: attacks on a real registry, journals of real experiments."""

import json
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "evidence"


def record(kind: str) -> dict[str, Any]:
    """The record of `kind`, as its run signed it."""
    content: dict[str, Any] = json.loads((_FOLDER / f"{kind}.json").read_text())
    return content


JOURNALS = ("chaos_gql_latency", "chaos_ipfs_restart", "chaos_partial_failure", "chaos_heuristics")
# Left undecided by a busy host; one of its operations failed.
UNDECIDED = "chaos_region_failover"
_NAMED = ("finding", "history")


def journal_record(kind: str) -> dict[str, Any]:
    """The record that a run makes of the journal of `kind`, as far as the page reads it."""
    journal = record(kind)
    findings = [
        {
            "name": each["name"] if each["step"] in _NAMED else f"{each['step']} {each['name']}".strip(),
            "status": each["status"],
            "message": each["told"],
        }
        for each in journal["entries"]
        if each["status"] != "passed" or each["step"] in (*_NAMED, "load")
    ]
    facts = {"tries": "1", "seed": str(journal["seed"])}
    return {
        "kind": kind,
        "status": journal["outcome"],
        "values": journal["values"],
        "facts": facts,
        "findings": findings,
    }
