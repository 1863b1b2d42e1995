"""Read documents whose content nobody vouches for, and write their values as plain text.

A report is rendered for every verdict, also for one with wrong types or hostile texts in
it. What belongs here: looking into such documents, and texts, numbers and times as people
read them. What does not: any markup.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from hologram_dagster.secrets.redactor import redact

Item = TypeVar("Item")

PASSED = "passed"
FAILED = "failed"
NOT_APPLICABLE = "not_applicable"
# Statuses that never make a verdict anything but `pass`.
GREEN = frozenset({PASSED, NOT_APPLICABLE})

# Control characters, surrogates, and what turns the direction of writing.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def printable(text: str) -> str:
    """`text` with every character that is no character, or hides others, made visible as �."""
    return _UNPRINTABLE.sub("\ufffd", text.replace("\r\n", "\n"))


def text_of(value: object, *, longest: int = 1000) -> str:
    """Any value as one redacted, printable text of at most `longest` characters; None is empty."""
    if value is None:
        return ""
    # Cut before redacting, too: the limit also bounds the work on a hostile text.
    whole = value if isinstance(value, str) else str(value)
    text = printable(redact(whole[: 4 * longest]))
    return text if len(text) <= longest and len(whole) <= 4 * longest else f"{text[: longest - 1]}…"


def mapping_of(value: object) -> Mapping[str, Any]:
    """`value` if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def mappings_of(value: object) -> list[Mapping[str, Any]]:
    """The mappings in `value` if it is a sequence, else none."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return []
    return [item for item in value if isinstance(item, Mapping)]


def number_of(value: object) -> float | None:
    """`value` as a finite number, also from a CSV's text; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def number_text(value: object, *, decimals: int | None = None, longest: int = 1000) -> str:
    """A number with `decimals` digits, else with up to three (more where that is 0); others as `text_of`."""
    number = number_of(value)
    if number is None:
        return text_of(value, longest=longest)
    if abs(number) >= 1e15:
        return f"{number:.3e}"
    if decimals is None and 0 < abs(number) < 0.0005:
        # A limit of so little is not one of nothing.
        return f"{number:.3g}"
    text = f"{number:,.{3 if decimals is None else decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals is None and "." in text else text


def time_of(value: object) -> datetime | None:
    """An ISO 8601 text or seconds since 1970 as a UTC time; None if it is neither."""
    try:
        if isinstance(value, str):
            time = datetime.fromisoformat(value)
            return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def time_text(value: object) -> str:
    """A time as `2026-01-31 13:45:00 UTC`; anything else as `text_of`."""
    time = time_of(value)
    return f"{time:%Y-%m-%d %H:%M:%S} UTC" if time else text_of(value, longest=100)


def duration_text(start: object, end: object) -> str:
    """The time between two times as `2 min 3 s`; empty if either is none."""
    started, ended = time_of(start), time_of(end)
    if started is None or ended is None or ended < started:
        return ""
    seconds = round((ended - started).total_seconds())
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (seconds, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "under 1 s"


def with_unit(value: object, unit: object) -> str:
    """A figure and its unit, as `12.5 ms`; empty for no figure."""
    if value is None:
        return ""
    decimals = 1 if unit == "%" else None
    return f"{number_text(value, decimals=decimals, longest=60)} {text_of(unit, longest=20)}".strip()


def size_text(size: int) -> str:
    """A file's size as `12.3 kB`."""
    return f"{number_text(size / 1000, decimals=1)} kB"


def passed_after_fail(verdict: Mapping[str, Any]) -> str:
    """That a pass follows a fail of the same revision, as one sentence; else empty."""
    fails = [item for item in mappings_of(verdict.get("earlier")) if item.get("verdict") == "fail"]
    if verdict.get("verdict") != "pass" or not fails:
        return ""
    times = "once" if len(fails) == 1 else f"{len(fails)} times"
    run, when = text_of(fails[0].get("run_id"), longest=60), time_text(fails[0].get("finished_at"))
    return f"This revision has failed {times} before, last in run {run} at {when}."


def is_waived(verdict: Mapping[str, Any]) -> bool:
    """Whether every red reason of a verdict has a waiver; the verdict stays what it is."""
    waived = {str(waiver.get("check")) for waiver in mappings_of(verdict.get("waivers"))}
    red = [reason for reason in mappings_of(verdict.get("reasons")) if is_red(reason)]
    return bool(red) and all(f"{reason.get('kind')}.{reason.get('check')}" in waived for reason in red)


def is_red(reason: Mapping[str, Any]) -> bool:
    """Whether a reason keeps a verdict from being `pass`, as far as its status tells."""
    return str(reason.get("status")) not in GREEN


def worst_first(
    items: Iterable[Item],
    *,
    status_of: Callable[[Item], object] = lambda item: mapping_of(item).get("status"),
) -> list[Item]:
    """`items`, failed first and passed last, else in their order."""
    order = {FAILED: 0, PASSED: 3, NOT_APPLICABLE: 2}
    return sorted(items, key=lambda item: order.get(str(status_of(item)), 1))


def of_kind(item: Mapping[str, Any], prefix: str) -> bool:
    """Whether a reason, evidence item or record is of a kind that begins with `prefix`."""
    return str(item.get("kind", "")).startswith(prefix)
