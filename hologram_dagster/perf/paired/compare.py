"""Compare a candidate with its baseline: launches until the rule decides, all of it recorded.

What belongs here: the two entry points and what they return. What does not: the rule
(`rule`), a launch (`launch`), the words for a result (`wording`), where the two revisions
come from (`target`).
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from hologram_dagster.errors import HologramError
from hologram_dagster.perf.paired.host import HostLoad, HostMeter
from hologram_dagster.perf.paired.job import (
    Gc,
    HttpRequest,
    LaunchSamples,
    ServerCommand,
    Servers,
    WorkerCommand,
    Workers,
)
from hologram_dagster.perf.paired.launch import Patience, run_launch
from hologram_dagster.perf.paired.process_tree import usable_cores
from hologram_dagster.perf.paired.rule import Decision, LaunchResult, Limits, Verdict, decide
from hologram_dagster.perf.paired.samples import evaluate
from hologram_dagster.perf.paired.schedule import Schedule, draw_schedule

METHOD = "H5"
_ONE_CORE = "this machine has one core: measured beside everything else that runs on it"


@dataclass(frozen=True, slots=True)
class LaunchRecord:
    """One launch: its drawn order, what was read, what it comes to, what else the host did."""

    schedule: Schedule
    samples: LaunchSamples
    result: LaunchResult
    load: HostLoad


def _silent(launch: LaunchRecord) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to compare.

    `limits` come from REGRESSION_THRESHOLD_PCT. `seed` draws every order (None: a new
    one). `gc` is handed to both sides as the variable HOLOGRAM_GC; obeying it is theirs
    (`gc_off` does it for Python). `progress` is told each launch when it is over.
    """

    limits: Limits = field(default_factory=Limits)
    seed: int | None = None
    gc: Gc = "off"
    patience: Patience = field(default_factory=Patience)
    progress: Callable[[LaunchRecord], None] = _silent


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything there is to record of one comparison.

    `error` says why there is no verdict (a launch that erred is never a time); then
    `decision` is None. `fallbacks` name what could not be measured.
    """

    operation: str
    seed: int
    gc: Gc
    core: int | None
    limits: Limits
    launches: tuple[LaunchRecord, ...]
    decision: Decision | None
    error: str | None
    fallbacks: tuple[str, ...]
    seconds: float

    @property
    def verdict(self) -> Literal["pass", "fail", "error"]:
        """`error` where there is no decision."""
        if self.decision is None:
            return "error"
        return "fail" if self.decision.verdict is Verdict.FAIL else "pass"


_DEFAULTS = Options()


def compare_workers(
    operation: str,
    *,
    baseline: WorkerCommand,
    candidate: WorkerCommand,
    payload_bytes: int,
    options: Options = _DEFAULTS,
) -> Comparison:
    """Compare two workers at `operation` on a payload of `payload_bytes` bytes.

    Never raises for what the workers or the machine do: that is the comparison's `error`.
    """
    target = Workers(a=baseline, b=candidate, operation=operation, payload_bytes=payload_bytes)
    return _compare(operation, target, options)


def compare_servers(
    operation: str,
    *,
    baseline: ServerCommand,
    candidate: ServerCommand,
    request: HttpRequest,
    options: Options = _DEFAULTS,
) -> Comparison:
    """Compare two servers at `request`, which `operation` names.

    Never raises for what the servers or the machine do: that is the comparison's `error`.
    """
    return _compare(operation, Servers(a=baseline, b=candidate, request=request), options)


def _compare(operation: str, target: Workers | Servers, options: Options) -> Comparison:
    seed = secrets.randbits(32) if options.seed is None else options.seed
    started = time.monotonic()
    launches: list[LaunchRecord] = []
    decision: Decision | None = None
    error: str | None = None
    core: int | None = None
    fallbacks: list[str] = []
    try:
        cores = usable_cores()
        core = cores[-1]
        if len(cores) == 1:
            fallbacks.append(_ONE_CORE)
        while decision is None or decision.verdict is Verdict.UNDECIDED:
            launches.append(_launch(target, draw_schedule(seed, len(launches) + 1), core, options))
            decision = decide([launch.result for launch in launches], options.limits)
            options.progress(launches[-1])
    except HologramError as fault:
        decision, error = None, str(fault)
    fallbacks.extend(note for launch in launches for note in launch.samples.fallbacks)
    return Comparison(
        operation=operation,
        seed=seed,
        gc=options.gc,
        core=core,
        limits=options.limits,
        launches=tuple(launches),
        decision=decision,
        error=error,
        fallbacks=tuple(dict.fromkeys(fallbacks)),
        seconds=time.monotonic() - started,
    )


def _launch(target: Workers | Servers, schedule: Schedule, core: int, options: Options) -> LaunchRecord:
    meter = HostMeter.now()
    samples = run_launch(target, schedule, core=core, gc=options.gc, patience=options.patience)
    return LaunchRecord(schedule, samples, evaluate(samples, options.limits), meter.since())
