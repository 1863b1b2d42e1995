"""A worker's answers are believed only as far as they can be true; a broken worker is told apart."""

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hologram_dagster.processes import wait_until
from hologram_dagster.protocol import atlas
from hologram_dagster.target.reference_worker import payload
from hologram_dagster.target.worker import Worker, WorkerError

pytestmark = pytest.mark.phase3_runtime

REFERENCE = (sys.executable, "-m", "hologram_dagster.target.reference_worker")
HELLO = 'answer({"ok": True, "name": "w", "version": "1", "operations": ["verify", "encode"]})'
PREAMBLE = """
import json, os, signal, sys, time
def answer(value):
    print(json.dumps(value) if isinstance(value, dict) else value, flush=True)
def request():
    return json.loads(sys.stdin.readline())
request()
"""


Maker = Callable[..., Worker]


@pytest.fixture
def broken(tmp_path: Path) -> Maker:
    """A maker of workers that greet properly (unless told otherwise) and then do `body`."""

    def make(body: str, hello: str = HELLO, **options: Any) -> Worker:
        script = tmp_path / "worker.py"
        script.write_text(f"{PREAMBLE}{hello}\n{body}\n")
        return Worker([sys.executable, str(script)], **options)

    return make


@pytest.fixture(scope="module")
def reference() -> Iterator[Worker]:
    with Worker(REFERENCE) as worker:
        yield worker


def test_the_reference_worker_answers_right(reference: Worker) -> None:
    assert set(reference.operations) == {"verify", "encode"}
    reference.prepare("encode", 20_000)
    run = reference.run(3)
    state = atlas.encode(payload(20_000))
    assert len(run.ns) == 3
    assert min(run.ns) > 0
    assert run.cpu_ns is not None
    assert len(run.cpu_ns) == 3
    assert run.digest == hashlib.sha256(state.tobytes()).hexdigest()
    reference.prepare("verify", 65_536)
    assert reference.run(2).digest == hashlib.sha256(b"true").hexdigest()


def test_the_reference_worker_sees_a_flipped_bit(reference: Worker) -> None:
    state = atlas.encode(payload(65_536))
    assert reference.check(state.tobytes())
    state[3, 5] ^= np.uint8(1)
    assert not reference.check(state.tobytes())


def test_a_refused_request_leaves_the_worker_usable() -> None:
    with Worker(REFERENCE) as worker:
        with pytest.raises(WorkerError, match="nothing is prepared"):
            worker.run(1)
        with pytest.raises(WorkerError, match="offers no operation 'fly', only verify, encode"):
            worker.prepare("fly", 1)
        with pytest.raises(WorkerError, match="malformed request"):
            worker.prepare("verify", -1)
        worker.prepare("verify", 0)
        assert len(worker.run(1).ns) == 1


def test_closing_ends_the_process() -> None:
    worker = Worker(REFERENCE)
    worker.close()
    assert not Path(f"/proc/{worker.pid}").exists()
    with pytest.raises(WorkerError, match="is stopped"):
        worker.run(1)


def test_a_worker_that_ignores_goodbye_is_stopped(broken: Maker) -> None:
    worker = broken(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nrequest()\nanswer({'ok': True})\ntime.sleep(600)"
    )
    worker.close()
    assert wait_until(lambda: not Path(f"/proc/{worker.pid}").exists(), timeout_s=10)


def test_a_death_tells_how_and_the_last_lines(broken: Maker) -> None:
    worker = broken("request()\nfor i in range(99): print('line', i, file=sys.stderr)\nsys.exit(3)")
    with pytest.raises(
        WorkerError, match=r"ended with exit code 3 during 'prepare'.*\n(.*\n)*line 98"
    ) as caught:
        worker.prepare("verify", 1)
    assert "line 80" not in str(caught.value)
    worker = broken("request()\nos.kill(os.getpid(), 9)")
    with pytest.raises(WorkerError, match="killed by signal 9 during 'run'"):
        worker.run(1)


def test_a_command_that_cannot_run_is_named() -> None:
    with pytest.raises(WorkerError, match="cannot run /nowhere/worker: No such file"):
        Worker(["/nowhere/worker"])


def test_a_hang_ends_at_the_deadline(broken: Maker) -> None:
    worker = broken(
        "request()\nprint('thinking', file=sys.stderr, flush=True)\ntime.sleep(600)", deadline_s=1.0
    )
    with pytest.raises(WorkerError, match=r"no answer to 'run' within 1 s(.*\n)*thinking"):
        worker.run(1)
    assert not Path(f"/proc/{worker.pid}").exists()


def test_a_worker_that_does_not_read_ends_at_the_deadline(broken: Maker) -> None:
    worker = broken("time.sleep(600)", deadline_s=1.0)
    with pytest.raises(WorkerError, match="no answer to 'check'"):
        worker.check(bytes(2**20))


@pytest.mark.parametrize(
    ("reply", "complaint"),
    [
        ("'done!'", "no JSON object with `ok`"),
        ("'[1]'", "no JSON object with `ok`"),
        ("{'ns': [1]}", "no JSON object with `ok`"),
        ("{'ok': 'yes'}", "no JSON object with `ok`"),
        ("{'ok': False}", "refused 'run': it did not say why"),
        ("{'ok': False, 'error': 'tired'}", "refused 'run': tired"),
        ("{'ok': True, 'ns': [1, 1]}", "malformed 'digest'"),
        ("{'ok': True, 'ns': [1, 1], 'digest': 'abc'}", "malformed 'digest'"),
        ("{'ok': True, 'ns': [1, -1], 'digest': 'a' * 64}", "malformed 'ns.1'"),
        ("{'ok': True, 'ns': [1, 1.5], 'digest': 'a' * 64}", "malformed 'ns.1'"),
        ("{'ok': True, 'ns': [1, True], 'digest': 'a' * 64}", "malformed 'ns.1'"),
        ("{'ok': True, 'ns': [1], 'digest': 'a' * 64}", "asked for 2 calls and answered 1 times in 'ns'"),
        ("{'ok': True, 'ns': [1, 1, 1], 'digest': 'a' * 64}", "answered 3 times"),
        ("{'ok': True, 'ns': [1, 1], 'cpu_ns': [1], 'digest': 'a' * 64}", "1 times in 'cpu_ns'"),
        (
            "{'ok': True, 'ns': [1, 10**12], 'digest': 'a' * 64}",
            "claims 1000000000001 ns for calls that took",
        ),
    ],
)
def test_rubbish_and_lies_are_refused(broken: Maker, reply: str, complaint: str) -> None:
    worker = broken(f"request()\nanswer({reply})\nrequest()")
    with pytest.raises(WorkerError, match=complaint):
        worker.run(2)
    worker.close()


def test_lines_nobody_asked_for_are_refused(broken: Maker) -> None:
    worker = broken("answer('debug: 1')\nrequest()\nanswer({'ok': True})\ntime.sleep(600)")
    with pytest.raises(WorkerError, match=r"debug: 1"):
        worker.prepare("verify", 1)
    worker.close()


def test_an_endless_line_is_cut_off(broken: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hologram_dagster.target.worker._LONGEST_ANSWER", 2**20)
    worker = broken("request()\nwhile True: sys.stdout.write('x' * 65536)")
    with pytest.raises(WorkerError, match="more than 1048576 bytes"):
        worker.run(1)


def test_much_diagnostic_output_neither_blocks_nor_stays(broken: Maker) -> None:
    worker = broken(
        "request()\nfor i in range(40000): print('x' * 99, file=sys.stderr)\nanswer({'ok': True})\nrequest()"
    )
    worker.prepare("verify", 1)
    assert len(worker._last) <= 8192
    worker.close()


def test_secrets_in_what_a_worker_says_are_not_repeated(broken: Maker) -> None:
    secret = "ghp_" + "a1B2" * 9
    for body in (
        f"request()\nprint('token={secret}', file=sys.stderr)\nsys.exit(1)",
        f"request()\nanswer({{'ok': False, 'error': 'token={secret}'}})\nrequest()",
        f"request()\nanswer('token={secret}')\ntime.sleep(600)",
        # So much that the name of the secret is beyond the lines kept.
        f"request()\nprint('token=' + {secret!r} * 300, end='', file=sys.stderr)\nsys.exit(1)",
    ):
        worker = broken(body)
        with pytest.raises(WorkerError) as caught:
            worker.run(1)
        assert "a1B2" not in str(caught.value)
        worker.close()


def test_the_environment_is_scrubbed(broken: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHQL_TOKEN", "do-not-leak")
    worker = broken(
        "request()\nanswer({'ok': False, 'error': ' '.join(sorted(os.environ))})\nrequest()",
        env={"PYTHONHASHSEED": "7"},
    )
    with pytest.raises(WorkerError) as caught:
        worker.run(1)
    assert "PYTHONHASHSEED" in str(caught.value)
    assert "GRAPHQL_TOKEN" not in str(caught.value)
    worker.close()


def test_what_a_library_prints_is_no_answer(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import os\nos.write(1, b'')\nprint('hello from a library')\n")
    script = tmp_path / "chatty.py"
    script.write_text(
        "from hologram_dagster.target import reference_worker as w\n"
        "from hologram_dagster.protocol import atlas\n"
        "real = atlas.encode\n"
        "def chatty(data):\n"
        "    print('{\"ok\": true}', flush=True)\n"
        "    return real(data)\n"
        "atlas.encode = chatty\n"
        "w.main()\n"
    )
    with Worker([sys.executable, str(script)]) as worker:
        worker.prepare("encode", 10)
        assert len(worker.run(2).ns) == 2


def test_it_dies_with_its_parent() -> None:
    program = (
        "import sys, time\n"
        "from hologram_dagster.target.worker import Worker\n"
        f"worker = Worker({REFERENCE!r})\n"
        "print(worker.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()

    def gone() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    assert wait_until(gone, timeout_s=10)
