"""A PostgreSQL of one's own for as long as a context lasts, of the programs that are installed here.

On a Unix socket only, without a network; its files lie in a temporary folder apart, since PostgreSQL wants
them for another user than root.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from hologram_dagster.errors import HologramError
from hologram_dagster.processes import wait_until

_START_S = 60
_STOP_S = 60
ABSENT = "PostgreSQL is not installed here: apt-get install postgresql"


@cache
def programs() -> Path | None:
    """The folder of `initdb` and `postgres`, which Debian keeps off PATH; None without PostgreSQL."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    kept = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return kept[-1].parent if kept else None


@contextmanager
def running_postgres(name: str) -> Iterator[str]:
    """The URL of a PostgreSQL that runs while the context lasts; `name` is part of its folder's.

    Raises:
        HologramError: it is not installed, or does not start.
    """
    where = programs()
    if where is None:
        raise HologramError(f"{ABSENT}.")
    with tempfile.TemporaryDirectory(prefix=f"hologram-{name}-") as folder:
        yield from _running(where, Path(folder))


def _running(where: Path, folder: Path) -> Iterator[str]:
    # PostgreSQL refuses to run as root.
    user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.getuid() == 0 else []
    if user:
        shutil.chown(folder, "nobody", "nogroup")
    data = folder / "data"
    made = subprocess.run(
        [
            *(*user, str(where / "initdb"), "-D", str(data)),
            *("-A", "trust", "-U", "hologram", "-E", "UTF8", "--no-sync"),
        ],
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
    )
    if made.returncode:
        raise HologramError(f"PostgreSQL cannot be set up: {made.stderr.strip()[-300:]}")
    server = subprocess.Popen(
        [*user, str(where / "postgres"), "-D", str(data), "-k", str(folder), "-c", "listen_addresses="],
        cwd="/",
        stderr=subprocess.DEVNULL,
    )
    try:
        ready = [str(where / "pg_isready"), "--quiet", "--host", str(folder)]
        if not wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, timeout_s=_START_S):
            raise HologramError(f"PostgreSQL did not start within {_START_S} s.")
        yield f"postgresql://hologram@/postgres?host={folder}"
    finally:
        server.send_signal(signal.SIGINT)  # ends it although clients are connected
        server.wait(_STOP_S)
