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


class RefusedError(HologramError):
    """A request the registry does not do: its code, and one sentence for the caller."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
