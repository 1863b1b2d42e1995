"""How often does the regression gate err? A study with the very code that users run.

`python benchmarks/gate_study.py` compares unchanged and slowed targets over and over,
quiet and beside a hog, appends one line a trial to `.hologram/study/trials.jsonl` (run it
again to go on where it stopped), prints a table and writes `docs/perf_evidence.md`.
`--trials N --json` is the short form: quiet, 0 % and 20 %, one JSON object an operation
and slowdown, nothing written. Run it from a checkout with the `dev` extra installed.
"""

import argparse
import itertools
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import scipy.stats

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from hologram_dagster.files import append_lines, write_whole  # noqa: E402 (the checkout must come first)
from hologram_dagster.machine import this_machine  # noqa: E402
from hologram_dagster.perf.paired.compare import (  # noqa: E402
    METHOD,
    Comparison,
    Options,
    compare_servers,
    compare_workers,
)
from hologram_dagster.perf.paired.rule import MOST_LAUNCHES, TAIL_LIMIT  # noqa: E402
from hologram_dagster.perf.paired.samples import wall_of_calls  # noqa: E402
from hologram_dagster.processes import start_child, stop_child  # noqa: E402
from hologram_dagster_tests.perf_paired.commands import RESOLVE, Registries, slow_worker  # noqa: E402

TRIALS_FILE = ROOT / ".hologram" / "study" / "trials.jsonl"
DOCUMENT = ROOT / "docs" / "perf_evidence.md"
PAYLOAD_BYTES = {"verify": 65_536, "encode": 2**20}
OPERATIONS = ("verify", "encode", "gql")
KEPT_SAMPLES = 200
BEGIN, END = "<!-- begin of gate_study -->", "<!-- end of gate_study -->"


@dataclass(frozen=True)
class Effect:
    """What is done to the candidate: `slower_pct` more in every call, twice the time in `tail_pct` of
    the calls, nothing or twice `jitter_pct` more at random.
    """

    name: str
    slower_pct: float = 0
    tail_pct: float = 0
    jitter_pct: float = 0
    sleep: bool = False
    other_layout: bool = False
    gc: str = "off"

    @property
    def null(self) -> bool:
        return not (self.slower_pct or self.tail_pct or self.jitter_pct)


EFFECTS = (
    Effect("same bytes"),
    Effect("other layout", other_layout=True),
    Effect("same bytes, gc on", gc="on"),
    Effect("5 %", slower_pct=5),
    Effect("10 %", slower_pct=10),
    Effect("20 %", slower_pct=20),
    Effect("20 %, or the least sleep, by waiting", slower_pct=20, sleep=True),
    Effect("half of the calls +40 %", jitter_pct=20),
    Effect("10 % of the calls x2", tail_pct=10),
    Effect("5 % of the calls x2", tail_pct=5),
    Effect("1 % of the calls x2", tail_pct=1),
)
SHORT = (Effect("same bytes"), Effect("20 %", slower_pct=20))


@contextmanager
def hogs(wanted: bool) -> Iterator[None]:
    """Three hogs beside the block, if `wanted`; the kernel kills them when we die."""
    command = [sys.executable, str(Path(__file__).with_name("hog.py"))]
    running = [start_child([*command, str(number)]) for number in range(3 if wanted else 0)]
    try:
        yield
    finally:
        for hog in running:
            stop_child(hog, grace_s=0)


# --- one trial -----------------------------------------------------------------------


class Bench:
    """Runs trials; `registries` are made when first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._registries: Registries | None = None
        self._request_us = 0.0

    def compare(self, operation: str, effect: Effect) -> Comparison:
        """One comparison as a user would run it, with the candidate slowed by `effect`."""
        options = Options(gc="on" if effect.gc == "on" else "off")
        if operation == "gql":
            return self._compare_gql(effect, options)
        words = ["--other-layout"] if effect.other_layout else []
        if effect.slower_pct:
            words += ["--sleep" if effect.sleep else "--slower", str(effect.slower_pct)]
        if effect.tail_pct:
            words += ["--tail", str(effect.tail_pct)]
        if effect.jitter_pct:
            words += ["--jitter", str(effect.jitter_pct)]
        return compare_workers(
            operation,
            baseline=slow_worker(gc=effect.gc),
            candidate=slow_worker(*words, gc=effect.gc),
            payload_bytes=PAYLOAD_BYTES[operation],
            options=options,
        )

    def _compare_gql(self, effect: Effect, options: Options) -> Comparison:
        if self._registries is None:
            self._registries = Registries(self._folder)
            same = self._gql((), "off", Options())
            self._request_us = float(np.median(wall_of_calls(same.launches[0].samples)[0])) / 1000
        words = ["--other-layout"] if effect.other_layout else []
        if effect.slower_pct:
            words += ["--slower-us", str(self._request_us * effect.slower_pct / 100)]
        if effect.tail_pct:
            words += ["--tail", str(effect.tail_pct), "--tail-by-us", str(self._request_us)]
        if effect.jitter_pct:
            words += ["--jitter-us", str(self._request_us * effect.jitter_pct / 100)]
        return self._gql([*words, *(["--sleep"] if effect.sleep else [])], effect.gc, options)

    def _gql(self, words: Sequence[str], gc: str, options: Options) -> Comparison:
        assert self._registries is not None
        return compare_servers(
            "gql",
            baseline=self._registries.slow("a", gc=gc),
            candidate=self._registries.slow("b", *words, gc=gc),
            request=RESOLVE,
            options=options,
        )


def record(comparison: Comparison, effect: Effect, hog: bool) -> dict[str, Any]:
    """A trial as one line: the gate's verdict, and the samples of its first launch for the other rules."""
    sides: list[list[float]] = [[], []]
    if comparison.launches:
        for kept, calls in zip(sides, wall_of_calls(comparison.launches[0].samples), strict=True):
            flat = calls.ravel()
            kept.extend((flat[:: max(1, len(flat) // KEPT_SAMPLES)][:KEPT_SAMPLES] / 1e6).round(6).tolist())
    decision = comparison.decision
    return {
        "method": METHOD,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "operation": comparison.operation,
        "effect": effect.name,
        "hog": hog,
        "seed": comparison.seed,
        "verdict": comparison.verdict,
        "error": comparison.error,
        "weak": bool(decision and decision.weak),
        "failed": [c.check for c in decision.checks.values() if c.verdict == "fail"] if decision else [],
        "warned": list(decision.warnings) if decision else [],
        "ratio": decision.ratio if decision else None,
        "seconds": round(comparison.seconds, 3),
        "launches": [
            {check: round(value, 5) for check, value in launch.result.values.items()}
            for launch in comparison.launches
        ],
        "load_1m": comparison.launches[-1].load.load_1m if comparison.launches else None,
        "steal_pct": comparison.launches[-1].load.steal_pct if comparison.launches else None,
        "a_ms": sides[0],
        "b_ms": sides[1],
    }


# --- the rules of others, on the same samples ----------------------------------------


def _p95_of_the_contract(samples: Sequence[float]) -> float:
    """Contract section 2.3: 0-based index int(0.95 n) - 1."""
    return sorted(samples)[max(0, int(0.95 * len(samples)) - 1)]


RIVALS: dict[str, Callable[[Sequence[float], Sequence[float]], bool]] = {
    "contract: p95 > +10 %": lambda a, b: _p95_of_the_contract(b) > 1.1 * _p95_of_the_contract(a),
    "pytest-benchmark: mean:10%": lambda a, b: statistics.fmean(b) > 1.1 * statistics.fmean(a),
    "github-action-benchmark: ratio > 2": lambda a, b: statistics.fmean(b) > 2 * statistics.fmean(a),
    "Mann-Whitney p < 0.01": lambda a, b: bool(
        scipy.stats.mannwhitneyu(a, b, alternative="less").pvalue < 0.01
    ),
}


def rival_flags(trials: Sequence[dict[str, Any]], flags: Callable[..., bool]) -> tuple[int, int, int]:
    """How many trials a rule flags, beside (A of the same launch) and stored (A of the trial before); all."""
    usable = [trial for trial in trials if trial["a_ms"] and trial["b_ms"]]
    beside = sum(flags(trial["a_ms"], trial["b_ms"]) for trial in usable)
    stored = sum(flags(old["a_ms"], new["b_ms"]) for old, new in itertools.pairwise(usable))
    return beside, stored, len(usable)


# --- tables --------------------------------------------------------------------------


def bounds(hits: int, of: int) -> str:
    """Clopper-Pearson 95 % bounds of a rate, percent."""
    interval = scipy.stats.binomtest(hits, of).proportion_ci(0.95, "exact")
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"


def _stands(trial: dict[str, Any]) -> bool:
    """Whether `trial` tells what METHOD says: its own, or one of H4 that speaks no better for it.

    H5 judges tails otherwise. It fails what H4 failed by the middles. It may fail what H4 passed where three
    launches could have been above a tail's limit: of an unchanged candidate such a trial does not count, of a
    slowed one it counts as missed. Of tails no trial of H4 counts.
    """
    if trial["method"] == METHOD or (trial["method"], METHOD) != ("H4", "H5"):
        return bool(trial["method"] == METHOD)
    effect = next(each for each in EFFECTS if each.name == trial["effect"])
    if effect.tail_pct:
        return False
    if trial["verdict"] == "fail":
        return bool({"wall", "cpu"} & set(trial["failed"]))
    return not effect.null or not any(
        _may_have_a_tail([launch[check] for launch in trial["launches"] if check in launch])
        for check in ("tail_wall", "tail_cpu")
    )


def _may_have_a_tail(values: Sequence[float]) -> bool:
    over = sum(value > TAIL_LIMIT for value in values)
    return bool(values) and values[0] > TAIL_LIMIT / 4 and over + MOST_LAUNCHES - len(values) >= 3


def cells(trials: Iterable[dict[str, Any]]) -> dict[tuple[str, bool, str], list[dict[str, Any]]]:
    """The trials by operation, hog and effect, in the order of the tables."""
    found: dict[tuple[str, bool, str], list[dict[str, Any]]] = {
        (operation, hog, effect.name): []
        for operation in OPERATIONS
        for hog in (False, True)
        for effect in EFFECTS
    }
    for trial in trials:
        if _stands(trial):
            found[trial["operation"], trial["hog"], trial["effect"]].append(trial)
    return {key: members for key, members in found.items() if members}


def gate_table(trials: Iterable[dict[str, Any]]) -> str:
    """What the gate said."""
    lines = [
        "| operation | host | candidate | n | FAIL | 95 % bounds, % | errors | weak | measured ratio "
        "| checks that failed | median (max) s |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (operation, hog, effect), members in cells(trials).items():
        fails = sum(trial["verdict"] == "fail" for trial in members)
        ratios = [trial["ratio"] for trial in members if trial["ratio"]]
        failed = sorted({check for trial in members for check in trial["failed"]})
        seconds = [trial["seconds"] for trial in members]
        lines.append(
            f"| {operation} | {'hog' if hog else 'quiet'} | {effect} | {len(members)} | {fails} "
            f"| {bounds(fails, len(members))} | {sum(trial['verdict'] == 'error' for trial in members)} "
            f"| {sum(trial['weak'] for trial in members)} | {statistics.median(ratios) if ratios else 0:.3f} "
            f"| {', '.join(failed) or 'none'} | {statistics.median(seconds):.1f} ({max(seconds):.1f}) |"
        )
    return "\n".join(lines)


# What the pooled rows are made of: a name and the candidates it covers.
POOLS = {
    "unchanged": tuple(effect.name for effect in EFFECTS if effect.null),
    "5 %": ("5 %",),
    "10 %": ("10 %",),
    "20 %": ("20 %",),
    "10 % of the calls x2": ("10 % of the calls x2",),
}


def pooled_table(trials: Sequence[dict[str, Any]], method: str = METHOD) -> str:
    """What the gate said, all operations and hosts together, then a row an operation and a row a host.

    Of unchanged candidates also what it means for a whole gate, which compares every operation:
    at most 1 - (1 - upper bound)^operations of such gates are red by mistake.
    """
    counted = [t for t in trials if (_stands(t) if method == METHOD else t["method"] == method)]
    lines = [
        "| candidate | where | n | FAIL | 95 % bounds, % | errors | median s |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, effects in POOLS.items():
        of_pool = [trial for trial in counted if trial["effect"] in effects]
        parts = {
            "all": of_pool,
            **{operation: [t for t in of_pool if t["operation"] == operation] for operation in OPERATIONS},
            "quiet": [t for t in of_pool if not t["hog"]],
            "hog": [t for t in of_pool if t["hog"]],
        }
        for where, members in parts.items():
            if not members:
                continue
            fails = sum(trial["verdict"] == "fail" for trial in members)
            lines.append(
                f"| {name} | {where} | {len(members)} | {fails} | {bounds(fails, len(members))} "
                f"| {sum(trial['verdict'] == 'error' for trial in members)} "
                f"| {statistics.median(trial['seconds'] for trial in members):.1f} |"
            )
    # What a whole gate of an unchanged revision is to expect.
    unchanged = [trial for trial in counted if trial["effect"] in POOLS["unchanged"]]
    fails = sum(trial["verdict"] == "fail" for trial in unchanged)
    if unchanged:
        high = scipy.stats.binomtest(fails, len(unchanged)).proportion_ci(0.95, "exact").high
        whole = 100 * (1 - (1 - high) ** len(OPERATIONS))
        lines.append(f"\nOf whole gates of an unchanged revision at most {whole:.1f} % are red by mistake.")
    return "\n".join(lines)


def rival_table(trials: Iterable[dict[str, Any]]) -> str:
    """What other rules say of the same samples, percent flagged: beside / stored."""
    lines = [f"| operation | host | candidate | {' | '.join(RIVALS)} |", "|---" * (3 + len(RIVALS)) + "|"]
    for (operation, hog, effect), members in cells(trials).items():
        shares = []
        for flags in RIVALS.values():
            beside, stored, of = rival_flags(members, flags)
            shares.append(f"{_percent(beside, of)} / {_percent(stored, of - 1)}")
        lines.append(f"| {operation} | {'hog' if hog else 'quiet'} | {effect} | {' | '.join(shares)} |")
    return "\n".join(lines)


def _percent(hits: int, of: int) -> str:
    return f"{100 * hits / of:.0f}" if of > 0 else "-"


def document(before: str, trials: Sequence[dict[str, Any]]) -> str:
    """`docs/perf_evidence.md` with the part between its two marks replaced by these trials' tables."""
    head, _, rest = before.partition(BEGIN)
    _, found, tail = rest.partition(END)
    if not found:
        raise SystemExit(f"{DOCUMENT} lacks the marks {BEGIN} and {END}: restore them, then run this again.")
    machine, dates = this_machine(), sorted(trial["at"] for trial in trials)
    facts = (
        f"{machine.cpu}, {machine.cores} cores, Linux {machine.kernel}, Python {machine.python}; "
        f"{len(trials)} trials, {dates[0][:10]} to {dates[-1][:10]}; method {METHOD}, threshold 10 %, "
        f"margin 5 %. Median load of the host (1 min): {_load(trials, hog=False)} quiet, "
        f"{_load(trials, hog=True)} beside the hog."
    )
    earlier = sorted({trial["method"] for trial in trials} - {METHOD})
    tables = (
        facts,
        "### Pooled",
        pooled_table(trials),
        *(part for old in earlier for part in (f"### Pooled, method {old}", pooled_table(trials, old))),
        "### The gate",
        gate_table(trials),
        "### Other rules on the same samples",
        rival_table(trials),
    )
    return "\n\n".join((head + BEGIN, *tables, END + tail))


def _load(trials: Sequence[dict[str, Any]], *, hog: bool) -> str:
    loads = [trial["load_1m"] for trial in trials if trial["hog"] is hog and trial["load_1m"] is not None]
    return f"{statistics.median(loads):.1f}" if loads else "unknown"


# --- running -------------------------------------------------------------------------


def read_trials() -> list[dict[str, Any]]:
    """The trials so far; a torn last line is left out."""
    trials = []
    if TRIALS_FILE.exists():
        for line in TRIALS_FILE.read_text(encoding="utf-8").splitlines():
            try:
                trials.append(json.loads(line))
            except ValueError:
                continue
    return trials


def run_study(options: argparse.Namespace) -> None:
    """Every cell in turn until each has its trials; prints and writes what there is at the end."""
    trials = read_trials()
    with tempfile.TemporaryDirectory(prefix="hologram-study-") as folder:
        bench = Bench(Path(folder))
        for hog in (host == "hog" for host in options.hosts):
            while pending := _pending(trials, options, hog):
                with hogs(hog):
                    for operation, effect in pending:
                        trial = record(bench.compare(operation, effect), effect, hog)
                        append_lines(TRIALS_FILE, [json.dumps(trial)])
                        trials.append(trial)
                        place = "hog" if hog else "quiet"
                        print(
                            f"{operation}, {place}, {effect.name}: {trial['verdict']} in {trial['seconds']} s"
                        )
    print(pooled_table(trials), "", gate_table(trials), "", rival_table(trials), sep="\n")
    write_whole(DOCUMENT, document(DOCUMENT.read_text(encoding="utf-8"), trials))


def _pending(
    trials: Sequence[dict[str, Any]], options: argparse.Namespace, hog: bool
) -> list[tuple[str, Effect]]:
    """The cells that lack trials, each once, so that all grow together."""
    have = {key: len(members) for key, members in cells(trials).items()}
    return [
        (operation, effect)
        for operation in options.operations
        for effect in EFFECTS
        if effect.name in options.effects
        and have.get((operation, hog, effect.name), 0)
        < (options.null_trials if effect.null else options.trials)
    ]


def run_short(options: argparse.Namespace) -> None:
    """Quiet, 0 % and 20 %: one JSON object an operation and slowdown."""
    with tempfile.TemporaryDirectory(prefix="hologram-study-") as folder:
        bench = Bench(Path(folder))
        for operation in options.operations:
            for effect in SHORT:
                runs = [bench.compare(operation, effect) for _ in range(options.trials)]
                verdicts = [run.verdict for run in runs]
                summary = {
                    "operation": operation,
                    "slowdown_pct": effect.slower_pct,
                    "hog": False,
                    "trials": len(runs),
                    "fail": verdicts.count("fail"),
                    "inconclusive": verdicts.count("error"),
                    "median_s": round(statistics.median(run.seconds for run in runs), 3),
                }
                print(json.dumps(summary), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=60, help="trials a slowdown (default: %(default)s)")
    parser.add_argument(
        "--null-trials",
        type=int,
        default=200,
        help="trials of each unchanged candidate (default: %(default)s)",
    )
    parser.add_argument("--operations", nargs="+", choices=OPERATIONS, default=OPERATIONS)
    names = tuple(effect.name for effect in EFFECTS)
    parser.add_argument("--effects", nargs="+", choices=names, default=names, help="only these candidates")
    parser.add_argument("--hosts", nargs="+", choices=("quiet", "hog"), default=("quiet", "hog"))
    parser.add_argument("--json", action="store_true", help="the short form")
    options = parser.parse_args()
    if options.trials < 1 or options.null_trials < 1:
        parser.error("--trials and --null-trials are at least 1")
    (run_short if options.json else run_study)(options)


if __name__ == "__main__":
    main()
