"""Publishing under a fault: each operation tried as the contract's client does, all of it remembered.

What belongs here: the operation, and asking afterwards whether anything acknowledged was lost. What
does not: the fault, and how often operations fall due.
"""

import queue
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random

from hologram_dagster.chaos.retrying import RetryPolicy, Trace, breach, retrying
from hologram_dagster.e2e import naming
from hologram_dagster.e2e.services import StepFailed
from hologram_dagster.errors import HologramError, ServiceError
from hologram_dagster.ipfs.cids import cid_of
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.ipfs.faults import Cause, IpfsError
from hologram_dagster.registry.client import RegistryClient

# One try (contract section 3.8).
TRY_TIMEOUT_S = 2.0
# For asking afterwards, when nothing is in the way any more.
_CHECK_TIMEOUT_S = 10.0
_PAYLOAD_BYTES = 256
# The node was not asked; any other failure is its answer.
_UNREACHABLE = frozenset({Cause.REFUSED, Cause.RESET})


@dataclass(frozen=True, slots=True)
class Publication:
    """A content and the name it is published under."""

    name: str
    cid: str
    payload: bytes


class Publisher:
    """Publishes contents of its own under names of its own; safe to use from several threads.

    `try_timeout_s` bounds each request of a try. A context manager closes the connections.
    """

    def __init__(
        self,
        ipfs_api: str,
        graphql_url: str,
        token: str | None = None,
        *,
        seed: int,
        policy: RetryPolicy | None = None,
        try_timeout_s: float = TRY_TIMEOUT_S,
    ) -> None:
        self.policy = RetryPolicy() if policy is None else policy
        self._ipfs_api, self._graphql_url, self._token = ipfs_api, graphql_url, token
        self._try_timeout_s = try_timeout_s
        self._seed = seed
        self._mark = secrets.token_hex(4)
        self._ipfs = IpfsClient(ipfs_api, timeout_s=try_timeout_s)
        self._idle: queue.LifoQueue[RegistryClient] = queue.LifoQueue()
        self._mutex = threading.Lock()
        self._acknowledged: list[Publication] = []
        self._traces: list[Trace] = []
        self._made: list[Publication] = []

    def __enter__(self) -> "Publisher":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._ipfs.close()
        while not self._idle.empty():
            self._idle.get_nowait().close()

    @property
    def acknowledged(self) -> Sequence[Publication]:
        """What was acknowledged so far."""
        with self._mutex:
            return tuple(self._acknowledged)

    @property
    def made(self) -> Sequence[Publication]:
        """What it set out to publish so far, acknowledged or not."""
        with self._mutex:
            return tuple(self._made)

    @property
    def traces(self) -> Sequence[Trace]:
        """How each operation was tried, of those that have ended."""
        with self._mutex:
            return tuple(self._traces)

    def publish(self, number: int) -> None:
        """Publish the content of operation `number`, with retries.

        Raises:
            HologramError: the last try failed.
        """
        random = Random(f"{self._seed}/{number}")
        made = self._content(f"{number}", random.randbytes(_PAYLOAD_BYTES))
        trace, failure = retrying(lambda: self._try(made), self.policy, random)
        with self._mutex:
            self._traces.append(trace)
            if failure is None:
                self._acknowledged.append(made)
        if failure is not None:
            raise failure

    def probe(self) -> str:
        """Publish once without retries and read it back; why that failed, empty if it did not."""
        word = secrets.token_hex(8)
        made = self._content(f"probe-{word}", word.encode())
        try:
            self._try(made)
            return self._missing(made, self._ipfs)
        except HologramError as error:
            return str(error)

    def lost(self) -> list[str]:
        """What was acknowledged and is not there, or not as it was: a sentence for each.

        Raises:
            HologramError: the services cannot be asked, so nobody knows.
        """
        with IpfsClient(self._ipfs_api, timeout_s=_CHECK_TIMEOUT_S) as ipfs:
            found = [self._missing(made, ipfs) for made in self.acknowledged]
        return [told for told in found if told]

    def breaches(self, *, late_s: float) -> list[str]:
        """Every departure from the retry policy; waits may be `late_s` longer than it says."""
        return [told for trace in self.traces if (told := breach(trace, self.policy, late_s=late_s))]

    def _try(self, made: Publication) -> None:
        try:
            cid = self._ipfs.add(made.payload)
            with self._registry() as registry:
                naming.check_published(naming.publish(registry, made.name, cid), made.name, cid)
        except StepFailed as failure:
            raise ServiceError(str(failure)) from failure

    def _missing(self, made: Publication, ipfs: IpfsClient) -> str:
        try:
            with self._registry() as registry:
                naming.check_resolved(naming.resolve(registry, made.name), made.name, made.cid)
        except StepFailed as failure:
            return f"acknowledged, but {failure}"
        try:
            # A node looks long for content that it has not: ask first what it claims to have.
            if not ipfs.is_pinned(made.cid):
                return f"{made.name} was acknowledged and is not pinned"
            data = ipfs.cat(made.cid, check=False)
        except IpfsError as error:
            if error.cause in _UNREACHABLE:
                raise
            return f"{made.name} was acknowledged and cannot be read: {error}"
        return "" if data == made.payload else f"{made.name} was acknowledged and reads back as other bytes"

    @contextmanager
    def _registry(self) -> Iterator[RegistryClient]:
        try:
            client = self._idle.get_nowait()
        except queue.Empty:
            client = RegistryClient(self._graphql_url, token=self._token, timeout_s=self._try_timeout_s)
        try:
            yield client
        finally:
            self._idle.put(client)

    def _content(self, word: str, payload: bytes) -> Publication:
        made = Publication(f"chaos/{self._mark}-{word}", cid_of(payload), payload)
        with self._mutex:
            self._made.append(made)
        return made
