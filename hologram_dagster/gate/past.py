"""The reports of past runs, kept beside the newest one, with an index.

What belongs here: which are kept, and where. What does not: how they look (`reports`).
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hologram_dagster.errors import HologramError
from hologram_dagster.files import write_whole
from hologram_dagster.reports.past import past_page, summary_of
from hologram_dagster.reports.reading import time_of
from hologram_dagster.settings import Settings

FOLDER = "past"
INDEX = "index.html"
# As many as a trend has runs; the oldest make room.
KEPT = 90
# Ours, and nobody's own files.
_NAME = re.compile(r"\d{8}T\d{6}Z-[A-Za-z0-9][A-Za-z0-9_.-]*\.json")


def keep_report(settings: Settings, verdict: Mapping[str, Any], page_in: Callable[[Path], str]) -> None:
    """Keep the report of a final verdict document, which `page_in` makes for a folder; write the index.

    One report a run; of more than `KEPT` the oldest are removed. A document without a run or an end is of
    none that can be kept.

    Raises:
        HologramError: a file cannot be written or removed.
    """
    folder, run_id = settings.reports_dir / FOLDER, verdict.get("run_id")
    finished = time_of(verdict.get("finished_at"))
    if finished is not None and run_id:
        name = f"{finished:%Y%m%dT%H%M%SZ}-{run_id}"
        for path in _kept(folder):
            if path.stem.partition("-")[2] == run_id and path.stem != name:
                _remove(path)
        write_whole(folder / f"{name}.html", page_in(folder))
        summary = summary_of(verdict, f"{name}.html")
        write_whole(folder / f"{name}.json", json.dumps(summary, indent=2) + "\n")
    for path in _kept(folder)[KEPT:]:
        _remove(path)
    write_whole(folder / INDEX, past_page(past_reports(settings)))


def past_reports(settings: Settings) -> list[dict[str, Any]]:
    """What is told of each kept report, newest first; one whose summary is malformed has its file only."""
    return [_summary(path) for path in _kept(settings.reports_dir / FOLDER)]


def _kept(folder: Path) -> list[Path]:
    """The summaries in `folder`, newest first."""
    return sorted((path for path in folder.glob("*.json") if _NAME.fullmatch(path.name)), reverse=True)


def _summary(path: Path) -> dict[str, Any]:
    page = path.with_suffix(".html").name
    try:
        said = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        said = None
    # The name of the file is not believed.
    return {**(said if isinstance(said, dict) else {}), "file": page}


def _remove(summary: Path) -> None:
    """Remove a report with its summary."""
    for path in (summary.with_suffix(".html"), summary):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise HologramError(f"cannot remove {path}: {error.strerror}. Fix its permissions.") from error
