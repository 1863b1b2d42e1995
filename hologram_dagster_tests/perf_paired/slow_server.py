"""A small HTTP server with a defect: slower by real extra work, waiting, wrong, or broken.

`python -m hologram_dagster_tests.perf_paired.slow_server --port N [OPTION…]`. A request
parses and renders JSON for about half a millisecond. Amounts are in microseconds.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import time

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

_DOCUMENT = json.dumps([{"name": f"demo/{n}", "rows": list(range(20))} for n in range(60)])
_LITTLE = json.dumps({"name": "demo", "rows": list(range(20))})


def work(microseconds: float) -> None:
    """Parse and render until so much CPU time is gone."""
    until = time.thread_time_ns() + microseconds * 1000
    while time.thread_time_ns() < until:
        json.dumps(json.loads(_LITTLE))


class Helper:
    """A second process that does work on request, as a database would."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __spec__.name, "--helper"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def ask(self, microseconds: float) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{microseconds}\n".encode())
        self._process.stdin.flush()
        self._process.stdout.readline()


def help_out() -> None:
    for line in sys.stdin:
        work(float(line))
        sys.stdout.write("done\n")
        sys.stdout.flush()


class App:
    """Serves the document; `options` as in `parse`."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._helper = Helper() if options.in_helper else None
        self._served = 0

    def _extra(self) -> float:
        options = self._options
        extra: float = options.slower
        if options.tail and random.random() < options.tail / 100:
            extra += options.tail_by
        return extra

    async def query(self, request: Request) -> Response:
        options = self._options
        self._served += 1
        body = await request.body()
        answer = json.dumps({"asked": json.loads(body), "rows": len(json.loads(_DOCUMENT))})
        work(500)
        if (extra := self._extra()) and options.sleep:
            time.sleep(extra / 1e6)
        elif extra and self._helper:
            self._helper.ask(extra)
        elif extra:
            work(extra)
        if options.spawn:
            subprocess.run(["true"], check=True)
        if options.breaks and self._served > options.after:
            return await self._break(options.breaks, answer)
        return Response(answer, media_type="application/json")

    async def _break(self, how: str, answer: str) -> Response:
        if how == "dies":
            sys.stderr.write("the disk is full, password=hunter2\n")
            sys.stderr.flush()
            os._exit(3)
        if how == "hangs":
            await asyncio.sleep(3600)
        if how == "streams":
            return StreamingResponse(iter([answer]))
        if how == "refuses":
            return Response(answer, status_code=503)
        return Response(answer + " ", media_type="application/json")


async def ready(_: Request) -> Response:
    return Response("ready")


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--helper", action="store_true")
    parser.add_argument("--slower", type=float, default=0, help="us more in every request")
    parser.add_argument("--tail", type=float, default=0, help="percent of the requests that are slow")
    parser.add_argument("--tail-by", type=float, default=0, help="us more in a slow request")
    parser.add_argument("--sleep", action="store_true", help="wait instead of working")
    parser.add_argument("--in-helper", action="store_true", help="let a second process work")
    parser.add_argument("--spawn", action="store_true", help="start and end a process in every request")
    parser.add_argument("--breaks", choices=("dies", "hangs", "streams", "refuses", "lies"))
    parser.add_argument("--after", type=int, default=0, help="requests before it breaks")
    return parser.parse_args(arguments)


def main() -> None:
    options = parse(sys.argv[1:])
    if options.helper:
        help_out()
        return
    app = App(options)
    routes = [Route("/query", app.query, methods=["POST"]), Route("/", ready)]
    uvicorn.run(Starlette(routes=routes), host="127.0.0.1", port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
