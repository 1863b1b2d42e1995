"""The spoilt experiments, each by one thing, and what must come of it. Never `passed`."""

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hologram_dagster.chaos.conducting import Clocks
from hologram_dagster.chaos.experiment import Action, Probe, Service, Witness
from hologram_dagster.chaos.faults.services import freeze
from hologram_dagster.chaos.sabotage.bench import Bench
from hologram_dagster.chaos.tolerances import Equals
from hologram_dagster.errors import HologramError, ServiceError
from hologram_dagster.observation import Status

_STALL_S = 2
_JUMP_S = 3600.0
_SHORT_S = 1.0
# Beyond what Linux gives out (PID_MAX_LIMIT, 2^22).
_NO_PID = 2**22 + 1


@dataclass(frozen=True, slots=True)
class Case:
    """One way to spoil an experiment.

    `spoil` changes the sound experiment, `service` breaks a promise of the service (`kv_server`).
    """

    name: str
    expected: Status
    spoil: Callable[[Bench], None] = lambda bench: None
    service: str = ""


def _baseline_broken(bench: Bench) -> None:
    bench.client.put("fixed-0", "not as it should be")


def _no_probes(bench: Bench) -> None:
    bench.change(hypothesis=())


def _no_fault(bench: Bench) -> None:
    bench.change(method=(Action("nothing", lambda: None),))


def _action_fails(bench: Bench) -> None:
    bench.before_the_strike(Action("freeze a process that is not there", lambda: freeze(_NO_PID)))


def _action_hangs(bench: Bench) -> None:
    bench.before_the_strike(Action("wait for a word that never comes", bench.silence(), _SHORT_S))


def _fault_fails(bench: Bench) -> None:
    bench.change_fault(apply=lambda: freeze(_NO_PID))


def _fault_without_effect(bench: Bench) -> None:
    bench.change_fault(apply=lambda: os.kill(bench.service.pid, signal.SIGCONT))


def _fault_ends_early(bench: Bench) -> None:
    def kill_and_revive() -> None:
        bench.service.kill()
        threading.Timer(_SHORT_S, bench.service.restart).start()

    fault = replace(bench.strike.fault, apply=kill_and_revive)
    bench.change(method=(replace(bench.strike, fault=fault, hold_s=(3.0, 3.0)),))


def _fault_hangs(bench: Bench) -> None:
    bench.change_fault(apply=bench.silence(), timeout_s=_SHORT_S)


def _add_probe(bench: Bench, probe: Probe) -> None:
    bench.change(hypothesis=(*bench.experiment.hypothesis, probe))


def _probe_crashes(bench: Bench) -> None:
    _add_probe(bench, Probe("a share of nothing", lambda: 1 / len(()), Equals(1)))


def _probe_hangs(bench: Bench) -> None:
    _add_probe(bench, Probe("silence", bench.silence(), Equals(None), timeout_s=_SHORT_S))


def _probe_crashes_after(bench: Bench) -> None:
    pid = bench.service.pid
    _add_probe(bench, Probe("first process", lambda: os.getpgid(pid), Equals(pid)))


def _rollback_fails(bench: Bench) -> None:
    def fail() -> None:
        freeze(_NO_PID)

    bench.change(rollbacks=(*bench.experiment.rollbacks, Action("roll back", fail)))


def _rollback_hangs(bench: Bench) -> None:
    bench.change(rollbacks=(Action("roll back", bench.silence(), _SHORT_S),))


def _undo_fails(bench: Bench) -> None:
    def fail() -> None:
        raise HologramError("the start script is gone.")

    bench.change_fault(undo=fail)


def _witness_lies(bench: Bench) -> None:
    """Nothing is done, and a witness that always says so."""
    bench.change_fault(apply=lambda: None, witness=lambda: Witness(True, "it is down, believe me"))


def _witness_crashes(bench: Bench) -> None:
    before = bench.strike.fault.witness

    def witness() -> Witness:
        return before() if bench.service.alive else Witness(bool(1 / len(())), "")

    bench.change_fault(witness=witness)


def _load_stalls(bench: Bench) -> None:
    # Holds the interpreter's lock, so that nothing of ours is sent: as a host without a free core.
    hold_up = ctypes.PyDLL(None).sleep
    bench.before_the_strike(Action("hold everything up", lambda: hold_up(_STALL_S)))


def _load_ends_early(bench: Bench) -> None:
    bench.before_the_strike(Action("end the load", bench.load.stop))


def _nothing_read_back(bench: Bench) -> None:
    def unread(_key: str) -> str | None:
        raise ServiceError("nobody can read back")

    bench.change_workload(read_back=unread)


def _clock_jumps(bench: Bench) -> None:
    jumped = threading.Event()
    bench.clocks = Clocks(wall=lambda: time.time() + (_JUMP_S if jumped.is_set() else 0.0))
    bench.before_the_strike(Action("set the clock", jumped.set))


def _not_ours(bench: Bench) -> None:
    (service,) = bench.experiment.services
    bench.change(services=(replace(service, started_by_us=False),))


def _state_unreadable(bench: Bench) -> None:
    states = iter([bench.client.state()])

    def once() -> dict[str, str]:
        return next(states)

    (service,) = bench.experiment.services
    bench.change(services=(Service(service.name, service.url, started_by_us=True, state=once),))


def _too_short(bench: Bench) -> None:
    bench.change_workload(least_operations=10_000)


def _recovery_limit(bench: Bench) -> None:
    late = Probe("later than it may be", lambda: not bench.service.alive, Equals(True))
    bench.change(method=(replace(bench.strike, recovered=(late,), limit_s=_SHORT_S),))


CASES: Sequence[Case] = (
    Case("baseline broken", Status.INCONCLUSIVE, _baseline_broken),
    Case("hypothesis without probes", Status.INCONCLUSIVE, _no_probes),
    Case("method without a fault", Status.INCONCLUSIVE, _no_fault),
    Case("action fails", Status.ERROR, _action_fails),
    Case("action hangs", Status.ERROR, _action_hangs),
    Case("fault fails", Status.ERROR, _fault_fails),
    Case("fault hangs", Status.ERROR, _fault_hangs),
    Case("fault without effect", Status.INCONCLUSIVE, _fault_without_effect),
    Case("fault ends early", Status.INCONCLUSIVE, _fault_ends_early),
    Case("witness lies", Status.INCONCLUSIVE, _witness_lies),
    Case("witness crashes", Status.ERROR, _witness_crashes),
    Case("probe crashes", Status.ERROR, _probe_crashes),
    Case("probe crashes afterwards", Status.FAILED, _probe_crashes_after),
    Case("probe hangs", Status.ERROR, _probe_hangs),
    Case("never recovers", Status.FAILED, service="mute"),
    Case("recovers too late", Status.FAILED, _recovery_limit),
    Case("undo fails", Status.ERROR, _undo_fails),
    Case("rollback fails", Status.ERROR, _rollback_fails),
    Case("rollback hangs", Status.ERROR, _rollback_hangs),
    Case("service comes back empty", Status.FAILED, service="forget"),
    Case("acknowledged data lost", Status.FAILED, service="drop"),
    Case("stale data read", Status.FAILED, service="lag"),
    Case("wrong bytes served", Status.FAILED, service="corrupt"),
    Case("service state differs afterwards", Status.FAILED, service="lose"),
    Case("service state unknown afterwards", Status.ERROR, _state_unreadable),
    Case("nothing can be read back", Status.INCONCLUSIVE, _nothing_read_back),
    Case("load generator stalled", Status.INCONCLUSIVE, _load_stalls),
    Case("load generator ends early", Status.INCONCLUSIVE, _load_ends_early),
    Case("too little load", Status.INCONCLUSIVE, _too_short),
    Case("clock jumps", Status.INCONCLUSIVE, _clock_jumps),
    Case("service not ours", Status.NOT_APPLICABLE, _not_ours),
)
