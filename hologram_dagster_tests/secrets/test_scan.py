"""A commit with a secret is stopped; one without is not."""

from pathlib import Path

import pytest

import hologram_dagster.reports
import hologram_dagster.secrets
from hologram_dagster.errors import HologramError
from hologram_dagster.secrets.kinds import Kind
from hologram_dagster.secrets.redactor import MARKER
from hologram_dagster.secrets.scan import Leak, find, scan_file

pytestmark = pytest.mark.phase7_security

BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Bearer q7Rt1AbC9.x2", Kind.BEARER),
        ("api_key=sk-1234567890abcdef", Kind.API_KEY),
        ("Set-Cookie: session_id=abc123def456; Path=/", Kind.SET_COOKIE),
        ("Authorization: Basic dXNlcjpwYXNzd29yZDE=", Kind.AUTHORIZATION),
        ("token=ghp_1234567890abcdef", Kind.TOKEN),
        ('password="hunter2"', Kind.PASSWORD),
        ("secret=a1b2c3d4e5", Kind.SECRET),
        (
            f"private_key: |\n  -----BEGIN PRIVATE KEY-----\n  {BODY}\n  -----END PRIVATE KEY-----",
            Kind.PRIVATE_KEY,
        ),
        (f"-----BEGIN PRIVATE KEY-----\n{BODY}\n-----END PRIVATE KEY-----", Kind.PRIVATE_KEY),
        ("access_token=abc12345", Kind.ACCESS_TOKEN),
        ('"refresh_token": "abc12345"', Kind.REFRESH_TOKEN),
        ("session_id=abc12345", Kind.SESSION_ID),
        ("cookie: a=abc12345", Kind.COOKIE),
        ("x-api-key=abc12345", Kind.X_API_KEY),
        ("X-Auth-Token: abc12345", Kind.X_AUTH_TOKEN),
    ],
)
def test_every_kind_is_found_with_its_line(text: str, kind: Kind) -> None:
    assert find(f"first line\n{text}\n") == [Leak(2, kind)]


@pytest.mark.parametrize(
    "text",
    [
        "def connect(token: str | None = None, password: str = '') -> None:",
        "token = settings.graphql_token.get_secret_value()",
        "client = Client(token=token, password=self._password)",
        "GRAPHQL_TOKEN: ${{ secrets.GRAPHQL_TOKEN }}",
        "export GRAPHQL_TOKEN=$TOKEN",
        'curl -H "Authorization: Bearer $TOKEN" http://x',
        "password: <your password>",
        f"Authorization: {MARKER}",
        '{"token": null, "password": "", "secret": "***"}',
        "A Bearer token is needed; see the token file.",
        "cid QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPQKM",
        '("token", "password", "cookie")',
        '"hashed_secret": "5831a784a378504a94e06181f1a00c656b39701c",',
    ],
)
def test_code_placeholders_and_prose_are_not_found(text: str) -> None:
    assert find(text) == []


def test_own_source_is_not_found() -> None:
    folders = [Path(module.__path__[0]) for module in (hologram_dagster.secrets, hologram_dagster.reports)]
    files = [
        path for folder in folders for path in folder.rglob("*") if path.suffix in {".py", ".j2", ".css"}
    ]
    assert len(files) > 5
    assert {str(path): scan_file(path) for path in files if scan_file(path)} == {}


def test_a_file_in_utf16_is_read(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes('password="hunter2"'.encode("utf-16"))
    assert scan_file(path) == [Leak(1, Kind.PASSWORD)]


def test_an_unreadable_file_is_an_error_not_clean(tmp_path: Path) -> None:
    with pytest.raises(HologramError, match=r"cannot read .*missing.txt"):
        scan_file(tmp_path / "missing.txt")
