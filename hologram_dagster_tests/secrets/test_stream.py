"""A stream is redacted as the whole text is, wherever it is cut, and holds little of it back."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hologram_dagster.secrets.redactor import MARKER, redact
from hologram_dagster.secrets.stream import RedactingStream

pytestmark = pytest.mark.phase7_security

PARTS = [
    *("token", "password", "Authorization", "Set-Cookie", "Bearer", "secret_key", "client_secret"),
    *(
        "-----BEGIN PRIVATE KEY-----",
        "-----END PRIVATE KEY-----",
        "ghp_" + "a1" * 18,
        "eyJ" + "hbGciOi.eyJzdWIi.x",
    ),
    *(
        "=",
        ":",
        ": ",
        " = ",
        '"',
        "'",
        "\\",
        '\\"',
        '"""',
        "&",
        "?",
        " ",
        ",",
        "{",
        "}",
        "[",
        "|",
        "- ",
        "//u:p",
        '"name":"token","value":',
        "name: token\n  value: ",
        '"token" value="',
        "<token>",
    ),
    *("\n", "\n", "\n", "\r\n", "\n  ", "\n    ", "\t", "://", "@", "login a password ", "Private-Lines: 1"),
    *("abc", "1", "12345", "%3D", MARKER, "null", "é", "K", "İ", "-", "--"),
]
TEXT = st.lists(st.sampled_from(PARTS), max_size=40).map("".join)


def stream(parts: list[str]) -> str:
    redacting = RedactingStream()
    return "".join([*map(redacting.feed, parts), redacting.close()])


def cut(text: str, places: list[int]) -> list[str]:
    at = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[start:end] for start, end in itertools.pairwise(at)]


@contextmanager
def longest(length: int) -> Iterator[None]:
    """With values over lines no longer than `length`, what happens at the limit is met often."""
    with (
        patch("hologram_dagster.secrets.strings.LONGEST", length),
        patch("hologram_dagster.secrets.spans.LONGEST", length),
        patch("hologram_dagster.secrets.spans._LONGEST_INDENTED", length),
    ):
        yield


@given(TEXT, st.lists(st.integers(min_value=0), max_size=8), st.sampled_from([2**16, 40, 12, 3]))
@example('a token=x password="\nb', [21], 2**16)
@example('x = "' + "a" * 195 + "\ntoken: a\n  b\n", [201], 2**16)
def test_any_cut_gives_the_same(text: str, places: list[int], limit: int) -> None:
    with longest(limit):
        assert stream(cut(text, places)) == redact(text)


@given(TEXT, st.sampled_from([2**16, 12]))
def test_character_by_character(text: str, limit: int) -> None:
    with longest(limit):
        assert stream(list(text)) == redact(text)


def test_lines_that_end_their_values_are_given_out_at_once() -> None:
    redacting = RedactingStream()
    for number in range(3):
        assert redacting.feed(f"line {number} token=abc{number} ok\n") == f"line {number} token={MARKER} ok\n"
    assert redacting.feed("half a line, to") == ""
    assert redacting.feed("ken=abc\n") == f"half a line, token={MARKER}\n"


def test_a_key_over_many_parts() -> None:
    body = "\n".join(["MIIE" + "a" * 60] * 40)
    text = f"before\n-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\nafter\n"
    for size in (1, 7, 64, 4096):
        out = stream([text[at : at + size] for at in range(0, len(text), size)])
        assert out == f"before\n-----BEGIN PRIVATE KEY-----{MARKER}-----END PRIVATE KEY-----\nafter\n"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("line", ["token='a\n", 'x: "token: \n', "token:\n\n", "password: |\n  a\n", "a\n"])
def test_what_is_held_back_is_bounded_and_the_time_linear(line: str) -> None:
    redacting, most = RedactingStream(), 0
    for _ in range(10):
        redacting.feed(line * 20_000)
        most = max(most, redacting.held)
    # Up to twice the longest value, and what one call brings.
    assert most < 2 * 2**20 + 20_000 * len(line)
    redacting.close()
