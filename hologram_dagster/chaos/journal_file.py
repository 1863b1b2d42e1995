"""The files of a journal: the whole of it, and the contract's record (section 3.8).

`<folder>/<name>.json` is the record, `<folder>/journals/<name>.json` the journal, rewritten at each
step and `running` until the end, so that a killed experiment leaves no older pass behind.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hologram_dagster.chaos.journal import Journal
from hologram_dagster.errors import FormatError, HologramError, not_json
from hologram_dagster.files import write_whole
from hologram_dagster.observation import Status
from hologram_dagster.secrets.redactor import redact_tree


def journal_path(folder: Path, name: str) -> Path:
    """Where the journal of the experiment `name` is, below `folder` (`reports/chaos`)."""
    return folder / "journals" / f"{name}.json"


def operations_path(folder: Path, name: str) -> Path:
    """Where every operation of its load is."""
    return folder / "journals" / f"{name}.operations.jsonl"


def write_journal(folder: Path, journal: Journal) -> None:
    """Write the journal as it is now and, once it is final, the record.

    Raises:
        HologramError: a file cannot be written.
    """
    write_whole(journal_path(folder, journal.experiment), _text(redact_tree(journal.to_json())))
    if journal.finished_at is not None:
        write_whole(folder / f"{journal.experiment}.json", _text(redact_tree(record(journal.to_json()))))


def record(journal: dict[str, Any]) -> dict[str, Any]:
    """The contract's record of a journal (in JSON's form) and its metrics; what is not known is null."""
    values = journal["values"]
    names = ("chaos_events", "recovery_time_ms", "success_rate", "failure_rate")
    return {
        "test_name": journal["experiment"],
        "chaos_type": journal["chaos_type"],
        "recovery_time_ms": values.get("recovery_time_ms"),
        "success": journal["outcome"] == Status.PASSED,
        "timestamp": journal["finished_at"],
        "outcome": journal["outcome"],
        "told": journal["told"],
        "metrics": {name: values.get(name) for name in names},
    }


def read_journal(path: Path) -> dict[str, Any]:
    """A journal, in JSON's form.

    Raises:
        FormatError: the file is no journal.
        HologramError: it cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise HologramError(f"cannot read {path}: {error.strerror}.") from error
    return parse_journal(data, path)


def parse_journal(data: bytes, path: Path) -> dict[str, Any]:
    """The journal in `data`, read from `path`, in JSON's form.

    Raises:
        FormatError: it is none.
    """
    try:
        said = json.loads(data)
    except json.JSONDecodeError as error:
        raise not_json(path, error) from error
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is not UTF-8: byte {error.start}") from error
    except RecursionError as error:
        raise FormatError(f"{path}: nested too deep for a journal") from error
    if not isinstance(said, dict) or not {"experiment", "outcome", "state", "entries"} <= said.keys():
        raise FormatError(f"{path}: no journal of an experiment")
    return said


def conclude_killed(path: Path) -> None:
    """Give a journal still under way its end: its maker was killed. A final one stays as it is.

    Raises:
        HologramError: it cannot be read or written.
    """
    if not path.exists():
        return
    journal = read_journal(path)
    if journal["state"] == "final":
        return
    told = "the process that carried it out was killed"
    last = max((entry["ended_s"] for entry in journal["entries"]), default=0.0)
    journal["entries"].append(
        {
            "step": "interruption",
            "name": "",
            "number": 0,
            "began_s": last,
            "ended_s": last,
            "status": Status.ERROR,
            "told": told,
            "values": {},
        }
    )
    failed = any(entry["status"] == Status.FAILED for entry in journal["entries"])
    journal |= {
        "state": "final",
        "outcome": Status.FAILED if failed else Status.ERROR,
        "told": journal["told"] if failed else f"interruption: {told}",
        "finished_at": datetime.now(UTC).isoformat(),
    }
    write_whole(path, _text(journal))
    write_whole(path.parent.parent / f"{journal['experiment']}.json", _text(record(journal)))


def _text(said: object) -> str:
    return json.dumps(said, indent=2) + "\n"
