"""The worker in JavaScript gives the answers of the one in Python, and is measured like it."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hologram_dagster.observation import Status
from hologram_dagster.perf.core import measure_core
from hologram_dagster.profiles import OPERATIONS
from hologram_dagster.protocol import atlas
from hologram_dagster.target.reference_worker import payload
from hologram_dagster.target.worker import Worker, WorkerError

pytestmark = [pytest.mark.phase3_runtime, pytest.mark.system("node")]

JAVASCRIPT = ("node", str(Path(__file__).parents[2] / "tools" / "reference_worker.mjs"))
PYTHON = (sys.executable, "-m", "hologram_dagster.target.reference_worker")


@pytest.fixture(scope="module")
def javascript() -> Iterator[Worker]:
    with Worker(JAVASCRIPT) as worker:
        yield worker


@pytest.fixture(scope="module")
def python() -> Iterator[Worker]:
    with Worker(PYTHON) as worker:
        yield worker


@pytest.mark.parametrize("operation", ["verify", "encode"])
@pytest.mark.parametrize("size", [0, 1, 256, 11_976, 11_977, 11_978, 65_536, 2**20])
def test_it_answers_as_the_python_worker(
    javascript: Worker, python: Worker, operation: str, size: int
) -> None:
    digests = set()
    for worker in (javascript, python):
        worker.prepare(operation, size)
        digests.add(worker.run(2).digest)
    assert len(digests) == 1


def test_its_times_are_whole(javascript: Worker) -> None:
    javascript.prepare("encode", 2**20)
    run = javascript.run(3)
    assert run.digest == hashlib.sha256(atlas.encode(payload(2**20)).tobytes()).hexdigest()
    assert len(run.ns) == 3
    assert min(run.ns) > 0
    assert run.cpu_ns is not None
    assert len(run.cpu_ns) == 3


@settings(max_examples=60, deadline=None)
@given(
    size=st.sampled_from([0, 5, 11_977, 11_978, 30_000]),
    place=st.integers(min_value=0),
    change=st.integers(min_value=1, max_value=255),
)
def test_it_sees_every_changed_byte(javascript: Worker, size: int, place: int, change: int) -> None:
    state = atlas.encode(payload(size))
    assert javascript.check(state.tobytes())
    state.reshape(-1)[place % state.size] ^= np.uint8(change)
    assert not javascript.check(state.tobytes())


def lawful(stream: bytes) -> bytes:
    """A state that keeps the laws of sums, of blocks filled with `stream`, whatever that says."""
    blocks = np.zeros((-(-len(stream) // atlas.BLOCK_BYTES), 48, 256), np.uint8)
    filled = np.frombuffer(stream.ljust(len(blocks) * atlas.BLOCK_BYTES, b"\0"), np.uint8)
    blocks[:, :-1, :-1] = filled.reshape(-1, 47, 255)
    blocks[:, :-1, -1] = -blocks[:, :-1, :-1].sum(axis=2, dtype=np.uint8)
    blocks[:, -1, :] = -blocks[:, :-1, :].sum(axis=1, dtype=np.uint8)
    return blocks.tobytes()


@pytest.mark.parametrize(
    ("stream", "valid"),
    [
        ((5).to_bytes(8, "big") + b"hello", True),
        ((4).to_bytes(8, "big") + b"hello", False),  # padding that is not zero
        ((20_000).to_bytes(8, "big"), False),  # a length that takes more blocks
        ((2**63).to_bytes(8, "big"), False),
        ((11_978).to_bytes(8, "big") + bytes(11_978), True),
        ((11_977).to_bytes(8, "big") + bytes(11_978), False),  # a block too many
    ],
)
def test_it_judges_length_and_padding_as_python_does(
    javascript: Worker, python: Worker, stream: bytes, valid: bool
) -> None:
    state = lawful(stream)
    assert javascript.check(state) is python.check(state) is valid


def test_a_refused_request_leaves_it_usable() -> None:
    with Worker(JAVASCRIPT) as worker:
        with pytest.raises(WorkerError, match="nothing is prepared"):
            worker.run(1)
        with pytest.raises(WorkerError, match="offers no operation 'fly'"):
            worker.prepare("fly", 1)
        for call in (lambda: worker.prepare("verify", -1), lambda: worker.run(0)):
            with pytest.raises(WorkerError, match="malformed request"):
                call()
        with pytest.raises(WorkerError, match="no rows of 256 bytes"):
            worker.check(b"12345")
        assert not worker.check(b"")
        worker.prepare("verify", 0)
        assert len(worker.run(1).ns) == 1


def test_rubbish_is_refused_and_goodbye_ends_it() -> None:
    requests = [
        "no json",
        "null",
        "[]",
        "{}",
        '{"call":"prepare","operation":"toString","bytes":1}',
        '{"call":"check","operation":"verify","state":"0g"}',
        '{"call":"bye"}',
        '{"call":"hello"}',
    ]
    done = subprocess.run(
        JAVASCRIPT, input="\n".join(requests) + "\n", capture_output=True, text=True, timeout=60, check=True
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["ok"] for answer in answers] == [False] * 6 + [True]
    assert all(answer["error"] for answer in answers[:6])


@pytest.mark.parametrize(("name", "size"), [("verify", 65_536), ("encode", 2**20)])
def test_it_is_measured_like_any_worker(name: str, size: int) -> None:
    measured = measure_core(
        OPERATIONS[name],
        start=lambda: Worker(JAVASCRIPT),
        budget_ms=1e6,
        payload_bytes=size,
        warmup=1,
        samples=3,
    )
    seen = measured.observation
    assert seen.status is Status.PASSED, seen.why
    assert seen.values["n"] == 3
    assert seen.facts["worker"] == "hologram-reference-js 1.0.0"
