"""Bytes in a single DATA frame, for clients that frame and deframe without a session."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol.ctp96 import frame_fault
from hologram_dagster.protocol.ctp96_frames import (
    HANDSHAKE,
    MAX_FRAME_BYTES,
    NONCE,
    Kind,
    data_frame,
    read_frame,
    time_of,
    write_frame,
)

_FIELDS: Final = frozenset({"kind", "ts", "nonce", "seq", "data", "hash", "r96"})
# Two hex digits a byte, and room for the rest of the frame.
MAX_CONTENT_BYTES: Final = (MAX_FRAME_BYTES - 1024) // 2


def frame_bytes(content: bytes, *, at: datetime) -> bytes:
    """The wire form of a DATA frame that carries `content`.

    Raises:
        FormatError: it is longer than `MAX_CONTENT_BYTES`.
    """
    if len(content) > MAX_CONTENT_BYTES:
        raise FormatError(f"The content has {len(content)} bytes; the limit is {MAX_CONTENT_BYTES}.")
    return write_frame(data_frame(len(HANDSHAKE), content.hex(), at=at))


def deframe_bytes(wire: bytes) -> bytes | None:
    """The content of a frame as `frame_bytes` writes it; None if it is not what was sent.

    Raises:
        FormatError: it is longer than a frame may be, or no JSON object.
    """
    frame = read_frame(wire)
    # Its one form, as a field `$comment` or another order would not change the hash.
    if frame.keys() != _FIELDS or not _is_sound(frame) or write_frame(frame) != wire:
        return None
    data = frame["data"]
    try:
        content = bytes.fromhex(data)
    except ValueError:
        return None
    return content if content.hex() == data else None


def _is_sound(frame: Mapping[str, Any]) -> bool:
    return (
        frame["kind"] == Kind.DATA
        and isinstance(frame["data"], str)
        and isinstance(frame["nonce"], str)
        and NONCE.fullmatch(frame["nonce"]) is not None
        and time_of(frame["ts"]) is not None
        and frame_fault(frame) is None
    )
