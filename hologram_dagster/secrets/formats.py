"""Findings in the forms that people and tools read: lines, JSON, SARIF, GitHub annotations; never a value."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote

from hologram_dagster.secrets.kinds import Kind
from hologram_dagster.secrets.redactor import redact
from hologram_dagster.secrets.scan import Leak

_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"


class Format(StrEnum):
    """How findings are written."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


@dataclass(slots=True)
class Scanned:
    """What a scan found: the number of files read, findings (path, leak), how many were accepted.

    `unreadable` are texts that each name a file and why it could not be read.
    """

    files: int = 0
    found: list[tuple[str, Leak]] = field(default_factory=list)
    accepted: int = 0
    unreadable: list[str] = field(default_factory=list)


def written(scanned: Scanned, form: Format) -> str:
    """`scanned` in `form`; empty where there is nothing to say."""
    match form:
        case Format.TEXT:
            return "\n".join(f"{redact(path)}:{leak.line}: {leak.kind}" for path, leak in scanned.found)
        case Format.JSON:
            return json.dumps(_as_json(scanned), indent=2)
        case Format.SARIF:
            return json.dumps(_as_sarif(scanned.found), indent=2)
        case Format.GITHUB:
            return "\n".join(_annotation(path, leak) for path, leak in scanned.found)


def _as_json(scanned: Scanned) -> dict[str, object]:
    return {
        "schema_version": 1,
        "files": scanned.files,
        "findings": [
            {"path": redact(path), "line": leak.line, "kind": str(leak.kind)} for path, leak in scanned.found
        ],
        "accepted": scanned.accepted,
        "unreadable": scanned.unreadable,
    }


def _as_sarif(found: Sequence[tuple[str, Leak]]) -> dict[str, object]:
    """SARIF 2.1.0 (OASIS), as code scanning services take it."""
    kinds = sorted({leak.kind for _, leak in found})
    rules = [
        {
            "id": f"secret/{kind}",
            "name": str(kind),
            "shortDescription": {"text": _told(kind)},
            "defaultConfiguration": {"level": "error"},
        }
        for kind in kinds
    ]
    results = [
        {
            "ruleId": f"secret/{leak.kind}",
            "ruleIndex": kinds.index(leak.kind),
            "level": "error",
            "message": {"text": _told(leak.kind)},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": quote(redact(path))},
                        "region": {"startLine": leak.line},
                    }
                }
            ],
        }
        for path, leak in found
    ]
    driver = {"name": "hologram secrets", "rules": rules}
    return {"$schema": _SARIF, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def _annotation(path: str, leak: Leak) -> str:
    """A workflow command of GitHub Actions."""
    file = redact(path).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    file = file.replace(":", "%3A").replace(",", "%2C")
    return f"::error file={file},line={leak.line},title=Secret::{_told(leak.kind)}"


def _told(kind: Kind) -> str:
    return f"A secret of kind {kind} is written here. Take it out, and revoke it if it was ever pushed."
