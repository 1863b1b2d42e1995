"""Files and streams of bytes as text, in parts: UTF-8, or UTF-16 with its mark; nothing is lost.

Bytes that are no text come back as they were (`surrogateescape`).
"""

import codecs
from collections.abc import Iterator
from typing import BinaryIO

_PART = 2**16
_MARKS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
# As git does: a zero byte this near to the start means that it is no text.
_SNIFFED = 8000


def encoding_of(start: bytes) -> str:
    """The encoding of what begins with `start`."""
    return _MARKS.get(start[:2], "utf-8")


def is_binary(start: bytes) -> bool:
    """Whether what begins with `start` is no text."""
    return b"\0" in start[:_SNIFFED] and start[:2] not in _MARKS


def parts_of(stream: BinaryIO, start: bytes = b"") -> Iterator[tuple[str, str]]:
    """Part by part the text of `start` and what follows it in `stream`, each with the encoding.

    A part comes as soon as there is any: for filters.
    """
    read = getattr(stream, "read1", stream.read)
    first = start or read(_PART)
    if len(first) == 1:
        first += read(1)
    encoding = encoding_of(first)
    errors = "surrogateescape" if encoding == "utf-8" else "surrogatepass"
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    part = first
    while part:
        yield decoder.decode(part), encoding
        part = read(_PART)
    yield decoder.decode(b"", final=True), encoding
