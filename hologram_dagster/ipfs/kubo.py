"""A real Kubo daemon (`ipfs`) as a private child process.

What belongs here: finding the program, configuring its repository for the loopback, starting
it. What does not: which provider serves (see `providers`).
"""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, ClassVar

from hologram_dagster.errors import HologramError, ServiceError
from hologram_dagster.files import write_whole
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.ipfs.library import WORK_FOLDER
from hologram_dagster.ipfs.node import LOG_NAME, IpfsNode, tail_of
from hologram_dagster.processes import LOOPBACK, scrubbed_environment, start_child, stop_child

PROGRAM = "ipfs"
_INIT_TIMEOUT_S = 60
_POLL_S = 0.05
# Where Kubo says what it listens on, and what a killed one leaves there.
_ADDRESS_FILES = ("api", "gateway")
_PORT = re.compile(r"/tcp/(\d+)")


def find_kubo() -> Path | None:
    """The `ipfs` program on PATH, None if there is none."""
    found = shutil.which(PROGRAM)
    return None if found is None else Path(found)


class KuboDaemon(IpfsNode):
    """A running `ipfs daemon` with a repository of its own, on the loopback; made with `start`.

    It has no bootstrap peers, no discovery and no routing, and reports to nobody. The kernel
    kills it when this process dies; what it leaves in the repository, the next start removes.
    """

    provider: ClassVar[str] = "Kubo daemon"
    repository: ClassVar[str] = "kubo"

    @classmethod
    def _launch(
        cls, repo: Path, api_port: int, swarm_port: int, timeout_s: float
    ) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
        program = find_kubo()
        if program is None:
            raise HologramError(f"there is no {PROGRAM!r} on PATH: install Kubo, or use the embedded node.")
        environment = scrubbed_environment({"IPFS_PATH": str(repo), "IPFS_TELEMETRY": "off"})
        log = repo / WORK_FOLDER / LOG_NAME
        try:
            _prepare(program, repo, environment)
            _configure(repo / "config", api_port, swarm_port)
            log.parent.mkdir(exist_ok=True)
            with log.open("wb") as stream:
                command = [str(program), "daemon", "--migrate=true"]
                process = start_child(command, cwd=repo, env=environment, stdout=stream, stderr=stream)
        except OSError as error:
            raise HologramError(f"cannot write the IPFS repository {repo}: {error.strerror}") from None
        try:
            return process, _await_service(process, repo, timeout_s)
        except BaseException as error:
            stop_child(process)
            if isinstance(error, ServiceError):
                raise HologramError(
                    f"the Kubo daemon {program} {error}. It is used because it is on PATH; repair it or take "
                    f"it off. {tail_of(log)}"
                ) from None
            raise


def _prepare(program: Path, repo: Path, environment: dict[str, str]) -> None:
    if not (repo / "config").exists():
        repo.mkdir(parents=True, exist_ok=True)
        command = [str(program), "init", "--profile=test"]
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=_INIT_TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _cannot(program, str(error)) from None
        if done.returncode != 0:
            raise _cannot(
                program, (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}")
            )
    for name in _ADDRESS_FILES:
        (repo / name).unlink(missing_ok=True)


def _cannot(program: Path, reason: str) -> HologramError:
    return HologramError(
        f"the Kubo program {program} cannot make a repository: {reason}. It is used because it is on PATH; "
        "repair it or take it off."
    )


def _configure(path: Path, api_port: int, swarm_port: int) -> None:
    try:
        old = path.read_text()
        config = json.loads(old)
        config["Addresses"].update(
            API=f"/ip4/{LOOPBACK}/tcp/{api_port}", Gateway=[], Swarm=[f"/ip4/{LOOPBACK}/tcp/{swarm_port}"]
        )
        config["Bootstrap"] = []
        # Keys that an older Kubo does not know it ignores.
        for section, values in _ALONE.items():
            config[section] = {**(config.get(section) or {}), **values}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HologramError(
            f"{path} is no configuration of Kubo: {error!r}. Remove the repository."
        ) from None
    new = json.dumps(config, indent=2)
    if new != old:  # a node must restart on a full disk, too
        write_whole(path, new, mode=0o600)


_ALONE: dict[str, dict[str, Any]] = {
    "AutoConf": {"Enabled": False},
    "AutoNAT": {"ServiceMode": "disabled"},
    "AutoTLS": {"Enabled": False},
    "DNS": {"Resolvers": {}},
    "Discovery": {"MDNS": {"Enabled": False}},
    "Ipns": {"DelegatedPublishers": []},
    "Routing": {"Type": "none", "DelegatedRouters": []},
    "Swarm": {
        "DisableNatPortMap": True,
        "RelayClient": {"Enabled": False},
        "RelayService": {"Enabled": False},
    },
    "Version": {"SwarmCheckEnabled": False},
}


def _await_service(process: subprocess.Popen[bytes], repo: Path, timeout_s: float) -> dict[str, Any]:
    """What `IpfsNode` reports of itself, once the daemon answers."""
    deadline = time.monotonic() + timeout_s
    while True:
        if process.poll() is not None:
            raise ServiceError(f"ended with exit code {process.returncode}")
        if (port := _api_port(repo)) is not None:
            try:
                with IpfsClient(f"http://{LOOPBACK}:{port}") as client:
                    identity = client.id()
            except ServiceError:
                pass
            else:
                return {
                    "api_port": port,
                    "peer_id": identity["ID"],
                    "swarm_address": next(a for a in identity["Addresses"] if f"/ip4/{LOOPBACK}/tcp/" in a),
                }
        if time.monotonic() >= deadline:
            raise ServiceError(f"does not serve after {timeout_s:g} s")
        time.sleep(_POLL_S)


def _api_port(repo: Path) -> int | None:
    try:
        found = _PORT.search((repo / "api").read_text())
    except FileNotFoundError:
        return None
    return int(found[1]) if found else None
