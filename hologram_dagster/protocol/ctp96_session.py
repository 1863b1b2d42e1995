"""The receiving side of a CTP-96 session: which frame may come next (contract section 4.2).

Checks run in the contract's order: replay, hash, r96, phase and sequence, witness. A frame
is recorded only when every one of them held, so that a corrupted copy never burns the genuine
frame. As the contract's hash sorts arrays and is keyed by nothing, such a session finds
accidents and replays, not a forger: that takes `ctp96_strict`.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from hologram_dagster.protocol.ctp96 import frame_fault
from hologram_dagster.protocol.ctp96_frames import (
    HANDSHAKE,
    NONCE,
    Code,
    Kind,
    RefusedFrameError,
    witness_fault,
)

# A replay older than this is still refused, by its sequence.
NONCES_KEPT: Final = 4096


class Session:
    """One session, from its OFFER on. Not safe to share between threads."""

    def __init__(self) -> None:
        self._next = 0
        self._seen: OrderedDict[str, None] = OrderedDict()

    @property
    def established(self) -> bool:
        """Whether the handshake is complete, so that DATA may come."""
        return self._next >= len(HANDSHAKE)

    @property
    def next_seq(self) -> int:
        """The sequence number that the next frame must have."""
        return self._next

    def receive(self, frame: Mapping[str, Any]) -> None:
        """Accept the next frame of the session.

        Raises:
            RefusedFrameError: it is not accepted, and the session is as it was.
        """
        nonce = frame.get("nonce")
        if not isinstance(nonce, str) or not NONCE.fullmatch(nonce):
            raise RefusedFrameError(
                Code.REPLAY_DETECTED,
                "without a nonce of 24 hex digits a frame cannot be told from its replay",
            )
        if nonce in self._seen:
            raise RefusedFrameError(Code.REPLAY_DETECTED, "its nonce has been used in this session")
        if fault := frame_fault(frame):
            raise RefusedFrameError(Code(fault), "its content is not what was sealed")
        self._check_phase(frame)
        if not self.established and (code := witness_fault(frame)):
            raise RefusedFrameError(code, "its receipt does not show that its budgets sum to 0 modulo 96")
        self._check_more(frame, nonce)
        self._seen[nonce] = None
        if len(self._seen) > NONCES_KEPT:
            self._seen.popitem(last=False)
        self._next += 1

    def _check_phase(self, frame: Mapping[str, Any]) -> None:
        kind, seq = frame.get("kind"), frame.get("seq")
        in_sequence = type(seq) is int and seq == self._next
        if kind == Kind.DATA:
            if not self.established:
                raise RefusedFrameError(Code.DATA_BEFORE_ACCEPT, "the handshake is not complete")
            if not in_sequence:
                raise RefusedFrameError(Code.OUT_OF_ORDER, f"frame {self._next} is expected")
        elif self.established or kind != HANDSHAKE[self._next] or not in_sequence:
            expected = Kind.DATA if self.established else HANDSHAKE[self._next]
            raise RefusedFrameError(Code.HANDSHAKE_ORDER_ERROR, f"{expected} {self._next} is expected")

    def _check_more(self, frame: Mapping[str, Any], nonce: str) -> None:
        """For stricter sessions: the last checks, before `frame` is recorded."""
