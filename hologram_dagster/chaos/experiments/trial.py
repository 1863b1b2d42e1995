"""An experiment of rounds, each with words of its own for what is steady: a short way to write one.

What belongs here: the short form, and what it is in the long one (`chaos.experiment`). What does not:
carrying it out (`chaos.running`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hologram_dagster.chaos.experiment import (
    Action,
    Experiment,
    Fault,
    Leftover,
    Loading,
    Probe,
    Service,
    Strike,
    Witness,
    Workload,
    nothing,
)
from hologram_dagster.chaos.history import History
from hologram_dagster.chaos.journal import Journal, observation
from hologram_dagster.chaos.leftovers import Leftovers
from hologram_dagster.chaos.running import run
from hologram_dagster.chaos.tolerances import Equals
from hologram_dagster.observation import Finding, Observation

# Whole measurements are made in them.
_LONGEST_S = 1800.0
# Where there is load: what is judged outside the faults must be there.
BETWEEN_S = 2.0


@dataclass(frozen=True, slots=True)
class Round:
    """One fault: bringing it about, its witness, what is done meanwhile, mending it, and when it is over.

    `witness` is asked before the fault, too, and must not see it then. `after_s` and `hold_s`: what
    is waited before the fault and while it holds, s. `sustained` and `leftovers` as those of a `Fault`.
    """

    name: str
    inject: Callable[[], None]
    witness: Callable[[], tuple[bool, str]]
    mend: Callable[[], None]
    recovered: Callable[[], bool]
    meanwhile: Callable[[], None] | None = None
    limit_s: float = 30.0
    after_s: float = 0.0
    hold_s: float = 0.0
    sustained: bool = True
    leftovers: Sequence[Leftover] = ()

    def strike(self) -> Strike:
        """The round in the long form."""

        def witness() -> Witness:
            return Witness(*self.witness())

        recovered = Probe("over", self.recovered, Equals(True), _LONGEST_S)
        return Strike(
            Fault(
                self.name,
                self.inject,
                witness,
                self.mend,
                sustained=self.sustained,
                timeout_s=_LONGEST_S,
                leftovers=self.leftovers,
            ),
            after_s=(self.after_s, self.after_s),
            hold_s=(self.hold_s, self.hold_s),
            meanwhile=Action(self.name, self.meanwhile, _LONGEST_S) if self.meanwhile is not None else None,
            recovered=(recovered,),
            limit_s=self.limit_s,
        )


@dataclass(frozen=True, slots=True)
class Trial:
    """One experiment to carry out.

    `steady` says why the services are not as they should be, empty when they are. `findings` and `values`
    are asked once all is over. `load` runs over all of it, and `history` and `read_back` are those of its
    `Workload`; `budget_ms` as that of an `Experiment`.
    """

    kind: str
    steady: Callable[[], str]
    rounds: Sequence[Round]
    findings: Callable[[], Sequence[Finding]]
    values: Callable[[], Mapping[str, float]]
    load: Loading | None = None
    title: str = ""
    chaos_type: str = ""
    rollbacks: Sequence[Action] = field(default_factory=tuple)
    budget_ms: float | None = None
    history: History | None = None
    read_back: Callable[[str], str | None] = nothing

    def experiment(self, *, seed: int = 0, services: Sequence[Service] = ()) -> Experiment:
        """The trial in the long form, on `services`."""
        return Experiment(
            name=self.kind,
            title=self.title or self.kind,
            seed=seed,
            hypothesis=(Probe("not steady because of", self.steady, Equals(""), _LONGEST_S),),
            method=tuple(each.strike() for each in self.rounds),
            services=services,
            workload=None if self.load is None else Workload(self.load, self.history, self.read_back),
            rollbacks=self.rollbacks,
            chaos_type=self.chaos_type,
            findings=self.findings,
            values=self.values,
            judge_timeout_s=_LONGEST_S,
            budget_ms=self.budget_ms,
        )


def carry_out(
    trial: Trial,
    *,
    seed: int = 0,
    services: Sequence[Service] = (),
    allowed: str | None = None,
    folder: Path | None = None,
    leftovers: Leftovers | None = None,
) -> tuple[Observation, Journal]:
    """Carry `trial` out as `running.run` does: what was observed, and the journal.

    Raises:
        HologramError: as `running.run`.
    """
    journal = run(
        trial.experiment(seed=seed, services=services),
        allowed=allowed,
        folder=folder,
        leftovers=leftovers,
    )
    return observation(journal, trial.kind), journal
