"""The one client of a Kubo RPC that every other package uses.

What belongs here: the few commands the gate needs, with answers checked. What does not:
HTTP details (see `transport`), kinds of failure (see `faults`), starting nodes.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

from ipfshttpclient import exceptions, multipart
from requests import RequestException

from hologram_dagster.ipfs.cids import cid_of, matches
from hologram_dagster.ipfs.faults import Cause, IpfsError, classify
from hologram_dagster.ipfs.transport import Address, Session

_T = TypeVar("_T")
MAX_CAT_BYTES = 64 * 2**20
# What `cid_of` computes, said in full: a node's own defaults may have been changed.
_IMPORT = {"chunker": "size-262144", "cid-version": "0", "pin": "true", "raw-leaves": "false"}
_NOT_PINNED = "not pinned"
_UPLOAD_CHUNK_BYTES = 256 * 1024
# The node is asked to give up a little earlier, so that its reason arrives.
_NODE_SHARE = 0.9


class IpfsClient:
    """A client of the node at `api` (a URL or a multiaddr). Safe to use from several threads.

    Each call takes a session of its own from a pool and puts it back, so that concurrent
    calls never share a connection. `timeout_s` is how many seconds of silence a call bears.
    Every method raises `IpfsError` (a `ServiceError`), or `IpfsTimeoutError` (a
    `ServiceTimeoutError`), whose `cause` tells the kinds apart.

    Raises:
        HologramError: `api` is neither a URL nor a multiaddr.
    """

    def __init__(self, api: str, *, timeout_s: float = 10) -> None:
        self._address = Address.parse(api)
        self._timeout_s = timeout_s
        self._idle: deque[Session] = deque([Session(self._address, timeout_s)])

    @property
    def address(self) -> str:
        """Where the node is, without credentials."""
        return self._address.shown

    def close(self) -> None:
        """Close the idle connections; the client may be used again."""
        while self._idle:
            self._idle.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _session(self) -> Iterator[Session]:
        try:
            session = self._idle.pop()
        except IndexError:
            session = Session(self._address, self._timeout_s)
        try:
            yield session
        except (exceptions.Error, RequestException, OSError, IpfsError) as error:
            raise classify(error, self._address.shown) from error
        finally:
            self._idle.append(session)

    def _items(
        self, path: str, *args: str, options: Mapping[str, str] | None = None, **upload: Any
    ) -> list[dict[str, Any]]:
        with self._session() as session:
            answer = session.request(path, args, opts=options or {}, decoder="json", **upload)
            session.check_whole()
        if not answer or not all(isinstance(item, dict) for item in answer):
            raise self._invalid(f"{path} without a JSON object")
        return list(answer)

    def _item(self, path: str, *args: str, options: Mapping[str, str] | None = None) -> dict[str, Any]:
        return self._items(path, *args, options=options)[-1]

    def _invalid(self, what: str) -> IpfsError:
        return IpfsError(f"the IPFS node at {self.address} answered {what}", Cause.INVALID_RESPONSE)

    def _read(self, answer: dict[str, Any], take: Callable[[dict[str, Any]], _T]) -> _T:
        try:
            return take(answer)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise self._invalid(f"in another form than Kubo's ({error!r})") from None

    @property
    def _patience(self) -> dict[str, str]:
        return {"timeout": f"{max(1, round(self._timeout_s * _NODE_SHARE * 1000))}ms"}

    def version(self) -> str:
        """The version the node states; `0.22.0-libkubo` for an embedded one."""
        return self._read(self._item("/version"), lambda answer: str(answer["Version"]))

    def id(self) -> dict[str, Any]:
        """The node's `ID` (peer ID), `Addresses`, `AgentVersion`."""
        answer = self._item("/id")
        self._read(answer, lambda a: a["ID"])
        return answer

    def add(self, data: bytes, name: str = "file") -> str:
        """Add and pin `data`; its CIDv0, which is what `cids.cid_of` says, too."""
        parts = multipart.BytesFileStream(data, name, chunk_size=_UPLOAD_CHUNK_BYTES)
        answers = self._items("/add", options=_IMPORT, data=parts.body(), headers=parts.headers())
        cid = self._read(answers[-1], _hash_of)
        if cid != cid_of(data):
            raise self._invalid(f"add with {cid}, but the bytes are {cid_of(data)}")
        return cid

    def cat(self, cid: str, *, max_bytes: int = MAX_CAT_BYTES, check: bool = True) -> bytes:
        """The content of `cid`, at most `max_bytes` bytes of it in memory.

        With `check`, bytes that are not what `cid` names are an error. Turn it off only for
        content imported with options other than Kubo's defaults (see `cids.matches`).
        """
        received = bytearray()
        with self._session() as session:
            with session.request("/cat", (cid,), opts=self._patience, stream=True) as pieces:
                for piece in pieces:
                    received += piece
                    if len(received) > max_bytes:
                        raise self._invalid(f"cat of {cid} with more than the {max_bytes} bytes allowed")
            session.check_whole(len(received))
        data = bytes(received)
        if check and not matches(cid, data):
            told = f"answered cat of {cid} with {len(data)} bytes of other content"
            raise IpfsError(f"the IPFS node at {self.address} {told}", Cause.OTHER_CONTENT)
        return data

    def pin_add(self, cid: str) -> None:
        """Pin `cid` recursively; the node fetches what it lacks."""
        answer = self._item("/pin/add", cid, options=self._patience)
        if cid not in self._read(answer, lambda a: list(a["Pins"])):
            raise self._invalid(f"pin/add without {cid}")

    def pin_rm(self, cid: str) -> None:
        """Remove the recursive pin of `cid`."""
        answer = self._item("/pin/rm", cid)
        if cid not in self._read(answer, lambda a: list(a["Pins"])):
            raise self._invalid(f"pin/rm without {cid}")

    def pins(self, cid: str | None = None) -> dict[str, str]:
        """Kind of pin (`recursive`, `indirect…`) by CID: all pins, or that of `cid`.

        A `cid` that is not pinned is an error, as the node says it.
        """
        answer = self._item("/pin/ls", *(() if cid is None else (cid,)))
        return self._read(answer, lambda a: {key: str(pin["Type"]) for key, pin in (a["Keys"] or {}).items()})

    def is_pinned(self, cid: str) -> bool:
        """Whether `cid` is pinned, itself or through another."""
        try:
            return bool(self.pins(cid))
        except IpfsError as error:
            if error.cause is Cause.HTTP_ERROR and _NOT_PINNED in str(error):
                return False
            raise

    def block_stat(self, cid: str) -> dict[str, Any]:
        """`Key` and `Size` (bytes) of one block."""
        answer = self._item("/block/stat", cid, options=self._patience)
        self._read(answer, lambda a: int(a["Size"]))
        return answer

    def repo_stat(self) -> dict[str, Any]:
        """`NumObjects` and `RepoSize` (bytes) of the node's repository, and more by node."""
        answer = self._item("/repo/stat")
        self._read(answer, lambda a: (int(a["NumObjects"]), int(a["RepoSize"])))
        return answer

    def swarm_peers(self) -> list[dict[str, Any]]:
        """`Addr` and `Peer` of each connected peer."""
        return self._read(self._item("/swarm/peers"), lambda a: [dict(peer) for peer in a["Peers"] or ()])

    def swarm_connect(self, multiaddr: str) -> None:
        """Connect the node to a peer: `/ip4/HOST/tcp/PORT/p2p/PEER`."""
        # Not by the client's own `swarm.connect`, which sends each character as an argument.
        self._item("/swarm/connect", multiaddr, options=self._patience)


def _hash_of(answer: dict[str, Any]) -> str:
    # Contract section 3.6: servers other than Kubo use other names.
    key = next((name for name in ("Hash", "hash", "Cid", "cid") if name in answer), "Hash")
    found = answer[key]
    return str(found["/"] if isinstance(found, dict) else found)
