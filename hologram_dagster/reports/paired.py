"""Comparisons with a baseline as people read them: one row a record, one line an operation.

What belongs here: reading what `regression_*` and `drift_*` records hold. What does not:
comparing and deciding (`perf.paired`, which wrote their values and facts).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hologram_dagster.reports.reading import (
    FAILED,
    PASSED,
    mapping_of,
    mappings_of,
    number_of,
    number_text,
    of_kind,
    text_of,
)

_PREFIXES = ("regression_", "drift_")
_COMMIT_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Paired:
    """One record of a comparison; figures that it does not hold are None, texts empty.

    `ratio` is the candidate's time over the baseline's, between `low` and `high` (99 %
    bounds); `verdict` the comparison's word, else the record's status; `remark` which
    checks failed or came near it, and why there is no ratio.
    """

    kind: str
    operation: str
    status: str
    verdict: str
    ratio: float | None
    low: float | None
    high: float | None
    launches: float | None
    threshold_pct: float | None
    margin_pct: float | None
    weak: bool
    baseline: str
    seed: str
    remark: str

    @property
    def ratio_text(self) -> str:
        """`x1.482`; empty without a ratio."""
        return _times(self.ratio)

    @property
    def bounds_text(self) -> str:
        """`1.470 to 1.495`; empty without bounds."""
        if self.low is None or self.high is None:
            return ""
        return f"{number_text(self.low, decimals=3)} to {number_text(self.high, decimals=3)}"

    @property
    def limit_text(self) -> str:
        """The margin as the ratio it allows, `x1.050`; empty without one."""
        return "" if self.margin_pct is None else _times(1 + self.margin_pct / 100)

    @property
    def threshold_text(self) -> str:
        """Threshold and margin, `10 %, 5 %`; empty without both."""
        if self.threshold_pct is None or self.margin_pct is None:
            return ""
        return f"{number_text(self.threshold_pct)} %, {number_text(self.margin_pct)} %"

    @property
    def line(self) -> str:
        """The comparison in one line, without markup."""
        parts = [f"{self.operation}: {self.ratio_text or 'no ratio'} of the baseline's time"]
        if self.bounds_text:
            parts.append(f"99 % bounds {self.bounds_text}")
        if self.limit_text:
            parts.append(f"limit {self.limit_text}")
        if self.launches is not None:
            parts.append(f"{number_text(self.launches)} {'launch' if self.launches == 1 else 'launches'}")
        parts.append(self.verdict + (" (weak, 3 : 2)" if self.weak else ""))
        if self.remark:
            parts.append(self.remark)
        where = f"{self.kind}, baseline {self.baseline[:_COMMIT_LENGTH]}" if self.baseline else self.kind
        return f"{', '.join(parts)} ({where})"


def comparisons(records: Iterable[Mapping[str, Any]]) -> list[Paired]:
    """What each comparison among `records` says, in their order."""
    return [_paired(record, prefix) for record in records for prefix in _PREFIXES if of_kind(record, prefix)]


def worst_of_each(records: Iterable[Mapping[str, Any]]) -> list[Paired]:
    """Of each operation with a ratio, the comparison that failed or is the slowest; worst first."""
    worst: dict[str, Paired] = {}
    for paired in comparisons(records):
        if paired.ratio is None:
            continue
        known = worst.get(paired.operation)
        if known is None or _badness(paired) > _badness(known):
            worst[paired.operation] = paired
    return sorted(worst.values(), key=_badness, reverse=True)


def _badness(paired: Paired) -> tuple[bool, float]:
    return paired.status == FAILED, paired.ratio or 0.0


def _paired(record: Mapping[str, Any], prefix: str) -> Paired:
    values, facts = mapping_of(record.get("values")), mapping_of(record.get("facts"))
    kind, status = text_of(record.get("kind"), longest=100), text_of(record.get("status"), longest=40)
    finding = next(iter(mappings_of(record.get("findings"))), {})
    if status == PASSED:
        # Held against a stored number it has passed, and its finding says that this decides nothing.
        status = text_of(finding.get("status"), longest=40) or status
    told = (
        ("over the limit:", facts.get("failed_by")),
        ("warning:", facts.get("warnings")),
        ("", facts.get("fallbacks")),
    )
    notes = [f"{word} {text_of(text)}".strip() for word, text in told if text]
    return Paired(
        kind=kind,
        operation=text_of(facts.get("operation"), longest=60) or kind.removeprefix(prefix),
        status=status,
        verdict=text_of(facts.get("verdict"), longest=40) or status.replace("_", " "),
        ratio=number_of(values.get("ratio")),
        low=number_of(values.get("ratio_low")),
        high=number_of(values.get("ratio_high")),
        launches=number_of(values.get("launches")),
        threshold_pct=number_of(values.get("threshold_pct")),
        margin_pct=number_of(values.get("margin_pct")),
        weak=facts.get("weak") == "yes",
        baseline=text_of(facts.get("baseline_commit"), longest=100),
        seed=text_of(facts.get("seed"), longest=60),
        remark="; ".join(notes) or ("" if status == PASSED else text_of(finding.get("message"))),
    )


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"x{number_text(ratio, decimals=3)}"
