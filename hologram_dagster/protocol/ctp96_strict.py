"""Strict CTP-96: frames signed, linked and fresh, by keys that are trusted.

A strict frame is a frame of the contract with more fields: `prev` (the digest of the frame
before it, empty for the OFFER), `key_id`, `public_key` and `signature` (Ed25519), and in the
handshake `budget`. The signature is over the RFC 8785 form of everything else, which keeps the
order of arrays and every field. Beyond the contract's checks:

* OFFER's budget b1 and COUNTER's b2 sum to 0 modulo 96, and ACCEPT shows it: its `budgets` are
  [b1, b2], its `budget` is 0 (contract section 4.4; the sum is that of RL-96).
* ACCEPT is signed by the key of the OFFER, DATA by one of the two keys.
* `ts` lies in the window, and nonces are used up in a table that all sessions share.
"""

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import rfc8785

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol import rl96
from hologram_dagster.protocol.canonical import sha256_hex
from hologram_dagster.protocol.ctp96 import SEALS, seal
from hologram_dagster.protocol.ctp96_frames import MAX_FRAME_BYTES, Code, Kind, RefusedFrameError, time_of
from hologram_dagster.protocol.ctp96_session import Session
from hologram_dagster.protocol.nonces import STRICT_WINDOW, Nonces, Refusal, Window
from hologram_dagster.protocol.r96 import CLASSES
from hologram_dagster.protocol.signing import Signer, signature_fault

MAX_SESSION_FRAMES: Final = 1 << 20
MAX_SESSION_BYTES: Final = 1 << 30
_SIGNED: Final = frozenset({"kind", "ts", "nonce", "seq", "prev", "key_id", "public_key", "signature"})
_DATA_FIELDS: Final = _SIGNED | SEALS | {"data"}
_HANDSHAKE_FIELDS: Final = _SIGNED | SEALS | {"meta", "budgets", "receipt", "budget"}
_TEXTS: Final = ("prev", "key_id", "public_key", "signature")


def _canonical(frame: Mapping[str, Any], *without: str) -> bytes:
    try:
        return rfc8785.dumps({name: value for name, value in frame.items() if name not in without})
    except (rfc8785.CanonicalizationError, RecursionError, UnicodeError) as error:
        raise FormatError(f"the frame has no RFC 8785 form: {error}.") from None


def _message(frame: Mapping[str, Any]) -> bytes:
    return b"ctp96.strict|v1|" + _canonical(frame, "signature", *SEALS)


def link_of(frame: Mapping[str, Any]) -> str:
    """The digest of a whole frame, which the next one has as `prev`.

    Raises:
        FormatError: it has no RFC 8785 form.
    """
    return sha256_hex(_canonical(frame))


def sign_frame(
    content: Mapping[str, Any], signer: Signer, *, prev: Mapping[str, Any] | None, budget: int | None = None
) -> dict[str, Any]:
    """`content` (see `ctp96_frames`) as a strict frame that follows `prev`; `budget` for the handshake.

    Raises:
        FormatError: it has no RFC 8785 form.
    """
    frame = {
        **content,
        "prev": "" if prev is None else link_of(prev),
        "key_id": signer.key_id,
        "public_key": signer.public_hex,
    }
    if budget is not None:
        frame["budget"] = budget
    return seal({**frame, "signature": signer.sign(_message(frame))})


class StrictSession(Session):
    """A session that only holders of trusted keys can hold. Not safe to share between threads.

    `trusted` holds the key ids or public keys (hex) that may sign; None lets any, which still
    keeps a third out of a session once it has begun. `nonces` is shared by all sessions.
    """

    def __init__(
        self,
        nonces: Nonces,
        *,
        trusted: Collection[str] | None,
        window: Window = STRICT_WINDOW,
        clock: Callable[[], float] = time.time,
        max_frames: int = MAX_SESSION_FRAMES,
        max_bytes: int = MAX_SESSION_BYTES,
    ) -> None:
        super().__init__()
        self._nonces = nonces
        self._trusted = trusted
        self._window = window
        self._clock = clock
        self._frames_left = max_frames
        self._bytes_left = max_bytes
        self._prev = ""
        self._keys: list[str] = []
        self._budgets: list[int] = []

    def _check_more(self, frame: Mapping[str, Any], nonce: str) -> None:
        kind = Kind(frame["kind"])
        size = self._check_form(frame, kind)
        self._check_signature(frame, kind)
        if frame["prev"] != self._prev:
            raise RefusedFrameError(Code.BROKEN_LINK, "it does not follow the frame before it")
        budget = self._check_budget(frame, kind)
        timestamp, now = self._check_time(frame)
        if self._frames_left < 1 or self._bytes_left < size:
            raise RefusedFrameError(Code.SESSION_FULL, "open a new session")
        link = link_of(frame)
        self._use_up(nonce, timestamp, now)
        # Nothing can fail from here on.
        self._frames_left -= 1
        self._bytes_left -= size
        self._prev = link
        if kind in {Kind.OFFER, Kind.COUNTER}:
            self._keys.append(frame["public_key"])
            self._budgets.append(budget)

    def _check_form(self, frame: Mapping[str, Any], kind: Kind) -> int:
        fields = _DATA_FIELDS if kind is Kind.DATA else _HANDSHAKE_FIELDS
        if frame.keys() != fields or not all(isinstance(frame[name], str) for name in _TEXTS):
            raise RefusedFrameError(
                Code.MALFORMED, f"a strict {kind} has exactly {', '.join(sorted(fields))}"
            )
        try:
            size = len(_canonical(frame))
        except FormatError as error:
            raise RefusedFrameError(Code.MALFORMED, str(error)) from None
        if size > MAX_FRAME_BYTES:
            raise RefusedFrameError(Code.MALFORMED, f"it is longer than {MAX_FRAME_BYTES} bytes")
        return size

    def _check_signature(self, frame: Mapping[str, Any], kind: Kind) -> None:
        fault = signature_fault(
            key_id=frame["key_id"],
            public_hex=frame["public_key"],
            signature_hex=frame["signature"],
            data=_message(frame),
            trusted=self._trusted,
        )
        if fault:
            raise RefusedFrameError(Code.BAD_SIGNATURE, fault)
        allowed = {Kind.ACCEPT: self._keys[:1], Kind.DATA: self._keys}.get(kind)
        if allowed is not None and frame["public_key"] not in allowed:
            raise RefusedFrameError(Code.BAD_SIGNATURE, "its key is not the one of this session")

    def _check_budget(self, frame: Mapping[str, Any], kind: Kind) -> int:
        if kind is Kind.DATA:
            return 0
        budget = frame["budget"]
        if type(budget) is not int or not 0 <= budget < CLASSES:
            raise RefusedFrameError(Code.MALFORMED, f"its budget is no integer from 0 to {CLASSES - 1}")
        if kind is Kind.COUNTER and not rl96.holds([*self._budgets, budget]):
            raise RefusedFrameError(Code.BUDGET_MISMATCH, "it does not sum to 0 modulo 96 with the OFFER's")
        if kind is Kind.ACCEPT and (budget, frame["budgets"]) != (0, self._budgets):
            raise RefusedFrameError(Code.BUDGET_MISMATCH, "it does not show the budgets of OFFER and COUNTER")
        return budget

    def _check_time(self, frame: Mapping[str, Any]) -> tuple[int, float]:
        at, now = time_of(frame["ts"]), self._clock()
        if at is None:
            raise RefusedFrameError(Code.MALFORMED, "its ts is not ISO-8601 with milliseconds and Z")
        if refusal := self._window.refusal(int(at), now):
            raise RefusedFrameError(Code.OUTSIDE_WINDOW, f"its ts is {refusal}")
        return int(at), now

    def _use_up(self, nonce: str, timestamp: int, now: float) -> None:
        match self._nonces.use(nonce, timestamp, now):
            case None:
                return
            case Refusal.FULL:
                raise RefusedFrameError(Code.SESSION_FULL, "the table of nonces is full; try later")
            case Refusal.TOO_OLD:
                raise RefusedFrameError(Code.OUTSIDE_WINDOW, "its ts is from before this process started")
            case _:
                raise RefusedFrameError(Code.REPLAY_DETECTED, "its nonce has been used")
