"""How far the baselines have crept: each step small, their sum perhaps not (contract trap 4).

Shown, never judged: these are stored numbers, and the step from one to the next was
compared side by side when it was made.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hologram_dagster.history.baseline import Baseline

LAST = 5


@dataclass(frozen=True, slots=True)
class Drift:
    """One number over the baselines: p95 in ms, oldest first, with the commits it was of.

    `pct` is the change from the first to the last, in percent of the first; None where
    the first is zero.
    """

    key: str
    commits: tuple[str, ...]
    p95_ms: tuple[float, ...]

    @property
    def pct(self) -> float | None:
        """Positive: the baseline has become slower."""
        first, last = self.p95_ms[0], self.p95_ms[-1]
        return 100 * (last - first) / first if first else None


def drift(baselines: Sequence[Baseline], *, last: int = LAST) -> list[Drift]:
    """The newest `last` of `baselines` (of one place, oldest first), number by number.

    Only numbers of the newest baseline are shown, each over those that have it.
    """
    window = baselines[-last:]
    if not window:
        return []
    return [
        Drift(
            key=key,
            commits=tuple(baseline.commit for baseline in window if key in baseline.numbers),
            p95_ms=tuple(baseline.numbers[key] for baseline in window if key in baseline.numbers),
        )
        for key in sorted(window[-1].numbers)
    ]
