"""`chaos_replication`: published content has a copy on every node, and a lost copy is made again.

IPFS does not replicate by itself; the registry has what it publishes pinned on each of its nodes. All
nodes but one are killed, each in turn the one that is left: what is read then is its own copy, as the network
to the publisher is cut. Then each is killed by itself, and last one loses all it has, and is filled again.
"""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from hologram_dagster.chaos.experiments.publishing import Publication
from hologram_dagster.chaos.experiments.trial import Round, Trial
from hologram_dagster.chaos.faults.services import Killable
from hologram_dagster.chaos.faults.witness import Reach, reach
from hologram_dagster.chaos.load import Load
from hologram_dagster.errors import HologramError, ServiceError
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.observation import Finding, Status
from hologram_dagster.processes import wait_until

NAME = "chaos_replication"
TITLE = "One and two of three nodes are killed, and one loses all it has: all reads, and is copied again"
LEAST_FACTOR = 3
REPAIR_LIMIT_S = 60.0
_SILENCE_S = 2.0
_TIMEOUT_S = 10.0


class Node(Killable, Protocol):
    """An IPFS node that the experiment may kill and empty."""

    @property
    def api_url(self) -> str:
        """URL of its RPC."""

    @property
    def repo(self) -> Path:
        """Its repository."""


@dataclass(slots=True)
class Replication:
    """The experiment's state, and its steps.

    `published` is what must be on all `nodes`, `resolve` asks the registry for one of its names and raises
    `HologramError` where it cannot; `rejoin` connects the nodes once more.
    """

    nodes: Sequence[Node]
    published: Sequence[Publication]
    resolve: Callable[[Publication], None]
    rejoin: Callable[[], None]
    repair_limit_s: float = REPAIR_LIMIT_S
    read_timeout_s: float = _TIMEOUT_S
    # Contents that each node gave while all others were dead, by number.
    alone: dict[int, set[str]] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=dict)
    repaired_s: float | None = None
    _emptied_s: float = 0.0

    def lacking(self) -> str:
        """Which node has not every content pinned; empty when all have."""
        try:
            for node in self.nodes:
                if missing := self._missing(node):
                    return f"{node.api_url} lacks {len(missing)} of {len(self.published)} contents"
        except HologramError as error:
            return str(error)
        return ""

    def steady(self) -> str:
        """Why a name does not resolve, or a node does not answer; empty when all do.

        How many copies there are is what is judged, and so no condition.
        """
        try:
            for made in self.published:
                self.resolve(made)
            for node in self.nodes:
                self._missing(node)
        except HologramError as error:
            return str(error)
        return ""

    def _missing(self, node: Node) -> set[str]:
        with IpfsClient(node.api_url, timeout_s=_TIMEOUT_S) as client:
            pinned = client.pins().keys()
        return {made.cid for made in self.published} - pinned

    def trial(self, load: Load | None = None) -> Trial:
        """The experiment as a trial: a round for each node left alone, each killed, and one emptied."""
        numbers = range(len(self.nodes))
        rounds = [
            # First: what is read of a node that has others stays there.
            *(
                self._killed(f"all but node {number + 1} killed", [n for n in numbers if n != number])
                for number in numbers
            ),
            *(self._killed(f"node {number + 1} killed", [number]) for number in numbers),
            self._emptied(),
        ]
        return Trial(
            NAME,
            self._settled,
            rounds,
            self.findings,
            self.values,
            load,
            title=TITLE,
            chaos_type="ipfs_replication",
        )

    def _settled(self) -> str:
        """As `steady`, once the copies of what was just published had time to be made."""
        wait_until(lambda: not self.lacking(), timeout_s=self.repair_limit_s)
        return self.steady()

    def _killed(self, name: str, numbers: Sequence[int]) -> Round:
        victims = [self.nodes[number] for number in numbers]
        left = [number for number in range(len(self.nodes)) if number not in numbers]

        def kill() -> None:
            for node in victims:
                node.kill()

        def witness() -> tuple[bool, str]:
            met = [reach(f"{node.api_url}/api/v0/version", timeout_s=_SILENCE_S) for node in victims]
            return all(each is Reach.REFUSED for each in met), f"their RPCs: {', '.join(met)}"

        def read() -> None:
            self.faults[name] = []
            for number in left:
                given = self._read_all(name, self.nodes[number])
                if len(left) == 1:
                    self.alone[number] = given
            for made in self.published:
                try:
                    self.resolve(made)
                except HologramError as error:
                    self.faults[name].append(str(error))

        def mend() -> None:
            for node in victims:
                node.restart()
            self.rejoin()

        return Round(
            name, kill, witness, mend, lambda: not self.steady(), meanwhile=read, limit_s=self.repair_limit_s
        )

    def _read_all(self, name: str, node: Node) -> set[str]:
        given = set()
        with IpfsClient(node.api_url, timeout_s=self.read_timeout_s) as client:
            for made in self.published:
                try:
                    if client.cat(made.cid) != made.payload:
                        raise ServiceError(f"{made.cid} reads back as other bytes")
                    given.add(made.cid)
                except HologramError as error:
                    self.faults[name].append(str(error))
        return given

    def _emptied(self) -> Round:
        node = self.nodes[-1]

        def lose() -> None:
            node.kill()
            shutil.rmtree(node.repo)
            self._emptied_s = time.monotonic()

        def witness() -> tuple[bool, str]:
            there = node.repo.exists()
            return not there, f"its repository is {'there' if there else 'gone'}"

        def start() -> None:
            node.restart()
            self.rejoin()

        def filled() -> bool:
            if self.lacking() or self.steady():
                return False
            if self.repaired_s is None:
                self.repaired_s = time.monotonic() - self._emptied_s
            return True

        return Round(
            "a node lost all it had",
            lose,
            witness,
            start,
            filled,
            limit_s=self.repair_limit_s,
            sustained=False,
        )

    @property
    def factor(self) -> int:
        """On how many nodes the content is that is on the fewest."""
        return min(
            (sum(made.cid in given for given in self.alone.values()) for made in self.published), default=0
        )

    def findings(self) -> tuple[Finding, ...]:
        """What must hold, once all is over."""
        one, two = (
            [
                fault
                for name, faults in self.faults.items()
                if name.startswith("all but") == several
                for fault in faults
            ]
            for several in (False, True)
        )
        told = f"every content is on {self.factor} nodes at least, {LEAST_FACTOR} are required"
        repair = "the emptied node was never filled again"
        if self.repaired_s is not None:
            repair = f"the emptied node had every content again after {self.repaired_s:.1f} s"
        return (
            _finding("replication_factor", self.factor >= LEAST_FACTOR, told),
            _finding("one_gone", not one, one[0] if one else "with any one node dead everything reads"),
            _finding("two_gone", not two, two[0] if two else "with any one node alone everything reads"),
            _finding("repaired", self.repaired_s is not None, repair),
        )

    def values(self) -> Mapping[str, float]:
        """The figures."""
        figures = {
            "chaos_events": float(len(self.faults) + (self._emptied_s > 0)),
            "contents": float(len(self.published)),
            "replication_factor": float(self.factor),
        }
        if self.repaired_s is not None:
            figures["repair_ms"] = 1000 * self.repaired_s
        return figures


def _finding(name: str, held: bool, told: str) -> Finding:
    return Finding(name, Status.PASSED if held else Status.FAILED, told)
