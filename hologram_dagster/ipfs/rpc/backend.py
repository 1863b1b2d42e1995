"""What every command works on: the library, its blocks, and the threads to call it in.

What belongs here: calling the library from the event loop. What does not: HTTP.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from hologram_dagster.errors import FormatError
from hologram_dagster.ipfs.blocks import AbsentError, Blocks
from hologram_dagster.ipfs.cids import cid_text, parse_cid
from hologram_dagster.ipfs.library import KuboLibrary
from hologram_dagster.ipfs.rpc.options import Call
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

    async def resolve(self, call: Call, argument: str) -> bytes:
        """The binary CID at `argument`: a CID or a path below one, bare or as `/ipfs/...`.

        Directories on the way that are not here are fetched with all that is below them: the
        library cannot fetch single blocks.

        Raises:
            FormatError: it does not begin with a CID.
            ServiceError: there is no such path, or a directory on the way cannot be had.
        """
        root, names = split_path(argument)
        try:
            return await self.call(lambda: self.blocks.descend(root, names))
        except AbsentError:
            await self._ensure_local(call, root)
        return await self.call(lambda: self.blocks.descend(root, names))

    async def resolve_local(self, call: Call, argument: str, *, whole: bool = True) -> bytes:
        """As `resolve`, and what is there is here: `whole` with all below it, else its own block.

        Raises:
            FormatError: as `resolve`.
            ServiceError: as `resolve`; it is not here and `offline`, or no peer sent it in time.
        """
        binary = await self.resolve(call, argument)
        if whole or not self.blocks.has(binary):
            await self._ensure_local(call, binary)
        return binary

    async def _ensure_local(self, call: Call, binary: bytes) -> None:
        if await self.call(lambda: self.blocks.is_complete(binary)):
            return
        cid = cid_text(binary)
        if call.flag("offline"):
            raise AbsentError(f"block was not found locally (offline): ipld: could not find {cid}")
        await self.waiting.run(f"fetching {cid}", lambda: self._fetch(cid), timeout_s=call.timeout_s)

    def _fetch(self, cid: str) -> None:
        # The library writes the content to a file; what counts is that it keeps the blocks.
        copy = Path(tempfile.mkdtemp(prefix="fetch-", dir=self.staging))
        try:
            self.library.download(cid, copy / "content")
        finally:
            shutil.rmtree(copy, ignore_errors=True)


def split_path(argument: str) -> tuple[bytes, tuple[str, ...]]:
    """The binary CID of an argument and the names below it: `CID/a/b` or `/ipfs/CID/a/b`.

    Raises:
        FormatError: it does not begin with a CID.
    """
    cid, *names = argument.removeprefix(_PATH_PREFIX).split("/")
    try:
        return bytes(parse_cid(cid)), tuple(name for name in names if name)
    except FormatError as error:
        raise FormatError(f"invalid path {argument!r}: {error}") from None
