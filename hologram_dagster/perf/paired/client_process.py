"""The process that carries out one launch: `python -m hologram_dagster.perf.paired.client_process`.

Reads a `Job` from standard input and writes a `Reply` to standard output. A fresh process
a launch, without garbage collection, so that nothing of the gate is beside the loop.
"""

import gc
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from hologram_dagster.errors import HologramError
from hologram_dagster.perf.paired.http_caller import ServerCaller
from hologram_dagster.perf.paired.job import Job, LaunchSamples, Reply, Workers
from hologram_dagster.perf.paired.loop import Loop, SideError
from hologram_dagster.perf.paired.process_tree import pin_thread
from hologram_dagster.perf.paired.schedule import Side
from hologram_dagster.perf.paired.worker_caller import WorkerCaller

Ready = WorkerCaller | ServerCaller
# Where a process's memory lies decides up to a sixth of the time of a call that is over before a
# millisecond is (docs/perf_evidence.md). Of two processes a side the faster one makes the lower quartile.
_WORKERS_A_SIDE = 2


def _start(job: Job, side: Side) -> Ready:
    env = {"PYTHONHASHSEED": str(job.schedule.hash_seed), "HOLOGRAM_GC": job.gc}
    target = job.target
    if isinstance(target, Workers):
        return WorkerCaller(
            target.a if side == "A" else target.b,
            operation=target.operation,
            payload_bytes=target.payload_bytes,
            env=env,
            deadline_s=job.deadline_s,
        )
    return ServerCaller(
        target.a if side == "A" else target.b,
        request=target.request,
        env=env,
        deadline_s=job.deadline_s,
        log=job.logs / f"{side}.log",
    )


def _start_all(job: Job, callers: dict[Side, list[Ready]]) -> None:
    order: tuple[Side, Side] = ("A", "B") if job.schedule.first == "A" else ("B", "A")
    each = _WORKERS_A_SIDE if isinstance(job.target, Workers) else 1
    with ThreadPoolExecutor(max_workers=2 * each) as pool:
        starting = [(side, pool.submit(_start, job, side)) for side in order * each]
    broken: SideError | None = None
    for side, future in starting:
        try:
            callers[side].append(future.result())
        except HologramError as error:
            broken = SideError(side, error)
    if broken:
        raise broken


def _measure(job: Job, callers: Mapping[Side, Sequence[Ready]]) -> LaunchSamples:
    pin_thread(0, job.core)
    every = [(side, caller) for side, each in callers.items() for caller in each]
    for _, caller in every:
        caller.tree.pin(job.core)
    samples = Loop(callers).run(job.schedule.orders, worker=isinstance(job.target, Workers))
    for side, caller in every:
        if caller.tree.left_core(job.core):
            raise SideError(side, HologramError(f"it left core {job.core}, to which it was bound"))
    return samples


def launch(job: Job) -> Reply:
    """Start both sides, measure them, end them."""
    callers: dict[Side, list[Ready]] = {"A": [], "B": []}
    try:
        _start_all(job, callers)
        return Reply(samples=_measure(job, callers))
    except SideError as error:
        return Reply(fault=str(error), side=error.side)
    except HologramError as error:
        return Reply(fault=str(error))
    finally:
        for caller in chain.from_iterable(callers.values()):
            caller.close()


def main() -> None:
    """Carry out the job on standard input."""
    job = Job.model_validate_json(sys.stdin.buffer.read())
    gc.freeze()
    gc.disable()
    sys.stdout.write(launch(job).model_dump_json())


if __name__ == "__main__":
    main()
