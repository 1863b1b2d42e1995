"""Resolves over HTTP: 1,000 a second from 8 clients, p95 under 15 ms: `python benchmarks/registry.py`.

The registry as a process, over a real node, answers `resolve(name) { encoding }` and the second
dialect's `resolveContent(name)`. Beside them, in turn, a bare Starlette application under the same
server answers the same bytes without doing anything: the ratio to it is what the registry itself
costs, on any machine. Each client is one connection. First as fast as they can (requests a second),
then 1,000 a second in all, each request timed from when it was due, so that a stall counts for all
who wait. Exit code 1 when a limit is missed.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.processes import free_port, start_child, stop_child, wait_until
from hologram_dagster.registry.client import RegistryClient
from hologram_dagster.registry.process import RegistryProcess

CLIENTS = 8
ROUNDS = 5
ROUND_S = 2.0
RATE_LIMIT = 1_000
P95_LIMIT_MS = 15.0
NAME = "demo/object/alpha"
QUERIES = {
    "resolve": "query($n:String!){ resolve(name:$n){ encoding } }",
    "resolveContent": "query($n:String!){ resolveContent(name:$n){ id data metadata{ checksum } } }",
}


@dataclass
class Target:
    """What is asked, and what was measured of it, a figure a round."""

    name: str
    port: int
    request: bytes
    rates: list[float] = field(default_factory=list)
    p95s_ms: list[float] = field(default_factory=list)


def request(query: str) -> bytes:
    body = json.dumps({"query": query, "variables": {"n": NAME}}).encode()
    head = (
        f"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    )
    return head.encode() + b"\r\n\r\n" + body


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, content: bytes) -> bytes:
    writer.write(content)
    head = await reader.readuntil(b"\r\n\r\n")
    (length,) = (
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    body = await reader.readexactly(length)
    if not head.startswith(b"HTTP/1.1 200") or b'"errors"' in body:
        raise RuntimeError(f"answered {head[:40]!r} {body[:200]!r}")
    return body


async def client(target: Target, interval_s: float, offset_s: float) -> list[float]:
    """Seconds each request took; with an interval, from when it was due."""
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    taken, start = [], time.perf_counter() + offset_s
    due = start
    while due < start + ROUND_S:
        delay = due - time.perf_counter()
        if delay > 0:
            await asyncio.sleep(delay)
        begun = due if interval_s else time.perf_counter()
        await ask(reader, writer, target.request)
        ended = time.perf_counter()
        taken.append(ended - begun)
        due = due + interval_s if interval_s else ended
    writer.close()
    return taken


async def clients(target: Target, interval_s: float = 0.0) -> list[float]:
    started = [client(target, interval_s, number * interval_s / CLIENTS) for number in range(CLIENTS)]
    return [seconds for taken in await asyncio.gather(*started) for seconds in taken]


def measure(targets: list[Target]) -> None:
    for _ in range(ROUNDS):
        for target in targets:
            began = time.perf_counter()
            count = len(asyncio.run(clients(target)))
            target.rates.append(count / (time.perf_counter() - began))
        for target in targets:
            taken = asyncio.run(clients(target, CLIENTS / RATE_LIMIT))
            target.p95s_ms.append(1000 * float(np.percentile(taken, 95, method="inverted_cdf")))


def report(targets: list[Target]) -> bool:
    bare = targets[0]
    bare_rate, bare_p95 = statistics.median(bare.rates), statistics.median(bare.p95s_ms)
    held = True
    print(f"{CLIENTS} clients, {os.cpu_count()} cores, median of {ROUNDS} rounds of {ROUND_S:.0f} s")
    for target in targets:
        rate, p95 = statistics.median(target.rates), statistics.median(target.p95s_ms)
        good = rate >= RATE_LIMIT and p95 < P95_LIMIT_MS
        held = held and (good or target is bare)
        print(
            f"{target.name}: {rate:.0f} a second ({rate / bare_rate:.2f} of bare), "
            f"p95 at {RATE_LIMIT} a second {p95:.2f} ms ({p95 / bare_p95:.2f} of bare) "
            + (
                ""
                if target is bare
                else "ok"
                if good
                else f"MISSED: {RATE_LIMIT} a second, {P95_LIMIT_MS} ms"
            )
        )
    return held


def serve_bare(port: int, body: bytes) -> None:
    async def answer(asked: Request) -> Response:
        await asked.body()
        return Response(body, media_type="application/json")

    app = Starlette(routes=[Route("/graphql", answer, methods=["POST"])])
    uvicorn.run(app, host="127.0.0.1", port=port, log_config=None, access_log=False, server_header=False)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        with (
            IpfsNode.start(Path(folder, "node")) as node,
            RegistryProcess.start(Path(folder, "registry"), ipfs_api=node.api_url) as registry,
            RegistryClient(registry.url) as seeding,
        ):
            variables = {"n": NAME, "d": "Hello Hologram"}
            seeding.execute(
                "mutation($n:String!,$d:String!){ storeContent(name:$n,data:$d){ id } }", variables
            )
            answer = json.dumps({"data": seeding.execute(QUERIES["resolve"], {"n": NAME})})
            port = free_port()
            bare = start_child(
                [sys.executable, __file__, "--bare", str(port), answer],
                cwd=Path(folder),
                stderr=subprocess.DEVNULL,
            )
            try:
                registry_port = urlsplit(registry.url).port or 0
                targets = [Target("bare Starlette", port, request(QUERIES["resolve"]))]
                targets += [Target(name, registry_port, request(query)) for name, query in QUERIES.items()]
                if not wait_until(lambda: answers(port), timeout_s=30):
                    raise RuntimeError("the bare application did not start")
                measure(targets)
            finally:
                stop_child(bare)
        return 0 if report(targets) else 1


def answers(port: int) -> bool:
    async def connect() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()

    try:
        asyncio.run(connect())
    except OSError:
        return False
    return True


if __name__ == "__main__":
    if sys.argv[1:2] == ["--bare"]:
        serve_bare(int(sys.argv[2]), sys.argv[3].encode())
    else:
        sys.exit(main())
