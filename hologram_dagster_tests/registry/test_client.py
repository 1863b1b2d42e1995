"""The client tells what went wrong: refused, failed, absent, or too slow."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from hologram_dagster.errors import HologramError, ServiceError, ServiceTimeoutError
from hologram_dagster.processes import free_port
from hologram_dagster.registry.client import RegistryClient, RegistryError, RegistryTimeoutError
from hologram_dagster.registry.process import RegistryProcess
from hologram_dagster_tests.registry.conftest import ADMIN

pytestmark = pytest.mark.phase5_graphql

RESOLVE = "query($n: String!) { resolve(name: $n) { cid } }"
UPSERT = "mutation($n: String!, $c: String!) { upsertObject(name: $n, content: $c) { cid name } }"


def test_data_comes_back(registry: RegistryProcess) -> None:
    with RegistryClient(registry.url) as client:
        made = client.execute(UPSERT, {"n": "client/a", "c": "c"})["upsertObject"]
        assert made["name"] == "client/a"
        assert client.execute(RESOLVE, {"n": "client/a"})["resolve"]["cid"] == made["cid"]
        assert client.execute("{ __typename }") == {"__typename": "Query"}


def test_a_token_is_sent_verbatim(registry: RegistryProcess) -> None:
    with RegistryClient(registry.url, token=ADMIN) as client:
        assert client.execute(UPSERT, {"n": "secure/c", "c": "c"})["upsertObject"]["cid"]
    with RegistryClient(registry.url) as client, pytest.raises(RegistryError) as refused:
        client.execute(RESOLVE, {"n": "secure/c"})
    assert refused.value.code == "UNAUTHENTICATED"
    assert isinstance(refused.value, ServiceError)


def test_an_invalid_query_is_the_registrys_to_refuse(registry: RegistryProcess) -> None:
    with RegistryClient(registry.url) as client:
        with pytest.raises(RegistryError, match="nonsense") as refused:
            client.execute("{ nonsense }")
        assert refused.value.code == "BAD_REQUEST"
        with pytest.raises(HologramError, match="not a GraphQL query"):
            client.execute("{")


def test_nobody_there() -> None:
    url = f"http://127.0.0.1:{free_port()}/graphql"
    with (
        RegistryClient(url, token="a-secret-token") as client,
        pytest.raises(RegistryError, match=url) as error,
    ):
        client.execute("{ __typename }")
    assert not isinstance(error.value, ServiceTimeoutError)
    assert "a-secret-token" not in str(error.value)


def test_no_answer_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/graphql"
        with RegistryClient(url, timeout_s=0.2) as client, pytest.raises(RegistryTimeoutError) as error:
            client.execute("{ __typename }")
        assert isinstance(error.value, ServiceTimeoutError)


@pytest.fixture(
    params=[
        (503, b'{"errors":[{"message":"busy"}]}'),
        (500, b"oops"),
        (404, b"<html>"),
        *(
            (200, body)
            for body in (b"<html>", b"null", b"[]", b'"x"', b"1", b'{"data":"x"}', b'{"data":[1]}')
        ),
    ]
)
def strange(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """A server that is no registry: its URL and the status it gives."""
    status, body = request.param

    class Strange(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Strange)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/graphql", status
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_strange_answer_is_an_error_with_its_status(strange: tuple[str, int]) -> None:
    url, status = strange
    with RegistryClient(url) as client, pytest.raises(RegistryError, match=url) as error:
        client.execute("{ __typename }")
    assert error.value.status == (None if status == 200 else status)
