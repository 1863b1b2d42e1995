"""Two regions: a registry and its IPFS node each, one PostgreSQL under both, each region a copy of the other.

What belongs here: starting them together. What does not: one region alone (`stack`), what is done to them
(`chaos.experiments.region_failover`).
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.ipfs.providers import join, start_node
from hologram_dagster.registry.process import RegistryProcess
from hologram_dagster.stack.postgres import running_postgres
from hologram_dagster.stack.status import forget, hold, note

REGIONS = 2


@dataclass(frozen=True, slots=True)
class Regions:
    """Running regions, the first one first."""

    nodes: Sequence[IpfsNode]
    registries: Sequence[RegistryProcess]

    @property
    def graphql_urls(self) -> tuple[str, ...]:
        """URLs of the registries."""
        return tuple(registry.url for registry in self.registries)

    @property
    def ipfs_apis(self) -> tuple[str, ...]:
        """URLs of the nodes' RPCs."""
        return tuple(node.api_url for node in self.nodes)

    def rejoin(self) -> None:
        """Connect the nodes once more, as after the restart of one."""
        join(self.nodes)

    def variables(self) -> dict[str, str]:
        """The environment variables that point clients to them."""
        return {
            "IPFS_API": self.ipfs_apis[0],
            "GRAPHQL_URL": self.graphql_urls[0],
            "IPFS_APIS": ",".join(self.ipfs_apis),
            "GRAPHQL_URLS": ",".join(self.graphql_urls),
        }


@contextmanager
def running_regions(folder: Path, *, ipfs_port: int = 0, graphql_port: int = 0) -> Iterator[Regions]:
    """Regions in `folder` while the context lasts; the ports are the first region's, 0 takes free ones.

    Raises:
        HologramError: PostgreSQL is not installed, a stack runs in `folder`, or a part does not start.
    """
    folder = folder.absolute()
    with ExitStack() as owned:
        owned.enter_context(hold(folder))
        database = owned.enter_context(running_postgres("regions"))
        nodes = []
        for number in range(1, REGIONS + 1):
            node = start_node(folder, number=number, api_port=ipfs_port if number == 1 else 0)
            owned.callback(node.stop)
            nodes.append(node)
        join(nodes)
        registries = [
            owned.enter_context(
                RegistryProcess.start(
                    folder / f"region-{number}",
                    ipfs_api=own.api_url,
                    replica_apis=[node.api_url for node in nodes if node is not own],
                    port=graphql_port if number == 1 else 0,
                    database=database,
                )
            )
            for number, own in enumerate(nodes, 1)
        ]
        note(folder, ipfs_apis=[node.api_url for node in nodes], graphql_url=registries[0].url)
        owned.callback(forget, folder)
        yield Regions(nodes, registries)
