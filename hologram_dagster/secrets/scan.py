"""Find secrets that someone wrote into a file, for a commit hook or a gate.

The redactor would rather hide too much; a finding stops a commit, so here a value must
look like a literal: not empty, no placeholder (`<token>`, `${TOKEN}`, `***`), and
without quotes no code (`token = read()`, `password: str`).
"""

import re
from dataclasses import dataclass
from pathlib import Path

from hologram_dagster.errors import HologramError
from hologram_dagster.secrets.kinds import WHOLE_LINE, Kind, is_secret_name
from hologram_dagster.secrets.redactor import MARKER
from hologram_dagster.secrets.spans import Span, find_spans

_SCHEME = re.compile(r"(?:bearer|basic|digest|token|negotiate)\s+", re.IGNORECASE)
_PLACEHOLDER = re.compile(
    r"[<$%{\[(].*|.*[>}]|[*xX.…-]+|.*(?:\$\{|\{\{|%s|%\().*|\W{0,3}"
    r"|(?i:none|null|true|false|str|string|bytes|text|required|optional|hidden)"
    r"|(?i:(?:your|my|the|some|an?)[ _-]|(?:example|dummy|fake|sample|changeme|placeholder)\b).*",
    re.DOTALL,
)
_LITERAL = re.compile(r"[\w\-+/=.~:%!@#^*?&;,]{6,}")
_DOTTED_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_WELL_KNOWN = ("ghp_", "gho_", "github_pat_", "glpat-", "sk-", "xoxb-", "xoxp-", "eyJ")


@dataclass(frozen=True, slots=True)
class Leak:
    """A secret in a text: the line (from 1) and the kind; never the value."""

    line: int
    kind: Kind


def find(text: str) -> list[Leak]:
    """The literals in `text` that are secrets, in order."""
    leaks: list[Leak] = []
    line, counted = 1, 0
    for span in find_spans(text):
        if _is_literal(text[span.start : span.end], span):
            line += text.count("\n", counted, span.start)
            counted = span.start
            leaks.append(Leak(line, span.kind))
    return leaks


def _is_literal(value: str, span: Span) -> bool:
    if span.kind is Kind.PRIVATE_KEY and "\n" in value:
        return True
    bare = _SCHEME.sub("", value.strip(), count=1).strip()
    if bare == MARKER or _PLACEHOLDER.fullmatch(bare) or is_secret_name(bare):
        return False
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


def scan_file(path: Path) -> list[Leak]:
    """The secrets in the file at `path`; text in UTF-8, UTF-16 with its mark, or near ASCII.

    Raises:
        HologramError: the file cannot be read; that is never "clean".
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise HologramError(
            f"cannot read {path} to look for secrets: {error.strerror or error}. "
            "Make it readable or leave it out."
        ) from error
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    return find(data.decode(encoding, errors="replace"))
