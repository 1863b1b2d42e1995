"""A real PostgreSQL for the tests marked `system("postgresql")`."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from hologram_dagster.processes import wait_until

# A fixture's parameter: the same tests against PostgreSQL.
POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.system("postgresql"))


@cache
def programs() -> Path | None:
    """The folder of `initdb` and `postgres`, which Debian keeps off PATH; None without PostgreSQL."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    kept = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return kept[-1].parent if kept else None


@contextmanager
def running_postgres(folder: Path) -> Iterator[str]:
    """URL of a PostgreSQL of the test's own; `folder` names it.

    Its files lie apart: pytest closes its own folders to other users each time one starts.
    """
    with tempfile.TemporaryDirectory(prefix=f"hologram-{folder.name}-") as apart:
        yield from _running(Path(apart))


def _running(folder: Path) -> Iterator[str]:
    where = programs()
    assert where is not None, "PostgreSQL is not installed: apt-get install postgresql"
    # PostgreSQL refuses to run as root.
    user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.getuid() == 0 else []
    if user:
        shutil.chown(folder, "nobody", "nogroup")
    data = folder / "data"
    subprocess.run(
        [
            *(*user, str(where / "initdb"), "-D", str(data)),
            *("-A", "trust", "-U", "hologram", "-E", "UTF8", "--no-sync"),
        ],
        check=True,
        capture_output=True,
        cwd="/",
    )
    server = subprocess.Popen(
        [*user, str(where / "postgres"), "-D", str(data), "-k", str(folder), "-c", "listen_addresses="],
        cwd="/",
        stderr=subprocess.DEVNULL,
    )
    try:
        ready = [str(where / "pg_isready"), "--quiet", "--host", str(folder)]
        assert wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, timeout_s=60)
        yield f"postgresql://hologram@/postgres?host={folder}"
    finally:
        server.send_signal(signal.SIGINT)  # ends it although clients are connected
        server.wait(60)
