"""The sound experiment of which the spoilt ones are made: a service is killed under load, and comes back."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hologram_dagster.chaos.conducting import Clocks
from hologram_dagster.chaos.experiment import (
    Action,
    Experiment,
    Fault,
    Probe,
    Service,
    Strike,
    Witness,
    Workload,
)
from hologram_dagster.chaos.faults.witness import Reach, reach
from hologram_dagster.chaos.history import History
from hologram_dagster.chaos.load import Load
from hologram_dagster.chaos.sabotage.kv_server import LOAD
from hologram_dagster.chaos.sabotage.kv_service import KvClient, KvService
from hologram_dagster.chaos.tolerances import Equals
from hologram_dagster.processes import LOOPBACK

RATE_PER_S = 40.0
_TIMEOUT_S = 2.0
_REACH_S = 2.0
LIMIT_S = 3.0
# The load is there for a second or two: one short stall of a busy host is not to spoil it.
MOST_LAG_MS = 1000.0


@dataclass(slots=True)
class Bench:
    """One service with its load, and the sound experiment on it. What a case spoils, it replaces."""

    service: KvService
    history: History
    load: Load
    experiment: Experiment
    clocks: Clocks = field(default_factory=Clocks)
    owned: ExitStack = field(default_factory=ExitStack)

    @property
    def client(self) -> KvClient:
        """A client of the service."""
        return self.service.client

    @property
    def strike(self) -> Strike:
        """The one strike of the sound experiment."""
        (strike,) = (step for step in self.experiment.method if isinstance(step, Strike))
        return strike

    @property
    def workload(self) -> Workload:
        """The load of the sound experiment."""
        assert self.experiment.workload is not None
        return self.experiment.workload

    def change(self, **parts: Any) -> None:
        """Replace parts of the experiment."""
        self.experiment = replace(self.experiment, **parts)

    def change_fault(self, **parts: Any) -> None:
        """Replace parts of its fault."""
        self.change(method=(replace(self.strike, fault=replace(self.strike.fault, **parts)),))

    def change_workload(self, **parts: Any) -> None:
        """Replace parts of its load."""
        self.change(workload=replace(self.workload, **parts))

    def before_the_strike(self, action: Action) -> None:
        """Have something done before the fault."""
        self.change(method=(action, self.strike))

    def silence(self) -> Callable[[], None]:
        """A wait on a real connection on which nothing ever comes."""
        listener = self.owned.enter_context(socket.create_server((LOOPBACK, 0)))

        def wait() -> None:
            self.owned.enter_context(socket.create_connection(listener.getsockname())).recv(1)

        return wait


@contextmanager
def bench(folder: Path, *, spoil: str = "", seed: int = 1, rate_per_s: float = RATE_PER_S) -> Iterator[Bench]:
    """A service in `folder` (`spoil` as in `kv_server`) and the sound experiment."""
    with (
        ExitStack() as owned,
        KvService.start(folder / "service", spoil=spoil, timeout_s=_TIMEOUT_S) as service,
        History(folder / "operations.jsonl") as history,
    ):
        load = Load("kv", operating(service.client, history), rate_per_s=rate_per_s, timeout_s=_TIMEOUT_S)
        owned.callback(load.stop)
        yield Bench(service, history, load, sound(service, load, history, seed=seed), owned=owned)


def operating(client: KvClient, history: History) -> Callable[[int], None]:
    """The load's operations: each key is written, read, written once more, and read."""

    def operate(number: int) -> None:
        key = f"{LOAD}{number // 4}"
        if number % 2:
            history.reading(key, lambda: client.get(key))
        else:
            value = f"{number}-x"
            with history.writing(key, value):
                client.put(key, value)

    return operate


def hypothesis(client: KvClient) -> tuple[Probe, ...]:
    """What holds of a sound service."""
    return (
        Probe("health", client.health, Equals(200), timeout_s=_TIMEOUT_S + 1),
        Probe("fixed-0", lambda: client.get("fixed-0"), Equals("value 0"), timeout_s=_TIMEOUT_S + 1),
    )


def refused(url: str, alive: Callable[[], bool]) -> Callable[[], Witness]:
    """The witness that a service is gone: its port refuses, and its process is not there."""

    def witness() -> Witness:
        met, runs = reach(f"{url}/health", timeout_s=_REACH_S), alive()
        return Witness(
            met is Reach.REFUSED and not runs, f"its port {met}, its process {'runs' if runs else 'is gone'}"
        )

    return witness


def sound(service: KvService, load: Load, history: History, *, seed: int) -> Experiment:
    """The experiment: the service is killed and started again."""
    client = service.client
    killed = Fault(
        "service killed",
        apply=service.kill,
        witness=refused(service.url, lambda: service.alive),
        undo=service.restart,
    )
    return Experiment(
        name="sound",
        title="A key-value service is killed under load, and started again",
        seed=seed,
        hypothesis=hypothesis(client),
        method=(Strike(killed, after_s=(0.4, 0.6), hold_s=(0.1, 0.2), limit_s=LIMIT_S),),
        services=(Service("kv", service.url, started_by_us=True, state=client.state),),
        workload=Workload(
            load,
            history,
            client.get,
            most_lag_ms=MOST_LAG_MS,
            stop_timeout_s=30,
            read_back_timeout_s=60,
        ),
        rollbacks=(Action("service runs", service.restart),),
        chaos_type="kv_kill_restart",
    )
