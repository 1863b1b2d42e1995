"""One session of `ipfshttpclient`, with what that client of 2021 leaves out put right.

What belongs here: constructing it without its version check, its HTTP session, late
errors. What does not: the RPC's commands (see `client`).
"""

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import ipfshttpclient
import requests
from requests.adapters import HTTPAdapter

from hologram_dagster.errors import HologramError
from hologram_dagster.ipfs.faults import Cause, IpfsError

_UPLOAD_CHUNK_BYTES = 256 * 1024
_BASE = "api/v0"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LATE_ERROR = "X-Stream-Error"
# Kubo states the length of a file here, since it sends files chunked.
_STATED_LENGTH = "X-Content-Length"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a node's RPC is: multiaddr, path prefix, credentials, and a text without those."""

    multiaddr: str
    base: str
    shown: str
    auth: tuple[str, str] | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, api: str) -> "Address":
        """Read a URL (`http://host:port`, a path and `user:password@` allowed) or a multiaddr.

        Raises:
            HologramError: it is neither.
        """
        if api.startswith("/"):
            return cls(api, _BASE, api)
        try:
            url = urlsplit(api)
            port = url.port or _DEFAULT_PORTS[url.scheme]
        except (KeyError, ValueError):
            url, port = urlsplit(""), 0
        host = url.hostname
        if not host:
            raise HologramError(
                "IPFS_API must be a URL such as http://127.0.0.1:5001 "
                "or a multiaddr such as /ip4/127.0.0.1/tcp/5001"
            )
        kind = "ip6" if ":" in host else "ip4" if host.replace(".", "").isdigit() else "dns"
        prefix = url.path.strip("/").removesuffix(_BASE).strip("/")
        base = f"{prefix}/{_BASE}" if prefix else _BASE
        shown = (
            f"{url.scheme}://{f'[{host}]' if kind == 'ip6' else host}:{port}{f'/{prefix}' if prefix else ''}"
        )
        auth = (unquote(url.username), unquote(url.password or "")) if url.username else None
        return cls(f"/{kind}/{host}/tcp/{port}/{url.scheme}", base, shown, auth)

    @property
    def url(self) -> str:
        """The URL, without credentials; a multiaddr in that form, too."""
        if not self.shown.startswith("/"):
            return self.shown
        # /ip4/HOST/tcp/PORT[/http]
        parts = [*self.shown.split("/"), "", "", "", "", ""]
        host = f"[{parts[2]}]" if ":" in parts[2] else parts[2]
        return f"{parts[5] or 'http'}://{host}:{parts[4]}"


class _TrailerReader:
    """A response's stream that notes the header lines after the last chunk.

    Neither `requests` nor `urllib3` shows trailers, and Kubo reports what goes wrong after
    its status line in one. The readers above ask for whole lines only at chunk borders.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._past_last_chunk = False
        self.trailers: dict[str, str] = {}

    def readline(self, limit: int = -1) -> bytes:
        line = bytes(self._stream.readline(limit))
        text = line.partition(b";")[0].strip()
        if self._past_last_chunk:
            name, _, value = line.decode("latin-1").partition(":")
            self.trailers[name.strip().lower()] = value.strip()
        elif text and set(text) == {ord("0")}:
            self._past_last_chunk = True
        return line

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Session:
    """A connection to one node; for one thread at a time."""

    def __init__(self, address: Address, timeout_s: float) -> None:
        try:
            # `connect()` would refuse every Kubo of the last years by its version.
            self.client = ipfshttpclient.Client(
                address.multiaddr,
                address.base,
                auth=address.auth,
                chunk_size=_UPLOAD_CHUNK_BYTES,
                session=True,
                timeout=timeout_s,
            )
        except ipfshttpclient.exceptions.AddressError:
            raise HologramError(f"{address.shown} is not the address of an IPFS RPC: {_EXPECTED}") from None
        http: requests.Session = self.client._client._session
        if not isinstance(http, requests.Session):
            raise HologramError("ipfshttpclient runs on httpx: unset PY_IPFS_HTTP_CLIENT_PREFER_HTTPX")
        # Its own adapters and address families warn under every urllib3 of today.
        http.family = socket.AF_UNSPEC  # type: ignore[attr-defined]
        for scheme in ("http://", "https://"):
            http.mount(scheme, HTTPAdapter())
        http.trust_env = False  # a proxy from the environment must not see this traffic
        http.hooks["response"].append(self._watch)
        self._response: requests.Response | None = None
        self._trailers: Mapping[str, str] = {}

    def _watch(self, response: requests.Response, *_: Any, **__: Any) -> None:
        self._response, self._trailers = response, {}
        inner = getattr(response.raw, "_fp", None)
        if getattr(inner, "chunked", False) and inner is not None:
            inner.fp = reader = _TrailerReader(inner.fp)
            self._trailers = reader.trailers

    def request(self, path: str, args: Iterable[str], **options: Any) -> Any:
        """The client's own `request`, which posts and decodes; see `ipfshttpclient.http`."""
        self._response, self._trailers = None, {}
        return self.client._client.request(path, tuple(args), **options)

    def check_whole(self, received: int | None = None) -> None:
        """Refuse an answer that ended in an error, or is not of the stated length.

        Call it once the body is read; `received` is its length in bytes.

        Raises:
            IpfsError: the answer was not whole.
        """
        late = self._trailers.get(_LATE_ERROR.lower())
        if late:
            raise IpfsError(f"the IPFS node failed within its answer: {late}", Cause.HTTP_ERROR)
        stated = "" if self._response is None else self._response.headers.get(_STATED_LENGTH, "")
        if received is not None and stated.isdigit() and int(stated) != received:
            raise IpfsError(
                f"the IPFS node announced {stated} bytes and sent {received}", Cause.INVALID_RESPONSE
            )

    def close(self) -> None:
        """Close the connection."""
        self.client.close()


_EXPECTED = "expected a URL such as http://127.0.0.1:5001 or a multiaddr such as /ip4/127.0.0.1/tcp/5001"
