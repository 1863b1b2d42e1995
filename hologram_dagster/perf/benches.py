"""The benches of the older perf family (contract section 2.10): four calls of the protocol, timed in-process.

What belongs here: preparing each call, checking its answer, timing it. What does not: the
form the times are written in (`history.attestation_export`). Whoever calls holds the
measuring lock (`lock`).
"""

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hologram_dagster.errors import HologramError
from hologram_dagster.protocol import ctp96, proof_chain, uorid
from hologram_dagster.protocol.canonical import ccm
from hologram_dagster.protocol.signing import Signer

Call = Callable[[], object]
TRANSPORT = "ctp96Verify"
_OBJECT: Mapping[str, Any] = {
    "kind": "object",
    "name": "demo/object/alpha",
    "page": 47,
    "meta": {"title": "Hologram", "tags": ["a", "b", "c"], "ratio": 0.5},
}


@dataclass(frozen=True, slots=True)
class Timed:
    """One run: wall time in all, of each call, and CPU time in all, ns."""

    total_ns: int
    samples_ns: list[int]
    cpu_ns: int


def benches() -> dict[str, Call]:
    """The calls by the contract's names, each seen to answer rightly once.

    Raises:
        HologramError: one answers wrongly, so its time would mean nothing.
    """
    signer = Signer(Ed25519PrivateKey.generate(), self_made=True)
    proven = proof_chain.attach(_OBJECT, signer, now=0)
    frame = ctp96.seal({"kind": "DATA", "seq": 3, "nonce": "0" * 24, "data": _OBJECT})
    expected_hash, expected_id = ccm(_OBJECT, "bench"), uorid.uorid_object(_OBJECT)
    calls: dict[str, tuple[Call, object]] = {
        "ccmHash": (lambda: ccm(_OBJECT, "bench"), expected_hash),
        "uorId": (lambda: uorid.uorid_object(_OBJECT), expected_id),
        "proofVerify": (lambda: proof_chain.check(proven), None),
        TRANSPORT: (lambda: ctp96.frame_fault(frame), None),
    }
    for name, (call, expected) in calls.items():
        if (answer := call()) != expected:
            raise HologramError(f"the bench {name} answers wrongly: {answer}.")
    return {name: call for name, (call, _) in calls.items()}


def time_calls(call: Call, *, warmup: int, iters: int) -> Timed:
    """`iters` timed calls after `warmup` untimed ones, without garbage collection."""
    clock = time.perf_counter_ns
    for _ in range(warmup):
        call()
    samples: list[int] = []
    with _without_collection():
        cpu_started = time.process_time_ns()
        for _ in range(iters):
            start = clock()
            call()
            samples.append(clock() - start)
        cpu_ns = time.process_time_ns() - cpu_started
    return Timed(sum(samples), samples, cpu_ns)


@contextmanager
def _without_collection() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
