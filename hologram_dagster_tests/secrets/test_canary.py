"""Secrets planted wherever a gate run meets foreign text reach nothing that it writes or prints."""

import base64
import json
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hologram_dagster_tests.gate.bench import Bench, MakeBench, git

pytestmark = [pytest.mark.phase7_security, pytest.mark.phase2_integration]


def canary(place: str) -> str:
    """A value that no other place has: letters, digits, and nothing that must be encoded."""
    return f"C4nary{place.title().replace(' ', '')}0q7Zt9Xw2"


ENVIRONMENT, FOREIGN, TARGET = canary("environment"), canary("foreign variable"), canary("target")
GRAPHQL, IPFS, GIT = canary("graph ql"), canary("ipfs"), canary("git")
SLACK, REPLY, GITHUB, API = canary("slack"), canary("reply"), canary("github"), canary("api")

# A target that tells what it knows wherever it can; its source does not hold what it tells.
WORKER = textwrap.dedent(
    """
    import json, os, sys
    value = "C4nary" + "Target" + "0q7Zt9Xw2"
    print(f"starting with password={value}", file=sys.stderr)
    print("environment:", dict(os.environ), file=sys.stderr, flush=True)
    for line in sys.stdin:
        error = f"cannot log in: Authorization: Bearer {value}; https://bot:{value}@host.test/x"
        print(json.dumps({"id": json.loads(line).get("id"), "ok": False, "error": error}), flush=True)
        print(json.dumps({"request": {"headers": {"X-Api-Key": value}}}), file=sys.stderr, flush=True)
    """
)


class _Leaky(BaseHTTPRequestHandler):
    """A registry, a node, a webhook and GitHub's interface, which all tell secrets in their errors."""

    told: ClassVar[list[bytes]] = []
    """What was sent to the webhook and to GitHub."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if not self.path.startswith(("/graphql", "/api/v0")):
            self.told.append(body)
        status, body = self._answer()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer(self) -> tuple[int, bytes]:
        if self.path.startswith("/graphql"):
            # It knows the caller's token, and names it without a word that would give it away.
            sent = self.headers.get("authorization", "")
            message = f'{sent} is not welcome here; config {{"db_password": "{GRAPHQL}"}}'
            return 200, json.dumps({"errors": [{"message": message}], "data": None}).encode()
        if self.path.startswith("/api/v0"):
            message = f"dial postgres://node:{IPFS}@db.test/ipfs: refused (session_id={IPFS})"
            return 500, json.dumps({"Message": message, "Code": 0, "Type": "error"}).encode()
        if self.path.startswith("/services"):
            return 400, f"invalid_payload for {self.path}, token={REPLY}".encode()
        sent = self.headers.get("authorization", "")
        return 401, json.dumps({"message": f"{sent} is bad", "x-auth-token": API}).encode()

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def leaky() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Leaky) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def encodings(value: str) -> set[bytes]:
    raw = value.encode()
    return {raw, quote(value).encode(), raw.hex().encode(), *(_base64(raw, shift) for shift in range(3))}


def _base64(raw: bytes, shift: int) -> bytes:
    """What of `raw` in base64 does not depend on the bytes around it, `shift` bytes after a boundary."""
    coded = base64.b64encode(b"\0" * shift + raw)
    return coded[4 if shift else 0 : (shift + len(raw)) // 3 * 4]


@pytest.fixture
def leaking(make_bench: MakeBench) -> Bench:
    bench = make_bench()
    (bench.folder / "worker.py").write_text(WORKER)
    command = json.dumps([sys.executable, "{tree}/worker.py"])
    (bench.folder / "hologram.toml").write_text(f"[target]\nname = 'leaky'\nworker = {command}\n")
    git(bench.folder, "add", ".")
    git(bench.folder, "commit", "-qm", "target")
    git(bench.folder, "remote", "add", "origin", f"https://bot:{GIT}@git.test/leaky.git")
    return bench


def test_no_canary_reaches_a_file_a_log_a_page_or_a_database(leaking: Bench) -> None:
    key = (
        Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    )
    with leaky() as url:
        done = leaking.hologram(
            *("gate", "--profile", "pr"),
            IPFS_API=url.replace("://", f"://node:{ENVIRONMENT}@"),
            GRAPHQL_URL=f"{url}/graphql",
            GRAPHQL_TOKEN=f"{ENVIRONMENT}-graphql",
            HOLOGRAM_SIGNING_KEY=key,
            HOLOGRAM_NOTIFY="pr",
            SLACK_WEBHOOK_URL=f"{url}/services/T0/B0/{SLACK}",
            GITHUB_TOKEN=f"{GITHUB}",
            GITHUB_REPOSITORY="owner/leaky",
            GITHUB_API_URL=url,
            DB_PASSWORD=FOREIGN,
            AWS_SECRET_ACCESS_KEY=FOREIGN,
            HOLOGRAM_BASELINE="HEAD",
        )
    said = (done.stdout + done.stderr).encode()
    # It met them all: the gate is red for the services and the target, and nobody could be told.
    assert done.returncode in (1, 3), said
    assert b"[REDACTED]" in said
    values = [ENVIRONMENT, FOREIGN, TARGET, GRAPHQL, IPFS, GIT, SLACK, REPLY, GITHUB, API, key.split("\n")[1]]
    sought = {form for value in values for form in encodings(value)}
    written = [
        path
        for path in sorted(leaking.folder.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(leaking.folder).parts
    ]
    names = {path.name for path in written}
    assert len(_Leaky.told) >= 2
    assert [form for form in sought if any(form in body for body in _Leaky.told)] == []
    assert {"verdict.json", "index.html", "junit.xml", "events.jsonl"} <= names
    assert any(path.suffix == ".db" for path in written)
    assert any(path.suffix == ".log" for path in written)
    leaks = [
        f"{path.relative_to(leaking.folder)}: {form.decode()} ... {_around(path, form)!r}"
        for path in written
        for form in sought
        if form in path.read_bytes()
    ]
    assert leaks + [f"printed: {form.decode()}" for form in sought if form in said] == []


def _around(path: Path, form: bytes) -> bytes:
    data = path.read_bytes()
    at = data.index(form)
    return data[max(0, at - 200) : at + 60]


def test_encodings_are_found_at_any_place() -> None:
    for before in range(7):
        coded = base64.b64encode(b"x" * before + GRAPHQL.encode() + b"and more")
        assert any(form in coded for form in encodings(GRAPHQL))
