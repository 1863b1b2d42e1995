"""Find secrets that someone wrote into a file, for a commit hook or a gate.

The redactor would rather hide too much; a finding stops a commit, so here a value must
look like a literal: not empty, no placeholder (`<token>`, `${TOKEN}`, `***`), and
without quotes no code (`token = read()`, `password: str`).
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from hologram_dagster.errors import HologramError
from hologram_dagster.secrets.kinds import CONTRACT, WHOLE_LINE, Kind, is_secret_name
from hologram_dagster.secrets.redactor import MARKER
from hologram_dagster.secrets.spans import Span, find_spans
from hologram_dagster.secrets.stream import SpanStream
from hologram_dagster.secrets.text import is_binary, parts_of

_SCHEME = re.compile(r"(?:bearer|basic|digest|token|negotiate)\s+", re.IGNORECASE)
_PLACEHOLDER = re.compile(
    r"[<{\[(].*|\$(?:[{(].*|[A-Za-z_]\w*)|%(?:\(.*|\w+%|s)|.*[>}]|[*xX.…-]+|.*(?:\$\{|\{\{|%s|%\().*|\W{0,3}"
    r"|(?i:none|null|true|false|str|string|bytes|text|required|optional|hidden|pass|pwd|pw)"
    r"|(?i:(?:your|my|the|some|an?)[ _-]|(?:example|dummy|fake|sample|changeme|placeholder)\b).*",
    re.DOTALL,
)
_LITERAL = re.compile(r"[\w\-+/=.~:%!@#^*?&;,$]{6,}")
_DOTTED_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_WELL_KNOWN = ("ghp_", "gho_", "github_pat_", "glpat-", "sk-", "xoxb-", "xoxp-", "eyJ")
# What documentation and tests write in place of a token.
_EXAMPLE = re.compile(r"example|your|\.\.\.|(.)\1{7}|123456789|abcdefgh", re.IGNORECASE)
# What detect-secrets' own baseline files hold.
_HASHED = re.compile(r"""hashed[_-]?\w{1,20}\W{1,10}\Z""", re.IGNORECASE)
_KEY_LINE = re.compile(r"[A-Za-z0-9+/]{24,}")
# Kinds whose value is a block of lines.
BLOCKS = frozenset({Kind.PRIVATE_KEY, Kind.SSH_KEY})
_SNIFFED = 8192


@dataclass(frozen=True, slots=True)
class Leak:
    """A secret in a text: the line (from 1) and the kind; never the value, only its sha256."""

    line: int
    kind: Kind
    digest: str = field(default="", compare=False, repr=False)


def find(text: str) -> list[Leak]:
    """The literals in `text` that are secrets, in order."""
    return list(find_in([text]))


def find_in(parts: Iterable[str], *, own_form_only: bool = False) -> Iterator[Leak]:
    """The literals that are secrets in a text that comes in `parts`, in order.

    `own_form_only` leaves out what only a name makes a secret: for what is no text.
    """
    stream, line = SpanStream(), 1

    def leaks(text: str, spans: list[Span]) -> Iterator[Leak]:
        nonlocal line
        counted = 0
        for span in spans:
            line += text.count("\n", counted, span.start)
            counted = span.start
            if own_form_only and span.kind in CONTRACT - BLOCKS:
                continue
            value = text[span.start : span.end]
            if _is_literal(value, span) and not _HASHED.search(text, max(0, span.start - 40), span.start):
                yield Leak(
                    line,
                    _own_kind(value, span.kind),
                    hashlib.sha256(value.encode(errors="replace")).hexdigest(),
                )
        line += text.count("\n", counted)

    for part in parts:
        yield from leaks(*stream.feed(part))
    yield from leaks(*stream.close())


def _own_kind(value: str, kind: Kind) -> Kind:
    """`kind`, or what the value is by its own form: a `token=` may hold one of GitHub."""
    if kind in CONTRACT:
        for span in find_spans(value):
            if span.kind not in CONTRACT and _is_literal(value[span.start : span.end], span):
                return span.kind
    return kind


def _is_literal(value: str, span: Span) -> bool:
    if span.kind in BLOCKS and _KEY_LINE.search(value, 0, 1000):
        return True
    bare = _SCHEME.sub("", value.strip(), count=1).strip()
    if MARKER in bare or _PLACEHOLDER.fullmatch(bare) or is_secret_name(bare):
        return False
    if span.kind not in CONTRACT:
        return _EXAMPLE.search(bare) is None and (span.kind is not Kind.URL_PASSWORD or len(bare) >= 4)
    if span.quoted:
        if span.pair and not re.search(r"\d", bare):
            # Two words beside each other in a list of words.
            return False
        return len(bare) >= 4 and (span.kind in WHOLE_LINE or not re.search(r"\s", bare))
    word = re.split(r"\s", bare, maxsplit=1)[0]
    if word.startswith(_WELL_KNOWN):
        return True
    digits = sum(character.isdigit() for character in word)
    return (
        _LITERAL.fullmatch(word) is not None
        and digits > 0
        and (digits > 1 or _DOTTED_NAME.fullmatch(word) is None)
    )


def scan_stream(stream: BinaryIO) -> Iterator[Leak]:
    """The secrets in a stream of bytes; of one that is no text those that are known by their own form."""
    start = stream.read(_SNIFFED)
    parts = (part for part, _ in parts_of(stream, start))
    return find_in(parts, own_form_only=is_binary(start))


def scan_file(path: Path) -> list[Leak]:
    """The secrets in the file at `path`; text in UTF-8, UTF-16 with its mark, or near ASCII.

    Raises:
        HologramError: the file cannot be read; that is never "clean".
    """
    try:
        with path.open("rb") as stream:
            return list(scan_stream(stream))
    except OSError as error:
        raise HologramError(
            f"cannot read {path} to look for secrets: {error.strerror or error}. "
            "Make it readable or leave it out."
        ) from error
