"""The integrity of a CTP-96 session frame (contract section 4.2).

What belongs here: whether one frame is what was sent. What does not: nonces, the order of
a session, its witnesses.
"""

from collections.abc import Mapping
from typing import Any, Final

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol.canonical import ccm, stable
from hologram_dagster.protocol.r96 import r96

_DOMAIN: Final = "ctp96"
SEALS: Final = frozenset({"hash", "r96"})


def seal(frame: Mapping[str, Any]) -> dict[str, Any]:
    """`frame` with its `hash` and resonance class `r96`, over all its other fields.

    Raises:
        FormatError: it is no JSON object.
    """
    content = {name: value for name, value in frame.items() if name not in SEALS}
    payload = stable(content)
    # The canonical text is hashed as a JSON string: encoded a second time.
    return {**content, "hash": ccm(payload, _DOMAIN), "r96": r96(payload.encode())}


def frame_fault(frame: Mapping[str, Any]) -> str | None:
    """Why `frame` is not what was sent, as the contract's code; None if it is. Never raises."""
    try:
        sealed = seal(frame)
    except FormatError:
        return "hash_mismatch"
    if frame.get("hash") != sealed["hash"]:
        return "hash_mismatch"
    return None if frame.get("r96") == sealed["r96"] else "r96_mismatch"
