"""Whose signatures count.

What belongs here: the rule of design, *Evidence*: without pins the key in use is
trusted; with pins, main and nightly refuse any other key. What does not: whether a
signature is valid (`protocol`).
"""

import re
from collections.abc import Iterable

from hologram_dagster.errors import SettingsError
from hologram_dagster.protocol.signing import key_id_of

# Profiles by name, since a record's profile is a text: old records outlive profiles.
PINNED_PROFILES = frozenset({"main", "nightly"})
_PIN = re.compile(r"[0-9a-f]{16}|[0-9a-f]{64}")


class Trust:
    """The key in use (`own`, public hex; None when only reading) and the pinned ones.

    A pin is a key id (16 hex digits) or, stronger, a public key (64 hex digits). What a `revoked` key
    signed counts for nothing, whatever else names it.
    """

    def __init__(self, own: str | None, pins: Iterable[str] = (), revoked: Iterable[str] = ()):
        self._pins, self._revoked = frozenset(pins), frozenset(revoked)
        named = [("trusted_keys", pin) for pin in self._pins] + [
            ("revoked_keys", pin) for pin in self._revoked
        ]
        for name, pin in sorted(named):
            if not _PIN.fullmatch(pin):
                raise SettingsError(
                    f"{name}: {pin!r} is neither a key id (16 hex digits) nor a public key (64 hex "
                    "digits): correct it."
                )
        self._own = own

    def fault(self, public_hex: str, profile: str) -> str | None:
        """Why the key is not trusted for evidence of `profile`; None if it is."""
        key_id = key_id_of(public_hex)
        if key_id in self._revoked or public_hex in self._revoked:
            return f"signed by key {key_id}, which is revoked"
        if key_id in self._pins or public_hex in self._pins:
            return None
        if self._pins and profile in PINNED_PROFILES:
            return f"signed by key {key_id}, which trusted_keys does not name"
        if public_hex == self._own:
            return None
        own = "no key is in use" if self._own is None else f"the key in use is {key_id_of(self._own)}"
        return f"signed by key {key_id}, which is not trusted ({own})"
