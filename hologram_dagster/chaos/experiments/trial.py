"""Carrying an experiment out, step by step, with a journal: what makes an outcome, whatever the experiment.

Steady, then in each round: fault, witness, what is done meanwhile, mending, recovery; then steady again.
Mended always, whatever happened. Never `passed` without a baseline, a witness of every fault, a recovery
and a baseline after it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hologram_dagster.errors import HologramError
from hologram_dagster.observation import Finding, Observation, Status

METHOD = "1"
_EVERY_S = 0.05
_WORST_FIRST = (Status.FAILED, Status.ERROR, Status.INCONCLUSIVE, Status.NOT_APPLICABLE)


@dataclass(frozen=True, slots=True)
class Round:
    """One fault: bringing it about, its witness, what is done meanwhile, mending it, and when it is over."""

    name: str
    inject: Callable[[], None]
    witness: Callable[[], tuple[bool, str]]
    mend: Callable[[], None]
    recovered: Callable[[], bool]
    meanwhile: Callable[[], None] = lambda: None
    limit_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One experiment to carry out.

    `steady` says why the services are not as they should be, empty when they are. `findings` and `values`
    are asked once all is over. `load` runs from before the first round until after the last.
    """

    kind: str
    steady: Callable[[], str]
    rounds: Sequence[Round]
    findings: Callable[[], Sequence[Finding]]
    values: Callable[[], Mapping[str, float]]
    load: AbstractContextManager[object] = field(default_factory=nullcontext)


@dataclass(frozen=True, slots=True)
class Entry:
    """One step of the journal: its times (s since the start), its outcome, and what was said."""

    step: str
    began_s: float
    ended_s: float
    status: Status
    told: str


class _Broken(Exception):  # noqa: N818 (the journal has what went wrong)
    """The trial ends here; its last entries say why."""


class _Journal:
    def __init__(self) -> None:
        self._start = time.monotonic()
        self.entries: list[Entry] = []

    def step(self, name: str, do: Callable[[], tuple[Status, str]], *, fatal: bool = True) -> None:
        """Do a step and write down what came of it; a failure of ours to do it is an error.

        Raises:
            _Broken: it did not pass, and `fatal`.
        """
        began = time.monotonic()
        try:
            status, told = do()
        except HologramError as error:
            status, told = Status.ERROR, str(error)
        except Exception as error:  # noqa: BLE001 (a bug in a step must not keep the fault from being mended)
            status, told = Status.ERROR, f"{type(error).__name__}: {error}"
        self.entries.append(Entry(name, began - self._start, time.monotonic() - self._start, status, told))
        if fatal and status is not Status.PASSED:
            raise _Broken


def carry_out(trial: Trial) -> tuple[Observation, tuple[Entry, ...]]:
    """Carry `trial` out: what was observed, and the journal. A step that raises is an error."""
    started_at = datetime.now(UTC)
    journal = _Journal()
    findings: Sequence[Finding] = ()
    values: Mapping[str, float] = {}
    try:
        journal.step("steady before", lambda: _steady(trial, Status.INCONCLUSIVE))
        with trial.load:
            for each in trial.rounds:
                _round(journal, each)
            journal.step("steady after", lambda: _steady(trial, Status.FAILED))
    except _Broken:
        pass
    else:
        try:
            findings, values = trial.findings(), trial.values()
        except HologramError as error:
            findings = (Finding("figures", Status.ERROR, str(error)),)
    steps = tuple(Finding(e.step, e.status, e.told) for e in journal.entries)
    return (
        Observation(
            kind=trial.kind,
            status=_worst((*steps, *findings)),
            method=METHOD,
            started_at=started_at,
            finished_at=datetime.now(UTC),
            values=values,
            findings=(*(step for step in steps if step.status is not Status.PASSED), *findings),
        ),
        tuple(journal.entries),
    )


def _round(journal: _Journal, each: Round) -> None:
    def witnessed() -> tuple[Status, str]:
        held, told = each.witness()
        return (Status.PASSED if held else Status.INCONCLUSIVE), told

    def recovered() -> tuple[Status, str]:
        deadline = time.monotonic() + each.limit_s
        while not each.recovered():
            if time.monotonic() >= deadline:
                return Status.FAILED, f"not as before within {each.limit_s:g} s"
            time.sleep(_EVERY_S)
        return Status.PASSED, ""

    try:
        journal.step(f"{each.name}: fault", _doing(each.inject))
        journal.step(f"{each.name}: witness", witnessed)
        journal.step(f"{each.name}: meanwhile", _doing(each.meanwhile))
    except BaseException:
        # What was begun is undone all the same, by Ctrl-C, too.
        journal.step(f"{each.name}: mend", _doing(each.mend), fatal=False)
        journal.step(f"{each.name}: recovery", recovered, fatal=False)
        raise
    journal.step(f"{each.name}: mend", _doing(each.mend))
    journal.step(f"{each.name}: recovery", recovered)


def _doing(action: Callable[[], None]) -> Callable[[], tuple[Status, str]]:
    def do() -> tuple[Status, str]:
        action()
        return Status.PASSED, ""

    return do


def _steady(trial: Trial, otherwise: Status) -> tuple[Status, str]:
    why = trial.steady()
    return (otherwise if why else Status.PASSED), why


def _worst(findings: Sequence[Finding]) -> Status:
    seen = {finding.status for finding in findings}
    return next((status for status in _WORST_FIRST if status in seen), Status.PASSED)
