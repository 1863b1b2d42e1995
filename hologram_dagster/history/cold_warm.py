"""`reports/perf/cache_profiles.json`: an operation with cold and with warm caches (contract 2.9).

What belongs here: the file's form, merging into it, the ratio. What does not: measuring.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Any

from hologram_dagster.errors import FormatError, HologramError, not_json
from hologram_dagster.files import create_whole, write_whole
from hologram_dagster.locking import exclusive

FILE_NAME = "cache_profiles.json"
_BASE = ("test_name", "cache_type", "duration_ms", "timestamp", "error")


class Cache(StrEnum):
    """How full the caches were when the test began."""

    COLD = "cold"
    WARM = "warm"


@dataclass(frozen=True, slots=True)
class CacheProfile:
    """One run of a test: how long it took (ms), when it ended, and what else was measured.

    `error` says why it failed; its duration is then that of the failure.
    """

    test_name: str
    cache: Cache
    duration_ms: float
    at: datetime
    metrics: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None

    def __post_init__(self) -> None:
        if wrong := sorted(set(self.metrics) & set(_BASE)):
            raise ValueError(f"a metric may not be named {', '.join(wrong)}")
        numbers = (self.duration_ms, *self.metrics.values())
        if not all(math.isfinite(number) for number in numbers) or self.duration_ms < 0:
            raise ValueError(f"{self.key}: a duration or metric is no number of its kind")

    @property
    def key(self) -> str:
        """The profile's name in the file."""
        return f"{self.test_name}_{self.cache}"

    def to_json(self) -> dict[str, Any]:
        """The profile as the file holds it; `timestamp` in seconds since 1970."""
        content: dict[str, Any] = {
            "test_name": self.test_name,
            "cache_type": str(self.cache),
            "duration_ms": self.duration_ms,
            "timestamp": self.at.timestamp(),
            **self.metrics,
        }
        return content if self.error is None else {**content, "error": self.error}


def read(path: Path) -> dict[str, Any]:
    """The profiles in `path`, whoever wrote them, by key; none where there is no file.

    Raises:
        FormatError: not JSON (names the line), or not profiles by name (names the key).
        HologramError: it cannot be read.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise HologramError(f"cannot read {path}: {error.strerror}. Fix its permissions.") from error
    except json.JSONDecodeError as error:
        raise not_json(path, error) from None
    except (UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"{path}: not JSON: {error}") from None
    if not isinstance(content, dict):
        raise FormatError(f"{path}: no JSON object of profiles")
    if wrong := next((key for key, value in content.items() if not isinstance(value, dict)), None):
        raise FormatError(f"{path}: {wrong!r} is no profile")
    return content


def merge(path: Path, profiles: Iterable[CacheProfile]) -> tuple[str, ...]:
    """Put `profiles` into `path`, each in the place of the last one of its key; the others stay.

    A malformed file is kept aside as `<name>.malformed-<n>`, and a new one begun; the
    notes returned say so.

    Raises:
        HologramError: it cannot be read or written; the old file is untouched.
    """
    notes: tuple[str, ...] = ()
    with exclusive(path.with_name(f".{path.name}.lock")):
        try:
            content = read(path)
        except FormatError as error:
            content, notes = {}, (f"{error}. It is kept as {_keep(path).name}, and a new file begun.",)
        content |= {profile.key: profile.to_json() for profile in profiles}
        write_whole(path, json.dumps(content, indent=2))
    return notes


def ratio(content: Mapping[str, Any], test_name: str) -> float | None:
    """cold.duration_ms / warm.duration_ms of a test; None where either is missing or failed, or warm is 0."""
    durations = [_duration(content.get(f"{test_name}_{cache}")) for cache in (Cache.COLD, Cache.WARM)]
    cold, warm = durations
    return None if cold is None or not warm else cold / warm


def _duration(profile: object) -> float | None:
    if not isinstance(profile, Mapping) or profile.get("error"):
        return None
    value = profile.get("duration_ms")
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number and value is not None else None


def _keep(path: Path) -> Path:
    data = path.read_bytes()
    for number in count(1):
        aside = path.with_name(f"{path.name}.malformed-{number}")
        try:
            create_whole(aside, data)
        except FileExistsError:
            continue
        return aside
    raise AssertionError("count() never ends")
