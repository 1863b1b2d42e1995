"""The Dagster home: made once, by one process, before anything else touches it.

Two processes at the first use of an empty home can break its database for good, so
`dagster instance info` runs alone first, under a lock. See docs/architecture.md.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

from hologram_dagster.errors import HologramError
from hologram_dagster.files import write_whole
from hologram_dagster.settings import Settings

_READY = ".ready"


def project_file(name: str) -> Path:
    """`dagster.yaml` or `workspace.yaml`: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).resolve().parents[1]
    beside = package.parent / name
    return beside if beside.exists() else package / name


def prepare_home(settings: Settings) -> Path:
    """The Dagster home (`DAGSTER_HOME`, else in the state folder), ready for use, absolute.

    Raises:
        HologramError: the folder cannot be made, or Dagster refuses it.
    """
    home = (settings.dagster_home or settings.state_dir / "dagster").absolute()
    try:
        home.mkdir(parents=True, exist_ok=True)
        with (home / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (home / _READY).exists():
                _first_use(home)
    except OSError as error:
        raise HologramError(f"cannot prepare the Dagster home {home}: {error.strerror}.") from error
    return home


def _first_use(home: Path) -> None:
    if not (home / "dagster.yaml").exists():
        shutil.copyfile(project_file("dagster.yaml"), home / "dagster.yaml")
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "instance", "info"],
        env={**os.environ, "DAGSTER_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise HologramError(f"Dagster refuses the home {home}: {last[0]}")
    write_whole(home / _READY, "")
