"""An experiment in a process of its own, to be killed: it breaks a service that it did not start.

    python -m hologram_dagster.chaos.sabotage.victim FOLDER URL PID_FILE HOLD_S START...

The service at URL has its process ID in PID_FILE, and is started by START.
"""

import sys
from pathlib import Path

from hologram_dagster.chaos.experiment import Action, Experiment, Fault, Leftover, Service, Strike, Workload
from hologram_dagster.chaos.faults.services import Incarnation, UserService
from hologram_dagster.chaos.history import History
from hologram_dagster.chaos.journal_file import operations_path
from hologram_dagster.chaos.leftovers import Leftovers
from hologram_dagster.chaos.load import Load
from hologram_dagster.chaos.running import run
from hologram_dagster.chaos.sabotage.bench import (
    LIMIT_S,
    MOST_LAG_MS,
    RATE_PER_S,
    hypothesis,
    operating,
    refused,
)
from hologram_dagster.chaos.sabotage.kv_service import KvClient
from hologram_dagster.errors import HologramError
from hologram_dagster.processes import LOOPBACK, wait_until

NAME = "killed"
_START_S = 60.0
_TIMEOUT_S = 5.0


def main(folder: Path, url: str, pid_file: Path, hold_s: float, start: list[str]) -> None:
    """Carry the experiment out."""
    service = UserService("kv", ("sh", "-c", f"kill -9 $(cat {pid_file})"), start)
    client = KvClient(url)
    history = History(operations_path(folder, NAME))

    def alive() -> bool:
        return process_lives(int(pid_file.read_text()))

    def start_it() -> None:
        if not alive():
            service.restart()
            wait_until(alive, timeout_s=_START_S)

    fault = Fault(
        "the user's service killed",
        apply=service.kill,
        witness=refused(url, alive),
        undo=start_it,
        leftovers=(Leftover.command(start),),
    )
    load = Load("kv", operating(client, history), rate_per_s=RATE_PER_S, timeout_s=_TIMEOUT_S)
    experiment = Experiment(
        name=NAME,
        title="A service of the user's is killed under load",
        seed=1,
        hypothesis=hypothesis(client),
        method=(Strike(fault, after_s=(0.4, 0.4), hold_s=(hold_s, hold_s), limit_s=LIMIT_S),),
        services=(Service("kv", url, started_by_us=False, state=client.state),),
        workload=Workload(load, history, client.get, most_lag_ms=MOST_LAG_MS),
        rollbacks=(Action("service runs", start_it),),
    )
    run(experiment, allowed=LOOPBACK, folder=folder, leftovers=Leftovers(folder / "leftovers"))


def process_lives(pid: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    try:
        return Incarnation.of(pid).alive
    except HologramError:
        return False


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), float(sys.argv[4]), sys.argv[5:])
