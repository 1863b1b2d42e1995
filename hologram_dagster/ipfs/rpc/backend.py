"""What every command works on: the library, its blocks, and the threads to call it in.

What belongs here: calling the library from the event loop. What does not: HTTP.
"""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from hologram_dagster.errors import FormatError, ServiceError
from hologram_dagster.ipfs.blocks import Blocks
from hologram_dagster.ipfs.cids import parse_cid
from hologram_dagster.ipfs.library import KuboLibrary
from hologram_dagster.ipfs.waiting import WaitingCalls

_T = TypeVar("_T")
_THREADS = 16
_PATH_PREFIX = "/ipfs/"


class Backend:
    """The node behind the RPC. `staging` is a folder on the repository's file system."""

    def __init__(self, library: KuboLibrary, blocks: Blocks, staging: Path) -> None:
        self.library = library
        self.blocks = blocks
        self.staging = staging
        self.waiting = WaitingCalls()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="kubo")

    async def call(self, function: Callable[[], _T]) -> _T:
        """Run a call that returns soon in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function)

    async def ensure_local(self, cid: str, *, offline: bool, timeout_s: float) -> bytes:
        """Fetch from peers what is missing below `cid`; its binary form.

        Raises:
            FormatError: `cid` is not a CID.
            ServiceError: it is not here and `offline`, or no peer sent it in time.
        """
        binary = bytes(parse_cid(cid))
        if await self.call(lambda: self.blocks.is_complete(binary)):
            return binary
        if offline:
            raise ServiceError(f"block was not found locally (offline): ipld: could not find {cid}")
        await self.waiting.run(f"fetching {cid}", lambda: self._fetch(cid), timeout_s=timeout_s)
        return binary

    def _fetch(self, cid: str) -> None:
        # The library writes the content to a file; what counts is that it keeps the blocks.
        copy = self.staging / f"fetch-{secrets.token_hex(8)}"
        try:
            self.library.download(cid, copy)
        finally:
            copy.unlink(missing_ok=True)


def cid_argument(argument: str) -> str:
    """The CID of an argument, written bare or as `/ipfs/CID`.

    Raises:
        FormatError: it is not a CID, or a path below one, which this node does not resolve.
    """
    cid = argument.removeprefix(_PATH_PREFIX).rstrip("/")
    if "/" in cid:
        raise FormatError(f"invalid path {argument!r}: this node resolves CIDs, not paths below them")
    try:
        parse_cid(cid)
    except FormatError as error:
        raise FormatError(f"invalid path {argument!r}: {error}") from None
    return cid
