"""The measuring lock is one for the host, survives no holder, and cannot be abused by other users."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hologram_dagster.errors import HologramError
from hologram_dagster.perf.lock import measuring_lock

pytestmark = pytest.mark.phase6_perf

HOLDER = """
import sys, time
from pathlib import Path
from hologram_dagster.perf.lock import measuring_lock
with measuring_lock(0, path=Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@contextmanager
def another_process_holds(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == b"held\n"
        yield holder
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def test_only_one_holds_it_and_the_other_is_told_who(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with another_process_holds(path) as holder:
        told: list[str] = []
        with (
            pytest.raises(HologramError, match=rf"within 0\.3 s: process {holder.pid} \(python"),
            measuring_lock(0.3, on_wait=told.append, path=path),
        ):
            pass
        assert told == [f"waiting for the measuring lock {path}, which process {holder.pid} (python) holds"]


def test_a_killed_holder_frees_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with another_process_holds(path) as holder:
        threading.Timer(0.5, holder.kill).start()
        with measuring_lock(30, path=path):
            assert holder.wait(10) == -9


def test_a_child_of_a_holder_does_not_keep_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with measuring_lock(0, path=path):
        child = subprocess.Popen(["sleep", "600"], close_fds=False)
    try:
        with measuring_lock(0, path=path):
            pass
    finally:
        child.kill()
        child.wait()


def test_it_is_free_again_after_an_exception(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(RuntimeError), measuring_lock(0, path=path):
        raise RuntimeError
    with measuring_lock(0, path=path):
        pass


def test_everyone_may_use_it_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    before = os.umask(0o077)
    try:
        with measuring_lock(0, path=path):
            pass
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o666


@pytest.mark.system("root")
def test_another_user_in_a_sticky_folder_shares_it(tmp_path: Path) -> None:
    folder = Path("/tmp") / f"hologram-lock-test-{os.getpid()}"
    folder.mkdir()
    folder.chmod(0o1777)
    path = folder / "lock"
    try:
        with measuring_lock(0, path=path):
            pass
        os.chown(path, 12345, 12345)
        path.chmod(0o644)
        with measuring_lock(0, path=path):
            pass
    finally:
        path.unlink()
        folder.rmdir()


def test_a_symbolic_link_is_refused_and_its_target_untouched(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    target.chmod(0o600)
    for victim in (target, tmp_path / "absent"):
        path = tmp_path / f"lock-{victim.name}"
        path.symlink_to(victim)
        with pytest.raises(HologramError, match="symbolic link"), measuring_lock(0, path=path):
            pass
    assert target.read_text() == "precious"
    assert target.stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "absent").exists()


def test_a_fifo_or_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    for name in ("fifo", "folder"):
        with pytest.raises(HologramError, match="no plain file"), measuring_lock(0, path=tmp_path / name):
            pass
