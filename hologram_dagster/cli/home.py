"""The Dagster home: made once, by one process, before anything else touches it.

Two processes at the first use of an empty home can break its database for good, so
`dagster instance info` runs alone first, under a lock. See docs/architecture.md.
Runs and events are kept in SQLite in the home, or in the PostgreSQL of `DAGSTER_PG_URL`.
"""

import os
import subprocess
import sys
from pathlib import Path

from hologram_dagster.cli.postgres import require_postgres
from hologram_dagster.errors import HologramError
from hologram_dagster.files import make_untracked, write_whole
from hologram_dagster.locking import exclusive
from hologram_dagster.secrets.redactor import redact
from hologram_dagster.settings import Settings

_READY = ".ready"
_INSTANCE_FILE = "dagster.yaml"
# The URL stays in the environment: it holds a password.
_POSTGRES = "storage:\n  postgres:\n    postgres_url: {env: DAGSTER_PG_URL}\n"


def project_file(name: str) -> Path:
    """`dagster.yaml` or `workspace.yaml`: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).resolve().parents[1]
    beside = package.parent / name
    return beside if beside.exists() else package / name


def prepare_home(settings: Settings) -> Path:
    """The Dagster home (`DAGSTER_HOME`, else in the state folder), ready for use, absolute.

    Raises:
        HologramError: the folder cannot be made, Dagster refuses it, or `DAGSTER_PG_URL` cannot be used.
    """
    # Each time: a database that was there yesterday may be gone.
    if settings.dagster_pg_url is not None:
        require_postgres(settings.dagster_pg_url.get_secret_value())
    home = (settings.dagster_home or settings.state_dir / "dagster").absolute()
    make_untracked(settings.state_dir)
    try:
        with exclusive(home / ".lock"):
            written = _write_instance_file(home, postgres=settings.dagster_pg_url is not None)
            if written or not (home / _READY).exists():
                _first_use(home)
    except OSError as error:
        raise HologramError(f"cannot prepare the Dagster home {home}: {error.strerror}.") from error
    return home


def _write_instance_file(home: Path, *, postgres: bool) -> bool:
    """Have the home's instance file name the storage asked for; whether it was written.

    A file that is not one of our two is the user's own, and stays as it is.
    """
    sqlite = project_file(_INSTANCE_FILE).read_text(encoding="utf-8")
    both = {False: sqlite, True: sqlite + _POSTGRES}
    path = home / _INSTANCE_FILE
    found = path.read_text(encoding="utf-8") if path.exists() else None
    if found == both[postgres] or (found is not None and found not in both.values()):
        return False
    write_whole(path, both[postgres])
    return True


def _first_use(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "instance", "info"],
        env={**os.environ, "DAGSTER_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        (home / _READY).unlink(missing_ok=True)
        last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise HologramError(f"Dagster refuses the home {home}: {redact(last[0])}")
    write_whole(home / _READY, "")
