"""Whether the process of a run still lives: it holds a lock that the kernel frees at its death.

Dagster's own launcher does not notice that a run was killed; the queue would wait for it
until the run's deadline.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def _path(state_dir: Path, run_id: str) -> Path:
    return state_dir / "runs" / f"{run_id}.lock"


@contextmanager
def sign_of_life(state_dir: Path, run_id: str) -> Iterator[None]:
    """Show that the run lives while this context does; several processes of a run may."""
    path = _path(state_dir, run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield
    path.unlink(missing_ok=True)


def is_lost(state_dir: Path, run_id: str) -> bool:
    """Whether the run showed a sign of life and does not any more, without having ended by itself."""
    try:
        with _path(state_dir, run_id).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (FileNotFoundError, BlockingIOError):
        return False
    return True


def forget(state_dir: Path, run_id: str) -> None:
    """The run is known to be over."""
    _path(state_dir, run_id).unlink(missing_ok=True)
