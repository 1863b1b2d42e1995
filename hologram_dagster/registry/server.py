"""`python -m hologram_dagster.registry.server`: the registry as a process.

Prints one line, `listening on URL`, when it serves; ends by SIGTERM, with status 0, after answering
what it has accepted. Settings are arguments; the environment is not read.
"""

import argparse
import logging
import signal
import socket
import sys
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

import uvicorn

from hologram_dagster.errors import HologramError
from hologram_dagster.processes import LOOPBACK, listening
from hologram_dagster.protocol.signing import load_or_create_signer
from hologram_dagster.registry.app import create_app
from hologram_dagster.registry.auth import Access, load_access, open_access
from hologram_dagster.registry.guard import Mode
from hologram_dagster.registry.operation_keys import load_operation_keys
from hologram_dagster.registry.process import ANNOUNCEMENT
from hologram_dagster.secrets.redactor import RedactingFilter

_BACKLOG = 512
# Longer than anything accepted waits (`app.MAX_WAIT_S`) and works (`app.IPFS_TIMEOUT_S`).
_GRACE_S = 12
_KEEP_ALIVE_S = 75
_MAX_MESSAGE_BYTES = 64 << 10
_MAX_MESSAGES = 32


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="hologram_dagster.registry.server", description=__doc__)
    parser.add_argument("--port", type=int, default=4000, help="TCP port; 0 takes a free one")
    parser.add_argument("--host", default=LOOPBACK, help="address to listen on (default: %(default)s)")
    parser.add_argument("--database", required=True, help="SQLAlchemy URL of SQLite or PostgreSQL")
    parser.add_argument("--ipfs-api", required=True, help="URL or multiaddr of the IPFS node's RPC")
    parser.add_argument(
        "--replica-api", action="append", default=[], help="a further node that is to hold a copy (repeat)"
    )
    parser.add_argument("--tokens", type=Path, help="token file")
    parser.add_argument(
        "--signing-key", type=Path, default=Path("registry_key.pem"), help="key that signs what is done"
    )
    parser.add_argument("--operation-keys", type=Path, help="file of the keys that sign operations")
    parser.add_argument(
        "--strict", action="store_true", help="refuse mutations without frame, nonce and proof"
    )
    return parser.parse_args(arguments)


def _access(host: str, tokens: Path | None) -> Access:
    access = load_access(tokens) if tokens else open_access()
    try:
        loopback = ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not (loopback or access.mutations_need_token):
        raise HologramError(
            f"--host {host} lets other machines in, and anyone could publish: give --tokens FILE with "
            "mutations_need_token true, or listen on 127.0.0.1."
        )
    return access


def _listen(host: str, port: int) -> socket.socket:
    try:
        return listening(host, port, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        raise HologramError(
            f"cannot listen on {host} port {port}: {getattr(error, 'strerror', None) or error}. "
            "Free the port, or give another with --port."
        ) from error


class _Server(uvicorn.Server):
    """Announces itself when it serves: a pipe closed by the reader is fine."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            sys.stdout.write(f"{ANNOUNCEMENT}http://{host}:{port}/graphql\n")
            sys.stdout.flush()


def main(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM; returns 2 if it cannot start."""
    # uvicorn raises what ended it once more when it has answered everything: that is a good end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    options = _parse(arguments)
    handler = logging.StreamHandler()
    handler.addFilter(RedactingFilter())
    logging.basicConfig(
        level=logging.WARNING, handlers=[handler], format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        access = _access(options.host, options.tokens)
        listener = _listen(options.host, options.port)
        if options.strict and options.operation_keys is None:
            raise HologramError("--strict needs --operation-keys FILE: whose signatures count?")
        app = create_app(
            database=options.database,
            ipfs_api=options.ipfs_api,
            replica_apis=options.replica_api,
            access=access,
            signer=load_or_create_signer(options.signing_key, None),
            mode=Mode.REQUIRED if options.strict else Mode.OPTIONAL,
            keys=load_operation_keys(options.operation_keys) if options.operation_keys else None,
        )
    except HologramError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        ws_max_size=_MAX_MESSAGE_BYTES,
        ws_max_queue=_MAX_MESSAGES,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )
    _Server(config).run(sockets=[listener])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
