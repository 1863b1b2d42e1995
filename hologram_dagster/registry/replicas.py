"""Copies on further IPFS nodes: what names need is pinned on each, and pinned again where it got lost.

IPFS does not replicate by itself. A publication is acknowledged once the registry's own node has it; a thread
then pins it on the others, which fetch it from each other, and looks over all of them now and then. What
belongs here: who lacks what, and having it pinned. What does not: which names need what (`store`).
"""

import threading
from collections import deque
from collections.abc import Collection, Sequence
from contextlib import suppress

from hologram_dagster.errors import HologramError, ServiceError
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.registry.store import Store

REPAIR_EVERY_S = 5.0
_TIMEOUT_S = 20.0


class Replicas:
    """The nodes beside the registry's own, and that one too: one that came back empty is filled again.

    Safe to use from several threads. `start` begins; `close` ends after what is being pinned now.
    """

    def __init__(
        self, store: Store, ipfs_api: str, others: Sequence[str], *, every_s: float = REPAIR_EVERY_S
    ) -> None:
        self._store = store
        self._nodes = [IpfsClient(api, timeout_s=_TIMEOUT_S) for api in (ipfs_api, *others)]
        self._every_s = every_s
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="replicas", daemon=True)
        self._unneeded = deque[str]()
        self._lacking = 0
        self._pinned = 0

    @property
    def nodes(self) -> int:
        """How many nodes there are, the registry's own among them."""
        return len(self._nodes)

    @property
    def lacking(self) -> int:
        """How many copies were missing, over all nodes, when they were last looked over."""
        return self._lacking

    @property
    def pinned(self) -> int:
        """How many copies this process has had pinned."""
        return self._pinned

    def start(self) -> None:
        """Begin to look over the nodes. With no other node there is nothing to do."""
        if self.nodes > 1:
            self._thread.start()

    def changed(self) -> None:
        """Look over the nodes now: something was published."""
        self._wake.set()

    def dropped(self, cids: Collection[str]) -> None:
        """Have `cids`, which no name needs, unpinned on the other nodes; one that is away keeps its pin."""
        if self.nodes > 1:
            self._unneeded.extend(cids)
            self._wake.set()

    def close(self) -> None:
        """End. Twice is fine."""
        self._ended.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()
        for node in self._nodes:
            node.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._wake.clear()
            # The database may be away as any node: the next time then.
            with suppress(HologramError):
                self._drop()
                self._repair(self._store.needed_cids())
            self._wake.wait(self._every_s)

    def _drop(self) -> None:
        while self._unneeded:
            cid = self._unneeded.popleft()
            for node in self._nodes[1:]:
                with suppress(ServiceError):
                    if not self._store.needs(cid, besides="") and node.is_pinned(cid):
                        node.pin_rm(cid)

    def _repair(self, needed: frozenset[str]) -> None:
        pinned = [(node, self._pinned_on(node)) for node in self._nodes]
        # A node that is away has nothing, and is not asked again before the next time.
        self._lacking = sum(len(needed - (there or frozenset())) for _, there in pinned)
        for node, there in pinned:
            for cid in needed - there if there is not None else ():
                if self._ended.is_set():
                    return
                # Without the lock of changes, which would wait for this node: a name that is gone meanwhile
                # leaves a pin too many here.
                with suppress(ServiceError):
                    if self._store.needs(cid, besides=""):
                        node.pin_add(cid)
                        self._pinned += 1
                        self._lacking -= 1

    @staticmethod
    def _pinned_on(node: IpfsClient) -> frozenset[str] | None:
        try:
            return frozenset(node.pins())
        except ServiceError:
            return None
