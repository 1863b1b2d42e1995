"""Every spoilt experiment carried out, and beside each the same one sound: what came of them."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hologram_dagster.chaos.journal import Journal
from hologram_dagster.chaos.running import run
from hologram_dagster.chaos.sabotage.bench import bench
from hologram_dagster.chaos.sabotage.cases import CASES, Case
from hologram_dagster.chaos.sabotage.killed import KILLED, KilledCase, carry_out_killed
from hologram_dagster.observation import Status

AnyCase = Case | KilledCase
ALL: Sequence[AnyCase] = (*CASES, *KILLED)


@dataclass(frozen=True, slots=True)
class Row:
    """One case: what must come of it, what came, what the witness said, and why."""

    name: str
    expected: Status
    seen: Status
    witness: str
    told: str
    twin: Status | None = None

    @property
    def false_green(self) -> bool:
        """Whether a spoilt experiment passed."""
        return self.seen is Status.PASSED

    @property
    def right(self) -> bool:
        """Whether it came out as it must, and its sound twin, if there was one, passed."""
        return self.seen is self.expected and self.twin in (None, Status.PASSED)

    def to_json(self) -> dict[str, str]:
        """The row as `hologram chaos sabotage --json` has it."""
        told = self.witness or f"none was asked: {self.told}"
        return {"name": self.name, "expected": self.expected, "seen": self.seen, "witness": told}


def carry_out(case: Case | None) -> Journal:
    """Carry a spoilt experiment out, or the sound one, on a service of its own.

    Raises:
        HologramError: the service does not start.
    """
    with tempfile.TemporaryDirectory(prefix="hologram-chaos-") as folder:
        spoil = "" if case is None else case.service
        with bench(Path(folder), spoil=spoil) as made:
            if case is not None:
                case.spoil(made)
            return run(made.experiment, clocks=made.clocks)


def carry_out_all(
    cases: Sequence[AnyCase] = ALL, *, twins: bool = True, told: Callable[[Row], None] = lambda row: None
) -> list[Row]:
    """Carry out `cases`, each with its sound twin where asked; `told` gets each row as it comes.

    Raises:
        HologramError: a service does not start.
    """
    rows = []
    for case in cases:
        row = _row(case, twins)
        told(row)
        rows.append(row)
    return rows


def _row(case: AnyCase, twins: bool) -> Row:
    if isinstance(case, KilledCase):
        seen, witness, why = carry_out_killed(case)
        twin = carry_out_killed(None)[0] if twins else None
        return Row(case.name, case.expected, seen, witness, why, twin)
    journal = carry_out(case)
    twin = carry_out(None).outcome if twins else None
    return Row(case.name, case.expected, journal.outcome, journal.witnessed, journal.told, twin)
