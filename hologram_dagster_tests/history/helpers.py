"""Records, histories and candidates for the history tests; real keys, real files."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hologram_dagster.evidence.gathered import Stored
from hologram_dagster.evidence.record import Record
from hologram_dagster.history.baseline import Place
from hologram_dagster.history.eligibility import Candidate, PairedResult
from hologram_dagster.history.index import History
from hologram_dagster.history.rolling import Baselines
from hologram_dagster.machine import Machine
from hologram_dagster.observation import Artifact, Observation, Status
from hologram_dagster.profiles import OPERATIONS, ProfileName
from hologram_dagster.protocol.canonical import sha256_hex
from hologram_dagster.protocol.signing import Signer
from hologram_dagster.target.revision import Revision
from hologram_dagster_tests.evidence.helpers import MACHINE, NOW, identity, signer

HERE = Place("local", MACHINE.fingerprint)
METRICS = {
    "perf_verify": "core.verify_ms",
    "perf_encode": "core.encode_4MB_ms",
    "perf_gql": "graphql.resolve_ms",
}
P95 = {"perf_verify": 2.0, "perf_encode": 40.0, "perf_gql": 5.5}


def commit(number: int) -> str:
    return f"{number:040x}"


def revision(number: int, *, dirty: bool = False, ref: str | None = "refs/heads/main") -> Revision:
    return Revision(commit(number), commit(number + 2**32), dirty=dirty, ref=ref)


def record(
    kind: str = "perf_verify",
    values: Mapping[str, float] | None = None,
    *,
    run_id: str = "run-1",
    at: datetime = NOW,
    number: int = 1,
    status: Status = Status.PASSED,
    facts: Mapping[str, str] | None = None,
    artifacts: tuple[Artifact, ...] = (),
    **run: object,
) -> Record:
    """A signed record of commit `number`."""
    seen = Observation(
        kind=kind,
        status=status,
        method="1",
        started_at=at,
        finished_at=at,
        values={"p95_ms": 2.0} if values is None else values,
        facts=facts or {},
        artifacts=artifacts,
    )
    run.setdefault("revision", revision(number))
    return Record.from_observation(seen, identity(run_id, **run), signer(), now=at)


@contextmanager
def temporary_history() -> Iterator[History]:
    with TemporaryDirectory() as folder, History.in_folder(Path(folder)) as history:
        yield history


def measurements(number: int, p95: Mapping[str, float] | None = None, **run: object) -> list[Record]:
    """The perf records of a main run of commit `number`."""
    figures = P95 if p95 is None else p95
    run.setdefault("profile", ProfileName.MAIN)
    return [
        record(
            kind,
            {"p95_ms": figures[kind]},
            number=number,
            facts={"metric": METRICS[kind]},
            **run,  # type: ignore[arg-type]
        )
        for kind in figures
    ]


def verdict_of(measured: Sequence[Record], number: int, **changes: object) -> Stored:
    """The stored verdict of a main run of commit `number` that rests on `measured`."""
    changes.setdefault("profile", ProfileName.MAIN)
    listed = tuple(Artifact(f"file:///{r.kind}", sha256_hex(r.to_bytes())) for r in measured)
    made = record("verdict", {}, number=number, artifacts=listed, **changes)  # type: ignore[arg-type]
    return Stored(made, "file:///verdict.json", "verdict.json", sha256_hex(made.to_bytes()))


def candidate(
    number: int, *, against: int | None = None, p95: Mapping[str, float] | None = None, **changes: object
) -> Candidate:
    """A green candidate of commit `number`, compared with the baseline of commit `against`."""
    measured = measurements(number, p95)
    compared = () if against is None else compare(against)
    made = Candidate(verdict_of(measured, number), measured, (), compared, ref="refs/heads/main")
    return replace(made, **changes)  # type: ignore[arg-type]


def compare(against: int, *, regressed: str = "") -> tuple[PairedResult, ...]:
    return tuple(
        PairedResult(name, commit(against), name == regressed, "x1.2" if name == regressed else "x1.0")
        for name in OPERATIONS
    )


class Clock:
    """A clock that moves a minute each time it is read."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now


def baselines(folder: Path, place: Place = HERE, **options: object) -> Baselines:
    options.setdefault("clock", Clock())
    options.setdefault("signer", signer())
    return Baselines(
        state_dir=folder / "state",
        reports_dir=folder / "reports",
        place=place,
        **options,  # type: ignore[arg-type]
    )


def put_in_force(state_dir: Path, reports_dir: Path, key: Signer, machine: Machine) -> None:
    """Set the baseline of commit 1, local, on `machine`, with the numbers of `P95`."""
    measured = measurements(1, machine=machine)
    made = Candidate(verdict_of(measured, 1, machine=machine), measured, (), (), "refs/heads/main")
    place = Place("local", machine.fingerprint)
    Baselines(state_dir=state_dir, reports_dir=reports_dir, place=place, signer=key).roll_forward(made)
