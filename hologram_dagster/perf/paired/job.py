"""What is told to a launch's process and what it answers, both as one line of JSON.

What belongs here: commands, the request, and the samples as they were read. What does
not: their evaluation (`samples`). Imported by the measuring process: no numpy here.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hologram_dagster.perf.paired.schedule import Schedule, Side, Size

Gc = Literal["on", "off"]
PORT = "{port}"
_GC_OFF = Path(__file__).with_name("gc_off.py")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def without_gc(python: str, module: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs `module` under `python` with garbage collection off.

    By the path of our `gc_off`: the revision that `python` serves may not have one.
    """
    return (python, str(_GC_OFF), module, *arguments)


class WorkerCommand(_Model):
    """How to start a worker (`target.worker`); `env` comes on top of the scrubbed environment."""

    command: tuple[str, ...] = Field(min_length=1)
    cwd: Path | None = None
    env: Mapping[str, str] = {}


class ServerCommand(_Model):
    """How to start a server that listens on 127.0.0.1.

    `{port}` in `command` is the port to listen on; a GET of `ready_path` answers 200 once
    it serves.
    """

    command: tuple[str, ...] = Field(min_length=1)
    ready_path: str = "/"
    cwd: Path | None = None
    env: Mapping[str, str] = {}


class HttpRequest(_Model):
    """The one request that is timed; `headers` may hold a token and are never recorded."""

    path: str
    body: str = ""
    method: str = "POST"
    headers: Mapping[str, str] = {}


class Workers(_Model):
    """Compare two workers at one operation on a payload of `payload_bytes` bytes."""

    kind: Literal["workers"] = "workers"
    a: WorkerCommand
    b: WorkerCommand
    operation: str
    payload_bytes: int


class Servers(_Model):
    """Compare two servers at one request."""

    kind: Literal["servers"] = "servers"
    a: ServerCommand
    b: ServerCommand
    request: HttpRequest


class Job(_Model):
    """One launch. `deadline_s` bounds each wait for an answer; `logs` takes the servers' output."""

    target: Workers | Servers = Field(discriminator="kind")
    schedule: Schedule
    core: int
    gc: Gc
    deadline_s: float
    logs: Path


Rows = tuple[tuple[int, ...], ...]


class SideSamples(_Model):
    """What was read of one side, ns; rows are cycles.

    `wall` and `cpu` are of each call kept: of a server read from outside, of a worker its
    own account. The others exist for workers alone, of each block: `block_cpu` as read
    from outside, `beside_wall` and `beside_cpu` what was read above the worker's account of its calls.
    """

    wall: Rows
    cpu: Rows | None = None
    block_cpu: Rows | None = None
    beside_wall: Rows | None = None
    beside_cpu: Rows | None = None


class LaunchSamples(_Model):
    """A launch that went well.

    `processes`: how many each side had, whose blocks alternate. `loop_ns` is the wall time of
    all measured units with what was done between them.
    `fallbacks` name what could not be measured, and what decides instead.
    """

    size: Size
    processes: int = 1
    a: SideSamples
    b: SideSamples
    loop_ns: int = 0
    fallbacks: tuple[str, ...] = ()


class Reply(_Model):
    """`samples`, or `fault`: why the launch is no measurement, and which side (None: neither) did it."""

    samples: LaunchSamples | None = None
    fault: str | None = None
    side: Side | None = None
