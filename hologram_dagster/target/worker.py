"""The client of a *worker*: a long-lived process of the target that runs its operations.

A worker is a command in any language. It reads one JSON object a line on standard input
and answers each with one on standard output; standard error is for diagnostics.

| request                                               | answer besides `"ok": true`             |
|-------------------------------------------------------|-----------------------------------------|
| `{"call": "hello"}`                                   | `name`, `version`, `operations` (names) |
| `{"call": "prepare", "operation": .., "bytes": N}`    |                                         |
| `{"call": "run", "n": N}`                             | `ns`, `digest`, and if it can `cpu_ns`  |
| `{"call": "check", "operation": "verify", "state": ..}` | `valid`                               |
| `{"call": "bye"}`                                     | and exits                               |

The payload of `prepare` is the bytes `i % 256`; for `verify` the state is encoded there.
`ns` holds the wall time of each of the N calls, `cpu_ns` its CPU time (integers, ns), and
`digest` is the sha256 (hex) of the answer: the state's bytes, row by row, for `encode`,
the text `true` or `false` for `verify`. Where answers of one run differ, it is the sha256
of the differing answers' digests (bytes, in order of first appearance). `state` is hex.
A refusal is `{"ok": false, "error": "why"}`.

What belongs here: the protocol, its deadlines and what a broken worker looks like. What
does not: what the times mean (`perf`), and which answers are right.
"""

import json
import os
import selectors
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from hologram_dagster.errors import HologramError
from hologram_dagster.processes import scrubbed_environment, start_child, stop_child
from hologram_dagster.secrets.redactor import redact

DEADLINE_S = 120.0
_LAST_BYTES = 8192
_LAST_LINES = 8
_LONGEST_ANSWER = 64 * 2**20
_CHUNK = 65536
_SHOWN = 200


class WorkerError(HologramError):
    """A worker died, hung, answered rubbish or refused; the text ends with its last lines."""


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


_Model = TypeVar("_Model", bound=_Answer)


class _Hello(_Answer):
    name: str
    version: str
    operations: tuple[str, ...] = Field(strict=False)


_Nanoseconds = tuple[Annotated[int, Field(ge=0)], ...]


class _Run(_Answer):
    ns: _Nanoseconds = Field(strict=False)
    cpu_ns: _Nanoseconds | None = Field(default=None, strict=False)
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Check(_Answer):
    valid: bool


@dataclass(frozen=True, slots=True)
class Run:
    """One `run`: each call's wall and (where the worker can tell) CPU time in ns, and the answer's digest."""

    ns: tuple[int, ...]
    cpu_ns: tuple[int, ...] | None
    digest: str


class Worker:
    """A worker process, started and greeted; `name`, `version` and `operations` are what it said.

    `deadline_s` bounds every call. The process gets the scrubbed environment plus `env`
    (none of our tokens and keys) and dies with us.

    Raises:
        WorkerError: it does not start or does not greet.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        deadline_s: float = DEADLINE_S,
    ):
        self._command = shlex.join(command)
        self._deadline_s = deadline_s
        self._unread = bytearray()
        self._last = bytearray()
        self._last_cut = False
        self._running = True
        self._process = start_child(
            command,
            cwd=cwd,
            env=scrubbed_environment(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for stream in self._streams:
            os.set_blocking(stream, False)
        try:
            hello = self._call(_Hello, "hello")
        except BaseException:
            self._kill()
            raise
        self.name, self.version, self.operations = hello.name, hello.version, hello.operations

    @property
    def pid(self) -> int:
        """The process id, to pin it to a core or read its CPU clock."""
        return self._process.pid

    def prepare(self, operation: str, payload_bytes: int) -> None:
        """Make ready to run `operation` on a payload of `payload_bytes` bytes.

        Raises:
            WorkerError: it lacks the operation, or broke.
        """
        if operation not in self.operations:
            raise self._refusal(
                f"offers no operation {operation!r}, only {', '.join(self.operations) or 'none'}"
            )
        self._call(_Answer, "prepare", operation=operation, bytes=payload_bytes)

    def run(self, n: int) -> Run:
        """Call the prepared operation `n` times.

        Raises:
            WorkerError: it broke, or its times cannot be true.
        """
        started = time.perf_counter_ns()
        answer = self._call(_Run, "run", n=n)
        elapsed = time.perf_counter_ns() - started
        for key, times in (("ns", answer.ns), ("cpu_ns", answer.cpu_ns)):
            if times is not None and len(times) != n:
                raise self._broken(f"was asked for {n} calls and answered {len(times)} times in {key!r}")
        # Two processes may read two clocks, which drift apart by far less than a hundredth.
        if sum(answer.ns) > 1.01 * elapsed:
            raise self._broken(f"claims {sum(answer.ns)} ns for calls that took {elapsed} ns in all")
        return Run(ns=answer.ns, cpu_ns=answer.cpu_ns, digest=answer.digest)

    def check(self, state: bytes) -> bool:
        """What `verify` says of `state`, whose rows come one below the other; never timed.

        Raises:
            WorkerError: it broke.
        """
        return self._call(_Check, "check", operation="verify", state=state.hex()).valid

    def close(self) -> None:
        """Say goodbye and end the process, by force where it does not go."""
        if self._running:
            with suppress(WorkerError):
                self._exchange({"call": "bye"}, min(self._deadline_s, 5.0))
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)
        self._kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self._kill()

    @property
    def _streams(self) -> tuple[int, int, int]:
        pipes = self._process.stdin, self._process.stdout, self._process.stderr
        stdin, stdout, stderr = (pipe.fileno() for pipe in pipes if pipe is not None)
        return stdin, stdout, stderr

    def _kill(self) -> None:
        self._running = False
        stop_child(self._process, grace_s=0)

    def _call(self, model: type[_Model], call: str, **fields: Any) -> _Model:
        line = self._exchange({"call": call, **fields}, self._deadline_s)
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or not isinstance(answer.get("ok"), bool):
            raise self._broken(
                f"answered {call!r} with {_shown(line)}, which is no JSON object with `ok`; "
                "diagnostics belong on its standard error"
            )
        if not answer["ok"]:
            raise self._refusal(f"refused {call!r}: {redact(str(answer.get('error', 'it did not say why')))}")
        try:
            return model.model_validate(answer)
        except ValidationError as error:
            fault = error.errors()[0]
            where = ".".join(str(part) for part in fault["loc"])
            raise self._broken(f"answered {call!r} with a malformed {where!r}: {fault['msg']}") from None

    def _exchange(self, request: Mapping[str, Any], deadline_s: float) -> bytes:
        """Send `request` and read one line, while draining standard error, within `deadline_s` seconds."""
        call = request["call"]
        if not self._running:
            raise self._refusal(f"is stopped and cannot answer {call!r}")
        if self._unread:
            raise self._broken(f"wrote {_shown(bytes(self._unread))} before it was asked {call!r}")
        stdin, stdout, stderr = self._streams
        unsent = memoryview(json.dumps(request, separators=(",", ":")).encode() + b"\n")
        deadline = time.monotonic() + deadline_s
        with selectors.DefaultSelector() as selector:
            selector.register(stdin, selectors.EVENT_WRITE)
            selector.register(stdout, selectors.EVENT_READ)
            selector.register(stderr, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise self._broken(f"gave no answer to {call!r} within {deadline_s:g} s and was stopped")
                for key, _ in selector.select(remaining):
                    if key.fd == stdin:
                        try:
                            unsent = unsent[os.write(stdin, unsent) :]
                        except BrokenPipeError:
                            unsent = unsent[:0]
                        if not unsent:
                            selector.unregister(stdin)
                        continue
                    chunk = os.read(key.fd, _CHUNK)
                    if key.fd == stderr:
                        self._remember(chunk)
                        if not chunk:
                            selector.unregister(stderr)
                    elif not chunk:
                        raise self._died(call)
                    else:
                        self._unread += chunk
                        if len(self._unread) > _LONGEST_ANSWER:
                            raise self._broken(f"answered {call!r} with more than {_LONGEST_ANSWER} bytes")
        line, _, rest = bytes(self._unread).partition(b"\n")
        self._unread = bytearray(rest)
        return line

    def _died(self, call: str) -> WorkerError:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        with suppress(BlockingIOError):
            while chunk := os.read(self._streams[2], _CHUNK):
                self._remember(chunk)
        code = self._process.poll()
        how = "closed its standard output" if code is None else _ending(code)
        said = f" after writing {_shown(bytes(self._unread))}" if self._unread else ""
        return self._broken(f"{how} during {call!r}{said}")

    def _remember(self, chunk: bytes) -> None:
        self._last += chunk
        self._last_cut = self._last_cut or len(self._last) > _LAST_BYTES
        del self._last[:-_LAST_BYTES]

    def _broken(self, what: str) -> WorkerError:
        """The error for a worker that nothing more can be believed of; it is stopped."""
        self._kill()
        return self._refusal(what)

    def _refusal(self, what: str) -> WorkerError:
        # A line whose beginning is cut off may be the tail of a secret that nothing names any more.
        kept = bytes(self._last).partition(b"\n")[2] if self._last_cut else bytes(self._last)
        lines = redact(kept.decode(errors="replace")).splitlines()[-_LAST_LINES:]
        tail = " Its last lines:\n" + "\n".join(lines) if lines else ""
        return WorkerError(f"worker `{redact(self._command)}` {what}.{tail}")


def _ending(code: int) -> str:
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _shown(line: bytes) -> str:
    text = redact(line[: 10 * _SHOWN].decode(errors="replace"))
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
