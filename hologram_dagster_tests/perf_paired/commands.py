"""How the targets of this folder are started."""

import json
import shutil
import sys
from pathlib import Path

from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.perf.paired.job import HttpRequest, ServerCommand, WorkerCommand, without_gc
from hologram_dagster.registry.client import RegistryClient
from hologram_dagster.registry.process import RegistryProcess
from hologram_dagster.stack.demo import OPEN_NAME

_ENV = {"PYTHONPATH": str(Path(__file__).parents[2])}
_HERE = __package__
REQUEST = HttpRequest(path="/query", body='{"q": 1}')
# Contract section 2.1: what is timed as `gql`.
RESOLVE = HttpRequest(
    path="/graphql",
    body=json.dumps(
        {"query": "query($n:String!){ resolve(name:$n){ encoding } }", "variables": {"n": OPEN_NAME}}
    ),
)


def _python(module: str, options: tuple[str, ...], gc: str = "off") -> tuple[str, ...]:
    if gc == "on":
        return (sys.executable, "-m", f"{_HERE}.{module}", *options)
    return without_gc(sys.executable, f"{_HERE}.{module}", *options)


def slow_worker(*options: str, gc: str = "off") -> WorkerCommand:
    return WorkerCommand(command=_python("slow_worker", options, gc), env=_ENV)


def broken_worker(how: str, after: int) -> WorkerCommand:
    return WorkerCommand(command=_python("broken_worker", (how, str(after))), env=_ENV)


def slow_server(*options: str) -> ServerCommand:
    return ServerCommand(command=_python("slow_server", ("--port", "{port}", *options)), env=_ENV)


class Registries:
    """Registries over copies of one seeded database in `folder`; `resolve` reads no IPFS node."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with (
            IpfsNode.start(folder / "ipfs") as node,
            RegistryProcess.start(folder / "seed", ipfs_api=node.api_url) as registry,
            RegistryClient(registry.url) as client,
        ):
            client.execute(
                'mutation($n: String!) { upsertObject(name: $n, content: "Hello Hologram") { cid } }',
                {"n": OPEN_NAME},
            )
            self._node = node.api_url

    def slow(self, side: str, *options: str, gc: str = "off") -> ServerCommand:
        """The registry on the database of `side`."""
        database = self._folder / f"{side}.sqlite"
        if not database.exists():
            shutil.copyfile(self._folder / "seed" / "registry.sqlite", database)
        arguments = (
            "--",
            "--port",
            "{port}",
            "--database",
            f"sqlite:///{database}",
            "--ipfs-api",
            self._node,
        )
        return ServerCommand(
            command=_python("slow_registry", (*options, *arguments), gc), ready_path="/health", env=_ENV
        )
