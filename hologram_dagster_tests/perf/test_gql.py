"""`gql` is timed against a real registry; whatever is not the right answer is never a time."""

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.observation import Observation, Status
from hologram_dagster.perf.gql import measure_gql
from hologram_dagster.perf.measurement import Measurement
from hologram_dagster.processes import LOOPBACK, free_port
from hologram_dagster.profiles import OPERATIONS
from hologram_dagster.registry.client import RegistryClient
from hologram_dagster.stack.stack import Stack

pytestmark = [pytest.mark.phase6_perf, pytest.mark.phase5_graphql]

GQL = OPERATIONS["gql"]
LOOSE = 1e6


def measured(url: str, **changes: Any) -> Measurement:
    given: dict[str, Any] = {
        "token": None,
        "name": "demo/object/alpha",
        "warmup": 2,
        "samples": 5,
        "budget_ms": LOOSE,
        "timeout_s": 5.0,
    }
    return measure_gql(GQL, url=url, **{**given, **changes})


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack.start(tmp_path_factory.mktemp("stack")) as started:
        yield started


def test_a_published_name_is_resolved_and_timed(stack: Stack) -> None:
    with RegistryClient(stack.graphql_url) as registry:
        registry.execute('mutation { upsertObject(name: "perf/there", content: "x") { name } }')
    done = measured(stack.graphql_url, name="perf/there")
    seen = done.observation
    assert (seen.kind, seen.status) == ("perf_gql", Status.PASSED)
    assert (seen.values["n"], seen.values["launches"]) == (5, 1)
    assert (done.suite, done.metric, done.note) == ("graphql", "resolve_ms", "name=perf/there")
    assert [finding.name for finding in seen.findings] == ["answers_correct"]


def test_an_unknown_name_is_seeded_once_and_said_so(stack: Stack) -> None:
    done = measured(stack.graphql_url, name="perf/seeded", budget_ms=1e-6)
    seen = done.observation
    assert (seen.status, seen.values["launches"]) == (Status.PASSED, 3)
    (seeded,) = [finding for finding in seen.findings if finding.name == "seeded"]
    assert seeded.status is Status.PASSED
    assert "perf/seeded did not resolve and was published" in seeded.message
    with RegistryClient(stack.graphql_url) as registry, IpfsClient(stack.ipfs_api) as ipfs:
        cid = registry.execute('{ resolve(name: "perf/seeded") { cid } }')["resolve"]["cid"]
        assert ipfs.cat(cid) == b"Hello Hologram"


def test_a_name_that_may_not_be_seeded_is_an_error_with_the_remedy(stack: Stack) -> None:
    why = assert_no_times(measured(stack.graphql_url, name="secure/object/admin-only"), Status.ERROR)
    assert "protected" in why
    assert "GRAPHQL_TEST_NAME" in why
    assert "GRAPHQL_TOKEN" in why


def test_a_registry_that_is_not_there_is_an_error() -> None:
    why = assert_no_times(measured(f"http://{LOOPBACK}:{free_port()}/graphql"), Status.ERROR)
    assert "cannot be reached" in why
    assert "GRAPHQL_URL" in why


@pytest.mark.parametrize("url", ["http://[broken", "nonsense", ""])
def test_a_url_that_is_none_is_an_error(url: str) -> None:
    assert "GRAPHQL_URL" in assert_no_times(measured(url), Status.ERROR)


@pytest.mark.parametrize("token", ["two\nlines-s3cret", "s3cret-ümlaut"])
def test_a_token_no_header_can_hold_is_an_error_that_hides_it(stack: Stack, token: str) -> None:
    why = assert_no_times(measured(stack.graphql_url, token=token), Status.ERROR)
    assert "GRAPHQL_TOKEN" in why
    assert "s3cret" not in why


Answers = Callable[[int], tuple[int, bytes]]


class ScriptedRegistry(ThreadingHTTPServer):
    """Gives the n-th request (from 1) the status and body `answers(n)`; counts connections."""

    def __init__(self, answers: Answers):
        super().__init__((LOOPBACK, 0), _Handler)
        self.answers = answers
        self.requests = itertools.count(1)
        self.connections: set[int] = set()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.server_port}/graphql"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedRegistry

    def do_POST(self) -> None:
        self.server.connections.add(self.client_address[1])
        self.rfile.read(int(self.headers["Content-Length"]))
        status, body = self.server.answers(next(self.server.requests))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


Starter = Callable[[Answers], ScriptedRegistry]


@pytest.fixture
def registry_that() -> Iterator[Starter]:
    with ExitStack() as started:

        def start(answers: Answers) -> ScriptedRegistry:
            server = started.enter_context(ScriptedRegistry(answers))
            started.callback(server.shutdown)
            return server

        yield start


def resolved(encoding: str) -> tuple[int, bytes]:
    return 200, json.dumps({"data": {"resolve": {"encoding": encoding}}}).encode()


def refused(message: str) -> tuple[int, bytes]:
    return 200, json.dumps({"data": {"resolve": None}, "errors": [{"message": message}]}).encode()


@pytest.mark.parametrize(
    ("later", "status", "why"),
    [
        (resolved("other"), Status.FAILED, "resolved to other… after it had resolved to right…"),
        (resolved(""), Status.FAILED, "does not resolve any more"),
        ((200, b'{"data":{"resolve":null}}'), Status.FAILED, "does not resolve any more"),
        ((200, b"<html>"), Status.FAILED, "is no GraphQL"),
        ((200, b'{"data":[]}'), Status.FAILED, "does not resolve any more"),
        (refused("database is gone"), Status.ERROR, "database is gone"),
        ((404, b"fast but nothing"), Status.ERROR, "HTTP status 404: 'fast but nothing'"),
        ((503, b"busy"), Status.ERROR, "HTTP status 503"),
        ((302, b""), Status.ERROR, "HTTP status 302"),
    ],
)
def test_a_wrong_answer_among_right_ones_is_seen(
    registry_that: Starter, later: tuple[int, bytes], status: Status, why: str
) -> None:
    registry = registry_that(lambda n: resolved("right") if n < 7 else later)
    assert why in assert_no_times(measured(registry.url), status)


def test_an_answer_that_does_not_come_is_an_error(registry_that: Starter) -> None:
    def hang(n: int) -> tuple[int, bytes]:
        time.sleep(2.0 if n == 3 else 0.0)
        return resolved("right")

    why = assert_no_times(measured(registry_that(hang).url, timeout_s=0.5), Status.ERROR)
    assert "no answer within 0.5 s" in why


def test_a_registry_that_forgets_what_was_seeded_is_failed(registry_that: Starter) -> None:
    answers = {1: (200, b'{"data":{"resolve":null}}'), 2: (200, b'{"data":{"upsertObject":{"name":"x"}}}')}
    registry = registry_that(lambda n: answers.get(n, answers[1]))
    assert "does not resolve any more" in assert_no_times(measured(registry.url), Status.FAILED)


def test_secrets_in_an_answer_are_not_repeated(registry_that: Starter) -> None:
    registry = registry_that(lambda n: (401, b"token=abcdef0123456789abcdef is unknown"))
    assert "abcdef0123456789" not in assert_no_times(measured(registry.url), Status.ERROR)


def assert_no_times(done: Measurement, status: Status) -> str:
    seen: Observation = done.observation
    assert seen.status is status, seen.why
    assert not {"p50_ms", "p95_ms", "n", "launches"} & seen.values.keys()
    assert done.launches == ()
    return seen.why


def test_the_whole_body_is_read_and_the_connection_kept(registry_that: Starter) -> None:
    registry = registry_that(lambda n: resolved("x" * 500_000))
    assert measured(registry.url).observation.status is Status.PASSED
    assert len(registry.connections) == 1
