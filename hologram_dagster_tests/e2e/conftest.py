"""A running stack with clients for it, and registries of other makes."""

import itertools
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from graphql import build_schema, graphql_sync

from hologram_dagster.e2e.events import EventLog, read_events
from hologram_dagster.e2e.services import Services
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.processes import LOOPBACK
from hologram_dagster.registry.client import RegistryClient
from hologram_dagster.stack.stack import Stack

# Looked up by GraphQL for each root field: a function of the field's arguments.
Root = Mapping[str, Callable[..., Any]]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack.start(tmp_path_factory.mktemp("stack")) as started:
        yield started


@dataclass(frozen=True)
class Bench:
    """Services for a test, and what was logged through them."""

    services: Services

    def events(self) -> list[dict[str, Any]]:
        events, notes = read_events(self.services.events.path)
        assert notes == []
        return events

    def names(self) -> list[str]:
        return [event["event"] for event in self.events()]


@pytest.fixture
def bench_for(stack: Stack, tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Makes a bench over the stack, or over another registry or node (by URL)."""
    numbers = itertools.count(1)
    with ExitStack() as opened:

        def make(graphql_url: str = "", ipfs_api: str = "", token: str | None = None) -> Bench:
            ipfs = opened.enter_context(IpfsClient(ipfs_api or stack.ipfs_api, timeout_s=5))
            registry = opened.enter_context(
                RegistryClient(graphql_url or stack.graphql_url, token=token, timeout_s=5)
            )
            log = EventLog(tmp_path / f"e2e{next(numbers)}" / "events.jsonl", "phase8")
            return Bench(Services(ipfs=ipfs, registry=registry, events=log))

        yield make


@pytest.fixture
def bench(bench_for: Callable[..., Bench]) -> Bench:
    return bench_for()


class OtherRegistry(ThreadingHTTPServer):
    """A registry of another make: a GraphQL schema executed over HTTP; a `root` of None answers 503."""

    def __init__(self, sdl: str, root: Root | None):
        super().__init__((LOOPBACK, 0), _Handler)
        self.schema = build_schema(sdl)
        self.root = root
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.server_port}/graphql"


class _Handler(BaseHTTPRequestHandler):
    server: OtherRegistry

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.root is None:
            self._answer(503, b"busy")
            return
        roots = {
            name: (lambda info, _f=function, **arguments: _f(**arguments))
            for name, function in self.server.root.items()
        }
        result = graphql_sync(
            self.server.schema, request["query"], roots, variable_values=request.get("variables")
        )
        self._answer(200, json.dumps(result.formatted).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def other_registry() -> Iterator[Callable[[str, Root | None], str]]:
    """Starts a registry of another make; its URL."""
    with ExitStack() as started:

        def start(sdl: str, root: Root | None) -> str:
            server = started.enter_context(OtherRegistry(sdl, root))
            started.callback(server.shutdown)
            return server.url

        yield start
