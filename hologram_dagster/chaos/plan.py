"""When things happen in an experiment: decided by its seed before anything happens."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from hologram_dagster.chaos.experiment import Action, Experiment, Span, Strike


@dataclass(frozen=True, slots=True)
class Planned:
    """One step of the method: how long is waited before it and how long it holds, s."""

    number: int
    name: str
    wait_s: float
    hold_s: float


def plan(experiment: Experiment) -> tuple[Planned, ...]:
    """The steps of `experiment`; the same for the same seed and method."""
    return tuple(_planned(experiment.seed, number, step) for number, step in enumerate(experiment.method, 1))


def _planned(seed: int, number: int, step: Strike | Action) -> Planned:
    if isinstance(step, Action):
        return Planned(number, step.name, 0.0, 0.0)
    wait, hold = Random(f"{seed}/{number}/wait"), Random(f"{seed}/{number}/hold")
    return Planned(number, step.fault.name, _drawn(wait, step.after_s), _drawn(hold, step.hold_s))


def _drawn(random: Random, span: Span) -> float:
    return round(random.uniform(*span), 6)


def as_json(steps: Sequence[Planned]) -> list[dict[str, object]]:
    """The plan for a journal."""
    return [
        {"number": each.number, "name": each.name, "wait_s": each.wait_s, "hold_s": each.hold_s}
        for each in steps
    ]
