"""`python -m ….weak_registry WEAKNESS ARGUMENT…`: the registry's process with one weakness."""

import sys
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from hologram_dagster.protocol import proof_chain
from hologram_dagster.protocol.nonce import NonceValidator
from hologram_dagster.protocol.nonces import Nonces, Refusal, Window
from hologram_dagster.protocol.operation import PROOF, Operation
from hologram_dagster.registry import (
    app,
    auth,
    catalogue,
    content_catalogue,
    documents,
    guard,
    manifests,
    proofs,
    server,
)
from hologram_dagster.registry.auth import ANONYMOUS, Access, Caller, Role
from hologram_dagster.registry.guard import Guard, OperationRefusedError
from hologram_dagster.registry.operation_keys import OperationKeys


class RecordsNothing(Guard):
    def record(self, frame: Mapping[str, Any]) -> None:
        pass


class NeedsNothing(Guard):
    def require(self, frame: object, proof: object) -> None:
        pass


class IgnoresTheBody(Guard):
    def check_frame(self, operation: Operation, frame: Any) -> None:
        if refusal := self._validator(frame).refusal(str(frame["data"]).encode(), frame["nonce"]):
            raise guard._refused(refusal)

    def check_proof(self, operation: Operation, frame: object, proof: object) -> None:
        pass


class IgnoresProofs(Guard):
    def check_proof(self, operation: Operation, frame: object, proof: object) -> None:
        pass


class TrustsAnyKey(Guard):
    def check_key(self, public_hex: str, keys: OperationKeys) -> None:
        pass


class RecordsBeforeItChecks(Guard):
    def check_frame(self, operation: Operation, frame: Any) -> None:
        if isinstance(frame, Mapping) and str(frame["nonce"]).count("_") == 2:
            self.record(frame)
        try:
            super().check_frame(operation, frame)
        except OperationRefusedError as error:
            if error.code != "replay_detected":
                raise

    def admit(self, operation: Operation, extensions: Mapping[str, Any], *, mutation: bool) -> Any:
        frame, proof = extensions.get("ctp96"), extensions.get("proof_chain")
        if mutation:
            self.require(frame, proof)
        if frame is not None:
            self.check_frame(operation, frame)
        if proof is not None:
            self.check_proof(operation, frame, proof)
        return guard.Admitted(frame, proof)


class SortsArrays(Guard):
    """As the contract's canonical form does."""

    def admit(self, operation: Operation, extensions: Mapping[str, Any], *, mutation: bool) -> Any:
        variables = dict(operation.variables or {})
        if isinstance(variables.get("tags"), list):
            variables["tags"] = sorted(variables["tags"])
        return super().admit(
            Operation(operation.query, variables, operation.name), extensions, mutation=mutation
        )


class HasNoWindow(Guard):
    def __init__(self, nonces: Nonces, **options: Any) -> None:
        super().__init__(nonces, **options)
        wide = Window(10**9, 10**9)
        assert self.keys is not None
        self._authenticated = NonceValidator(nonces, window=wide, key=self.keys.nonce_key)


class TakesContractNonces(Guard):
    def __init__(self, nonces: Nonces, **options: Any) -> None:
        super().__init__(nonces, **options)
        self._contract = NonceValidator(nonces, window=self.window)


class ProofWithoutFrame(Guard):
    def check_proof(self, operation: Operation, frame: object, proof: object) -> None:
        assert isinstance(proof, Mapping)
        over = {**operation.body(), "ctp96": frame, PROOF: proof}
        fault = proof_chain.fault(over)
        if fault and fault.flaw is not proof_chain.Flaw.MISMATCH:
            raise OperationRefusedError(guard._OF_PROOF[fault.flaw], fault.why)


class _Forgetful:
    """The FIFO of 1,000 nonces of trap 14."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, None] = OrderedDict()

    def used(self, nonce: str, timestamp: int) -> bool:
        return nonce in self._seen

    def use(self, nonce: str, timestamp: int, now: float) -> Refusal | None:
        if nonce in self._seen:
            return Refusal.REPLAYED
        self._seen[nonce] = None
        if len(self._seen) > 1000:
            self._seen.popitem(last=False)
        return None


class _Racing(_Forgetful):
    """Trap 15: looks, and adds a moment later."""

    def use(self, nonce: str, timestamp: int, now: float) -> Refusal | None:
        time.sleep(0.05)
        self._seen[nonce] = None
        return None


class ForgetsAfter1000(Guard):
    def __init__(self, nonces: Nonces, **options: Any) -> None:
        super().__init__(_Forgetful(), **options)


class ChecksThenAdds(Guard):
    def __init__(self, nonces: Nonces, **options: Any) -> None:
        super().__init__(_Racing(), **options)


class TakesEmptyProofs(Guard):
    def check_proof(self, operation: Operation, frame: object, proof: object) -> None:
        if proof != {}:
            super().check_proof(operation, frame, proof)


class TakesFormerKeys(Guard):
    def check_key(self, public_hex: str, keys: OperationKeys) -> None:
        if keys.state_of(public_hex) is None:
            super().check_key(public_hex, keys)


class NeverExpires(Access):
    def __init__(self, roles: Mapping[str, Role], **options: Any) -> None:
        super().__init__(roles, **{**options, "expiries": None})


class AnyoneWrites(Access):
    def require_write(self, caller: Caller, name: str) -> None:
        pass


class ReadersWrite(Access):
    def require_write(self, caller: Caller, name: str) -> None:
        if caller.role is None:
            super().require_write(caller, name)


class AnyTokenIsAReaders(Access):
    def identify(self, authorization: str | None) -> Caller:
        known = super().identify(authorization)
        return Caller(Role.READER) if known is ANONYMOUS and authorization else known


class SearchesTellAll(Access):
    def may_read(self, caller: Caller, name: str) -> bool:
        return True


def _unlimited() -> None:
    vars(documents).update(MAX_ROOT_FIELDS=10**9, MAX_COST=10**9, MAX_TOKENS=10**6)


def _no_manifest_checks() -> None:
    vars(manifests)["check_strict"] = lambda *_, **__: None


def _lax_manifests() -> None:
    """Of two equal keys the last counts, as `json` has it."""
    vars(manifests)["_unique_keys"] = dict


def _any_name() -> None:
    for module in (catalogue, content_catalogue):
        vars(module)["check_name"] = lambda name: None


def _exact_prefix() -> None:
    vars(auth)["is_protected"] = lambda name: name.startswith("secure/")


def _any_chain_end() -> None:
    """A chain that ends in any of its layers is taken for whole."""
    vars(proofs)["verify"] = lambda checked, end: end in {layer.hash for layer in checked.layers}


# By what is put in the place of something: a class for the guard or for who may do what, or a patch.
WEAK_ACCESS: dict[str, type[Access]] = {
    "never_expires": NeverExpires,
    "anyone_writes": AnyoneWrites,
    "readers_write": ReadersWrite,
    "any_token_is_a_readers": AnyTokenIsAReaders,
    "searches_tell_all": SearchesTellAll,
}
PATCHES = {
    "unlimited": _unlimited,
    "no_manifest_checks": _no_manifest_checks,
    "lax_manifests": _lax_manifests,
    "any_name": _any_name,
    "exact_prefix": _exact_prefix,
    "any_chain_end": _any_chain_end,
}
WEAK: dict[str, type[Guard]] = {
    "takes_empty_proofs": TakesEmptyProofs,
    "takes_former_keys": TakesFormerKeys,
    "records_nothing": RecordsNothing,
    "forgets_after_1000": ForgetsAfter1000,
    "needs_nothing": NeedsNothing,
    "ignores_the_body": IgnoresTheBody,
    "ignores_proofs": IgnoresProofs,
    "trusts_any_key": TrustsAnyKey,
    "records_before_it_checks": RecordsBeforeItChecks,
    "sorts_arrays": SortsArrays,
    "has_no_window": HasNoWindow,
    "takes_contract_nonces": TakesContractNonces,
    "checks_then_adds": ChecksThenAdds,
    "proof_without_frame": ProofWithoutFrame,
}

if __name__ == "__main__":
    weak = WEAK.get(sys.argv[1], Guard)
    PATCHES.get(sys.argv[1], lambda: None)()
    vars(auth)["Access"] = WEAK_ACCESS.get(sys.argv[1], Access)

    def create_weak(**given: Any) -> Any:
        return app.create_app(**given, guard=weak)

    vars(server)["create_app"] = create_weak
    sys.exit(server.main(sys.argv[2:]))
