"""What is no query is answered with a reason: bounded, JSON, never a 500."""

import json
import socket
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from hologram_dagster.registry.process import RegistryProcess
from hologram_dagster_tests.registry.conftest import HTTP, Post, code_of

pytestmark = [pytest.mark.phase5_graphql, pytest.mark.phase2_5_hardening]

JSON = {"content-type": "application/json"}


def test_health_and_readiness(registry: RegistryProcess) -> None:
    health = HTTP.get(urljoin(registry.url, "/health"))
    assert health.status_code == 200
    assert health.json().keys() == {"status", "timestamp", "service"}
    assert health.json()["service"] == "hologram-graphql"
    ready = HTTP.get(urljoin(registry.url, "/ready"))
    assert ready.status_code == 200
    assert (ready.json()["database"], ready.json()["ipfs"]) == ("ok", "ok")


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", JSON, 400),
        (b"not json", JSON, 400),
        (b"\xff\xfe", JSON, 400),
        (b"[" * 100_000, JSON, 400),
        (b"[]", JSON, 400),
        (b"{}", JSON, 400),
        (b'{"query":1}', JSON, 400),
        (b'{"query":"{ __typename }","variables":[]}', JSON, 400),
        (b'{"query":"{ __typename }","operationName":1}', JSON, 400),
        (b'[{"query":"{ __typename }"}]', JSON, 400),
        (b'{"query":"{"}', JSON, 400),
        (b'{"query":"{ nonsense }"}', JSON, 400),
        (b'{"query":"subscription { contentResolved { method } }"}', JSON, 400),
        (b'{"query":"{ x(s: \\"\\ud800\\") }"}', JSON, 400),
        (b'{"query":"{ __typename }"}', {"content-type": "text/plain"}, 415),
        (b'{"query":"{ __typename }"}', {}, 415),
        (json.dumps({"query": "{ __typename }", "x": "y" * (1 << 20)}).encode(), JSON, 413),
    ],
)
def test_what_is_no_query(
    registry: RegistryProcess, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = HTTP.post(registry.url, content=body, headers=headers)
    assert answer.status_code == status
    for error in answer.json()["errors"]:
        assert error["message"]
        assert error["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    "content",
    [
        {"query": "query A { __typename } query B { __typename }"},
        {"query": "query A { __typename }", "operationName": "C"},
        {"query": "query($n: String!) { resolve(name: $n) { cid } }"},
        {"query": "query($n: String!) { resolve(name: $n) { cid } }", "variables": {"n": {"a": "\ud800"}}},
    ],
)
def test_a_query_that_cannot_be_run_is_an_error(registry: RegistryProcess, content: dict[str, Any]) -> None:
    answer = HTTP.post(registry.url, content=json.dumps(content), headers=JSON)
    assert answer.status_code == 200
    assert code_of(answer.json()) == "BAD_REQUEST"


@pytest.mark.parametrize(("method", "path"), [("GET", "/graphql"), ("PUT", "/graphql"), ("POST", "/health")])
def test_other_methods_are_refused(registry: RegistryProcess, method: str, path: str) -> None:
    assert HTTP.request(method, urljoin(registry.url, path)).status_code == 405


def test_an_endless_body_is_cut_off(registry: RegistryProcess) -> None:
    def endless() -> Any:
        while True:
            yield b" " * 65_536

    try:
        status = HTTP.post(registry.url, content=endless(), headers=JSON).status_code
    except httpx.TransportError:
        # Cut off before the client had ended sending.
        return
    assert status == 413


def test_a_request_that_breaks_off_harms_nobody(registry: RegistryProcess, post: Post) -> None:
    url = urlsplit(registry.url)
    for _ in range(20):
        with socket.create_connection((url.hostname, url.port or 0)) as connection:
            connection.sendall(
                b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
                b"content-length: 99\r\n\r\n{"
            )
    assert post("{ __typename }")["data"] == {"__typename": "Query"}


def test_one_failing_field_leaves_the_others(post: Post) -> None:
    body = post('{ a: resolve(name: "secure/x") { cid } b: searchApps(q: "no such app") { name } }')
    assert body["data"] == {"a": None, "b": []}
    assert code_of(body) == "UNAUTHENTICATED"


def test_it_listens_on_loopback_only(registry: RegistryProcess) -> None:
    url = urlsplit(registry.url)
    assert url.hostname == "127.0.0.1"
    with socket.socket() as probe:
        probe.settimeout(5)
        assert probe.connect_ex(("127.0.0.2", url.port or 0)) != 0
