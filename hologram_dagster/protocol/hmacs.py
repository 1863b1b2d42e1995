"""The contract's keyed tags: alpha over a payload, holo over a module's manifest (section 6.6).

Both are HMAC-SHA256 over the contract's hash, which ignores the order of arrays: two payloads
that differ in that alone have the same tag. Where the order matters, sign (see `signing`).
"""

import hashlib
import hmac

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol.canonical import ccm


def _tag(secret: str, message: str) -> str:
    try:
        return hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()
    except UnicodeEncodeError:
        raise FormatError("A secret or module name holds half a character (a lone surrogate).") from None


def _same(tag: object, expected: str) -> bool:
    # compare_digest takes no text beyond ASCII.
    return isinstance(tag, str) and tag.isascii() and hmac.compare_digest(tag, expected)


def alpha(payload: object, secret: str) -> str:
    """The tag of a JSON value, 64 hex digits.

    Raises:
        FormatError: it is no JSON value.
    """
    return _tag(secret, f"alpha|{ccm(payload, 'alpha')}")


def alpha_holds(payload: object, secret: str, tag: object) -> bool:
    """Whether `tag` is that of `payload`; False for anything malformed. Compares in constant time."""
    try:
        return _same(tag, alpha(payload, secret))
    except FormatError:
        return False


def holo(module: str, manifest: object, secret: str) -> str:
    """The tag of a module's manifest, a JSON value: 64 hex digits.

    Raises:
        FormatError: it is no JSON value.
    """
    return _tag(secret, f"holo|{module}|{ccm(manifest, 'holo')}")


def holo_holds(module: str, manifest: object, secret: str, tag: object) -> bool:
    """Whether `tag` is that of the module's manifest; as `alpha_holds`."""
    try:
        return _same(tag, holo(module, manifest, secret))
    except FormatError:
        return False
