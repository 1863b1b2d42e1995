"""Operations whose proof is missing, a stranger's or of something else, and chains that are cut.

What belongs here: the attacks, each with what must come of it, on every mutation there is. What does
not: frames and nonces (`ctp96`), tokens (`access`).
"""

import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hologram_dagster.attack.cases import Case
from hologram_dagster.attack.mutations import MUTATIONS
from hologram_dagster.attack.sender import DONE, NOTHING, READ, REMOVE, STORE, Sender
from hologram_dagster.errors import ServiceError
from hologram_dagster.protocol.operation import FRAME, PROOF, Operation
from hologram_dagster.protocol.proof_chain import attach
from hologram_dagster.protocol.signing import Signer

GROUPS: Final = ("missing", "stranger", "content", "chain")
_STORED: Final = "query($n: String!) { resolve(name: $n) { c: cid i: encoding } }"
_CHAIN: Final = "query($n: String!) { resolve(name: $n) { proofChain { layer hash } } }"
_VERIFY: Final = "query($n: String!, $h: String!) { verifyProof(name: $n, tamperedHash: $h) { valid } }"
_HOLDS, _CUT = "valid", "not valid"
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """A registry: its URL, whether it is strict, and former keys of its file by state (retired, revoked)."""

    url: str
    strict: bool = True
    former: Mapping[str, Signer] = field(default_factory=dict)


def attack(target: Target, sender: Sender) -> list[Case]:
    """The whole table, by group; what it published it removes. An optional registry takes what has no proof.

    Raises:
        ServiceError: the registry gives no answer.
    """
    return list(_Battery(target, sender).cases())


class _Battery:
    def __init__(self, target: Target, sender: Sender) -> None:
        self._target = target
        self._sender = sender
        self._name = f"attack/proof-{secrets.token_hex(6)}"
        self._other = f"{self._name}/other"
        # What each mutation is sent with: a name that nothing has, content of the other name's.
        self._given: dict[str, str] = {"n": self._name}

    def cases(self) -> Iterator[Case]:
        yield Case("content", "a genuine publication", DONE, self._send(self._store(self._other)))
        self._given |= self._stored(self._other)
        yield from self._missing() if self._target.strict else self._optional()
        yield from self._strangers()
        yield from self._others()
        yield Case("content", "nothing was done of all this", NOTHING, self._send(self._read()))
        yield from self._chains()
        yield Case("content", "the genuine removal", DONE, self._send(self._signed(REMOVE)))

    def _send(self, body: Body) -> str:
        return self._sender.send(self._target.url, body)

    def _signed(self, query: str, **options: Any) -> Body:
        return self._sender.signed(query, self._given, **options)

    def _read(self) -> Body:
        return {"query": READ, "variables": {"n": self._name}}

    def _missing(self) -> Iterator[Case]:
        for mutation, query in MUTATIONS.items():
            for name, proof, expected in (
                ("no proof", ..., "missing_proof"),
                ("null for a proof", None, "missing_proof"),
                ("an empty proof", {}, "malformed"),
            ):
                body = self._signed(query)
                del body["extensions"][PROOF]
                if proof is not ...:
                    body["extensions"][PROOF] = proof
                yield Case("missing", f"{mutation}, {name}", expected, self._send(body))

    def _optional(self) -> Iterator[Case]:
        """What an optional registry promises to clients that know nothing of proofs."""
        body = self._store(self._other)
        del body["extensions"]
        yield Case("missing", "upsertObject, nothing sent, as optional", DONE, self._send(body))

    def _strangers(self) -> Iterator[Case]:
        stranger = Signer(Ed25519PrivateKey.generate())
        for mutation, query in MUTATIONS.items():
            body = self._signed(query, signer=stranger)
            yield Case("stranger", mutation, "untrusted_key", self._send(body))
            for state, signer in self._target.former.items():
                expected = "revoked_key" if state == "revoked" else "untrusted_key"
                seen = self._send(self._signed(query, signer=signer))
                yield Case("stranger", f"{mutation}, a {state} key", expected, seen)

    def _others(self) -> Iterator[Case]:
        """The operator's own proofs, of something else."""
        for mutation, query in MUTATIONS.items():
            body = self._signed(query)
            carried = body["extensions"]
            for name, over in (
                ("other content", Operation(query, {**self._given, "n": self._other})),
                ("another mutation", Operation(STORE if query != STORE else REMOVE, self._given)),
            ):
                proven = attach(
                    over.proven(carried[FRAME]), self._sender.operator.signer, now=int(time.time())
                )
                changed = {**body, "extensions": {**carried, PROOF: proven[PROOF]}}
                yield Case("content", f"{mutation}, proof of {name}", "hash_mismatch", self._send(changed))
            elsewhere = {**body, "extensions": {**carried, PROOF: self._signed(query)["extensions"][PROOF]}}
            seen = self._send(elsewhere)
            yield Case("content", f"{mutation}, proof of another sending", "hash_mismatch", seen)

    def _chains(self) -> Iterator[Case]:
        """The chain of a name's layers, ended too early, or with another name's end."""
        yield Case("chain", "the genuine publication", DONE, self._send(self._store(self._name)))
        # Where something was let in, the other one may be gone.
        yield Case("chain", "another publication", DONE, self._send(self._store(self._other)))
        layers, others = self._layers(self._name), self._layers(self._other)
        for layer, digest in layers[:-1]:
            yield Case("chain", f"cut after the layer {layer}", _CUT, self._verified(digest))
        whole = layers[-1][1]
        yield Case("chain", "whole", _HOLDS, self._verified(whole))
        yield Case("chain", "the end of another name's", _CUT, self._verified(others[-1][1]))
        flipped = f"{int(whole[0], 16) ^ 1:x}{whole[1:]}"
        yield Case("chain", "one bit of its end changed", _CUT, self._verified(flipped))
        yield Case("chain", "an empty end", _CUT, self._verified(""))
        removal = self._sender.signed(REMOVE, {"n": self._other})
        yield Case("chain", "the genuine removal of the other", DONE, self._send(removal))

    def _store(self, name: str) -> Body:
        return self._sender.signed(STORE, {"n": name, "c": name})

    def _stored(self, name: str) -> dict[str, str]:
        body = {"query": _STORED, "variables": {"n": name}}
        match self._sender.answer(self._target.url, body):
            case {"data": {"resolve": {"c": str(cid), "i": str(content_id)}}}:
                return {"c": cid, "i": content_id}
        raise ServiceError(f"the registry at {self._target.url} does not show what was published.")

    def _layers(self, name: str) -> list[tuple[str, str]]:
        answer = self._sender.answer(self._target.url, {"query": _CHAIN, "variables": {"n": name}})
        match answer:
            case {"data": {"resolve": {"proofChain": [_, *_] as layers}}}:
                return [(str(layer["layer"]), str(layer["hash"])) for layer in layers]
        raise ServiceError(f"the registry at {self._target.url} shows no proof chain of what was published.")

    def _verified(self, digest: str) -> str:
        body = {"query": _VERIFY, "variables": {"n": self._name, "h": digest}}
        match self._sender.answer(self._target.url, body):
            case {"data": {"verifyProof": {"valid": True}}}:
                return _HOLDS
            case {"data": {"verifyProof": {"valid": False}}}:
                return _CUT
        return "no answer to verifyProof"
