"""Carrying an experiment out: what is done in which order, and what is made of it when it goes wrong.

Load from before the first look until after the last; steady before; each fault with its witness asked
before and while it holds, undone, and waited for until all is as before; steady after; the history
checked. Faults are undone, rollbacks done and services compared whatever happened, by SIGINT and
SIGTERM, too; after `kill -9` the guardian does it (`leftovers`). What belongs here: the order. What
does not: how a step ends (`conducting`), what a journal says (`journal`).
"""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from hologram_dagster.chaos.comparing import differences
from hologram_dagster.chaos.conducting import BrokenOff, Clocks, Conductor, Said
from hologram_dagster.chaos.experiment import Action, Experiment, Fault, Leftover, Strike
from hologram_dagster.chaos.journal import Journal, Step, Window, sampled
from hologram_dagster.chaos.journal_file import journal_path, write_journal
from hologram_dagster.chaos.leftovers import Leftovers
from hologram_dagster.chaos.permission import refusal
from hologram_dagster.chaos.plan import Planned, plan
from hologram_dagster.chaos.probing import EVERY_S, await_steady, steady
from hologram_dagster.chaos.signals import ending_in_order
from hologram_dagster.chaos.workload import check_history, judge_load
from hologram_dagster.observation import Status

_LOAD_START_S = 60.0


@dataclass(slots=True)
class _Struck:
    """A fault that was, or may have been, brought about."""

    number: int
    strike: Strike
    window: Window
    owned: ExitStack
    undone: bool = False


@dataclass(slots=True)
class _Run:
    experiment: Experiment
    conductor: Conductor
    leftovers: Leftovers | None
    struck: list[_Struck] = field(default_factory=list)
    state_before: dict[str, Mapping[str, str]] = field(default_factory=dict)
    loaded: bool = False


def run(
    experiment: Experiment,
    *,
    allowed: str | None = None,
    folder: Path | None = None,
    leftovers: Leftovers | None = None,
    clocks: Clocks | None = None,
) -> Journal:
    """Carry `experiment` out; its journal, whatever happens.

    `allowed` is HOLOGRAM_ALLOW_DISRUPTION. With `folder` (`reports/chaos`) the journal is written
    there at each step, and the record at the end. With `leftovers` what killed experiments left is
    removed first, and what this one would leave is, if it is killed.

    Raises:
        HologramError: what a killed experiment left cannot be undone, or the journal not written.
    """
    if leftovers is not None:
        leftovers.sweep()
    journal = Journal(
        experiment.name,
        experiment.title,
        experiment.chaos_type or experiment.name,
        experiment.seed,
        plan(experiment),
        frozenset(n for n, step in enumerate(experiment.method, 1) if isinstance(step, Strike)),
        datetime.now(UTC),
        time.perf_counter(),
        budget_ms=experiment.budget_ms,
    )
    history = experiment.workload.history if experiment.workload is not None else None
    if history is not None and history.path is not None:
        journal.operations_file = history.path.name

    def save() -> None:
        if folder is not None:
            write_journal(folder, journal)

    with ExitStack() as owned:
        save()
        if leftovers is not None:
            owned.enter_context(leftovers.guarded())
            if folder is not None:
                noted = leftovers.noted(Leftover.journal(journal_path(folder, experiment.name)))
                owned.enter_context(noted)
        stop = owned.enter_context(ending_in_order())
        conductor = Conductor(journal, stop, clocks or Clocks(), save)
        try:
            _carry_out(_Run(experiment, conductor, leftovers), allowed)
        except BaseException as error:
            conductor.note(Step.INTERRUPTION, "", Status.ERROR, f"broken off by {type(error).__name__}")
            raise
        finally:
            if experiment.workload is not None:
                journal.timeline = sampled(experiment.workload.load.operations, journal.origin_s)
            journal.finished_at = datetime.now(UTC)
            save()
    return journal


def _carry_out(this: _Run, allowed: str | None) -> None:
    experiment, conductor = this.experiment, this.conductor
    if why := refusal(experiment.services, allowed):
        conductor.note(Step.LEAVE, "", Status.NOT_APPLICABLE, why)
        return
    broken = True
    try:
        _design(this)
        conductor.step(Step.STATE_BEFORE, "", lambda: _remember(this), _state_timeout_s(experiment))
        if experiment.workload is not None:
            this.loaded = True
            conductor.step(Step.LOAD, "start", _doing(experiment.workload.load.start), _LOAD_START_S)
        conductor.watch(Step.STEADY_BEFORE, "", lambda: _baseline(this))
        for number, (step, planned) in enumerate(
            zip(experiment.method, conductor.journal.plan, strict=True), 1
        ):
            if isinstance(step, Action):
                conductor.step(Step.ACTION, step.name, _doing(step.do), step.timeout_s, number=number)
            else:
                _strike(this, number, step, planned)
        conductor.watch(Step.STEADY_AFTER, "", lambda: steady(conductor, experiment.hypothesis))
        broken = False
    except BrokenOff:
        pass
    finally:
        conductor.interruptible = False
        _mend(this, broken)
    _judge(this)


def _design(this: _Run) -> None:
    experiment = this.experiment
    strikes = [step for step in experiment.method if isinstance(step, Strike)]
    lacking = [
        told
        for told, there in (
            ("no probe, so nothing can be seen", experiment.hypothesis),
            ("no fault", strikes),
        )
        if not there
    ]
    if lacking:
        this.conductor.note(
            Step.DESIGN, "", Status.INCONCLUSIVE, f"the experiment has {' and '.join(lacking)}"
        )
        raise BrokenOff


def _baseline(this: _Run) -> Said:
    said = steady(this.conductor, this.experiment.hypothesis)
    if said.status is Status.FAILED:
        return Said(Status.INCONCLUSIVE, f"not steady before any fault: {said.told}")
    return said


def _strike(this: _Run, number: int, strike: Strike, planned: Planned) -> None:
    conductor, fault = this.conductor, strike.fault
    conductor.wait(planned.wait_s)
    conductor.step(Step.CONTROL, fault.name, lambda: _control(fault), fault.timeout_s, number=number)
    owned = ExitStack()
    if this.leftovers is not None:
        for leftover in fault.leftovers:
            owned.enter_context(this.leftovers.noted(leftover))
    window = Window(fault.name, conductor.now_s())
    struck = _Struck(number, strike, window, owned)
    this.struck.append(struck)
    conductor.journal.windows.append(window)
    conductor.step(Step.FAULT, fault.name, _doing(fault.apply), fault.timeout_s, number=number)
    conductor.watch(Step.WITNESS, fault.name, lambda: _await_witness(conductor, fault), number=number)
    if strike.meanwhile is not None:
        do = strike.meanwhile
        conductor.step(Step.MEANWHILE, do.name, _doing(do.do), do.timeout_s, number=number)
    conductor.wait(planned.hold_s)
    if fault.sustained and (planned.hold_s or strike.meanwhile is not None):
        conductor.step(
            Step.WITNESS, f"{fault.name}, still", lambda: _witness(fault), fault.timeout_s, number=number
        )
    _undo(this, struck)
    _recover(this, struck, fatal=True)


def _undo(this: _Run, struck: _Struck, *, fatal: bool = True) -> bool:
    conductor, fault = this.conductor, struck.strike.fault
    struck.window.undone_s = conductor.now_s()
    struck.undone = conductor.step(
        Step.UNDO, fault.name, _doing(fault.undo), fault.timeout_s, number=struck.number, fatal=fatal
    )
    if struck.undone:
        struck.owned.close()
    return struck.undone


def _recover(this: _Run, struck: _Struck, *, fatal: bool) -> None:
    conductor, strike = this.conductor, struck.strike
    probes = strike.recovered or this.experiment.hypothesis
    if conductor.watch(
        Step.RECOVERY,
        strike.fault.name,
        lambda: await_steady(conductor, probes, strike.limit_s),
        number=struck.number,
        fatal=fatal,
    ):
        struck.window.recovered_s = conductor.now_s()


def _mend(this: _Run, broken: bool) -> None:
    """Undo what is not undone, end the load, roll back, and look at the services once more."""
    experiment, conductor = this.experiment, this.conductor
    for struck in reversed(this.struck):
        # Where we fail to undo a fault, that nothing recovers is our doing.
        if not struck.undone and _undo(this, struck, fatal=False):
            _recover(this, struck, fatal=False)
    if experiment.workload is not None and this.loaded:
        load = experiment.workload.load
        if not load.running:
            conductor.note(Step.LOAD, "", Status.INCONCLUSIVE, "the load had ended before its time")
        conductor.step(Step.LOAD, "stop", _doing(load.stop), experiment.workload.stop_timeout_s, fatal=False)
    for action in experiment.rollbacks:
        conductor.step(Step.ROLLBACK, action.name, _doing(action.do), action.timeout_s, fatal=False)
    for call in conductor.await_abandoned():
        # What was left behind has ended since, and may have done what it was told, after it was undone.
        for struck in reversed(this.struck):
            if call.name == struck.strike.fault.name:
                _undo(this, struck, fatal=False)
    if broken and this.struck:
        conductor.watch(
            Step.STEADY_AFTER, "mended", lambda: steady(conductor, experiment.hypothesis), fatal=False
        )
    for struck in this.struck:
        if struck.undone:
            struck.owned.close()
    if conductor.journal.passed(Step.STATE_BEFORE):
        conductor.step(
            Step.STATE_AFTER, "", lambda: _compare(this), _state_timeout_s(experiment), fatal=False
        )


def _judge(this: _Run) -> None:
    """What must hold of all of it; asked only where the services are steady, else there is nobody to ask."""
    experiment, conductor = this.experiment, this.conductor
    if experiment.workload is not None and this.loaded:
        workload, journal = experiment.workload, conductor.journal
        conductor.judge(Step.LOAD, lambda: judge_load(workload, journal), workload.read_back_timeout_s)
        history = workload.history
        if history is not None and conductor.journal.passed(Step.STEADY_AFTER):
            conductor.judge(
                Step.HISTORY,
                lambda: check_history(history, workload.read_back),
                workload.read_back_timeout_s,
            )
    if conductor.journal.passed(Step.STEADY_AFTER):
        conductor.judge(Step.FINDING, experiment.findings, experiment.judge_timeout_s)
    conductor.figures(experiment.values, experiment.judge_timeout_s)


def _doing(do: Callable[[], object]) -> Callable[[], Said]:
    def done() -> Said:
        do()
        return Said(Status.PASSED)

    return done


def _control(fault: Fault) -> Said:
    seen = fault.witness()
    if seen.held:
        told = f"the witness saw the fault before it was there: {seen.told}"
        return Said(Status.INCONCLUSIVE, told, seen.values)
    return Said(Status.PASSED, seen.told, seen.values)


def _witness(fault: Fault) -> Said:
    seen = fault.witness()
    return Said(Status.PASSED if seen.held else Status.INCONCLUSIVE, seen.told, seen.values)


def _await_witness(conductor: Conductor, fault: Fault) -> Said:
    deadline = time.monotonic() + fault.takes_hold_s
    while True:
        said = conductor.call(fault.name, lambda: _witness(fault), fault.timeout_s)
        if said.status is Status.PASSED or time.monotonic() >= deadline:
            return said
        conductor.wait(EVERY_S)


def _remember(this: _Run) -> Said:
    for service in this.experiment.services:
        this.state_before[service.name] = dict(service.state())
    return Said(Status.PASSED)


def _compare(this: _Run) -> Said:
    found: list[str] = []
    for service in this.experiment.services:
        found += differences(service, this.state_before[service.name])
    return Said(Status.FAILED if found else Status.PASSED, "; ".join(found))


def _state_timeout_s(experiment: Experiment) -> float:
    return sum(service.timeout_s for service in experiment.services) or 1.0
