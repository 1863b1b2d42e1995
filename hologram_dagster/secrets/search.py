"""Where in a text a secret may begin: one pass of RE2 for all names and forms.

What belongs here: the search and what was met. What does not: whether it is a secret and
where it ends (`spans`). RE2 takes linear time whatever the text (it has no backtracking).
"""

from collections.abc import Iterator
from enum import Enum, auto
from functools import lru_cache

import re2

from hologram_dagster.secrets.kinds import SPELLINGS, Kind
from hologram_dagster.secrets.shapes import BLOCK_BEGIN, SHAPES, Shape


class Mark(Enum):
    """What begins here that is neither a name nor a shape."""

    BLOCK = auto()
    URL = auto()


Met = Kind | Shape | Mark
# What may hold user and password.
_URL = r"://[^\s/\"'<>]*@"

_SEARCH = re2.compile(
    "|".join(
        [
            BLOCK_BEGIN,
            _URL,
            *(shape.lead for shape in SHAPES),
            *(f"(?i:{spelling})" for _, spelling in SPELLINGS),
        ]
    ).encode()
)
_NAMES = tuple((kind, re2.compile(f"(?i:{spelling})".encode())) for kind, spelling in SPELLINGS)
_LEADS = tuple((shape, re2.compile(shape.lead.encode())) for shape in SHAPES)


def as_ascii(text: str) -> bytes:
    """`text` a byte a character, so that places in both are the same; what is not ASCII becomes `?`."""
    return text.encode("ascii", "replace")


def search(data: bytes, position: int) -> Iterator[tuple[int, int, Met]]:
    """What is met in `data` from `position` on: start, end, and what it is."""
    for found in _SEARCH.finditer(data, position):
        start, end = found.span()
        begin = data[start:end]
        if begin.startswith(b"://"):
            yield start, end, Mark.URL
        else:
            yield start, end, _what(begin)


@lru_cache(maxsize=4096)
def _what(begin: bytes) -> Met:
    for shape, lead in _LEADS:
        if lead.fullmatch(begin):
            return shape
    for kind, name in _NAMES:
        if name.fullmatch(begin):
            return kind
    return Mark.BLOCK
