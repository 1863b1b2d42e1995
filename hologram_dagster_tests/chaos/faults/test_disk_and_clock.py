"""A disk that is really full, and a clock that is wrong for one service alone."""

import errno
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hologram_dagster.chaos.faults.clock import SkewedClock
from hologram_dagster.chaos.faults.disk import FileSizeLimit, SmallDisk, lacking
from hologram_dagster.errors import HologramError
from hologram_dagster.processes import start_child, stop_child

pytestmark = [pytest.mark.phase9_chaos, pytest.mark.phase3_runtime]


@pytest.mark.system("root")
def test_a_small_disk_fills_and_is_freed(tmp_path: Path) -> None:
    assert lacking() == ""
    with SmallDisk(tmp_path, 1 << 20) as disk:
        (tmp_path / "kept").write_bytes(b"kept")
        assert disk.free_bytes > 0
        disk.fill()
        assert disk.free_bytes == 0
        with pytest.raises(OSError) as caught:
            (tmp_path / "more").write_bytes(b"more")
        assert caught.value.errno == errno.ENOSPC
        assert (tmp_path / "kept").read_bytes() == b"kept"
        disk.fill()
        disk.free()
        disk.free()
        (tmp_path / "more").write_bytes(b"more")
    assert list(tmp_path.iterdir()) == []
    disk.close()


@pytest.mark.system("root")
def test_a_small_disk_is_unmounted_even_while_it_is_used(tmp_path: Path) -> None:
    with SmallDisk(tmp_path, 1 << 20), (tmp_path / "open").open("wb"):
        pass
    assert not tmp_path.is_mount()


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HologramError, match="not empty"):
        SmallDisk(tmp_path, 1 << 20)


WRITER = """
import sys
for line in sys.stdin:
    try:
        open(line.strip(), "wb").write(bytes(100_000))
        print("written", flush=True)
    except OSError as error:
        print(error.errno, flush=True)
"""


def test_a_process_that_may_write_no_large_file(tmp_path: Path) -> None:
    child = start_child([sys.executable, "-c", WRITER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def write() -> str:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(f"{tmp_path / 'file'}\n".encode())
        child.stdin.flush()
        return child.stdout.readline().decode().strip()

    try:
        assert write() == "written"
        limit = FileSizeLimit(child.pid)
        before = limit.in_force_bytes
        limit.impose(50_000)
        assert limit.in_force_bytes == 50_000
        assert write() == str(errno.EFBIG)
        limit.lift()
        assert limit.in_force_bytes == before
        assert write() == "written"
    finally:
        stop_child(child)


READ_CLOCK = """
import sys
from pathlib import Path
from hologram_dagster.chaos.faults.clock import SkewedClock
clock = SkewedClock(Path(sys.argv[1]))
for _ in sys.stdin:
    print(clock(), flush=True)
"""


def test_a_service_reads_the_clock_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "clock"
    with SkewedClock(path) as clock:
        child = start_child(
            [sys.executable, "-c", READ_CLOCK, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

        def ahead_s() -> float:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(b"\n")
            child.stdin.flush()
            return float(child.stdout.readline()) - time.time()

        try:
            assert abs(ahead_s()) < 60
            for skew_s in (400.0, -400.0):
                clock.skew_s = skew_s
                assert ahead_s() == pytest.approx(skew_s, abs=60)
                assert clock() == pytest.approx(time.time() + skew_s, abs=60)
            clock.skew_s = 0
            assert abs(ahead_s()) < 60
        finally:
            stop_child(child)


def test_a_clocks_file_keeps_its_skew_and_one_of_other_size_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "clock"
    with SkewedClock(path) as clock:
        clock.skew_s = 12.5
    with SkewedClock(path) as again:
        assert again.skew_s == 12.5
    path.write_bytes(b"half")
    with SkewedClock(path) as anew:
        assert anew.skew_s == 0
