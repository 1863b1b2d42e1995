"""The reference registry with a defect: more JSON to parse, or waiting, in all requests or in some.

`python -m hologram_dagster_tests.perf_paired.slow_registry [OPTION…] -- REGISTRY ARGUMENTS`;
without options it is the reference registry. Amounts are in microseconds.
"""

import argparse
import json
import random
import sys
import time
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from hologram_dagster.registry import server
from hologram_dagster.registry.app import create_app
from hologram_dagster_tests.perf_paired.slow_worker import other_layout

_DOCUMENT = '{"data": {"resolve": {"encoding": "r96"}}}'


class Slower:
    """An ASGI application that parses JSON for a while before it answers a POST."""

    def __init__(self, app: ASGIApp, options: argparse.Namespace) -> None:
        self._app, self._options = app, options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("method") == "POST":
            self._delay()
        await self._app(scope, receive, send)

    def _delay(self) -> None:
        options = self._options
        extra_us = options.slower_us
        if options.tail and random.random() < options.tail / 100:
            extra_us += options.tail_by_us
        if options.jitter_us:
            extra_us += random.choice((0, 2)) * options.jitter_us
        if options.sleep:
            time.sleep(extra_us / 1e6)
            return
        until = time.thread_time_ns() + extra_us * 1000
        while time.thread_time_ns() < until:
            json.loads(_DOCUMENT)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--slower-us", type=float, default=0, help="more in every request")
    parser.add_argument("--tail", type=float, default=0, help="percent of the requests that are slow")
    parser.add_argument("--tail-by-us", type=float, default=0, help="more in a slow request")
    parser.add_argument("--jitter-us", type=float, default=0, help="nothing or twice this more")
    parser.add_argument("--sleep", action="store_true", help="wait instead of working")
    parser.add_argument("--other-layout", action="store_true", help="other modules and heap, same work")
    parser.add_argument("registry", nargs="+")
    options = parser.parse_args()
    heap = other_layout() if options.other_layout else []

    def create_slower(**given: Any) -> Slower:
        return Slower(create_app(**given), options)

    vars(server)["create_app"] = create_slower
    code = server.main(options.registry)
    del heap
    return code


if __name__ == "__main__":
    sys.exit(main())
