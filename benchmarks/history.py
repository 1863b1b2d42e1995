"""Reading a series' end from a long history against a short one: `python benchmarks/history.py`.

A history of 10,000 runs and one of 100, each run with the figures of every metric, are
read in turn in one process; the medians are compared, metric by metric. Exit code 1 when
a ratio is over its limit. Adding a run, and the trend over what was read, are timed along.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hologram_dagster.evidence.record import Record, RunIdentity
from hologram_dagster.history.index import History, Series
from hologram_dagster.history.trend import find_trend
from hologram_dagster.machine import this_machine
from hologram_dagster.observation import Observation, Status
from hologram_dagster.profiles import ProfileName
from hologram_dagster.protocol.signing import Signer
from hologram_dagster.target.revision import Revision

SHORT, LONG = 100, 10_000
LAST = 200
ROUNDS = 61
LIMIT = 2.0
KINDS = {
    "perf_verify": ("p50_ms", "p95_ms", "p99_ms", "avg_ms", "n"),
    "perf_encode": ("p50_ms", "p95_ms", "p99_ms", "avg_ms", "n"),
    "perf_gql": ("p50_ms", "p95_ms", "p99_ms", "avg_ms", "n"),
    "perf_regression": ("ratio", "ratio_low", "ratio_high", "launches", "duration_s"),
}
FIRST = datetime(2000, 1, 1, tzinfo=UTC)
BASELINE = "b" * 40


def records(runs: int) -> Iterator[Record]:
    """Four records a run, a run a day. Signed once a kind: the index does not look at signatures."""
    identity = RunIdentity(
        run_id="run",
        profile=ProfileName.NIGHTLY,
        environment="local",
        revision=Revision("c" * 40, "d" * 40, dirty=False, ref="refs/heads/main"),
        machine=this_machine(),
        started_at=FIRST,
    )
    signer = Signer(Ed25519PrivateKey.generate(), self_made=True)
    random = np.random.default_rng(1)
    facts = {"baseline_commit": BASELINE}
    signed = {}
    for kind, metrics in KINDS.items():
        values = dict.fromkeys(metrics, 1.0)
        seen = Observation(kind, Status.PASSED, "1", FIRST, FIRST, values=values, facts=facts)
        signed[kind] = Record.from_observation(seen, identity, signer, now=FIRST)
    for number in range(runs):
        revision = replace(identity.revision, commit=f"{number:040x}")
        for kind, metrics in KINDS.items():
            yield replace(
                signed[kind],
                run_id=f"run-{number}",
                revision=revision,
                finished_at=FIRST + timedelta(days=number),
                values={metric: float(np.exp(random.normal(0, 0.015))) for metric in metrics},
            )


def _ms(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - start)


def read_ratio(short: History, long: History, series: Series) -> float:
    pairs = [
        (_ms(lambda: short.read(series, last=LAST)), _ms(lambda: long.read(series, last=LAST)))
        for _ in range(ROUNDS)
    ]
    few, many = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = float(many / few)
    print(
        f"{series.kind} {series.metric}: {few:.2f} ms with {SHORT} runs, {many:.2f} ms with {LONG}, "
        f"ratio {ratio:.2f} (limit {LIMIT:.1f}) {'ok' if ratio <= LIMIT else 'OVER'}"
    )
    return ratio


def main() -> int:
    with TemporaryDirectory() as folder:
        short, long = (History.in_folder(Path(folder, str(runs))) for runs in (SHORT, LONG))
        with short, long:
            short.rebuild(records(SHORT))
            built = _ms(lambda: long.rebuild(records(LONG)))
            ratios = [read_ratio(short, long, series) for series in long.series()]
            late = [replace(record, run_id=f"late-{n}") for n, record in enumerate(records(15))]
            added = [[_ms(lambda seen=seen, to=to: to.add(seen)) for to in (short, long)] for seen in late]  # type: ignore[misc]
            few, many = (statistics.median(times) for times in zip(*added, strict=True))
            series = next(series for series in long.series() if series.metric == "ratio")
            steady = long.read(series, last=LAST)
            stepped = steady.assign(value=steady["value"] * np.where(np.arange(LAST) < LAST - 40, 1, 1.05))
            trends = {
                name: _ms(lambda points=points: find_trend(points, name="ratio"))  # type: ignore[misc]
                for name, points in {"steady": steady, "with a step": stepped}.items()
            }
        print(f"rebuild of {LONG} runs ({LONG * len(KINDS)} records): {built / 1e3:.1f} s")
        print(f"add a record: {few:.2f} ms with {SHORT} runs, {many:.2f} ms with {LONG}")
        for name, took in trends.items():
            print(f"trend over {LAST} points, {name}: {took:.0f} ms")
    return 0 if max(ratios) <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
