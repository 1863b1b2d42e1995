"""Chaos Toolkit on the spoilt experiments that can be expressed in it: `python benchmarks/chaos_toolkit.py`.

The same key-value service, killed and started again, spoilt in the same ways as in `hologram chaos
sabotage`. Load, witness, history and the comparison of states have no form there, so what only they can see
is left out. Prints a table: what must come of each, and what came of it by Chaos Toolkit (exit code, status,
deviated). Exit code 1 if the sound experiment does not complete, since then the rest says nothing.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from hologram_dagster.chaos.sabotage.cases import CASES
from hologram_dagster.chaos.sabotage.killed import KILLED
from hologram_dagster.chaos.sabotage.kv_service import FIXED, KvClient, server_command
from hologram_dagster.errors import ServiceError
from hologram_dagster.processes import LOOPBACK, free_port, wait_until

_PROGRAM = [str(Path(sys.executable).with_name("chaos")), "--no-version-check"]
_LIMIT_S = 120.0
_BACK_S = 10.0
_NO_PID = 2**22 + 1
Part = dict[str, Any]


@dataclass
class Rig:
    """A service that outlives whoever kills it, and the sound experiment on it."""

    folder: Path
    client: KvClient
    start: str
    method: list[Part] = field(default_factory=list)
    rollbacks: list[Part] = field(default_factory=list)
    probes: list[Part] = field(default_factory=list)

    @property
    def pid_file(self) -> Path:
        return self.folder / "pid"

    @property
    def healthy(self) -> bool:
        try:
            return self.client.health() == 200
        except ServiceError:
            return False

    def experiment(self) -> Part:
        return {
            "title": "A service is killed and started again",
            "description": "as in hologram chaos sabotage",
            "steady-state-hypothesis": {"title": "it serves", "probes": self.probes},
            "method": self.method,
            "rollbacks": self.rollbacks,
        }


def process(name: str, command: str, *, after_s: float = 0.0, timeout_s: float = 30) -> Part:
    arguments = ["-c", command]
    provider = {"type": "process", "path": "sh", "arguments": arguments, "timeout": timeout_s}
    return {"type": "action", "name": name, "provider": provider, "pauses": {"after": after_s}}


def get(name: str, url: str, tolerance: object) -> Part:
    provider = {"type": "http", "url": url, "timeout": 2}
    return {"type": "probe", "name": name, "tolerance": tolerance, "provider": provider}


@contextmanager
def rig(spoil: str) -> Iterator[Rig]:
    with tempfile.TemporaryDirectory(prefix="hologram-chaos-toolkit-") as name, ExitStack() as owned:
        folder, port = Path(name), free_port()
        client = KvClient(f"http://{LOOPBACK}:{port}", timeout_s=2)
        owned.callback(client.close)
        command = [*server_command(port, folder / "values.jsonl", spoil), "--pid-file", str(folder / "pid")]
        command += ["--of", str(os.getpid())]
        made = Rig(folder, client, f"{shlex.join(command)} >/dev/null 2>&1 </dev/null &")
        owned.callback(lambda: end(made))
        subprocess.run(["sh", "-c", made.start], check=True)
        assert wait_until(lambda: made.healthy, timeout_s=_LIMIT_S)
        for key, value in FIXED.items():
            client.put(key, value)
        if_dead = f"kill -0 $(cat {made.pid_file}) 2>/dev/null || {{ {made.start} }}"
        made.method = [
            process("kill", f"kill -9 $(cat {made.pid_file})", after_s=0.5),
            # It cannot wait until something holds.
            process("start", made.start, after_s=3),
        ]
        made.rollbacks = [process("service runs", if_dead)]
        value = {"type": "regex", "pattern": "^value 0$", "target": "body"}
        made.probes = [
            get("health", f"{client.url}/health", 200),
            get("fixed-0", f"{client.url}/k/fixed-0", value),
        ]
        yield made


def end(made: Rig) -> None:
    with suppress(OSError, ValueError):
        os.kill(int(made.pid_file.read_text()), signal.SIGKILL)


def _baseline_broken(made: Rig) -> None:
    made.client.put("fixed-0", "not as it should be")


def _before(part: Part) -> Callable[[Rig], None]:
    return lambda made: made.method.insert(0, part)


def _instead(command: str) -> Callable[[Rig], None]:
    def spoil(made: Rig) -> None:
        made.method[0] = process("kill", command.replace("PID", f"$(cat {made.pid_file})"), after_s=0.5)

    return spoil


def _probe(part: Part) -> Callable[[Rig], None]:
    return lambda made: made.probes.append(part)


def _rollback(part: Part) -> Callable[[Rig], None]:
    return lambda made: made.rollbacks.append(part)


def _silent(made: Rig) -> None:
    made.probes.append(process("silence", "sleep 60", timeout_s=1) | {"type": "probe", "tolerance": 0})


def _undo_fails(made: Rig) -> None:
    made.method[1] = process("start", "exit 1", after_s=1)
    made.rollbacks = []


def _fault_ends_early(made: Rig) -> None:
    revive = f"(sleep 1; {made.start}) >/dev/null 2>&1 &"
    made.method = [process("kill", f"kill -9 $(cat {made.pid_file}); {revive}", after_s=4)]


_CRASH = {"type": "python", "module": "json", "func": "loads", "arguments": {"s": "nothing"}}
SPOILT: dict[str, Callable[[Rig], None]] = {
    "baseline broken": _baseline_broken,
    "hypothesis without probes": lambda made: made.probes.clear(),
    "method without a fault": lambda made: made.method.__setitem__(slice(None), [process("nothing", "true")]),
    "action fails": _before(process("freeze what is not there", f"kill -STOP {_NO_PID}")),
    "action hangs": _before(process("hang", "sleep 60", timeout_s=1)),
    "fault fails": _instead(f"kill -STOP {_NO_PID}"),
    "fault hangs": lambda made: made.method.__setitem__(0, process("kill", "sleep 60", timeout_s=1)),
    "fault without effect": _instead("kill -CONT PID"),
    "fault ends early": _fault_ends_early,
    "probe crashes": _probe({"type": "probe", "name": "crash", "tolerance": True, "provider": _CRASH}),
    "probe hangs": _silent,
    "never recovers": lambda made: None,
    "undo fails": _undo_fails,
    "rollback fails": _rollback(process("roll back", "exit 1")),
    "rollback hangs": _rollback(process("roll back", "sleep 60", timeout_s=1)),
    "service comes back empty": lambda made: None,
}


@dataclass(frozen=True)
class Came:
    """What came of one: exit code, the journal's words, and whether the service was back in the end."""

    code: int
    status: str
    deviated: object
    back: bool

    @property
    def green(self) -> bool:
        return self.code == 0

    def __str__(self) -> str:
        left = "" if self.back else ", the service is left dead"
        return f"exit {self.code}, {self.status}, deviated {str(self.deviated).lower()}{left}"


def carry_out(made: Rig, number: signal.Signals | None = None) -> Came:
    """Run it; with `number`, send that to Chaos Toolkit once the service is dead."""
    path, journal = made.folder / "experiment.json", made.folder / "journal.json"
    path.write_text(json.dumps(made.experiment()))
    running = subprocess.Popen(
        [*_PROGRAM, "run", "--journal-path", str(journal), str(path)],
        cwd=made.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    if number is not None:
        wait_until(lambda: not made.healthy, timeout_s=_LIMIT_S)
        running.send_signal(number)
    code = running.wait(_LIMIT_S)
    said: Part = json.loads(journal.read_text()) if journal.exists() else {}
    back = wait_until(lambda: made.healthy, timeout_s=_BACK_S)
    return Came(code, str(said.get("status", "no journal")), said.get("deviated"), back)


def main() -> int:
    expected = {case.name: case.expected for case in (*CASES, *KILLED)}
    spoils = {case.name: case.service for case in CASES}
    print("| case | must be | Chaos Toolkit | passed |\n|---|---|---|---|")
    with rig("") as made:
        sound = carry_out(made)
        print(f"| (sound) | passed | {sound} | {'yes' if sound.green else 'no'} |", flush=True)
    green = 0
    for name, spoil in SPOILT.items():
        with rig(spoils[name]) as made:
            spoil(made)
            came = carry_out(made)
        green += came.green
        print(f"| {name} | {expected[name]} | {came} | {'**yes**' if came.green else 'no'} |", flush=True)
    for case in KILLED:
        with rig("") as made:
            made.method[0]["pauses"]["after"] = 30
            came = carry_out(made, case.number)
        print(f"| {case.name} | {case.expected} | {came} | {'**yes**' if came.green else 'no'} |", flush=True)
        green += came.green
    print(f"\n{green} of {len(SPOILT) + len(KILLED)} spoilt experiments passed.")
    return 0 if sound.green else 1


if __name__ == "__main__":
    sys.exit(main())
