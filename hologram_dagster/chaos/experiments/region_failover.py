"""`chaos_region_failover`: one of two regions is killed under load, and comes back.

A region is a registry and its IPFS node; both regions write to one PostgreSQL. Clients know the addresses of
all registries, stay with one, and go to the next when it does not answer. What was acknowledged must be
there, nothing old may be read, and clients go back to the first region once it serves.
"""

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import uuid4

from hologram_dagster.chaos.experiment import Leftover
from hologram_dagster.chaos.experiments.trial import Round, Trial
from hologram_dagster.chaos.faults.services import Killable
from hologram_dagster.chaos.faults.witness import Reach, reach
from hologram_dagster.chaos.history import History
from hologram_dagster.chaos.load import Load, Operation, now_s
from hologram_dagster.errors import HologramError
from hologram_dagster.ipfs.cids import cid_of
from hologram_dagster.observation import Finding, Status
from hologram_dagster.registry.client import RegistryClient, RegistryError

NAME = "chaos_region_failover"
TITLE = "One of two regions is killed under load, and comes back: clients fail over, and nothing is lost"
RTO_LIMIT_S = 30.0
MOST_FAILED = 0.05
_SILENCE_S = 2.0
_STORE = "mutation($n: String!, $c: String!) { upsertObject(name: $n, content: $c) { cid } }"
_RESOLVE = "query($n: String!) { resolve(name: $n) { cid } }"


class Failover:
    """A client of several registries: stays with one, and goes on to the next that answers.

    Safe to use from several threads. What a registry refuses by its rules is an answer. A context manager
    closes the connections, which are kept.
    """

    def __init__(self, urls: Sequence[str], *, timeout_s: float, token: str | None = None) -> None:
        self.urls = tuple(urls)
        self._token = token
        self._idle: list[queue.LifoQueue[RegistryClient]] = [queue.LifoQueue() for _ in urls]
        self._timeout_s = timeout_s
        self._mutex = threading.Lock()
        self._current = 0
        self.switched = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for idle in self._idle:
            while not idle.empty():
                idle.get_nowait().close()

    @contextmanager
    def client(self, number: int) -> Iterator[RegistryClient]:
        """A connection to the registry `number`, which nobody else uses meanwhile."""
        try:
            client = self._idle[number].get_nowait()
        except queue.Empty:
            client = RegistryClient(self.urls[number], token=self._token, timeout_s=self._timeout_s)
        try:
            yield client
        finally:
            self._idle[number].put(client)

    @property
    def current(self) -> int:
        """The number of the registry that is asked first."""
        return self._current

    def execute(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Send a query to the registry in use, and to the others while there is no answer.

        Raises:
            RegistryError: a registry refused it, or none answered.
        """
        first = self._current
        failure: RegistryError | None = None
        for step in range(len(self.urls)):
            number = (first + step) % len(self.urls)
            try:
                with self.client(number) as client:
                    answer = client.execute(query, variables)
            except RegistryError as error:
                if error.code is not None:
                    raise
                failure = error
            else:
                self._stay_with(number)
                return answer
        assert failure is not None
        raise failure

    def go_back(self) -> None:
        """Ask the first registry first again."""
        self._stay_with(0)

    def _stay_with(self, number: int) -> None:
        with self._mutex:
            self.switched += number != self._current
            self._current = number


@dataclass(slots=True)
class RegionFailover:
    """The experiment's state, and its steps.

    `first` is the registry and the node of region A, which is killed, `pages` what is asked of them to see
    that they are gone. `client` knows both regions, `history` gets every operation.
    """

    first: Sequence[Killable]
    pages: Sequence[str]
    client: Failover
    history: History
    rejoin: Callable[[], None]
    hold_s: float = 2.0
    rate_per_s: float = 8.0
    timeout_s: float = 10.0
    leftovers: Sequence[Leftover] = ()
    failback_s: float | None = None
    _killed_s: float = 0.0
    _started_s: float = 0.0
    _mark: str = field(default_factory=lambda: uuid4().hex[:8])
    # What was published, or may have been: CIDs by name.
    made: dict[str, str] = field(default_factory=dict)
    load: Load = field(init=False)

    def __post_init__(self) -> None:
        """Make the load: each name is written, read, written once more, and read."""
        self.load = Load(
            "regions", self._operate, rate_per_s=self.rate_per_s, timeout_s=2 * self.timeout_s + 5
        )

    def _operate(self, number: int) -> None:
        key = f"chaos/regions/{self._mark}/{number // 4}"
        if number % 2:
            self.history.reading(key, lambda: self.read(key))
        else:
            content = f"{key} as of {number}"
            self.made[key] = cid_of(content.encode())
            with self.history.writing(key, self.made[key]):
                self.client.execute(_STORE, {"n": key, "c": content})

    def read(self, key: str) -> str | None:
        """The CID that `key` names; None where there is no such name."""
        found = self.client.execute(_RESOLVE, {"n": key})["resolve"]
        return None if found is None else str(found["cid"])

    def steady(self) -> str:
        """Why a region does not take and give a name; empty when both do."""
        for number in range(len(self.client.urls)):
            key = f"chaos/regions/{self._mark}/steady-{number}"
            self.made[key] = cid_of(key.encode())
            try:
                with self.client.client(number) as client:
                    client.execute(_STORE, {"n": key, "c": key})
                    if not client.execute(_RESOLVE, {"n": key})["resolve"]:
                        return f"region {number + 1} does not find what it has just stored"
            except HologramError as error:
                return f"region {number + 1}: {error}"
        return ""

    def kill(self) -> None:
        """Kill all of region A."""
        self._killed_s = now_s()
        for service in self.first:
            service.kill()

    def witness(self) -> tuple[bool, str]:
        """Whether nobody listens in region A."""
        met = [reach(page, timeout_s=_SILENCE_S) for page in self.pages]
        return all(each is Reach.REFUSED for each in met), f"region A: {', '.join(met)}"

    def start(self) -> None:
        """Start region A again."""
        self._started_s = now_s()
        for service in reversed(self.first):
            service.restart()
        self.rejoin()

    def failed_back(self) -> bool:
        """Whether both regions serve, and a client that asks the first one again stays with it."""
        if self.steady():
            return False
        self.client.go_back()
        with suppress(HologramError):
            self.read(f"chaos/regions/{self._mark}/steady-0")
        if self.client.current != 0:
            return False
        if self.failback_s is None:
            self.failback_s = now_s() - self._started_s
        return True

    def trial(self) -> Trial:
        """The experiment as a trial of one round."""
        outage = Round(
            "region A killed",
            self.kill,
            self.witness,
            self.start,
            self.failed_back,
            limit_s=RTO_LIMIT_S,
            after_s=self.hold_s,
            hold_s=self.hold_s,
            leftovers=self.leftovers,
        )
        return Trial(
            NAME,
            self.steady,
            [outage],
            self.findings,
            self.values,
            self.load,
            title=TITLE,
            chaos_type="region_failover",
            history=self.history,
            read_back=self.read,
        )

    @property
    def rto_s(self) -> float | None:
        """From the kill until an operation that was sent after it was done, s; None where none was."""
        ends = [each.ended_s for each in self._after_the_kill() if each.done]
        return min(ends) - self._killed_s if ends else None

    def _after_the_kill(self) -> list[Operation]:
        return [
            each
            for each in self.load.operations
            if each.sent_s is not None and each.sent_s >= self._killed_s > 0
        ]

    def findings(self) -> tuple[Finding, ...]:
        """What must hold, once all is over; that nothing was lost or stale the history tells."""
        rto = self.rto_s
        operations = self.load.operations
        failed = [each for each in operations if not each.done]
        share = len(failed) / len(operations) if operations else 1.0
        told = "no operation was done after region A was killed"
        if rto is not None:
            told = (
                f"the first operation was done {1000 * rto:.0f} ms after the kill, within {RTO_LIMIT_S:g} s"
            )
        why = f": {failed[0].error}" if failed else ""
        back = "no client went back to region A"
        if self.failback_s is not None:
            back = f"clients were back at region A {self.failback_s:.1f} s after it was started"
        return (
            _finding("rto", rto is not None and rto < RTO_LIMIT_S, told),
            _finding(
                "failed_requests",
                share <= MOST_FAILED,
                f"{len(failed)} of {len(operations)} operations failed, {100 * MOST_FAILED:g} % may{why}",
            ),
            _finding("failback", self.failback_s is not None, back),
        )

    def values(self) -> Mapping[str, float]:
        """The figures."""
        figures = {
            "chaos_events": float(self._killed_s > 0),
            "failed_requests": float(sum(not each.done for each in self.load.operations)),
            "switches": float(self.client.switched),
        }
        if self.rto_s is not None:
            figures["rto_ms"] = 1000 * self.rto_s
        if self.failback_s is not None:
            figures["failback_ms"] = 1000 * self.failback_s
        return figures


def _finding(name: str, held: bool, told: str) -> Finding:
    return Finding(name, Status.PASSED if held else Status.FAILED, told)
