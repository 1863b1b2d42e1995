"""What others use of the host: work below this process is ours, work beside it is not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hologram_dagster.chaos.host_share import Used, used
from hologram_dagster.processes import wait_until

pytestmark = pytest.mark.phase9_chaos

BURN = "import time\nend = time.monotonic() + 60\nwhile time.monotonic() < end: pass"
ENOUGH_S = 0.3


def burned_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def test_a_child_is_ours() -> None:
    before = used()
    assert before is not None
    with subprocess.Popen([sys.executable, "-c", BURN]) as child:
        assert wait_until(lambda: burned_s(child.pid) > ENOUGH_S, timeout_s=60)
        after = used()
        child.kill()
    assert after is not None
    assert after.own_s - before.own_s >= ENOUGH_S
    assert after.all_s - before.all_s >= ENOUGH_S


def test_a_process_of_somebody_else_is_not_ours() -> None:
    before, began = used(), time.monotonic()
    # Its parent ends at once, so that it is below another one.
    script = (
        "import subprocess, sys\n"
        f"print(subprocess.Popen([sys.executable, '-c', {BURN!r}], stdout=subprocess.DEVNULL).pid)"
    )
    pid = int(subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True).stdout)
    try:
        assert wait_until(lambda: burned_s(pid) > ENOUGH_S, timeout_s=60)
        after, lasted_s = used(), time.monotonic() - began
    finally:
        os.kill(pid, signal.SIGKILL)
    assert before is not None
    assert after is not None
    assert after.others_cores(before, lasted_s) * lasted_s >= 0.9 * ENOUGH_S


def test_others_are_what_is_left() -> None:
    assert Used(10.0, 4.0).others_cores(Used(6.0, 2.0), 4.0) == 0.5
    assert Used(10.0, 4.0).others_cores(Used(9.0, 2.0), 4.0) == 0.0
    assert Used(10.0, 4.0).others_cores(Used(6.0, 2.0), 0.0) == 0.0
