"""What users' own code prints, logs and checks."""

import io
import logging
from pathlib import Path

import pytest

from hologram_dagster.errors import HologramError
from hologram_dagster.secrets.redactor import MARKER
from hologram_dagster.secrets.safe import check_file_for_secrets, redact_secrets, safe_log, safe_print

pytestmark = pytest.mark.phase7_security

# The samples that come with the present tools (contract 7.2), which print most of them.
SAMPLES = {
    "Bearer eyJhbGciOiJIUzI1NiJ9": "Bearer ",
    "api_key=sk-1234567890": "api_key=",
    "Set-Cookie: session_id=abc123; HttpOnly": "Set-Cookie: ",
    "Authorization: Basic dXNlcjpwYXNz": "Authorization: ",
    "token=ghp_1234567890": "token=",
    'password="my secret password"': 'password="',
    "secret=topsecret": "secret=",
}


@pytest.mark.parametrize(("sample", "kept"), SAMPLES.items())
def test_nothing_of_a_value_survives(sample: str, kept: str) -> None:
    closing = '"' if kept.endswith('"') else ""
    assert redact_secrets(sample) == f"{kept}{MARKER}{closing}"


def test_print(capsys: pytest.CaptureFixture[str]) -> None:
    safe_print("sent", {"token": "abcd"}, 1, sep="|", end=".\n")
    assert capsys.readouterr().out == f"sent|{{'token': '{MARKER}'}}|1.\n"
    out = io.StringIO()
    safe_print("password=abcd", file=out, flush=True)
    # A name and its value that come as two arguments are one text.
    safe_print("password:", "abcd", file=out)
    assert out.getvalue() == f"password={MARKER}\npassword: {MARKER}\n"


def test_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="hologram"):
        safe_log("login %s with password=%s", "bob", "abcd", level="warning")
        safe_log("100 % of token=abcd", level=logging.DEBUG)
    assert caplog.record_tuples == [
        ("hologram", logging.WARNING, f"login bob with password={MARKER}"),
        ("hologram", logging.DEBUG, f"100 % of token={MARKER}"),
    ]
    assert caplog.records[0].filename == Path(__file__).name
    with pytest.raises(ValueError, match="'loud' is no level"):
        safe_log("x", level="loud")


def test_check_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("clean\n")
    assert check_file_for_secrets(path) == []
    path.write_text("a\npassword=hunter2-24\n")
    assert [(leak.line, leak.kind) for leak in check_file_for_secrets(str(path))] == [(2, "password")]
    with pytest.raises(HologramError, match="cannot read"):
        check_file_for_secrets(tmp_path / "missing")
