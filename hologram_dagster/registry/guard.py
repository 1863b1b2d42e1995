"""Whether an operation may be done for what it carries: frame, nonce and proof (contract 4.1, 5.1).

What belongs here: which of them is asked for, the order of checks, and the codes. What does not:
how they are made (`protocol.operation`), who may do what (`auth`). The order is the contract's:
used already, malformed, outside the window, of other data; then the proof; the nonce is used up
last, so that no copy that fails anywhere spends the genuine one's.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol import proof_chain
from hologram_dagster.protocol.nonce import Meters, NonceValidator, framed
from hologram_dagster.protocol.nonces import CONTRACT_WINDOW, STRICT_WINDOW, Nonces, Refusal, Window
from hologram_dagster.protocol.operation import FRAME, PROOF, Operation
from hologram_dagster.protocol.proof_chain import Flaw
from hologram_dagster.registry.faults import OperationCode, RefusedError
from hologram_dagster.registry.operation_keys import KeyState, OperationKeys


class Mode(StrEnum):
    """What of an operation is asked for: nothing, but nothing wrong either; or all of it of each mutation."""

    OPTIONAL = "optional"
    REQUIRED = "required"


_REMEDY: Final = "set HOLOGRAM_OPERATION_KEYS"
_STATUS: Final[Mapping[OperationCode, int]] = {
    OperationCode.MISSING_FRAME: 401,
    OperationCode.MISSING_PROOF: 401,
    OperationCode.MALFORMED: 400,
    OperationCode.REPLAY_DETECTED: 409,
    OperationCode.OUTSIDE_WINDOW: 400,
    OperationCode.HASH_MISMATCH: 400,
    OperationCode.BAD_SIGNATURE: 401,
    OperationCode.UNTRUSTED_KEY: 403,
    OperationCode.REVOKED_KEY: 403,
    OperationCode.NONCES_FULL: 503,
}
_OF_NONCE: Final[Mapping[Refusal, tuple[OperationCode, str]]] = {
    Refusal.REPLAYED: (OperationCode.REPLAY_DETECTED, "its nonce has been used: sign the operation anew"),
    Refusal.MALFORMED: (OperationCode.MALFORMED, "its frame or nonce is not in the form asked for"),
    Refusal.TOO_OLD: (OperationCode.OUTSIDE_WINDOW, "its nonce is too old"),
    Refusal.IN_FUTURE: (OperationCode.OUTSIDE_WINDOW, "its nonce is from the future"),
    Refusal.MISMATCH: (OperationCode.HASH_MISMATCH, "its nonce is not that of this operation"),
    Refusal.FULL: (OperationCode.NONCES_FULL, "as many nonces are kept as can be; try again in a moment"),
}
_OF_PROOF: Final[Mapping[Flaw, OperationCode]] = {
    Flaw.MISSING: OperationCode.MISSING_PROOF,
    Flaw.MALFORMED: OperationCode.MALFORMED,
    Flaw.MISMATCH: OperationCode.HASH_MISMATCH,
    Flaw.SIGNATURE: OperationCode.BAD_SIGNATURE,
}


class OperationRefusedError(RefusedError):
    """An operation that is not done for what it carries; nothing of it was, and no nonce was used up."""

    def __init__(self, code: OperationCode, why: str) -> None:
        super().__init__(code, f"the operation is refused: {why}.")
        self.status = _STATUS[code]


@dataclass(frozen=True, slots=True)
class Admitted:
    """What an admitted operation carried; None for what it did not."""

    frame: Mapping[str, Any] | None = None
    proof: Mapping[str, Any] | None = None


class Guard:
    """The door of one registry. Safe to use from several threads.

    Without `keys` nonces have the contract's form, which anyone can make, and any key may sign:
    replays and changes are found, strangers are not.
    """

    def __init__(
        self,
        nonces: Nonces,
        *,
        mode: Mode = Mode.OPTIONAL,
        keys: OperationKeys | None = None,
        meters: Meters | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Raises ValueError: the mode is REQUIRED and there are no keys."""
        if mode is Mode.REQUIRED and keys is None:
            raise ValueError("strict mode needs keys")
        self.mode = mode
        self.keys = keys
        self.window = window_of(mode)
        self._clock = clock

        def validator(key: bytes | None) -> NonceValidator:
            return NonceValidator(nonces, window=self.window, key=key, clock=clock, meters=meters)

        self._authenticated = None if keys is None else validator(keys.nonce_key)
        self._contract = None if mode is Mode.REQUIRED else validator(None)

    def advertised(self) -> dict[str, Any]:
        """What clients are told (`operationSecurity` of the schema)."""
        forms = (("contract", self._contract), ("authenticated", self._authenticated))
        return {
            "mode": str(self.mode),
            "nonces": [name for name, validator in forms if validator is not None],
            "proof_chain": "ed25519",
            "past_seconds": self.window.past_s,
            "future_seconds": self.window.future_s,
            "time": self._clock(),
        }

    def admit(self, operation: Operation, extensions: Mapping[str, Any], *, mutation: bool) -> Admitted:
        """Let an operation in, and use up its nonce; a query may carry nothing in any mode.

        Raises:
            OperationRefusedError: it is not let in.
            RefusedError: STORAGE_UNAVAILABLE, the nonces cannot be asked.
        """
        frame, proof = extensions.get(FRAME), extensions.get(PROOF)
        if mutation and self.mode is Mode.REQUIRED:
            self.require(frame, proof)
        if frame is not None:
            self.check_frame(operation, frame)
        if proof is not None:
            self.check_proof(operation, frame, proof)
        if frame is not None:
            self.record(frame)
        return Admitted(frame, proof)

    # The steps, each of which can be weakened in a test of the attacks.

    def require(self, frame: object, proof: object) -> None:
        """Refuse an operation that lacks something."""
        if frame is None:
            raise OperationRefusedError(
                OperationCode.MISSING_FRAME,
                f"it has no `{FRAME}` in its extensions, and this registry is strict: {_REMEDY}",
            )
        if proof is None:
            raise OperationRefusedError(
                OperationCode.MISSING_PROOF,
                f"it has no `{PROOF}` in its extensions, and this registry is strict: {_REMEDY}",
            )

    def check_frame(self, operation: Operation, frame: object) -> None:
        """Refuse a frame that is not this operation's, or not fresh; uses nothing up."""
        data = framed(frame) if isinstance(frame, Mapping) else None
        if data is None or not isinstance(frame, Mapping):
            raise _refused(Refusal.MALFORMED)
        if refusal := self._validator(frame).refusal(data, frame["nonce"]):
            raise _refused(refusal)
        try:
            own = operation.data()
        except FormatError as error:
            raise OperationRefusedError(OperationCode.MALFORMED, str(error)) from None
        if own.encode() != data:
            raise _refused(Refusal.MISMATCH)

    def check_proof(self, operation: Operation, frame: object, proof: object) -> None:
        """Refuse a proof that is not over this operation with this frame, or by a key that may not."""
        fault = proof_chain.fault({**operation.proven(frame), PROOF: proof})
        if fault and fault.flaw is Flaw.MISMATCH and self.mode is Mode.OPTIONAL:
            fault = proof_chain.fault({**operation.proven_by_contract(), PROOF: proof})
        if fault:
            raise OperationRefusedError(_OF_PROOF[fault.flaw], fault.why)
        if isinstance(proof, Mapping) and self.keys is not None:
            self.check_key(proof["public_key"], self.keys)

    def check_key(self, public_hex: str, keys: OperationKeys) -> None:
        """Refuse a key that may not sign."""
        match keys.state_of(public_hex):
            case KeyState.ACTIVE:
                return
            case KeyState.REVOKED:
                raise OperationRefusedError(OperationCode.REVOKED_KEY, "the key of its proof is revoked")
            case KeyState.RETIRED:
                raise OperationRefusedError(
                    OperationCode.UNTRUSTED_KEY, "the key of its proof signs no more: use its successor"
                )
            case None:
                raise OperationRefusedError(
                    OperationCode.UNTRUSTED_KEY, "this registry does not know the key of its proof"
                )

    def record(self, frame: Mapping[str, Any]) -> None:
        """Use the nonce up; of several with one nonce exactly one comes through."""
        if refusal := self._validator(frame).record(frame["nonce"]):
            raise _refused(refusal)

    def _validator(self, frame: Mapping[str, Any]) -> NonceValidator:
        # The authenticated form has a part more. In strict mode it is the only one.
        authenticated = self._contract is None or str(frame["nonce"]).count("_") == 2
        chosen = self._authenticated if authenticated else self._contract
        if chosen is None:
            raise OperationRefusedError(
                OperationCode.MALFORMED, "its nonce is authenticated, and this registry has no key of nonces"
            )
        return chosen


def window_of(mode: Mode) -> Window:
    """Which timestamps are accepted: strict registries ask for clocks that are kept."""
    return STRICT_WINDOW if mode is Mode.REQUIRED else CONTRACT_WINDOW


def _refused(refusal: Refusal) -> OperationRefusedError:
    return OperationRefusedError(*_OF_NONCE[refusal])
