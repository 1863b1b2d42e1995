"""The installed daemon in a process of its own, and what its runs have left behind."""

import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg

from hologram_dagster.cli.home import project_file
from hologram_dagster.processes import wait_until
from hologram_dagster_tests.gate.bench import BIN, Bench

# Guards against hanging only.
HANG_S = 280.0
VISIBLE_S = 0.2


@dataclass
class Daemon:
    """`dagster-daemon run` on a bench's home; restarted at will."""

    bench: Bench
    variables: Mapping[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.bench.folder / ".hologram" / "dagster"

    def start(self) -> None:
        log = (self.bench.folder / ".hologram" / "daemon.log").open("ab")
        self.processes.append(
            subprocess.Popen(
                [str(BIN / "dagster-daemon"), "run", "-w", str(project_file("workspace.yaml"))],
                cwd=self.bench.folder,
                env=self.bench.environment(DAGSTER_HOME=str(self.home), **self.variables),
                stdout=log,
                stderr=log,
                # With the code server and the runs in its group, nothing outlives a test.
                start_new_session=True,
            )
        )

    def kill(self) -> None:
        """`kill -9` of the daemon alone; what it has started lives on."""
        self.processes[-1].kill()
        self.processes[-1].wait()

    def end(self) -> None:
        """End all that was started."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def instance(self) -> dg.DagsterInstance:
        return dg.DagsterInstance.from_config(str(self.home))

    def wait_for_runs(self, count: int, *statuses: dg.DagsterRunStatus) -> list[dg.DagsterRun]:
        """Wait until `count` runs are in `statuses`; those runs."""
        with self.instance() as instance:
            wanted = dg.RunsFilter(statuses=list(statuses))
            assert wait_until(
                lambda: len(instance.get_runs(wanted)) >= count, timeout_s=HANG_S, every_s=VISIBLE_S
            ), self.log()
            return list(instance.get_runs(wanted))

    def wait_for_verdicts(self, commits: list[str]) -> None:
        """Wait until each of `commits` has a verdict."""
        assert wait_until(
            lambda: set(commits) <= set(self.verdicts()), timeout_s=HANG_S, every_s=VISIBLE_S
        ), f"{self.verdicts()}\n{self.log()}"

    def verdicts(self) -> Counter[str]:
        """How many verdicts each commit has, as the ledger lists them."""
        ledger = self.bench.evidence / "ledger.jsonl"
        lines = ledger.read_text().splitlines() if ledger.exists() else []
        entries = [json.loads(line)["data"] for line in lines]
        return Counter(entry["commit"] for entry in entries if entry.get("kind") == "verdict")

    def log(self) -> str:
        return "\n".join((self.bench.folder / ".hologram" / "daemon.log").read_text().splitlines()[-40:])
