"""The installed command: `hologram secrets`."""

import subprocess
import sys
from pathlib import Path

import pytest

from hologram_dagster.secrets.redactor import MARKER

pytestmark = pytest.mark.phase7_security

HOLOGRAM = str(Path(sys.executable).parent / "hologram")
TOKEN = "ghp_" + "q7Rt" * 9


def redacted(data: bytes) -> bytes:
    done = subprocess.run([HOLOGRAM, "secrets", "redact"], input=data, capture_output=True, check=True)
    assert done.stderr == b""
    return done.stdout


def test_standard_input_is_redacted_and_every_other_byte_kept() -> None:
    data = b"caf\xc3\xa9 \xff\xfe\x00 token=abcdef x\r\npassword: |\n  a\n  b\nnext" + b"\ny" * 100_000
    marker = MARKER.encode()
    assert redacted(data) == (
        b"caf\xc3\xa9 \xff\xfe\x00 token="
        + marker
        + b" x\r\npassword: "
        + marker
        + b"\nnext"
        + b"\ny" * 100_000
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf16_stays_utf16(encoding: str) -> None:
    text = "\N{BYTE ORDER MARK}" * (encoding == "utf-16-be") + f"é 🔑 sent {TOKEN}\n"
    out = redacted(text.encode(encoding))
    assert out.decode("utf-16") == f"é 🔑 sent {MARKER}\n"


def test_a_line_is_given_out_before_the_next_one_comes() -> None:
    with subprocess.Popen(
        [HOLOGRAM, "secrets", "redact"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"a {TOKEN}\n".encode())
        process.stdin.flush()
        assert process.stdout.readline() == f"a {MARKER}\n".encode()
        process.stdin.close()
    assert process.returncode == 0


def test_a_reader_that_leaves_early_is_no_error() -> None:
    done = subprocess.run(
        f"yes token=abc | '{HOLOGRAM}' secrets redact | head -2",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == (f"token={MARKER}\n" * 2, "")
