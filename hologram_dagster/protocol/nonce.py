"""Nonces of operations: their two forms, and the order in which one is checked (contract section 4.1).

The contract's form is `{first 16 hex digits of sha256(data)}_{epoch seconds}`. It is keyed by
nothing: anyone can mint one, and two honest sends of equal data in one second collide. The
authenticated form, `{32 random hex digits}_{epoch seconds}_{64 hex digits}`, ends in an
HMAC-SHA256 over the rest and the data, so that only holders of the key can mint one.

What the nonce is bound to is its `data`; for an operation over HTTP, see `operation_data`.
"""

import hashlib
import hmac
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from hologram_dagster.protocol.nonces import CONTRACT_WINDOW, Nonces, Refusal, Window

MIN_KEY_BYTES: Final = 16
_HASH_DIGITS: Final = 16
# No sign, no leading zero, few digits: a nonce has one text.
_CONTRACT: Final = re.compile(r"([0-9a-f]{16})_([1-9][0-9]{0,11})", re.ASCII)
_AUTHENTICATED: Final = re.compile(r"[0-9a-f]{32}_([1-9][0-9]{0,11})_([0-9a-f]{64})", re.ASCII)
_AGES_S: Final = (1, 5, 15, 30, 60, 120, 300)


def mint(data: bytes, now: float) -> str:
    """The nonce of `data` at `now` (epoch seconds) in the contract's form."""
    return f"{hashlib.sha256(data).hexdigest()[:_HASH_DIGITS]}_{int(now)}"


def mint_authenticated(data: bytes, key: bytes, now: float) -> str:
    """A fresh nonce of `data` at `now` (epoch seconds) that only holders of `key` can mint.

    Raises:
        ValueError: the key is shorter than `MIN_KEY_BYTES`.
    """
    if len(key) < MIN_KEY_BYTES:
        raise ValueError(f"a key has at least {MIN_KEY_BYTES} bytes")
    unsigned = f"{secrets.token_hex(16)}_{int(now)}"
    return f"{unsigned}_{_mac(unsigned, data, key)}"


def _mac(unsigned: str, data: bytes, key: bytes) -> str:
    message = b"ctp96.nonce|v1|" + unsigned.encode() + b"|" + hashlib.sha256(data).digest()
    return hmac.digest(key, message, "sha256").hex()


def operation_data(method: str, operation: str, body: bytes) -> bytes:
    """What the nonce of an operation over HTTP is over: its method, its name and its body's digest."""
    # Lengths first, so that no part can pass for another.
    parts = (method.encode(), operation.encode(), hashlib.sha256(body).hexdigest().encode())
    return b"".join(b"%d:%s" % (len(part), part) for part in parts)


class Meters:
    """What was accepted and refused, and how old what came was. Safe to use from several threads.

    `age` is told the age in seconds (negative: in the future) of each well-formed nonce.
    """

    def __init__(
        self,
        *,
        age: Callable[[float], None] = lambda _: None,
        refused: Callable[[Refusal], None] = lambda _: None,
    ) -> None:
        self.age = age
        self.refused = refused


class CountedMeters(Meters):
    """Meters that keep their counts; for one thread."""

    def __init__(self) -> None:
        self.refusals: Counter[Refusal] = Counter()
        self.ages: Counter[float] = Counter()
        super().__init__(age=self._count_age, refused=self._count_refusal)

    def _count_age(self, seconds: float) -> None:
        self.ages[next((limit for limit in _AGES_S if seconds <= limit), float("inf"))] += 1

    def _count_refusal(self, refusal: Refusal) -> None:
        self.refusals[refusal] += 1


class NonceValidator:
    """Accepts each nonce once, within the window. Safe to use from several threads.

    With a `key` only the authenticated form is accepted, without one only the contract's.
    """

    def __init__(
        self,
        nonces: Nonces,
        *,
        window: Window = CONTRACT_WINDOW,
        key: bytes | None = None,
        clock: Callable[[], float] = time.time,
        meters: Meters | None = None,
    ) -> None:
        self._nonces = nonces
        self._window = window
        self._key = key
        self._form = _CONTRACT if key is None else _AUTHENTICATED
        self._stamp = 2 if key is None else 1
        self._clock = clock
        self._meters = meters

    def check(self, data: bytes, nonce: object) -> Refusal | None:
        """Accept `nonce` for `data`, or say why not; only an accepted one is recorded.

        In the contract's order: used already, malformed, outside the window, of other data.
        """
        found = self._parse(nonce)
        return (
            self._refuse(Refusal.MALFORMED) if found is None else self._fault(found, data) or self._use(found)
        )

    def refusal(self, data: bytes, nonce: object) -> Refusal | None:
        """Why `nonce` is not accepted for `data`; records nothing, so that more can be checked first."""
        found = self._parse(nonce)
        return self._refuse(Refusal.MALFORMED) if found is None else self._fault(found, data)

    def record(self, nonce: object) -> Refusal | None:
        """Use up a nonce in which `refusal` found nothing; of all who do, exactly one gets None."""
        found = self._parse(nonce)
        return self._refuse(Refusal.MALFORMED) if found is None else self._use(found)

    def _parse(self, nonce: object) -> re.Match[str] | None:
        # What is malformed was never recorded, so nothing is lost by asking for the form first.
        return self._form.fullmatch(nonce) if isinstance(nonce, str) else None

    def _fault(self, found: re.Match[str], data: bytes) -> Refusal | None:
        timestamp, now = int(found[self._stamp]), self._clock()
        if self._meters is not None:
            self._meters.age(now - timestamp)
        if self._nonces.used(found[0], timestamp):
            return self._refuse(Refusal.REPLAYED)
        if (refusal := self._window.refusal(timestamp, now)) is not None:
            return self._refuse(refusal)
        return None if self._is_of(found, data) else self._refuse(Refusal.MISMATCH)

    def _use(self, found: re.Match[str]) -> Refusal | None:
        refusal = self._nonces.use(found[0], int(found[self._stamp]), self._clock())
        return None if refusal is None else self._refuse(refusal)

    def _is_of(self, found: re.Match[str], data: bytes) -> bool:
        if self._key is None:
            return hashlib.sha256(data).hexdigest()[:_HASH_DIGITS] == found[1]
        return hmac.compare_digest(_mac(found[0].rpartition("_")[0], data, self._key), found[2])

    def _refuse(self, refusal: Refusal) -> Refusal:
        if self._meters is not None:
            self._meters.refused(refusal)
        return refusal


def frame(data: str, now: float, *, key: bytes | None = None) -> dict[str, object]:
    """A frame of the contract around the text `data`, with its nonce, at `now` (epoch seconds).

    With a `key` the nonce has the authenticated form.
    """
    nonce = mint(data.encode(), now) if key is None else mint_authenticated(data.encode(), key, now)
    return {"data": data, "nonce": nonce, "timestamp": int(now), "protocol": "ctp96"}


def framed(received: Mapping[str, object]) -> bytes | None:
    """The data of a frame of the contract; None for what has not its form."""
    data, nonce, timestamp = (received.get(name) for name in ("data", "nonce", "timestamp"))
    stamped = isinstance(nonce, str) and type(timestamp) is int and nonce.split("_")[1:2] == [str(timestamp)]
    if not stamped or not isinstance(data, str) or received.get("protocol") != "ctp96":
        return None
    try:
        return data.encode()
    except UnicodeEncodeError:
        return None


def frame_refusal(validator: NonceValidator, received: Mapping[str, object]) -> Refusal | None:
    """Why a frame of the contract is not accepted; None for the first of its nonce."""
    data = framed(received)
    return Refusal.MALFORMED if data is None else validator.check(data, received["nonce"])
