"""A real network link in front of a service: cut, dropping, rejecting, or narrow.

Traffic takes a veth pair between the host and a namespace of its own, so the kernel's own rules
(nft) and queues (tbf) act on it. Linux and root. What belongs here: what is done to the link.
What does not: the namespace (`namespaces`), faults of a proxy (`proxy`).
"""

from contextlib import ExitStack
from enum import StrEnum
from types import TracebackType
from typing import Self

from hologram_dagster.chaos.faults.namespaces import Namespace, lacking, remove, run
from hologram_dagster.chaos.faults.proxy import Proxy

_TABLE = "hologram"
# A full frame carries 1448 bytes of TCP payload (MTU 1500, time stamps) and counts as 1514 to tbf.
_FRAME_PER_PAYLOAD = 1514 / 1448
# Two frames at least, and some ticks of the kernel's clock.
_LEAST_BURST_BYTES = 2 * 1514
_BURST_S = 0.02
# So long a queue that nothing is lost, as TCP bounds what it puts there: a loss would cost more rate.
_QUEUE_BYTES = 4 << 20


class Cut(StrEnum):
    """How a link is parted: the cable pulled, packets dropped in silence, or answered with RST."""

    DOWN = "down"
    DROP = "drop"
    REJECT = "reject"


class Link:
    """A link to the service at `service_url`, whose address by way of it is `url`.

    From `url`, a proxy that connects from inside the namespace; over the veth pair; then a relay
    at the host's end to the service, which need not know of any of it.
    """

    def __init__(self, namespace: Namespace, near: Proxy, owned: ExitStack) -> None:
        """Prefer `start`. `owned` closes what was started."""
        self.namespace = namespace
        self._near = near
        self._owned = owned
        self._narrow = False

    @classmethod
    def start(cls, service_url: str, *, seed: int = 0) -> Self:
        """Make the link and its two relays.

        Raises:
            HologramError: not root, iproute2 lacks, or the kernel refuses (`namespaces.lacking`).
        """
        with ExitStack() as owned:
            namespace = Namespace.create()
            owned.callback(remove, namespace.name)
            far = owned.enter_context(Proxy.start(service_url, seed=seed, host=namespace.outside_address))
            near = owned.enter_context(Proxy.start(far.url, seed=seed, namespace=namespace.name))
            return cls(namespace, near, owned.pop_all())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The service's URL, by way of the link."""
        return self._near.url

    def cut(self, how: Cut) -> None:
        """Part the two ends.

        Raises:
            HologramError: `DROP` and `REJECT` need nft.
        """
        if how is Cut.DOWN:
            run("ip", "link", "set", self.namespace.outside, "down")
            return
        verdict = "drop" if how is Cut.DROP else "meta l4proto tcp reject with tcp reset"
        self._nft("add", "table", "inet", _TABLE)
        for chain, way in (("in", "iifname"), ("out", "oifname")):
            hook = "input" if chain == "in" else "output"
            self._nft("add", "chain", "inet", _TABLE, chain, f"{{ type filter hook {hook} priority 0 ; }}")
            self._nft("add", "rule", "inet", _TABLE, chain, way, self.namespace.inside, *verdict.split())

    def mend(self) -> None:
        """Undo `cut`, whichever it was."""
        run("ip", "link", "set", self.namespace.outside, "up")
        if f"table inet {_TABLE}" in self._nft_tables():
            self._nft("delete", "table", "inet", _TABLE)

    def narrow(self, bytes_per_s: float) -> None:
        """Let `bytes_per_s` of payload through, each way (token bucket, tc-tbf(8))."""
        frames_per_s = bytes_per_s * _FRAME_PER_PAYLOAD
        burst = max(_LEAST_BURST_BYTES, round(frames_per_s * _BURST_S))
        shape = ["root", "tbf", "rate", f"{round(8 * frames_per_s)}bit"]
        shape += ["burst", str(burst), "limit", str(_QUEUE_BYTES)]
        run("tc", "qdisc", "replace", "dev", self.namespace.outside, *shape)
        run("tc", "-n", self.namespace.name, "qdisc", "replace", "dev", self.namespace.inside, *shape)
        self._narrow = True

    def widen(self) -> None:
        """Undo `narrow`."""
        if self._narrow:
            run("tc", "qdisc", "del", "dev", self.namespace.outside, "root")
            run("tc", "-n", self.namespace.name, "qdisc", "del", "dev", self.namespace.inside, "root")
            self._narrow = False

    def close(self) -> None:
        """End the relays and remove the namespace. Twice is fine."""
        self._owned.close()

    def _nft(self, *arguments: str) -> str:
        return run("ip", "netns", "exec", self.namespace.name, "nft", *arguments)

    def _nft_tables(self) -> str:
        return self._nft("list", "tables") if not lacking("nft") else ""
