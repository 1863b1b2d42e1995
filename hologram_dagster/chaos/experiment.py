"""An experiment: what must hold of running services, what is done to them, and how they come back.

Data and small plain functions, made for services that already run::

    node_killed = Fault(
        "node killed",
        apply=node.kill,
        witness=lambda: Witness(reach(url, timeout_s=2) is Reach.REFUSED, "its port"),
        undo=node.restart,
    )
    experiment = Experiment(
        name="chaos_ipfs_restart",
        title="The node is killed while contents are published",
        seed=7,
        hypothesis=(Probe("publishes", publisher.probe, Equals("")),),
        method=(Strike(node_killed, after_s=(1, 2), hold_s=(0.5, 1)),),
        services=(Service("ipfs", node.api_url, started_by_us=True, state=pins),),
        workload=Workload(load, history, read_back),
    )
    journal = run(experiment)      # `chaos.running`; journal.outcome, journal.told

What belongs here: the parts of an experiment. What does not: carrying it out (`running`), when
things happen (`plan`), what the load did (`history_check`), what is written of it (`journal`).

A fault's functions, and all others here, may raise `HologramError`, or anything; they may hang: each
has a time limit. They run in threads of their own, one at a time beside the load. `undo` must do no
harm when nothing was applied, when `apply` came half way, and twice. `witness` measures from outside,
by another way than `apply` went, and is asked before the fault, too: one that sees a fault that is
not there proves nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

from hologram_dagster.chaos.history import History
from hologram_dagster.chaos.load import Operation
from hologram_dagster.chaos.tolerances import Tolerance, Value
from hologram_dagster.observation import Finding

# At least and at most, s; the seed draws between them.
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Witness:
    """What was measured of a fault from outside: whether it is there now, and by what that is told."""

    held: bool
    told: str
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Leftover:
    """What would stay if this process was killed: a path to remove, a command to run, a journal to conclude.

    `leftovers` notes and undoes it.
    """

    kind: str
    words: tuple[str, ...]

    @classmethod
    def path(cls, path: Path) -> Self:
        """A file or folder that must not stay."""
        return cls("path", (str(path.absolute()),))

    @classmethod
    def command(cls, command: Sequence[str]) -> Self:
        """A command that brings something back, such as the one that starts a service of the user's."""
        return cls("command", tuple(command))

    @classmethod
    def journal(cls, path: Path) -> Self:
        """The journal of an experiment under way: it must not stay under way."""
        return cls("journal", (str(path.absolute()),))

    @property
    def told(self) -> str:
        """It in words."""
        return f"{self.kind} {' '.join(self.words)}"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: how it is brought about, proved and undone.

    `sustained`: it stays until it is undone, so it is looked for at the end, too. `timeout_s` bounds
    each of the three; within `takes_hold_s` of being brought about the fault must show, as a command may
    return before the process that it ends is gone. `leftovers` are undone by others if this process is
    killed meanwhile.
    """

    name: str
    apply: Callable[[], None]
    witness: Callable[[], Witness]
    undo: Callable[[], None]
    sustained: bool = True
    timeout_s: float = 60.0
    takes_hold_s: float = 2.0
    leftovers: Sequence[Leftover] = ()


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing read of the services, and what it may be.

    A `ServiceError` is a service that does not do as it should; any other failure is the probe's.
    """

    name: str
    read: Callable[[], Value]
    tolerance: Tolerance
    timeout_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Action:
    """One thing done."""

    name: str
    do: Callable[[], None]
    timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault for a while: after a wait, held, undone, and over when `recovered` (or the hypothesis) holds.

    `meanwhile` is done while it holds. `limit_s` is for the recovery, from when the fault was undone.
    """

    fault: Fault
    after_s: Span = (0.0, 0.0)
    hold_s: Span = (0.0, 0.0)
    meanwhile: Action | None = None
    recovered: Sequence[Probe] = ()
    limit_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Service:
    """A service that is disturbed: its URL, whether this run started it, and what of it must be as before.

    `state` names what must be there afterwards as it was before the load and the faults, and nothing
    that they may change.
    """

    name: str
    url: str
    started_by_us: bool
    state: Callable[[], Mapping[str, str]] = dict
    timeout_s: float = 60.0


class Loading(Protocol):
    """Load that can be begun and ended (`load.Load`)."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """Let no more fall due, and wait for the last end."""

    @property
    def running(self) -> bool:
        """Whether operations still fall due."""

    @property
    def operations(self) -> Sequence[Operation]:
        """Those that have ended."""

    @property
    def send_lag_p95_ms(self) -> float:
        """How late our own sending was, p95, ms."""


def nothing(_key: str) -> str | None:
    """What a load without a history reads back."""
    return None


@dataclass(frozen=True, slots=True)
class Workload:
    """Load over the whole experiment, and how its history is checked.

    `history` is what its operations recorded; afterwards every key with an acknowledged write is read
    by `read_back`. An experiment without one judges its operations itself (`findings`). Where our own
    sending was later than `most_lag_ms` (p95), or fewer than `least_operations` ended, it says nothing.
    At least `least_success` (share) of the operations that no fault or recovery touched must succeed.
    """

    load: Loading
    history: History | None = None
    read_back: Callable[[str], str | None] = nothing
    most_lag_ms: float = 500.0
    least_operations: int = 10
    least_success: float = 0.95
    stop_timeout_s: float = 120.0
    read_back_timeout_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Experiment:
    """One experiment. `seed` decides every wait and hold; `rollbacks` are done at the end whatever happens.

    `chaos_type` is the contract's word for it (section 3.8), such as `ipfs_kill_restart`.
    `findings` and `values` are asked once all is over and well so far: what else must hold, and figures.
    `budget_ms` is how long an operation of the load may take, to be drawn beside them; None: it has no limit.
    """

    name: str
    title: str
    seed: int
    hypothesis: Sequence[Probe]
    method: Sequence[Strike | Action]
    services: Sequence[Service] = ()
    workload: Workload | None = None
    rollbacks: Sequence[Action] = ()
    chaos_type: str = ""
    findings: Callable[[], Sequence[Finding]] = tuple
    values: Callable[[], Mapping[str, float]] = dict
    judge_timeout_s: float = 300.0
    budget_ms: float | None = None
