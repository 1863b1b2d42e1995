"""The worker of the reference target: `verify` and `encode` of `protocol.atlas`.

`python -m hologram_dagster.target.reference_worker` speaks the protocol of `worker`.
Only the call itself is timed; building payloads and digesting answers is not.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any, TextIO

import numpy as np

from hologram_dagster.protocol import atlas

NAME = "hologram-reference"


def payload(size: int) -> bytes:
    """The deterministic bytes `i % 256` of contract section 2.1, `size` of them."""
    return (bytes(range(256)) * (size // 256 + 1))[:size]


def digest_of_verify(valid: bool) -> bytes:
    """The sha256 of the answer of `verify`, which is the text `true` or `false`."""
    return hashlib.sha256(b"true" if valid else b"false").digest()


def digest_of_encode(state: atlas.State) -> bytes:
    """The sha256 of the answer of `encode`, which is the state's bytes, row by row."""
    return hashlib.sha256(np.ascontiguousarray(state).data).digest()


class _Prepared:
    """An operation with its input, ready to be called."""

    def __init__(self, operation: str, size: int):
        data = payload(size)
        self.call: Callable[[Any], Any]
        self.argument: bytes | atlas.State
        self.digest: Callable[[Any], bytes]
        if operation == "verify":
            self.call, self.argument, self.digest = atlas.verify, atlas.encode(data), digest_of_verify
        else:
            self.call, self.argument, self.digest = atlas.encode, data, digest_of_encode

    def run(self, n: int) -> dict[str, Any]:
        wall, cpu = time.perf_counter_ns, time.process_time_ns
        call, argument = self.call, self.argument
        ns: list[int] = []
        cpu_ns: list[int] = []
        digests: dict[bytes, None] = {}
        for _ in range(n):
            cpu_start = cpu()
            start = wall()
            answer = call(argument)
            end = wall()
            cpu_ns.append(cpu() - cpu_start)
            ns.append(end - start)
            digests[self.digest(answer)] = None
        # Where answers differ, so does the digest from that of any single answer.
        digest = next(iter(digests)) if len(digests) == 1 else hashlib.sha256(b"".join(digests)).digest()
        return {"ns": ns, "cpu_ns": cpu_ns, "digest": digest.hex()}


class ReferenceWorker:
    """Answers requests; `answer` is a pure step apart from the operation last prepared."""

    OPERATIONS = ("verify", "encode")

    def __init__(self) -> None:
        self._prepared: _Prepared | None = None

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one request, without `ok`.

        Raises:
            ValueError: the request is malformed, or comes out of order.
        """
        match request:
            case {"call": "hello"}:
                return {
                    "name": NAME,
                    "version": version("hologram_dagster"),
                    "operations": list(self.OPERATIONS),
                }
            case {"call": "prepare", "operation": str(operation), "bytes": int(size)} if size >= 0:
                if operation not in self.OPERATIONS:
                    raise ValueError(f"no operation {operation!r}")
                self._prepared = _Prepared(operation, size)
                return {}
            case {"call": "run", "n": int(n)} if n > 0:
                if self._prepared is None:
                    raise ValueError("nothing is prepared")
                return self._prepared.run(n)
            case {"call": "check", "operation": "verify", "state": str(state)}:
                rows = np.frombuffer(bytes.fromhex(state), np.uint8).reshape(-1, atlas.CYCLES)
                return {"valid": atlas.verify(rows)}
            case {"call": "bye"}:
                return {}
        raise ValueError("malformed request")


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer every line of `requests` until `bye` or the end."""
    worker = ReferenceWorker()
    for line in requests:
        request: Any = None
        try:
            request = json.loads(line)
            answer = {"ok": True, **worker.answer(request)}
        except ValueError as error:
            answer = {"ok": False, "error": str(error)}
        answers.write(json.dumps(answer, separators=(",", ":")) + "\n")
        answers.flush()
        if answer["ok"] and request["call"] == "bye":
            return


def main() -> None:
    """Serve on this process's standard streams."""
    # What a library prints goes to standard error, so that it cannot pose as an answer.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(sys.stdin, answers)


if __name__ == "__main__":
    main()
