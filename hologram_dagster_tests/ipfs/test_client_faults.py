"""Every way a node can fail to answer, told apart; no half answer passes for a whole one."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hologram_dagster.errors import HologramError, ServiceError, ServiceTimeoutError
from hologram_dagster.ipfs.cids import cid_of
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.ipfs.faults import Cause, IpfsError
from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.ipfs.transport import Address
from hologram_dagster.processes import LOOPBACK, free_port

pytestmark = [pytest.mark.phase4_network, pytest.mark.phase2_5_hardening]

DATA = b"the whole content"
CID = cid_of(DATA)
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\nTrailer: X-Stream-Error\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def plain(data: bytes, status: bytes = b"200 OK", length: int | None = None) -> bytes:
    size = len(data) if length is None else length
    return b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (status, size, data)


def unfinished(request: bytes) -> bool:
    return b"chunked" in request and not request.endswith(b"\r\n0\r\n\r\n")


@contextmanager
def server(answer: bytes, *, reset: bool = False) -> Iterator[str]:
    """Answers each connection with `answer` and closes it, or resets it after that."""
    with socket.create_server((LOOPBACK, 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    request = b""
                    while not request.endswith(b"\r\n\r\n") or unfinished(request):
                        request += connection.recv(65536)
                    connection.sendall(answer)
                    if reset:
                        # SO_LINGER of 0 s: closing sends RST.
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def failure_of_cat(answer: bytes, *, reset: bool = False) -> IpfsError:
    with server(answer, reset=reset) as api, IpfsClient(api, timeout_s=5) as client:
        with pytest.raises(ServiceError) as caught:
            client.cat(CID)
        assert isinstance(caught.value, IpfsError)
        return caught.value


def test_whole_answers_pass_in_both_framings() -> None:
    stated = b"X-Content-Length: %d\r\n\r\n" % len(DATA)
    for answer in (plain(DATA), CHUNKED + stated + chunk(DATA[:5]) + chunk(DATA[5:]) + b"0\r\n\r\n"):
        with server(answer) as api, IpfsClient(api) as client:
            assert client.cat(CID) == DATA


def test_refused() -> None:
    with IpfsClient(f"http://{LOOPBACK}:{free_port()}") as client, pytest.raises(IpfsError) as caught:
        client.version()
    assert caught.value.cause is Cause.REFUSED
    assert "is it running?" in str(caught.value)


def test_no_such_host() -> None:
    with IpfsClient("http://no-such-host.invalid:5001") as client, pytest.raises(IpfsError) as caught:
        client.version()
    assert caught.value.cause is Cause.REFUSED


def test_silence_is_a_timeout() -> None:
    with socket.create_server((LOOPBACK, 0)) as silent:
        api = f"http://{LOOPBACK}:{silent.getsockname()[1]}"
        with IpfsClient(api, timeout_s=0.2) as client, pytest.raises(ServiceTimeoutError):
            client.version()


def test_silence_within_the_body_is_a_timeout() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(plain(DATA[:3], length=len(DATA)))
                connection.recv(65536)
                released.wait(20)

        released = threading.Event()
        threading.Thread(target=serve, daemon=True).start()
        api = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        with IpfsClient(api, timeout_s=0.3) as client, pytest.raises(ServiceTimeoutError):
            client.cat(CID)
        released.set()


@pytest.mark.parametrize(
    ("answer", "reset"),
    [
        (b"", False),
        (b"", True),
        (plain(DATA[:5], length=len(DATA)), False),
        (plain(DATA[:5], length=len(DATA)), True),
        (CHUNKED + b"\r\n" + chunk(DATA[:5]) + b"9\r\nxx", False),
    ],
)
def test_a_connection_closed_within_the_answer(answer: bytes, reset: bool) -> None:
    assert failure_of_cat(answer, reset=reset).cause is Cause.RESET


def test_chunks_that_stop_without_an_end() -> None:
    assert failure_of_cat(CHUNKED + b"\r\n" + chunk(DATA[:5])).cause is Cause.INVALID_RESPONSE


def test_the_error_trailer_is_an_error_even_after_the_whole_body() -> None:
    for body in (chunk(DATA[:5]), chunk(DATA)):
        error = failure_of_cat(CHUNKED + b"\r\n" + body + b"0\r\nX-Stream-Error: disk I/O error\r\n\r\n")
        assert error.cause is Cause.HTTP_ERROR
        assert "disk I/O error" in str(error)


def test_a_body_shorter_than_stated_or_of_other_content() -> None:
    short = failure_of_cat(CHUNKED + b"X-Content-Length: 17\r\n\r\n" + chunk(DATA[:5]) + b"0\r\n\r\n")
    assert short.cause is Cause.INVALID_RESPONSE
    assert "announced 17 bytes and sent 5" in str(short)
    other = failure_of_cat(plain(DATA.upper()))
    assert other.cause is Cause.OTHER_CONTENT
    assert "other content" in str(other)


def test_the_nodes_message_is_shown() -> None:
    said = json.dumps({"Message": "merkledag: not found", "Code": 0, "Type": "error"}).encode()
    error = failure_of_cat(plain(said, b"500 Internal Server Error"))
    assert (error.cause, error.http_status) == (Cause.HTTP_ERROR, 500)
    assert "merkledag: not found" in str(error)
    error = failure_of_cat(plain(b"<html>", b"502 Bad Gateway"))
    assert (error.cause, error.http_status) == (Cause.HTTP_ERROR, 502)


def test_the_nodes_own_timeout_is_a_timeout() -> None:
    said = json.dumps({"Message": "context deadline exceeded", "Code": 0, "Type": "error"}).encode()
    assert failure_of_cat(plain(said, b"500 Internal Server Error")).cause is Cause.TIMEOUT


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"<html>", b'"text"', b"{}", b'{"Version":"1"}{', b"\xff\xfe"]
)
def test_answers_that_are_no_kubo_rpc(body: bytes) -> None:
    with server(plain(body)) as api, IpfsClient(api) as client:
        with pytest.raises(IpfsError) as caught:
            client.version()
        assert caught.value.cause is Cause.INVALID_RESPONSE


@pytest.mark.parametrize(
    "body", [b"{}", b'{"Keys":[1]}', b'{"Keys":{"a":null}}', b'{"Peers":[1]}', b'{"Pins":null}']
)
def test_answers_in_another_form(body: bytes) -> None:
    with server(plain(body)) as api, IpfsClient(api) as client:
        calls = (client.pins, client.id, client.repo_stat, client.swarm_peers, lambda: client.pin_add(CID))
        for call in calls:
            with pytest.raises(IpfsError) as caught:
                call()
            assert caught.value.cause is Cause.INVALID_RESPONSE


def test_a_line_of_error_after_a_line_of_success() -> None:
    late = b'{"Name":"a","Hash":"Qm"}\n{"Message":"disk full","Code":0,"Type":"error"}\n'
    with server(plain(late)) as api, IpfsClient(api) as client, pytest.raises(IpfsError, match="disk full"):
        client.add(DATA)


@pytest.mark.parametrize("key", ["Hash", "hash", "Cid", "cid"])
def test_add_checks_the_cid_it_is_told(key: str) -> None:
    with server(plain(json.dumps({key: CID}).encode())) as api, IpfsClient(api) as client:
        assert client.add(DATA) == CID
        with pytest.raises(IpfsError, match="but the bytes are") as caught:
            client.add(DATA + b"!")
        assert caught.value.cause is Cause.INVALID_RESPONSE


def test_addresses() -> None:
    assert Address.parse("http://127.0.0.1:5001").multiaddr == "/ip4/127.0.0.1/tcp/5001/http"
    assert Address.parse("https://ipfs.example.com").multiaddr == "/dns/ipfs.example.com/tcp/443/https"
    assert Address.parse("http://[::1]:5001/").multiaddr == "/ip6/::1/tcp/5001/http"
    assert Address.parse("/ip4/127.0.0.1/tcp/5001").multiaddr == "/ip4/127.0.0.1/tcp/5001"
    assert Address.parse("http://h:1/api/v0").base == "api/v0"
    assert Address.parse("http://h:1/ipfs/api/v0/").base == "ipfs/api/v0"
    for bad in ("", "localhost:5001", "ftp://x", "http://", "http://x:port"):
        with pytest.raises(HologramError, match="IPFS_API"):
            Address.parse(bad)
    for bad in ("/nonsense", "/ip4/127.0.0.1/udp/1"):
        with pytest.raises(HologramError, match="not the address"):
            IpfsClient(bad)


@pytest.mark.phase7_security
def test_credentials_are_sent_and_never_shown() -> None:
    address = Address.parse("http://someone:hunter2@127.0.0.1:9")
    assert address.auth == ("someone", "hunter2")
    assert "hunter2" not in repr(address)
    with IpfsClient("http://someone:hunter2@127.0.0.1:9") as client, pytest.raises(IpfsError) as caught:
        client.version()
    assert "hunter2" not in str(caught.value)


@pytest.mark.phase7_security
def test_a_proxy_of_the_environment_is_not_used(node: IpfsNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://{LOOPBACK}:{free_port()}")
    with IpfsClient(node.api_url) as client:
        assert client.version()
