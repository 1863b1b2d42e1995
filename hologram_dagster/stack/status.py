"""Whether a stack runs in a folder, and whether its services answer."""

import fcntl
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import urljoin

import httpx

from hologram_dagster.errors import HologramError
from hologram_dagster.files import write_whole
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.processes import wait_until

_LOCK = "stack.lock"
_STATE = "stack.json"
_LOCK_WAIT_S = 1.5
_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class StackStatus:
    """What `status` found. `parts` says of each service `ok` or what is wrong with it."""

    running: bool
    ipfs_api: str | None = None
    graphql_url: str | None = None
    parts: Mapping[str, str] = field(default_factory=dict)

    @property
    def healthy(self) -> bool:
        """Whether it runs and every service answers."""
        return self.running and set(self.parts.values()) == {"ok"}


def hold(folder: Path) -> IO[bytes]:
    """Lock `folder` for one stack; the kernel frees it when the file is closed or we die.

    Raises:
        HologramError: another stack runs there, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / _LOCK).open("ab")
    except OSError as error:
        raise HologramError(f"cannot write in {folder}: {error.strerror}.") from error
    if not wait_until(lambda: _locked(lock, fcntl.LOCK_EX), timeout_s=_LOCK_WAIT_S):
        lock.close()
        raise HologramError(f"a stack runs in {folder} already: stop it, or use another folder.")
    return lock


def _locked(lock: IO[bytes], kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def note(folder: Path, *, ipfs_apis: Sequence[str], graphql_url: str) -> None:
    """Write down where the stack of `folder` serves, for `status`."""
    write_whole(
        folder / _STATE, json.dumps({"ipfs_apis": list(ipfs_apis), "graphql_url": graphql_url}) + "\n"
    )


def forget(folder: Path) -> None:
    """Remove the note: the stack was stopped."""
    with suppress(OSError):
        (folder / _STATE).unlink()


def status(folder: Path) -> StackStatus:
    """Ask after the stack of `folder`; a folder without one is simply not running."""
    try:
        with (folder / _LOCK).open("rb") as lock:
            if _locked(lock, fcntl.LOCK_SH):
                return StackStatus(running=False)
        noted = json.loads((folder / _STATE).read_bytes())
        ipfs_apis, graphql_url = [str(api) for api in noted["ipfs_apis"]], str(noted["graphql_url"])
        ipfs_api = ipfs_apis[0]
    except FileNotFoundError:
        # No lock: never started. Locked without a note: it is starting.
        return StackStatus(running=(folder / _LOCK).exists(), parts={})
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise HologramError(f"cannot read {folder / _STATE}: {error}. Restart the stack.") from error
    others = {f"ipfs {number}": _node_says(api) for number, api in enumerate(ipfs_apis[1:], start=2)}
    return StackStatus(True, ipfs_api, graphql_url, _parts(graphql_url) | others)


def _node_says(api: str) -> str:
    try:
        with IpfsClient(api, timeout_s=_TIMEOUT_S) as client:
            client.version()
    except HologramError as error:
        return f"does not answer: {error}"
    return "ok"


def _parts(graphql_url: str) -> dict[str, str]:
    try:
        answer: Any = httpx.get(urljoin(graphql_url, "/ready"), timeout=_TIMEOUT_S, trust_env=False).json()
        return {"registry": "ok", "database": str(answer["database"]), "ipfs": str(answer["ipfs"])}
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        return {"registry": f"does not answer: {error}"}
