"""A small durable key-value service over HTTP, run as a process: PUT and GET of `/k/KEY`, GET of `/health`.

A write is on its file before it is acknowledged, and the file is read at the start. `--spoil` makes it
break one promise:

    forget   nothing is written to the file, so it comes back empty
    drop     every third write of a load (keys of `load-`) is acknowledged and forgotten
    corrupt  once started again, the load's values are served with their last letter changed
    lose     once started again, one key of those that were there from the start is gone
    mute     once started again, it listens and does not answer
    lag      the load's writes are seen a while after they were acknowledged

`--of PID` ends it when that process has; `--pid-file` is written when it serves.
"""

import argparse
import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_SILENCE_S = 3600.0
_LAG_S = 0.5
_LOOK_S = 0.5
LOAD = "load-"


class Store:
    """The values, in memory and in a file of one JSON pair a line."""

    def __init__(self, path: Path, spoil: str) -> None:
        self._path = path
        self._spoil = spoil
        self._mutex = threading.Lock()
        self._writes = 0
        self._values: dict[str, str] = {}
        self._late: dict[str, tuple[float, str | None]] = {}
        self.restarted = path.exists()
        if self.restarted:
            for line in path.read_text().splitlines():
                key, value = json.loads(line)
                self._values[key] = value
        else:
            path.touch()
        if self.restarted and spoil == "lose":
            self._values.pop("fixed-1", None)

    @property
    def mute(self) -> bool:
        """Whether no request is answered."""
        return self.restarted and self._spoil == "mute"

    def put(self, key: str, value: str) -> None:
        """Keep a value, on the file first."""
        with self._mutex:
            self._writes += 1
            dropped = self._spoil == "drop" and key.startswith(LOAD) and self._writes % 3 == 0
            if dropped:
                return
            if self._spoil == "lag" and key.startswith(LOAD):
                self._late[key] = (time.monotonic() + _LAG_S, self._values.get(key))
            self._values[key] = value
            if self._spoil != "forget":
                with self._path.open("a") as stream:
                    stream.write(json.dumps([key, value]) + "\n")

    def get(self, key: str) -> str | None:
        """The value of a key; None where there is none."""
        with self._mutex:
            value = self._values.get(key)
            until, before = self._late.get(key, (0.0, None))
        if time.monotonic() < until:
            return before
        if value and self.restarted and self._spoil == "corrupt" and key.startswith(LOAD):
            return value[:-1] + ("y" if value[-1] == "x" else "x")
        return value


class Handler(BaseHTTPRequestHandler):
    """Answers; `store` is set before the server starts."""

    protocol_version = "HTTP/1.1"
    store: Store

    def do_GET(self) -> None:
        """Serve `/health` or a value."""
        if self.store.mute:
            time.sleep(_SILENCE_S)
        if self.path == "/health":
            self._answer(200, "ok")
        else:
            value = self.store.get(self.path.removeprefix("/k/"))
            self._answer(404 if value is None else 200, value or "")

    def do_PUT(self) -> None:
        """Keep a value."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.store.put(self.path.removeprefix("/k/"), body)
        self._answer(204, "")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _answer(self, status: int, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())


class Server(ThreadingHTTPServer):
    """One that a crowd can connect to."""

    request_queue_size = 256
    daemon_threads = True


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--spoil", default="")
    parser.add_argument("--of", type=int, default=0)
    parser.add_argument("--pid-file", type=Path)
    given = parser.parse_args()
    if given.of:
        threading.Thread(target=_end_with, args=(given.of,), daemon=True).start()
    Handler.store = Store(given.file, given.spoil)
    with Server(("127.0.0.1", given.port), Handler) as server:
        if given.pid_file:
            given.pid_file.write_text(str(os.getpid()))
        server.serve_forever()


def _end_with(pid: int) -> None:
    while Path(f"/proc/{pid}").exists():
        time.sleep(_LOOK_S)
    os._exit(0)


if __name__ == "__main__":
    main()
