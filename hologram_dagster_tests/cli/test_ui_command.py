"""`hologram ui` from a script: one for a home, and one that can be stopped."""

import fcntl
import os
import signal
import subprocess
from contextlib import suppress

import httpx

from hologram_dagster.processes import LOOPBACK, free_port, wait_until
from hologram_dagster_tests.gate.bench import BIN, HANG_S, MakeBench


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/server_info", trust_env=False).is_success
    except httpx.HTTPError:
        return False


def test_a_second_one_is_refused_and_a_background_job_ends_when_asked(make_bench: MakeBench) -> None:
    bench = make_bench()
    port = free_port()
    address = f"http://{LOOPBACK}:{port}"
    with (bench.folder.parent / "ui.log").open("wb") as log:
        # As a shell without job control starts what ends in &.
        process = subprocess.Popen(
            [
                *("sh", "-c", "trap '' INT; exec \"$@\"", "sh"),
                *(str(BIN / "hologram"), "ui", "--port", str(port)),
            ],
            cwd=bench.folder,
            env=bench.environment(),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            assert wait_until(lambda: _answers(address), timeout_s=HANG_S)
            second = bench.hologram("ui", "--port", str(free_port()))
            assert second.returncode == 2, second.stdout + second.stderr
            assert f"is served already, by process {process.pid} at {address}" in second.stderr
            assert "Traceback" not in second.stderr
            process.terminate()
            process.wait(HANG_S)
            assert not _answers(address)
            with (bench.folder / ".hologram" / "dagster" / ".ui.lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
