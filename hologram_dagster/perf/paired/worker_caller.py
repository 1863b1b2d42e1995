"""One side of a comparison that is a worker: a block is one request for as many calls."""

import time
from collections.abc import Mapping

from hologram_dagster.perf.paired.caller import Block
from hologram_dagster.perf.paired.job import WorkerCommand
from hologram_dagster.perf.paired.process_tree import ProcessTree
from hologram_dagster.target.worker import Worker


class WorkerCaller:
    """A worker, started and prepared.

    Raises:
        WorkerError: it does not start, lacks the operation, or broke.
    """

    def __init__(
        self,
        command: WorkerCommand,
        *,
        operation: str,
        payload_bytes: int,
        env: Mapping[str, str],
        deadline_s: float,
    ) -> None:
        self._worker = Worker(
            command.command, cwd=command.cwd, env={**command.env, **env}, deadline_s=deadline_s
        )
        try:
            self._worker.prepare(operation, payload_bytes)
            self.tree = ProcessTree(self._worker.pid)
        except BaseException:
            self._worker.close()
            raise

    def block(self, calls: int, *, cpu: bool) -> Block:
        """Let the worker make `calls` calls.

        Raises:
            WorkerError: it broke.
        """
        clock, cpu_clock = time.perf_counter_ns, self.tree.cpu_ns if cpu else int
        cpu_started = cpu_clock()
        started = clock()
        run = self._worker.run(calls)
        outside = clock() - started
        outside_cpu = cpu_clock() - cpu_started
        return Block(
            wall=list(run.ns),
            cpu=list(run.cpu_ns) if cpu and run.cpu_ns is not None else None,
            answers=[run.digest],
            outside=outside,
            outside_cpu=outside_cpu if cpu else None,
        )

    def close(self) -> None:
        """End the worker."""
        self._worker.close()
