"""`chaos_partial_failure`: one part is gone and the others are there.

What does not need the part must work as before; what needs it must fail within the time that
clients wait, and say why. Each case is a table of such expectations.
"""

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin

import httpx

from hologram_dagster.chaos.experiment import Leftover
from hologram_dagster.chaos.experiments.trial import BETWEEN_S, Round, Trial
from hologram_dagster.chaos.faults.services import Incarnation, Killable, freeze, thaw
from hologram_dagster.chaos.faults.witness import Reach, reach
from hologram_dagster.chaos.load import Load
from hologram_dagster.errors import HologramError, ServiceError
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.ipfs.faults import Cause, IpfsError
from hologram_dagster.observation import Finding, Status
from hologram_dagster.protocol.canonical import sha256_hex
from hologram_dagster.registry.client import RegistryClient, RegistryError

NAME = "chaos_partial_failure"
TITLE = "One part is gone: what does not need it works, what does fails fast and clearly"
# As long as the contract's clients wait.
FAST_S = 10.0
RECOVERY_LIMIT_S = 30.0
_HANG_S = 60.0
_SILENCE_S = 1.0
_CONTENT = "what was there before the failure"

_UPSERT = "mutation($n: String!, $c: String!) { upsertObject(name: $n, content: $c) { cid } }"
_RESOLVE = "query($n: String!) { resolve(name: $n) { cid encoding } }"
_INVERSE = "query($e: String!) { inverseResolve(encoding: $e) { name } }"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What `operation` must do while the part is gone: work, or fail as `fails_as` says of its error."""

    operation: str
    do: Callable[[], None]
    fails_as: Callable[[HologramError], bool] | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One part that is gone: breaking it, seeing that it is broken, mending it, and what must hold.

    `leftovers` mend it where this process is killed before it did.
    """

    name: str
    break_it: Callable[[], None]
    witness: Callable[[], tuple[bool, str]]
    mend: Callable[[], None]
    expectations: tuple[Expectation, ...]
    leftovers: Sequence[Leftover] = ()


@dataclass(frozen=True, slots=True)
class Tried:
    """What an expectation came to: why it does not hold (empty: it does), and how long it took, s."""

    case: str
    operation: str
    fault: str
    took_s: float


@dataclass(slots=True)
class PartialFailure:
    """The experiment's state over its cases."""

    cases: Sequence[Case]
    fast_s: float = FAST_S
    tried: list[Tried] = field(default_factory=list)

    def expect(self, case: Case) -> None:
        """Try everything that the case says, while its part is gone."""
        for expectation in case.expectations:
            began = time.monotonic()
            fault = _fault(expectation)
            took = time.monotonic() - began
            if not fault and took > self.fast_s:
                fault = f"took {took:.1f} s, longer than clients wait ({self.fast_s:g} s)"
            self.tried.append(Tried(case.name, expectation.operation, fault, took))

    def trial(
        self, steady: Callable[[], str], *, limit_s: float = RECOVERY_LIMIT_S, load: Load | None = None
    ) -> Trial:
        """The experiment as a trial: a round for each case, over when all is `steady` again."""

        def of(case: Case) -> Round:
            return Round(
                case.name,
                inject=case.break_it,
                witness=case.witness,
                mend=case.mend,
                recovered=lambda: not steady(),
                meanwhile=lambda: self.expect(case),
                limit_s=limit_s,
                leftovers=case.leftovers,
                after_s=BETWEEN_S if load is not None else 0.0,
            )

        return Trial(
            NAME,
            steady,
            [of(case) for case in self.cases],
            self.findings,
            self.values,
            load,
            title=TITLE,
            budget_ms=1000 * self.fast_s,
            chaos_type="partial_failure",
        )

    def findings(self) -> tuple[Finding, ...]:
        """One for each case that was tried."""
        found = []
        for name in dict.fromkeys(each.case for each in self.tried):
            of_case = [each for each in self.tried if each.case == name]
            faults = [f"{each.operation} {each.fault}" for each in of_case if each.fault]
            told = "; ".join(faults) or f"all {len(of_case)} operations did as they must"
            found.append(Finding(name, Status.FAILED if faults else Status.PASSED, told))
        return tuple(found)

    def values(self) -> Mapping[str, float]:
        """The figures."""
        held = sum(not each.fault for each in self.tried)
        return {
            "chaos_events": len({each.case for each in self.tried}),
            "operations": len(self.tried),
            "success_rate": held / len(self.tried) if self.tried else 0.0,
            "failure_rate": 1 - held / len(self.tried) if self.tried else 1.0,
            "slowest_s": max((each.took_s for each in self.tried), default=0.0),
        }


def _fault(expectation: Expectation) -> str:
    try:
        expectation.do()
    except HologramError as error:
        if expectation.fails_as is None:
            return f"failed: {error}"
        return "" if expectation.fails_as(error) else f"failed otherwise than it must: {error}"
    return "" if expectation.fails_as is None else "worked, though it cannot have"


def with_code(code: str) -> Callable[[HologramError], bool]:
    """The expectation that the registry refuses with this `extensions.code`."""
    return lambda error: isinstance(error, RegistryError) and error.code == code


def refused(error: HologramError) -> bool:
    """The expectation that nobody listens: said so, and not as a time that ran out."""
    if isinstance(error, IpfsError):
        return error.cause is Cause.REFUSED
    return isinstance(error, RegistryError) and "cannot reach" in str(error)


class Operations:
    """What is done in the cases, against one registry and one node. A context manager closes it."""

    def __init__(self, ipfs_api: str, graphql_url: str, token: str | None, *, name: str) -> None:
        self._graphql_url = graphql_url
        self._name = name
        self._ipfs = IpfsClient(ipfs_api, timeout_s=_HANG_S)
        self._registry = RegistryClient(graphql_url, token=token, timeout_s=_HANG_S)
        self._cid = self._encoding = ""

    def __enter__(self) -> "Operations":
        return self

    def __exit__(self, *_: object) -> None:
        self._ipfs.close()
        self._registry.close()

    def prepare(self) -> None:
        """Publish what is to be there.

        Raises:
            HologramError: it cannot be published.
        """
        self.publish()
        resolved = self.registered()
        self._cid, self._encoding = resolved["cid"], resolved["encoding"]

    @property
    def cid(self) -> str:
        """The CID of what was prepared."""
        return self._cid

    def steady(self) -> str:
        """Why publishing, resolving or reading does not work; empty when all do."""
        try:
            self.publish()
            self.resolve()
            self.read()
        except HologramError as error:
            return str(error)
        return ""

    def publish(self) -> None:
        """Publish under the name, which changes nothing when it was before."""
        self._registry.execute(_UPSERT, {"n": self._name, "c": _CONTENT})

    def resolve(self) -> None:
        """Resolve the name, and hold it to be as it was."""
        resolved = self.registered()
        if resolved != {"cid": self._cid, "encoding": self._encoding}:
            raise ServiceError(f"{self._name} resolves to {resolved}")

    def registered(self) -> Mapping[str, str]:
        """What the registry says of the name."""
        return dict(self._registry.execute(_RESOLVE, {"n": self._name})["resolve"])

    def kept(self) -> Mapping[str, str]:
        """What the node has of the content."""
        return {self._cid: sha256_hex(self._ipfs.cat(self._cid))}

    def inverse(self) -> None:
        """Find the name by its encoding."""
        found = self._registry.execute(_INVERSE, {"e": self._encoding})["inverseResolve"]
        if found != {"name": self._name}:
            raise ServiceError(f"the encoding of {self._name} leads to {found}")

    def read(self, ipfs: IpfsClient | None = None) -> None:
        """Read the content from a node, checked against its CID."""
        if (ipfs or self._ipfs).cat(self._cid) != _CONTENT.encode():
            raise ServiceError(f"{self._cid} reads back as other bytes")

    def add(self) -> None:
        """Add content to the node."""
        self._ipfs.add(_CONTENT.encode())

    def health(self) -> None:
        """Ask the registry whether it lives."""
        self._page("/health", {httpx.codes.OK})

    def unready(self) -> None:
        """Ask the registry whether it is ready, and hold it to say that it is not."""
        self._page("/ready", {httpx.codes.SERVICE_UNAVAILABLE})

    def ready(self) -> None:
        """Ask the registry whether it is ready, and hold it to say so."""
        self._page("/ready", {httpx.codes.OK})

    def _page(self, path: str, wanted: set[int]) -> None:
        try:
            answer = httpx.get(urljoin(self._graphql_url, path), timeout=_HANG_S, trust_env=False)
        except httpx.HTTPError as error:
            raise ServiceError(f"{path} gave no answer: {error}") from error
        if answer.status_code not in wanted:
            raise ServiceError(f"{path} answered with status {answer.status_code}")


def ipfs_down(node: Killable, ipfs_api: str, do: Operations, *, leftovers: Sequence[Leftover] = ()) -> Case:
    """The node is killed, the registry runs: reading names works, changing them is refused."""
    gone = with_code("IPFS_UNAVAILABLE")
    return Case(
        "ipfs_down",
        node.kill,
        lambda: _is_refused(f"{ipfs_api}/api/v0/version"),
        node.restart,
        (
            Expectation("resolve", do.resolve),
            Expectation("inverseResolve", do.inverse),
            Expectation("health", do.health),
            Expectation("ready", do.unready),
            Expectation("publish", do.publish, gone),
            Expectation("read", do.read, refused),
        ),
        leftovers,
    )


def ipfs_frozen(pid: Callable[[], int], ipfs_api: str, do: Operations) -> Case:
    """The node keeps its port and answers nothing: reading names works, changes end in time."""
    return Case(
        "ipfs_frozen",
        lambda: freeze(pid()),
        lambda: _is_frozen(pid(), ipfs_api),
        lambda: thaw(pid()),
        (
            Expectation("resolve", do.resolve),
            Expectation("health", do.health),
            Expectation("ready", do.unready),
            Expectation("publish", do.publish, with_code("IPFS_UNAVAILABLE")),
        ),
    )


def registry_down(
    registry: Killable, graphql_url: str, do: Operations, *, leftovers: Sequence[Leftover] = ()
) -> Case:
    """The registry is killed, the node runs: content is there by its CID, names are not."""
    return Case(
        "registry_down",
        registry.kill,
        lambda: _is_refused(graphql_url),
        registry.restart,
        (
            Expectation("read", do.read),
            Expectation("add", do.add),
            Expectation("resolve", do.resolve, refused),
            Expectation("publish", do.publish, refused),
        ),
        leftovers,
    )


class DatabaseLock:
    """Another writer that holds an SQLite database, and does not let go."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._holder: sqlite3.Connection | None = None

    def hold(self) -> None:
        """Begin to write, and leave it at that.

        Raises:
            HologramError: the database cannot be locked.
        """
        self._holder = self._connection()
        try:
            self._holder.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            raise HologramError(f"cannot lock {self._database}: {error}.") from error

    def release(self) -> None:
        """Let go. Twice is fine."""
        if self._holder is not None:
            self._holder.close()
            self._holder = None

    def witness(self) -> tuple[bool, str]:
        """Whether a third writer is refused."""
        with closing(self._connection()) as third:
            try:
                third.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                return "locked" in str(error), f"another writer meets: {error}"
        return False, "another writer can write"

    def _connection(self) -> sqlite3.Connection:
        return sqlite3.connect(self._database, timeout=0, isolation_level=None, check_same_thread=False)


def database_locked(lock: DatabaseLock, do: Operations) -> Case:
    """Another process writes and does not end: reading works, writing is refused."""
    return Case(
        "database_locked",
        lock.hold,
        lock.witness,
        lock.release,
        (
            Expectation("resolve", do.resolve),
            Expectation("inverseResolve", do.inverse),
            Expectation("health", do.health),
            Expectation("read", do.read),
            Expectation("publish", do.publish, with_code("STORAGE_UNAVAILABLE")),
        ),
    )


def node_stopped(pid: int, api: str, others: Sequence[IpfsClient], do: Operations) -> Case:
    """One of several nodes is stopped: the others have the content, and publishing goes on."""

    def read_from(other: IpfsClient) -> Callable[[], None]:
        return lambda: do.read(other)

    return Case(
        "node_stopped",
        lambda: freeze(pid),
        lambda: _is_frozen(pid, api),
        lambda: thaw(pid),
        (
            *(Expectation(f"read from {other.address}", read_from(other)) for other in others),
            Expectation("resolve", do.resolve),
            Expectation("publish", do.publish),
            Expectation("ready", do.ready),
        ),
    )


def _is_frozen(pid: int, api: str) -> tuple[bool, str]:
    met = reach(f"{api}/api/v0/version", timeout_s=_SILENCE_S)
    frozen = Incarnation.of(pid).frozen
    return met is Reach.SILENT and frozen, f"its RPC is {met}, its process {'frozen' if frozen else 'runs'}"


def _is_refused(url: str) -> tuple[bool, str]:
    met = reach(url, timeout_s=_SILENCE_S)
    return met is Reach.REFUSED, f"a request is {met}"
