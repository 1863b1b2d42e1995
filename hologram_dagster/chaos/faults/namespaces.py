"""Network namespaces with one link to the host: create, enter, remove. Linux, root, iproute2.

What belongs here: the namespace and its veth pair. What does not: what is done to the link
(`link`).
"""

import ctypes
import json
import os
import secrets
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from pathlib import Path

from hologram_dagster.chaos.faults.owners import maker_lives, mark_of_this_process
from hologram_dagster.errors import HologramError

_FOLDER = Path("/run/netns")
PREFIX = "hologram-"
# clone(2)
_CLONE_NEWNET = 0x40000000
_PACKAGES = {"ip": "iproute2", "tc": "iproute2", "nft": "nftables"}
_TIMEOUT_S = 60


def lacking(*programs: str) -> str:
    """Why network faults that need `programs` cannot be made here; empty when they can."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        packages = " ".join(sorted({_PACKAGES[name] for name in missing}))
        return f"needs {', '.join(missing)}: apt-get install {packages}"
    return "" if os.geteuid() == 0 else "needs root"


def run(*command: str) -> str:
    """Run a program of iproute2 or nftables; what it printed.

    Raises:
        HologramError: it failed; the text is its own.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except OSError as error:
        raise HologramError(f"cannot run {command[0]}: {error.strerror}.") from error
    if done.returncode:
        raise HologramError(f"`{' '.join(command)}` failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def enter(name: str) -> None:
    """Have this thread's new sockets made in the namespace `name` (setns(2)).

    Raises:
        HologramError: there is no such namespace, or this process is not root.
    """
    try:
        handle = os.open(_FOLDER / name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise HologramError(f"cannot enter the network namespace {name}: {error.strerror}.") from error
    try:
        if ctypes.CDLL(None, use_errno=True).setns(handle, _CLONE_NEWNET):
            why = os.strerror(ctypes.get_errno())
            raise HologramError(f"cannot enter the network namespace {name}: {why}.")
    finally:
        os.close(handle)


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace with a veth pair: `outside` is the host's end, `inside` the namespace's."""

    name: str
    outside: str
    inside: str
    outside_address: str
    inside_address: str

    @classmethod
    def create(cls) -> "Namespace":
        """Make one, its link up. What was made is removed again if a step of it fails.

        Raises:
            HologramError: not root, iproute2 lacks, or the kernel refuses.
        """
        mark = secrets.token_hex(4)
        network = _free_network()
        # Names of interfaces have at most 15 characters.
        outside, inside = f"hgo{mark}", f"hgi{mark}"
        made = cls(
            f"{PREFIX}{mark_of_this_process()}-{mark}", outside, inside, str(network[1]), str(network[2])
        )
        run("ip", "netns", "add", made.name)
        try:
            run("ip", "link", "add", outside, "type", "veth", "peer", "name", inside, "netns", made.name)
            run("ip", "addr", "add", f"{made.outside_address}/30", "dev", outside)
            run("ip", "-n", made.name, "addr", "add", f"{made.inside_address}/30", "dev", inside)
            run("ip", "link", "set", outside, "up")
            run("ip", "-n", made.name, "link", "set", inside, "up")
            run("ip", "-n", made.name, "link", "set", "lo", "up")
        except BaseException:
            remove(made.name)
            raise
        return made


def existing() -> list[str]:
    """The namespaces of ours that are there now, whoever made them."""
    return sorted(path.name for path in _FOLDER.glob(f"{PREFIX}*")) if _FOLDER.is_dir() else []


def remove(name: str) -> None:
    """Remove a namespace, and with it its link, rules and queues; not there is fine.

    The kernel keeps it while a process is in it: end those first.
    """
    if (_FOLDER / name).exists():
        # The host's end goes with its peer, but only later, when the kernel gets to it.
        mark = name.rpartition("-")[2]
        with suppress(HologramError):
            run("ip", "link", "del", f"hgo{mark}")
        run("ip", "netns", "del", name)


def remove_stale() -> list[str]:
    """Remove the namespaces whose makers have died; their names.

    Raises:
        HologramError: one cannot be removed.
    """
    stale = [name for name in existing() if not maker_lives(name.removeprefix(PREFIX).rpartition("-")[0])]
    for name in stale:
        remove(name)
    return stale


def _free_network() -> IPv4Network:
    """A /30 that no interface of the host is in."""
    taken = [
        ip_network(f"{address['local']}/{address['prefixlen']}", strict=False)
        for interface in json.loads(run("ip", "-j", "addr"))
        for address in interface.get("addr_info", ())
        if address.get("family") == "inet"
    ]
    # 198.18.0.0/15 is set aside for tests of networks (RFC 2544), so it is nobody's.
    choices = IPv4Network("198.18.0.0/15")
    while True:
        first = choices.network_address + 4 * secrets.randbelow(choices.num_addresses // 4)
        network = IPv4Network(f"{first}/30")
        if not any(network.overlaps(other) for other in taken if isinstance(other, IPv4Network)):
            return network
