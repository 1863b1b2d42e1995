"""Replays, forgeries and floods against a strict registry: contract section 4, traps 14 to 19.

What belongs here: the attacks, each with what must come of it. Each starts from an operation that
would be done; where it must not have been spent by the attack, it is sent afterwards, and done.
"""

import copy
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hologram_dagster.attack.cases import Case
from hologram_dagster.attack.sender import DONE, READ, REMOVE, STORE, Sender
from hologram_dagster.protocol.nonce import frame
from hologram_dagster.protocol.operation import FRAME, PROOF, Operation, extensions_of
from hologram_dagster.protocol.proof_chain import attach
from hologram_dagster.protocol.signing import Signer

GROUPS: Final = ("replay", "window", "tampered", "forged", "race", "flood")
MANY_NONCES: Final = 1_001
VERY_MANY_NONCES: Final = 100_000
FLOOD_FRAMES: Final = 4_096
_HONEST: Final = 20
_WINDOW_S: Final = 300
_THREADS: Final = 8
_REPLAYED, _MISMATCH, _MALFORMED = "replay_detected", "hash_mismatch", "malformed"
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """A registry: its URL, that of another one on its database, how to restart it and to use nonces up.

    None where there is no other one, or it or its database is not ours. `use_up` enters so many nonces in the
    database, as other clients of that many registries would have. One that is not `strict` is not asked
    to refuse what lacks something, or what the contract alone would accept.
    """

    url: str
    other: str | None = None
    restart: Callable[[], None] | None = None
    use_up: Callable[[int], None] | None = None
    strict: bool = True


def attack(target: Target, sender: Sender, *, nonces: int = MANY_NONCES, flood: bool = True) -> list[Case]:
    """The whole table, by group. What it published it removes.

    `nonces` are used up between an operation and its late replay; `flood` sends 4,096 frames.

    Raises:
        ServiceError: the registry gives no answer.
    """
    battery = _Battery(target, sender)
    cases = [*battery.replays(nonces), *battery.windows(), *battery.tampered(), *battery.forged()]
    cases += battery.races()
    if flood:
        cases += battery.flood()
    battery.clean_up()
    return cases


class _Battery:
    def __init__(self, target: Target, sender: Sender) -> None:
        self._target = target
        self._sender = sender
        self._name = f"attack/ctp96-{secrets.token_hex(6)}"
        self._stranger = Signer(Ed25519PrivateKey.generate())

    def _send(self, body: Body, url: str | None = None) -> str:
        return self._sender.send(url or self._target.url, body)

    def _genuine(self, content: str = "genuine", **options: Any) -> Body:
        return self._sender.signed(STORE, {"n": self._name, "c": content}, **options)

    def clean_up(self) -> None:
        self._send(self._sender.signed(REMOVE, {"n": self._name}))

    def replays(self, nonces: int) -> Iterator[Case]:
        body = self._genuine()
        yield Case("replay", "the first sending", DONE, self._send(body))
        yield Case("replay", "at once", _REPLAYED, self._send(body))
        if self._target.other is not None:
            yield Case("replay", "on the other region", _REPLAYED, self._send(body, self._target.other))
            back = self._genuine()
            yield Case(
                "replay", "the first sending on the other region", DONE, self._send(back, self._target.other)
            )
            yield Case("replay", "back on the first region", _REPLAYED, self._send(back))
        yield Case("replay", f"{nonces} nonces, all fresh", f"{nonces} {DONE}", self._send_many(nonces))
        # So many can take longer than the window: then it is refused for its age.
        late = body["extensions"][FRAME]["timestamp"] + _WINDOW_S < time.time()
        seen = self._send(body)
        yield Case("replay", f"after {nonces} nonces", "outside_window" if late else _REPLAYED, seen)
        if self._target.use_up is not None:
            body = self._genuine()
            yield Case("replay", "the first sending before very many nonces", DONE, self._send(body))
            self._target.use_up(VERY_MANY_NONCES)
            yield Case("replay", f"after {VERY_MANY_NONCES} nonces", _REPLAYED, self._send(body))
            yield Case("replay", "a fresh one after so many", DONE, self._send(self._genuine()))
        if self._target.restart is not None:
            body = self._genuine()
            yield Case("replay", "the first sending before the restart", DONE, self._send(body))
            self._target.restart()
            yield Case("replay", "after a restart", _REPLAYED, self._send(body))
            yield Case("replay", "a fresh one after the restart", DONE, self._send(self._genuine()))
        yield Case("replay", "its nonce with another operation", _MISMATCH, self._send(self._reused()))

    def _reused(self) -> Body:
        other = self._sender.signed(REMOVE, {"n": self._name})
        return {**other, "extensions": self._genuine()["extensions"]}

    def _send_many(self, count: int) -> str:
        """Queries use nonces up, too, and change nothing."""

        def one(_: int) -> str:
            return self._send(self._sender.signed(READ, {"n": self._name}))

        with ThreadPoolExecutor(_THREADS) as pool:
            return _counted(pool.map(one, range(count)))

    def windows(self) -> Iterator[Case]:
        for name, age_s, expected in (
            ("expired by 100 s", 400, "outside_window"),
            ("90 s in the future", -90, "outside_window" if self._target.strict else DONE),
            ("a day in the future", -86_400, "outside_window"),
            ("200 s old", 200, DONE),
            ("10 s in the future", -10, DONE),
        ):
            yield Case("window", name, expected, self._send(self._genuine(age_s=age_s)))

    def tampered(self) -> Iterator[Case]:
        """One field of a genuine operation changed; and the genuine one is not spent by it."""
        for path, value, expected in _CHANGES:
            if expected.startswith("missing_") and not self._target.strict:
                continue
            genuine = self._sender.signed(STORE, {"n": self._name, "c": "genuine", "tags": [1, 2]})
            changed = copy.deepcopy(genuine)
            _put(changed, path, value)
            name = ".".join(path) if value is not None else f"without {path[-1]}"
            yield Case("tampered", name, expected, self._send(changed))
            yield Case("tampered", f"the genuine one after {name}", DONE, self._send(genuine))

    def forged(self) -> Iterator[Case]:
        """Everything made anew by who lacks a key."""
        own, stranger = self._sender.operator, self._stranger
        yield Case(
            "forged", "signed by a stranger", "untrusted_key", self._send(self._genuine(signer=stranger))
        )
        unkeyed = self._genuine(nonce_key=bytes(32))
        yield Case("forged", "a nonce by another key", _MISMATCH, self._send(unkeyed))
        operation = Operation(STORE, {"n": self._name, "c": "forged"})
        anyone = frame(operation.data(), time.time())
        signed = attach(operation.proven(anyone), own.signer, now=int(time.time()))
        contract: Body = {**self._genuine("forged"), "extensions": {FRAME: anyone, PROOF: signed[PROOF]}}
        if self._target.strict:
            yield Case("forged", "a nonce that anyone can make", _MALFORMED, self._send(contract))
        # The man in the middle has the genuine one, changes it, and signs what he can.
        genuine = self._genuine()
        theirs = extensions_of(operation, stranger, now=time.time(), nonce_key=secrets.token_bytes(32))
        middle: Body = {**genuine, "variables": {"n": self._name, "c": "forged"}}
        yield Case("forged", "a man in the middle, content alone", _MISMATCH, self._send(middle))
        resigned = {**middle, "extensions": {FRAME: genuine["extensions"][FRAME], PROOF: theirs[PROOF]}}
        yield Case("forged", "a man in the middle, signed anew", _MISMATCH, self._send(resigned))
        swapped = self._genuine()
        swapped["extensions"] = {**swapped["extensions"], PROOF: genuine["extensions"][PROOF]}
        yield Case("forged", "a proof of another sending", _MISMATCH, self._send(swapped))
        constant = copy.deepcopy(genuine)
        constant["extensions"][PROOF] = {
            name: constant["extensions"][PROOF][name] for name in ("hash", "timestamp", "validator")
        } | {"signature": "0" * 64}
        yield Case("forged", "today's signature with a public constant", _MALFORMED, self._send(constant))
        yield Case("forged", "the genuine one after all of it", DONE, self._send(genuine))

    def races(self) -> Iterator[Case]:
        urls = [self._target.url, self._target.other or self._target.url]
        for number in range(3):
            body = self._genuine()

            def one(copy_number: int, body: Body = body) -> str:
                return self._send(body, urls[copy_number % 2])

            with ThreadPoolExecutor(_THREADS) as pool:
                seen = _counted(pool.map(one, range(2 * _THREADS)))
            yield Case(
                "race", f"{2 * _THREADS} copies at once, {number + 1}", f"1 {DONE}, 15 {_REPLAYED}", seen
            )

    def flood(self) -> Iterator[Case]:
        """Forged frames by several at once, and honest operations between them."""
        forged = [self._genuine(nonce_key=secrets.token_bytes(32)) for _ in range(_THREADS)]

        def junk(number: int) -> str:
            return self._send(forged[number % _THREADS])

        with ThreadPoolExecutor(_THREADS) as pool:
            attackers = pool.map(junk, range(FLOOD_FRAMES))
            honest = _counted(self._send(self._genuine(f"honest {number}")) for number in range(_HONEST))
            refused = _counted(attackers)
        yield Case("flood", f"{FLOOD_FRAMES} forged frames", f"{FLOOD_FRAMES} {_MISMATCH}", refused)
        yield Case("flood", "honest operations meanwhile", f"{_HONEST} {DONE}", honest)


def _counted(seen: Iterator[str]) -> str:
    return ", ".join(f"{count} {code}" for code, count in sorted(Counter(seen).items()))


def _put(body: Body, path: tuple[str, ...], value: object) -> None:
    for step in path[:-1]:
        body = body[step]
    if value is None:
        del body[path[-1]]
    else:
        body[path[-1]] = value


_FRAME, _PROOF = ("extensions", FRAME), ("extensions", PROOF)
# A field of a genuine operation, what is put there (None: it is taken away), and what must come of it.
_CHANGES: Final[tuple[tuple[tuple[str, ...], object, str], ...]] = (
    (("extensions",), None, "missing_frame"),
    (_FRAME, None, "missing_frame"),
    (_PROOF, None, "missing_proof"),
    (("query",), STORE + " ", _MISMATCH),
    (("variables", "c"), "changed", _MISMATCH),
    (("variables", "n"), "attack/changed", _MISMATCH),
    # Arrays in another order: the contract's own hash would not tell (trap 18).
    (("variables", "tags"), [2, 1], _MISMATCH),
    ((*_FRAME, "data"), "changed", _MISMATCH),
    ((*_FRAME, "nonce"), "0" * 32, _MALFORMED),
    ((*_FRAME, "timestamp"), 1, _MALFORMED),
    ((*_FRAME, "protocol"), "ctp95", _MALFORMED),
    ((*_PROOF, "hash"), "0" * 64, _MISMATCH),
    ((*_PROOF, "order_hash"), "0" * 64, _MISMATCH),
    ((*_PROOF, "timestamp"), 1, "bad_signature"),
    ((*_PROOF, "signature"), "0" * 128, "bad_signature"),
    ((*_PROOF, "key_id"), "0" * 16, "bad_signature"),
    ((*_PROOF, "public_key"), "0" * 64, "bad_signature"),
    ((*_PROOF, "validator"), "changed", _MALFORMED),
)
