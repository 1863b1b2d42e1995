"""Manifests: what they say about content, checked against the content itself.

Two forms: the strict one describes other content (contract section 3.3: `cid`, `size`,
`sha256`), the embedded one carries its own digest (contract section 3.2).
"""

import hashlib
import json
from typing import Any

from hologram_dagster.registry.faults import Code, RefusedError


class _DuplicateKeyError(ValueError):
    pass


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _DuplicateKeyError("a key occurs twice")
    return members


def _object_in(data: bytes) -> dict[str, Any] | None:
    """The JSON object `data` spells, None when it spells anything else.

    Raises:
        _DuplicateKeyError: readers would differ on which of two equal keys counts.
    """
    try:
        # Decoded here: of bytes, Python would take UTF-16, too, which other readers do not.
        value = json.loads(data.decode(), object_pairs_hook=_unique_keys)
    except _DuplicateKeyError:
        raise
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _bad(message: str) -> RefusedError:
    return RefusedError(Code.BAD_MANIFEST, message)


def check_strict(manifest: bytes, *, digest: str | None, cid: str, content: bytes) -> None:
    """Check a manifest's digest, and what it says of `content`.

    `digest` is the sha256 (hex) the publisher gives for the manifest, None when none is given.

    Raises:
        RefusedError: BAD_MANIFEST, naming the field that does not fit.
    """
    if digest is not None and hashlib.sha256(manifest).hexdigest() != digest.lower():
        raise _bad("the argument sha256 is not the digest of the manifest that manifestCid names.")
    try:
        fields = _object_in(manifest)
    except _DuplicateKeyError as error:
        raise _bad(f"the manifest is ambiguous: {error}.") from None
    if fields is None:
        raise _bad("the manifest is not a JSON object.")
    expected = {"cid": cid, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    for name, value in expected.items():
        if name not in fields:
            raise _bad(f"the manifest has no field {name}.")
        # `1 == True` in Python; in a manifest they differ.
        if type(fields[name]) is not type(value) or fields[name] != value:
            raise _bad(f"the manifest's {name} does not fit the content.")


def check_embedded(content: bytes) -> bool:
    """Check the digest that content carries if it is a manifest (has `schema` and `sha256`).

    Returns whether it is one. The digest is over compact JSON in the order of the keys,
    without `sha256`; non-ASCII letters may be escaped (as Python does) or not (as JavaScript).

    Raises:
        RefusedError: BAD_MANIFEST, the digest is not the content's.
    """
    try:
        fields = _object_in(content)
    except _DuplicateKeyError as error:
        raise _bad(f"the manifest is ambiguous: {error}.") from None
    if fields is None or not {"schema", "sha256"} <= fields.keys():
        return False
    claimed = fields.pop("sha256")
    digests = {
        hashlib.sha256(
            json.dumps(fields, separators=(",", ":"), ensure_ascii=escaped).encode("utf-8", "surrogatepass")
        ).hexdigest()
        for escaped in (True, False)
    }
    if claimed not in digests:
        raise _bad("the sha256 in the manifest is not the digest of the rest of it.")
    return True
