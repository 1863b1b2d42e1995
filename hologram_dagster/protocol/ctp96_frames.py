"""The frames of a CTP-96 session: their kinds, how they are made and read, and why one is refused.

The form is the contract's (section 4.2). What belongs here: single frames. What does not:
their order (see `ctp96_session`), and who may send them (`ctp96_strict`).
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from hologram_dagster.errors import FormatError, HologramError
from hologram_dagster.protocol import rl96
from hologram_dagster.protocol.canonical import stable_ordered
from hologram_dagster.protocol.ctp96 import seal
from hologram_dagster.protocol.strict_json import parse_json

MAX_FRAME_BYTES: Final = 1 << 20
MAX_BUDGETS: Final = 4096
NONCE_BYTES: Final = 12
NONCE: Final = re.compile(r"[0-9a-f]{24}")
_RECEIPT: Final = "receipt"
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")


class Kind(StrEnum):
    """The kinds of frames, in the order of a session."""

    OFFER = "OFFER"
    COUNTER = "COUNTER"
    ACCEPT = "ACCEPT"
    DATA = "DATA"


HANDSHAKE: Final = (Kind.OFFER, Kind.COUNTER, Kind.ACCEPT)


class Code(StrEnum):
    """Why a frame is refused. The first nine and the two of the limits are the contract's."""

    REPLAY_DETECTED = "replay_detected"
    HASH_MISMATCH = "hash_mismatch"
    R96_MISMATCH = "r96_mismatch"
    HANDSHAKE_ORDER_ERROR = "handshake_order_error"
    MISSING_WITNESS = "missing_witness"
    INVALID_WITNESS = "invalid_witness"
    WITNESS_NOT_OK = "witness_not_ok"
    DATA_BEFORE_ACCEPT = "data_before_accept"
    OUT_OF_ORDER = "out_of_order"
    RATE_LIMIT_EXCEEDED = "rate_limit_exceeded"
    QUARANTINED = "quarantined"
    MALFORMED = "malformed"
    BAD_SIGNATURE = "bad_signature"
    BROKEN_LINK = "broken_link"
    OUTSIDE_WINDOW = "outside_window"
    BUDGET_MISMATCH = "budget_mismatch"
    SESSION_FULL = "session_full"


class RefusedFrameError(HologramError):
    """A frame that is not accepted; `code` says why, and nothing of it was recorded."""

    def __init__(self, code: Code, why: str) -> None:
        super().__init__(f"{code}: {why}")
        self.code = code


def time_text(at: datetime) -> str:
    """A time as frames write it: ISO-8601 with milliseconds, UTC, `Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def time_of(text: object) -> float | None:
    """The epoch seconds of a frame's `ts`; None for any other form."""
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def _base(kind: Kind, seq: int, at: datetime, nonce: str | None) -> dict[str, Any]:
    return {
        "kind": str(kind),
        "ts": time_text(at),
        "nonce": secrets.token_hex(NONCE_BYTES) if nonce is None else nonce,
        "seq": seq,
    }


def handshake_content(
    kind: Kind,
    budgets: Sequence[int],
    *,
    module: str,
    at: datetime,
    note: str | None = None,
    nonce: str | None = None,
) -> dict[str, Any]:
    """A frame of the handshake without its seals; `nonce` None takes a fresh one.

    Its receipt tells truthfully whether the budgets sum to 0 modulo 96.
    """
    meta = {"module": module, "algo": "ctp96"}
    return {
        **_base(kind, HANDSHAKE.index(kind), at, nonce),
        "meta": meta if note is None else {**meta, "note": note},
        "budgets": list(budgets),
        "receipt": {
            "witness": rl96.receipt_witness(budgets),
            "ok": rl96.holds(budgets),
            "createdAt": time_text(at),
            "domain": _RECEIPT,
        },
    }


def handshake_frame(
    kind: Kind,
    budgets: Sequence[int],
    *,
    module: str,
    at: datetime,
    note: str | None = None,
    nonce: str | None = None,
) -> dict[str, Any]:
    """The sealed frame of `handshake_content`.

    Raises:
        FormatError: a budget is beyond what JavaScript can hold.
    """
    return seal(handshake_content(kind, budgets, module=module, at=at, note=note, nonce=nonce))


def data_content(seq: int, data: object, *, at: datetime, nonce: str | None = None) -> dict[str, Any]:
    """A DATA frame without its seals; the first of a session has `seq` 3."""
    return {**_base(Kind.DATA, seq, at, nonce), "data": data}


def data_frame(seq: int, data: object, *, at: datetime, nonce: str | None = None) -> dict[str, Any]:
    """The sealed frame of `data_content`.

    Raises:
        FormatError: `data` is no JSON value.
    """
    return seal(data_content(seq, data, at=at, nonce=nonce))


def write_frame(frame: Mapping[str, Any]) -> bytes:
    """The bytes of a frame on the wire: JSON in UTF-8, arrays in their order.

    Raises:
        FormatError: it is no JSON object, or longer than `MAX_FRAME_BYTES`.
    """
    written = stable_ordered(frame).encode()
    if len(written) > MAX_FRAME_BYTES:
        raise FormatError(f"The frame has {len(written)} bytes; the limit is {MAX_FRAME_BYTES}.")
    return written


def read_frame(data: bytes | str) -> dict[str, Any]:
    """The frame in `data`, its form and seals unchecked.

    Raises:
        FormatError: it is longer than `MAX_FRAME_BYTES`, or no JSON object.
    """
    frame = parse_json(data, what="frame", limit=MAX_FRAME_BYTES)
    if not isinstance(frame, dict):
        raise FormatError("A frame is a JSON object.")
    return frame


def witness_fault(frame: Mapping[str, Any]) -> Code | None:
    """What is wrong with the receipt of a handshake frame; None if nothing is. Never raises."""
    receipt, budgets = frame.get("receipt"), frame.get("budgets")
    if not isinstance(receipt, Mapping) or not isinstance(receipt.get("witness"), str):
        return Code.MISSING_WITNESS
    if not isinstance(budgets, list) or len(budgets) > MAX_BUDGETS or not set(map(type, budgets)) <= {int}:
        return Code.INVALID_WITNESS
    if receipt["witness"] != rl96.receipt_witness(budgets) or receipt.get("domain") != _RECEIPT:
        return Code.INVALID_WITNESS
    return None if receipt.get("ok") is True and rl96.holds(budgets) else Code.WITNESS_NOT_OK
