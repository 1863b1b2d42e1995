"""What the attempts of a test say: is it flaky, broken, or was it just not seen enough?

A flake is a pass and a failure of the same test on the same revision in the same
environment. A failure alone is none: the revision may be what is wrong with it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby, takewhile

from hologram_dagster.flakes.score import Score

# The users' rule: so many flakes in so long, and a test goes into quarantine; after so many greens it
# comes out.
FLAKES_TO_QUARANTINE = 2
QUARANTINE_WINDOW = timedelta(days=7)
GREENS_TO_RELEASE = 10
# A row of failures less likely than this, at the rate the test has flaked, is no flake.
_UNLIKELY = 0.01


@dataclass(frozen=True, slots=True)
class Occasion:
    """All attempts of one test in one run: how many passed and failed, and the last failure's fingerprint."""

    test: str
    run_id: str
    commit: str
    environment: str
    at: datetime
    passes: int
    failures: int
    fingerprint: str = ""

    @property
    def revision(self) -> tuple[str, str]:
        """What is one revision: nothing is known of two runs without a commit, so they are two."""
        return (self.commit, self.environment) if self.commit else ("", self.run_id)


class State(StrEnum):
    """What is known of a test."""

    HEALTHY = "healthy"
    FLAKY = "flaky"
    BROKEN = "broken"
    # It failed on its newest revision, and did not pass there yet.
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Judged:
    """What the occasions of one test say, at one moment.

    `undecided` are failures that no pass explains, `greens` the times of the newest runs in a row
    without a failure, newest first.
    """

    test: str
    state: State
    score: Score
    runs: int
    passed: int
    undecided: int
    recent_flakes: int
    last_flake: datetime | None
    greens: tuple[datetime, ...]
    fingerprint: str
    last_seen: datetime

    @property
    def quarantine_due(self) -> bool:
        """Whether the users' rule puts it into quarantine; what is broken never goes there."""
        return (
            self.recent_flakes >= FLAKES_TO_QUARANTINE
            and self.state is not State.BROKEN
            and len(self.greens) < GREENS_TO_RELEASE
        )


def judge(occasions: Iterable[Occasion], *, now: datetime) -> Iterator[Judged]:
    """Each test of `occasions`, which come test by test, oldest first."""
    for _, group in groupby(occasions, key=lambda occasion: occasion.test):
        yield judge_test(list(group), now=now)


def judge_test(occasions: Sequence[Occasion], *, now: datetime) -> Judged:
    """What the occasions of one test say; oldest first, at least one."""
    passed_on = {occasion.revision for occasion in occasions if occasion.passes}
    flakes = [seen for seen in occasions if seen.failures and seen.revision in passed_on]
    undecided = sum(seen.revision not in passed_on for seen in occasions)
    score = Score(len(flakes), len(occasions) - undecided)
    recent = [seen for seen in flakes if now - seen.at <= QUARANTINE_WINDOW]
    newest = occasions[-1]
    return Judged(
        test=newest.test,
        state=_state(occasions, passed_on, score),
        score=score,
        runs=len(occasions),
        passed=sum(1 for seen in occasions if not seen.failures),
        undecided=undecided,
        recent_flakes=len(recent),
        last_flake=flakes[-1].at if flakes else None,
        greens=tuple(seen.at for seen in takewhile(lambda seen: not seen.failures, reversed(occasions))),
        fingerprint=next((seen.fingerprint for seen in reversed(occasions) if seen.failures), ""),
        last_seen=newest.at,
    )


def _state(occasions: Sequence[Occasion], passed_on: set[tuple[str, str]], score: Score) -> State:
    newest = occasions[-1].revision
    if newest not in passed_on:
        failures = sum(seen.failures for seen in occasions if seen.revision == newest)
        if not passed_on or score.interval()[1] ** failures < _UNLIKELY:
            return State.BROKEN
        if not score.flakes:
            return State.UNDECIDED
    return State.FLAKY if score.flakes else State.HEALTHY


@dataclass(frozen=True, slots=True)
class Rate:
    """The flakes among the runs of tests that could tell; `tests` is how many there were."""

    flakes: int
    runs: int
    tests: int

    @property
    def pct(self) -> float:
        """Percent; 0 where nothing was run."""
        return 100 * self.flakes / self.runs if self.runs else 0.0


def rate_of(judged: Iterable[Judged], *, without: Iterable[str] = ()) -> Rate:
    """The rate of `judged`, but for the tests named in `without`."""
    left_out = frozenset(without)
    counted = [each for each in judged if each.test not in left_out]
    return Rate(
        flakes=sum(each.score.flakes for each in counted),
        runs=sum(each.score.runs for each in counted),
        tests=len(counted),
    )
