"""When each watched branch was last seen, kept in the state folder, and what is stale.

A small file a branch, replaced at each look: an event at each would fill the event log.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hologram_dagster.files import write_whole
from hologram_dagster.watch.sources import Source


@dataclass(frozen=True, slots=True)
class Sighting:
    """When the branch was last seen, and at which commit."""

    at: datetime
    commit: str


@dataclass(frozen=True, slots=True)
class Freshness:
    """Whether every watched branch was seen lately, and the sentence that says so."""

    fresh: bool
    message: str


class Sightings:
    """The sightings in the folder of a state folder."""

    def __init__(self, state_dir: Path):
        self._folder = state_dir / "watch"

    def note(self, source: Source, commit: str, at: datetime) -> None:
        """`source` was seen at `commit`.

        Raises:
            HologramError: the file cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        content = {"label": source.label, "at": at.isoformat(), "commit": commit}
        write_whole(self._path(source), json.dumps(content) + "\n")

    def last(self, source: Source) -> Sighting | None:
        """The last sighting of `source`; None if it was never seen, or the file is not one of ours."""
        try:
            content = json.loads(self._path(source).read_text())
            return Sighting(datetime.fromisoformat(content["at"]).astimezone(UTC), str(content["commit"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _path(self, source: Source) -> Path:
        return self._folder / f"{source.key}.json"


def judge_freshness(
    sources: Iterable[Source], sightings: Sightings, *, now: datetime, stale_after: timedelta
) -> Freshness:
    """Red if a watched branch was not seen within `stale_after`, or never."""
    stale = []
    seen = []
    for source in sources:
        last = sightings.last(source)
        if last is None:
            stale.append(f"{source.label} was never seen")
        elif now - last.at > stale_after:
            stale.append(f"{source.label} was last seen at {last.at:%Y-%m-%d %H:%M} UTC")
        else:
            seen.append(f"{source.label} was seen at {last.at:%H:%M:%S} UTC")
    if stale:
        limit = f"the limit is {stale_after.total_seconds() / 60:g} min"
        remedy = "see whether the daemon runs and the ticks of main_commits"
        return Freshness(False, f"{'; '.join(stale)} ({limit}): {remedy}")
    return Freshness(True, "; ".join(seen) or "HOLOGRAM_WATCH names no branch: nothing is watched")
