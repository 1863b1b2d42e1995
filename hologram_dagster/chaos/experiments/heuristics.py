"""`chaos_heuristics`: is a failure called what it is?

Known causes are injected between our clients and a real node and registry, and the classifier
(`chaos.classifying`) names what the clients then meet. The confusion table is the evidence; one failure
that is called something else is red.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Self
from urllib.parse import urljoin

import httpx

from hologram_dagster.chaos.classifying import Failure, classify
from hologram_dagster.chaos.experiments.trial import Round, Trial
from hologram_dagster.chaos.faults.proxy import Proxy
from hologram_dagster.chaos.faults.toxics import Blackhole, Corruption, Direction, Reset, Toxic
from hologram_dagster.chaos.faults.witness import Reach, reach
from hologram_dagster.errors import HologramError, ServiceError
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.observation import Finding, Status
from hologram_dagster.perf.raw_http import RawClient
from hologram_dagster.registry.client import RegistryClient

NAME = "chaos_heuristics"
TITLE = "Known causes of failure are injected, and each failure must be called what it is"
SAMPLES = 5
# The contract's timeout heuristic waits 0.1 s (section 3.8); a busy host needs more to answer at all.
_IMPATIENT_S = 0.5
_PATIENT_S = 30.0
_MOST_TRIES = 60
# Some bits of the content, and hardly ever one of the few hundred bytes around it.
_FLIPS_PER_BYTE = 1e-5
# More at once than the reference registry lets wait, each asking for as much as one query may.
_CROWD = 160
_NAMES_A_REQUEST = 32

_QUERY = "query($n: String!) { resolve(name: $n) { cid } }"
_ASKED = " ".join(
    f"n{number}: resolve(name: $n) {{ encoding proofs {{ merkleRoot witnesses }} }}"
    for number in range(_NAMES_A_REQUEST)
)
_HEAVY = f"query($n: String!) {{ {_ASKED} }}"


class Crowd:
    """Many clients that all ask at once, without pause, until it is closed."""

    def __init__(self, url: str, body: bytes) -> None:
        self._url, self._body = url, body
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._ask()), name="crowd", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ask no more. Twice is fine."""
        self._stop.set()
        self._thread.join()

    async def _ask(self) -> None:
        async with RawClient(self._url) as client:

            async def one() -> None:
                while not self._stop.is_set():
                    with suppress(ServiceError):
                        await client.post(self._body)

            await asyncio.gather(*(one() for _ in range(_CROWD)))


@dataclass(slots=True)
class Heuristics:
    """The experiment's state, and its steps: what each injected cause was called.

    `proxies` are before the registry and the node, `name` and `cid` a content of some 1 MB there.
    """

    registry: Proxy
    ipfs: Proxy
    registry_url: str
    name: str
    cid: str
    samples: int = SAMPLES
    seen: dict[Failure, Counter[Failure]] = field(default_factory=dict)
    _crowd: Crowd | None = None
    _swapped: bool = False

    def steady(self) -> str:
        """Why the name or the content cannot be had through the proxies; empty when they can."""
        try:
            self._resolve(_PATIENT_S)
            self._read(_PATIENT_S)
        except HologramError as error:
            return str(error)
        return ""

    def trial(self) -> Trial:
        """The experiment as a trial: a round for each cause."""
        ask = (self._resolve, self._read)

        def toxic(cause: Failure, toxics: Sequence[Toxic], met: Reach, timeout_s: float) -> Round:
            return self._round(
                cause,
                partial(self._impose, *toxics),
                lambda: self._all_meet(met),
                [partial(each, timeout_s) for each in ask],
            )

        corrupt = Corruption(per_byte=_FLIPS_PER_BYTE, directions=(Direction.DOWN,))
        rounds = [
            toxic(Failure.TIMEOUT, [Blackhole()], Reach.SILENT, _IMPATIENT_S),
            toxic(Failure.RESET, [Reset(directions=(Direction.DOWN,))], Reach.RESET, _PATIENT_S),
            self._round(
                Failure.REFUSED,
                self._refuse,
                lambda: self._all_meet(Reach.REFUSED),
                [partial(each, _PATIENT_S) for each in ask],
            ),
            self._round(
                Failure.INVALID_RESPONSE,
                # Each client is given the other service's address.
                partial(self._misdirect, True),
                self._misdirected,
                [partial(each, _PATIENT_S) for each in ask],
            ),
            self._round(
                Failure.CORRUPT_CONTENT,
                partial(self.ipfs.impose, corrupt),
                self._flipping,
                [partial(self._read, _PATIENT_S)],
            ),
            self._round(Failure.OVERLOAD, self._overload, self._busy, [self._heavy]),
        ]
        return Trial(
            NAME,
            self.steady,
            rounds,
            self.findings,
            self.values,
            title=TITLE,
            chaos_type="failure_classification",
        )

    def findings(self) -> tuple[Finding, ...]:
        """One for each cause that was injected: every failure was called by its name."""
        found = []
        for cause, called in self.seen.items():
            wrong = {other: count for other, count in called.items() if other is not cause}
            told = f"{called[cause]} of {called.total()} failures were called {cause}"
            if wrong:
                told += "; others " + ", ".join(f"{other} ({count})" for other, count in wrong.items())
            status = Status.FAILED if wrong or not called[cause] else Status.PASSED
            found.append(Finding(cause, status, told))
        return tuple(found)

    def values(self) -> Mapping[str, float]:
        """The confusion table, `CAUSE_as_CALLED`, and the share that was called rightly."""
        total = sum(called.total() for called in self.seen.values())
        right = sum(called[cause] for cause, called in self.seen.items())
        return {
            "chaos_events": len(self.seen),
            "operations": total,
            "success_rate": right / total if total else 0.0,
            "failure_rate": 1 - right / total if total else 1.0,
            **{
                f"{cause}_as_{other}": count
                for cause, called in self.seen.items()
                for other, count in sorted(called.items())
            },
        }

    def _round(
        self,
        cause: Failure,
        inject: Callable[[], None],
        witness: Callable[[], tuple[bool, str]],
        asking: Sequence[Callable[[], None]],
    ) -> Round:
        def meet() -> None:
            self.seen[cause] = Counter()
            for ask in asking:
                self.seen[cause].update(self._failures(ask))

        return Round(
            cause,
            inject,
            witness,
            self.lift,
            recovered=lambda: not self.steady(),
            meanwhile=meet,
            limit_s=_PATIENT_S,
            # That it lasted, the failures tell.
            sustained=False,
        )

    def lift(self) -> None:
        """End every fault. Twice is fine."""
        if self._crowd is not None:
            self._crowd.close()
            self._crowd = None
        self._misdirect(False)
        for proxy in (self.registry, self.ipfs):
            proxy.clear()
            proxy.accept()

    def _failures(self, ask: Callable[[], None]) -> list[Failure]:
        found: list[Failure] = []
        for _ in range(_MOST_TRIES):
            try:
                ask()
            except HologramError as error:
                found.append(classify(error))
            if len(found) == self.samples:
                return found
        raise HologramError(f"only {len(found)} of {_MOST_TRIES} requests failed.")

    def _impose(self, *toxics: Toxic) -> None:
        for proxy in (self.registry, self.ipfs):
            proxy.impose(*toxics)

    def _misdirect(self, swapped: bool) -> None:
        self._swapped = swapped

    def _addresses(self) -> tuple[str, str]:
        """Where clients look for the registry, and for the node."""
        registry, node = self.registry.url, self.ipfs.url
        return (urljoin(node, "/graphql"), urljoin(registry, "/")[:-1]) if self._swapped else (registry, node)

    def _misdirected(self) -> tuple[bool, str]:
        page = urljoin(self._addresses()[0], "/health")
        status = httpx.get(page, timeout=_PATIENT_S, trust_env=False).status_code
        return status != httpx.codes.OK, f"the health page of what is asked for names has status {status}"

    def _refuse(self) -> None:
        for proxy in (self.registry, self.ipfs):
            proxy.refuse()

    def _resolve(self, timeout_s: float) -> None:
        # On a connection of its own: one that is open may be past what is done to new ones.
        with RegistryClient(self._addresses()[0], timeout_s=timeout_s) as client:
            client.execute(_QUERY, {"n": self.name})

    def _read(self, timeout_s: float) -> None:
        with IpfsClient(self._addresses()[1], timeout_s=timeout_s) as client:
            client.cat(self.cid)

    def _heavy(self) -> None:
        with RegistryClient(self.registry_url, timeout_s=_PATIENT_S) as client:
            client.execute(_HEAVY, {"n": self.name})

    def _overload(self) -> None:
        body = httpx.Request("POST", self.registry_url, json={"query": _HEAVY, "variables": {"n": self.name}})
        self._crowd = Crowd(self.registry_url, body.read()).__enter__()

    def _busy(self) -> tuple[bool, str]:
        body = {"query": _HEAVY, "variables": {"n": self.name}}
        met = set()
        with httpx.Client(timeout=_PATIENT_S, trust_env=False) as client:
            for _ in range(self.samples):
                met.add(client.post(self.registry_url, json=body).status_code)
        told = ", ".join(str(status) for status in sorted(met))
        return httpx.codes.SERVICE_UNAVAILABLE in met, f"five requests met status {told}"

    def _all_meet(self, wanted: Reach) -> tuple[bool, str]:
        met = {
            name: reach(url, timeout_s=1.0)
            for name, url in (("registry", self.registry.url), ("node", f"{self.ipfs.url}/api/v0/version"))
        }
        return set(met.values()) == {wanted}, ", ".join(f"the {name} {how}" for name, how in met.items())

    def _flipping(self) -> tuple[bool, str]:
        before = self.ipfs.traffic().flipped
        with suppress(httpx.HTTPError):
            httpx.post(f"{self.ipfs.url}/api/v0/cat?arg={self.cid}", timeout=_PATIENT_S, trust_env=False)
        flipped = self.ipfs.traffic().flipped - before
        return flipped > 0, f"{flipped} bits of the content were flipped on the way"
