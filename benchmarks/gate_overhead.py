"""What the gate's measuring loop costs over the same calls bare, one JSON object an operation.

`bare`: a worker runs as many calls on one single request; a server answers as many
requests sent one after the other. `loop`: procedure H's loop over the same calls, its
clocks, its order and its comparison of answers included. Both on one core.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from hologram_dagster.perf.paired.compare import Comparison, compare_servers, compare_workers  # noqa: E402
from hologram_dagster.perf.paired.http_caller import ServerCaller  # noqa: E402
from hologram_dagster.perf.paired.process_tree import ProcessTree, pin_thread, usable_cores  # noqa: E402
from hologram_dagster.target.worker import Worker  # noqa: E402
from hologram_dagster_tests.perf_paired.commands import RESOLVE, Registries, slow_worker  # noqa: E402

PAYLOAD_BYTES = {"verify": 65_536, "encode": 2**20}
ROUNDS = 5


def loop_ns(comparison: Comparison) -> tuple[float, int]:
    """The fastest launch's loop, ns a call, and how many calls it made of both sides."""
    per_call = []
    for launch in comparison.launches:
        size = launch.samples.size
        calls = 4 * size.block * size.cycles
        per_call.append((launch.samples.loop_ns / calls, calls))
    return min(per_call)


def bare_worker_ns(operation: str, calls: int) -> float:
    command, core = slow_worker(), usable_cores()[-1]
    with Worker(command.command, env=command.env) as worker:
        worker.prepare(operation, PAYLOAD_BYTES[operation])
        ProcessTree(worker.pid).pin(core)
        worker.run(max(1, calls // 10))
        times = []
        for _ in range(ROUNDS):
            started = time.perf_counter_ns()
            worker.run(calls)
            times.append((time.perf_counter_ns() - started) / calls)
    return min(times)


def bare_server_ns(registries: Registries, calls: int, log: Path) -> float:
    server = ServerCaller(registries.slow("a"), request=RESOLVE, env={}, deadline_s=20, log=log)
    try:
        server.tree.pin(usable_cores()[-1])
        times = []
        for _ in range(ROUNDS):
            started = time.perf_counter_ns()
            server.block(calls, cpu=False)
            times.append((time.perf_counter_ns() - started) / calls)
    finally:
        server.close()
    return min(times)


def main() -> None:
    pin_thread(0, usable_cores()[-1])
    with tempfile.TemporaryDirectory(prefix="hologram-overhead-") as folder:
        registries = Registries(Path(folder))
        for operation in (*PAYLOAD_BYTES, "gql"):
            loops = []
            for _ in range(ROUNDS):
                if operation == "gql":
                    comparison = compare_servers(
                        operation,
                        baseline=registries.slow("a"),
                        candidate=registries.slow("b"),
                        request=RESOLVE,
                    )
                else:
                    comparison = compare_workers(
                        operation,
                        baseline=slow_worker(),
                        candidate=slow_worker(),
                        payload_bytes=PAYLOAD_BYTES[operation],
                    )
                loops.append(loop_ns(comparison))
            loop, calls = min(loops)
            if operation == "gql":
                bare = bare_server_ns(registries, calls, Path(folder) / "bare.log")
            else:
                bare = bare_worker_ns(operation, calls)
            summary = {
                "operation": operation,
                "calls": calls,
                "bare_us": round(bare / 1000, 2),
                "loop_us": round(loop / 1000, 2),
                "overhead": round(loop / bare, 3),
            }
            print(json.dumps(summary), flush=True)


if __name__ == "__main__":
    main()
