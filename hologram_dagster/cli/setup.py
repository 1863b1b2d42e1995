"""`hologram setup` and `hologram ui`: the Dagster home, and the web server on it."""

import fcntl
import os
import signal
import sys
from pathlib import Path

import typer

from hologram_dagster.cli.home import prepare_home, project_file
from hologram_dagster.errors import HologramError
from hologram_dagster.settings import load_settings

_SERVED = ".ui.lock"


def setup() -> None:
    """Prepare the Dagster home in the state folder (once; safe to repeat).

    Example: hologram setup
    """
    home = prepare_home(load_settings())
    typer.echo(f"Dagster home: {home}")


def ui(
    port: int = typer.Option(3000, help="Port of the web server."),
    host: str = typer.Option("127.0.0.1", help="Address to listen on."),
) -> None:
    """Serve the Dagster UI with its daemon (schedules, sensors) until stopped; once for a home.

    Example: hologram ui
    """
    home = prepare_home(load_settings())
    address = f"http://{host}:{port}"
    _hold(home, address)
    typer.echo(f"Dagster UI: {address} (home: {home})")
    command = [
        *(sys.executable, "-m", "dagster", "dev"),
        *("-w", str(project_file("workspace.yaml"))),
        *("--host", host, "--port", str(port)),
    ]
    # A script's background job has it ignored, and Dagster stops its daemon with it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execvpe(command[0], command, {**os.environ, "DAGSTER_HOME": str(home)})


def _hold(home: Path, address: str) -> None:
    """Hold the home's lock for as long as this process lives, also as another program.

    Raises:
        HologramError: another one serves the home, whose daemon would do everything twice.
    """
    lock = os.open(home / _SERVED, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(lock, 1000).decode(errors="replace").strip() or "another process"
        raise HologramError(
            f"the home {home} is served already, by {holder}: stop that one first, "
            "or give this one a home of its own in DAGSTER_HOME."
        ) from None
    os.ftruncate(lock, 0)
    os.write(lock, f"process {os.getpid()} at {address}\n".encode())
    os.set_inheritable(lock, True)


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command()(setup)
    app.command()(ui)
