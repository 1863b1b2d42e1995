"""UOR-IDs: an identity that carries its resonance class (contract section 6.6)."""

import re
from typing import Final, NamedTuple

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol.canonical import ccm, stable
from hologram_dagster.protocol.r96 import CLASSES, r96

_FORM: Final = re.compile(r"uor:v(1):r(0|[1-9][0-9]?):([0-9a-f]{64})")
_DOMAIN: Final = "uorid"


class UorId(NamedTuple):
    """The parts of a UOR-ID; its `str` is the ID's text."""

    version: int
    resonance: int
    digest: str

    def __str__(self) -> str:
        return f"uor:v{self.version}:r{self.resonance}:{self.digest}"


def uorid_object(obj: object) -> str:
    """The UOR-ID of a JSON value, by its canonical text.

    Raises:
        FormatError: it is no JSON value (see `canonical.stable`).
    """
    text = stable(obj)
    return str(UorId(1, r96(text.encode()), ccm(text, _DOMAIN)))


def uorid_bytes(data: bytes) -> str:
    """The UOR-ID of bytes, by their hex form."""
    return str(UorId(1, r96(data), ccm(data.hex(), _DOMAIN)))


def parse(text: str) -> UorId:
    """Take a UOR-ID apart; one identity has exactly one text.

    Raises:
        FormatError: it is not `uor:v1:r<0..95>:<64 lower-case hex digits>`.
    """
    found = _FORM.fullmatch(text)
    if found is None or int(found[2]) >= CLASSES:
        raise FormatError(
            f"{text[:100]!r} is no UOR-ID: expected uor:v1:r<0..95>:<64 lower-case hex digits>."
        )
    return UorId(int(found[1]), int(found[2]), found[3])
