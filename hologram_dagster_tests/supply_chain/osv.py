"""An OSV query interface on loopback that knows what it is told to know."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from hologram_dagster.processes import LOOPBACK


@contextmanager
def osv(known: Mapping[tuple[str, str], str], *, status: int = 200) -> Iterator[tuple[str, list[str]]]:
    """The address, and the packages asked for; `known` maps (name, version) to an identifier."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name, version = query["package"]["name"], query["version"]
            asked.append(name)
            body = b"{}"
            if identifier := known.get((name, version)):
                ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9.9"}]}]
                affected = [{"package": {"name": name, "ecosystem": "PyPI"}, "ranges": ranges}]
                body = json.dumps({"vulns": [{"id": identifier, "affected": affected}]}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing on standard error."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}/v1/query", asked
    finally:
        server.shutdown()
        server.server_close()
