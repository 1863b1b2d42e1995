"""How many frames a peer may send: a token bucket each, and quarantine for who misbehaves.

The codes are the contract's (section 4.2). A flood from one peer leaves others their frames.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hologram_dagster.protocol.ctp96_frames import Code, RefusedFrameError

MAX_PEERS: Final = 10_000


class TokenBucket:
    """Lets `burst` pass at once and `limit_per_s` a second in the long run."""

    def __init__(self, limit_per_s: float, burst: int, *, now: float) -> None:
        self._rate = limit_per_s
        self._burst = burst
        self._tokens = float(burst)
        self._at = now

    def take(self, now: float) -> bool:
        """Whether one more may pass at `now` (monotonic seconds)."""
        # A clock that steps back gives no tokens, and takes none.
        self._tokens = min(self._burst, self._tokens + self._rate * max(0.0, now - self._at))
        self._at = max(self._at, now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


@dataclass(slots=True)
class _Peer:
    bucket: TokenBucket
    strikes: int = 0
    quarantined_until: float = 0.0


class Admission:
    """The limits of all peers. Safe to use from several threads.

    A peer is whatever identity the transport vouches for. After `strikes` refusals without
    an accepted frame between them it is quarantined for `quarantine_s`. At most `max_peers` are
    remembered; who was silent longest is forgotten first.
    """

    def __init__(
        self,
        limit_per_s: float,
        burst: int,
        *,
        strikes: int = 16,
        quarantine_s: float = 60.0,
        max_peers: int = MAX_PEERS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = (limit_per_s, burst)
        self._strikes = strikes
        self._quarantine_s = quarantine_s
        self._max_peers = max_peers
        self._clock = clock
        self._peers: OrderedDict[str, _Peer] = OrderedDict()
        self._lock = threading.Lock()

    def admit(self, peer: str) -> None:
        """Let one frame of `peer` in.

        Raises:
            RefusedFrameError: `quarantined` or `rate_limit_exceeded`.
        """
        with self._lock:
            now = self._clock()
            known = self._peer(peer, now)
            if now < known.quarantined_until:
                raise RefusedFrameError(Code.QUARANTINED, "too many of the peer's frames were refused")
            if not known.bucket.take(now):
                raise RefusedFrameError(Code.RATE_LIMIT_EXCEEDED, "the peer sends faster than it may")

    def accepted(self, peer: str) -> None:
        """Note that a frame of `peer` was accepted."""
        with self._lock:
            self._peer(peer, self._clock()).strikes = 0

    def refused(self, peer: str) -> None:
        """Note that a frame of `peer` was refused by its session."""
        with self._lock:
            now = self._clock()
            known = self._peer(peer, now)
            known.strikes += 1
            if known.strikes >= self._strikes:
                known.strikes = 0
                known.quarantined_until = now + self._quarantine_s

    def _peer(self, peer: str, now: float) -> _Peer:
        known = self._peers.get(peer)
        if known is None:
            known = self._peers[peer] = _Peer(TokenBucket(*self._limits, now=now))
            if len(self._peers) > self._max_peers:
                self._peers.popitem(last=False)
        self._peers.move_to_end(peer)
        return known
