"""`Stack`: IPFS nodes and a registry over the first, as one thing to start and to close.

Everything it makes is in its folder and on loopback. A folder left behind by a crash
can be used again: the kernel ended the processes and freed the lock.
"""

import secrets
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from hologram_dagster.errors import HologramError
from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.ipfs.providers import join, start_node
from hologram_dagster.processes import LOOPBACK, wait_until
from hologram_dagster.protocol.signing import Signer
from hologram_dagster.registry.auth import Role, token_named, write_token_file
from hologram_dagster.registry.operation_keys import write_operation_keys
from hologram_dagster.registry.operator import Operator, operating_as
from hologram_dagster.registry.process import RegistryProcess
from hologram_dagster.secrets.known import remember
from hologram_dagster.stack import demo as demo_objects
from hologram_dagster.stack.status import forget, hold, note

# Processes of a killed stack need a moment to be gone from their ports.
_PORT_WAIT_S = 1.5
_DEMO_NAME = "demo-admin"
_OPERATION_KEYS = "operation_keys.json"
# Each is a process of about 100 MB.
MOST_NODES = 16


class Stack:
    """A running stack. `Stack.start(folder)` starts one; a context manager closes it."""

    def __init__(
        self,
        folder: Path,
        nodes: Sequence[IpfsNode],
        registry: RegistryProcess,
        owned: ExitStack,
        token: str | None,
        operator: Operator | None,
    ) -> None:
        """Prefer `start`. `owned` closes what was started, `token` is the demo's."""
        self.operator = operator
        self.folder = folder
        self.nodes = tuple(nodes)
        self.registry = registry
        self._owned = owned
        self._token = token

    @classmethod
    def start(
        cls,
        folder: Path,
        *,
        ipfs_port: int = 0,
        graphql_port: int = 0,
        demo: bool = False,
        tokens: Path | None = None,
        nodes: int = 1,
        signer: Signer | None = None,
        strict: bool = False,
    ) -> Self:
        """Start `nodes` connected nodes and a registry over the first in `folder`; returns when all serve.

        Port 0 takes a free one; `ipfs_port` is the first node's. `demo` makes an admin token in
        `folder/tokens.json` (0600) and publishes the demo objects; mutations of open names need no token.
        `tokens` is a token file of the user's. `signer` is the one whose operations the registry knows;
        `strict` makes it refuse all other mutations.

        Raises:
            HologramError: a port is taken (named with its option), a stack runs in
                `folder` already, or a part did not start.
        """
        if demo and tokens is not None:
            raise HologramError("a demo stack makes its own token file: give either --demo or a token file.")
        if strict and signer is None:
            raise HologramError("a strict stack needs a key that signs operations.")
        if not 1 <= nodes <= MOST_NODES:
            raise HologramError(f"a stack has 1 to {MOST_NODES} IPFS nodes, not {nodes}: change --nodes.")
        folder = folder.absolute()
        with ExitStack() as owned:
            owned.enter_context(hold(folder))
            _require_free(ipfs_port, "--ipfs-port")
            _require_free(graphql_port, "--graphql-port")
            token = None
            if demo:
                tokens = folder / "tokens.json"
                token = _demo_token(tokens)
            started = []
            for number in range(1, nodes + 1):
                node = start_node(folder, number=number, api_port=ipfs_port if number == 1 else 0)
                owned.callback(node.stop)
                started.append(node)
            join(started)
            first = started[0]
            operator = None if signer is None else _operator(folder / _OPERATION_KEYS, signer)
            registry = RegistryProcess.start(
                folder / "registry",
                ipfs_api=first.api_url,
                port=graphql_port,
                tokens=tokens,
                operation_keys=None if operator is None else folder / _OPERATION_KEYS,
                strict=strict,
                replica_apis=[node.api_url for node in started[1:]],
            )
            owned.callback(registry.stop)
            if token is not None:
                with operating_as(operator):
                    demo_objects.seed(first.api_url, registry.url, token)
            note(folder, ipfs_apis=[node.api_url for node in started], graphql_url=registry.url)
            owned.callback(forget, folder)
            return cls(folder, started, registry, owned.pop_all(), token, operator)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def node(self) -> IpfsNode:
        """The first node, which the registry uses."""
        return self.nodes[0]

    @property
    def ipfs_api(self) -> str:
        """URL of the first node's RPC."""
        return self.node.api_url

    @property
    def ipfs_apis(self) -> tuple[str, ...]:
        """URLs of all nodes' RPCs, the first one's first."""
        return tuple(node.api_url for node in self.nodes)

    @property
    def provider(self) -> str:
        """What the nodes are, for people."""
        return self.node.provider

    @property
    def graphql_url(self) -> str:
        """URL of the registry's GraphQL endpoint."""
        return self.registry.url

    @property
    def alive(self) -> bool:
        """Whether all processes run."""
        return all(node.alive for node in self.nodes) and self.registry.alive

    def variables(self) -> dict[str, str]:
        """The environment variables (contract section 2.8) that point clients to this stack.

        With several nodes IPFS_APIS holds the RPCs of all, comma between.

        A demo stack's hold its admin token as GRAPHQL_TOKEN, without which nothing could
        read `secure/*`. It opens this stack alone, on loopback; still, print it only
        where the user asked for it.
        """
        variables = {"IPFS_API": self.ipfs_api, "GRAPHQL_URL": self.graphql_url}
        if len(self.nodes) > 1:
            variables["IPFS_APIS"] = ",".join(self.ipfs_apis)
        if self._token is not None:
            variables["GRAPHQL_TOKEN"] = self._token
        if self.operator is not None:
            variables["HOLOGRAM_OPERATION_KEYS"] = str(self.folder / _OPERATION_KEYS)
        return variables

    def rejoin(self) -> None:
        """Connect all nodes once more, as after the restart of one.

        Raises:
            ServiceError: a node does not answer, or refuses.
        """
        join(self.nodes)

    def close(self) -> None:
        """Stop all processes and free the folder; what was stored stays. Twice is fine."""
        self._owned.close()


def _require_free(port: int, option: str) -> None:
    if port and not wait_until(lambda: _is_free(port), timeout_s=_PORT_WAIT_S):
        raise HologramError(f"port {port} is taken: free it, or give another with {option}.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: connections that are closing do not hold the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OverflowError as error:
            raise HologramError(f"{port} is no TCP port: use 1 to 65535.") from error
        except OSError:
            return False
    return True


def _operator(path: Path, signer: Signer) -> Operator:
    return Operator(signer, write_operation_keys(path, [signer.public_hex]).nonce_key)


def _demo_token(path: Path) -> str:
    # Kept over restarts, so that a variable exported once stays right.
    token = token_named(path, _DEMO_NAME) if path.exists() else None
    if token is None:
        token = secrets.token_urlsafe(24)
        write_token_file(path, {_DEMO_NAME: (Role.ADMIN, token)}, mutations_need_token=False)
    remember(token)
    return token
