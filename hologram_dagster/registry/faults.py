"""What the registry refuses, as codes a client can act on (`extensions.code`)."""

from enum import StrEnum

from hologram_dagster.errors import HologramError


class Code(StrEnum):
    """Why a request was not done; stable, part of the registry's interface."""

    BAD_REQUEST = "BAD_REQUEST"
    BAD_MANIFEST = "BAD_MANIFEST"
    NOT_FOUND = "NOT_FOUND"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    OVERLOADED = "OVERLOADED"
    IPFS_UNAVAILABLE = "IPFS_UNAVAILABLE"
    STORAGE_UNAVAILABLE = "STORAGE_UNAVAILABLE"
    TAMPERED = "TAMPERED"
    INTERNAL = "INTERNAL"


class OperationCode(StrEnum):
    """Why an operation is not done for what it carries; in the contract's words where it has some (4.2)."""

    MISSING_FRAME = "missing_frame"
    MISSING_PROOF = "missing_proof"
    MALFORMED = "malformed"
    REPLAY_DETECTED = "replay_detected"
    OUTSIDE_WINDOW = "outside_window"
    HASH_MISMATCH = "hash_mismatch"
    BAD_SIGNATURE = "bad_signature"
    UNTRUSTED_KEY = "untrusted_key"
    REVOKED_KEY = "revoked_key"
    NONCES_FULL = "nonces_full"


class Violation(StrEnum):
    """Which law a row breaks that was altered behind the registry's back."""

    CONSERVATION = "conservation"
    BIJECTION = "bijection"


class RefusedError(HologramError):
    """A request the registry does not do: its code, and one sentence for the caller."""

    def __init__(self, code: Code | OperationCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class AlteredError(RefusedError):
    """A row is not what the registry wrote: TAMPERED, which law it breaks, and how.

    `name` and `content_id` are as the row has them; the text for the caller holds neither.
    """

    def __init__(self, name: str, content_id: str, violation: Violation, details: str) -> None:
        super().__init__(Code.TAMPERED, f"this entry was altered in the database: {details}.")
        self.name = name
        self.content_id = content_id
        self.violation = violation
        self.details = details
