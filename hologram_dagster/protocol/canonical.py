"""Canonical JSON and the hash over it (contract section 6.6).

What belongs here: turning a JSON value into the one text that every implementation of
Hologram, most of them in JavaScript, hashes. What does not: what is hashed, and why.

There are two forms. `stable` sorts arrays, too, as the contract's does, so it cannot
tell a reordered array; `stable_ordered` keeps their order and can. Both refuse what
JavaScript could not hold, since two values sharing a text would share a hash.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from hologram_dagster.errors import FormatError

_MAX_SAFE: Final = 2**53 - 1
_MAX_INDEX: Final = 2**32 - 2
_OBJECT: Final = "[object Object]"
_ARRAY_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,9}")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_quote_well_formed = json.JSONEncoder(ensure_ascii=False).encode


def sha256_hex(data: bytes | str) -> str:
    """The sha256 of `data` (a text as UTF-8) as 64 lower-case hex digits."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def js_number(value: float) -> str:
    """Print `value` as JavaScript's `Number.prototype.toString` does.

    Shortest digits that read back as the same number; an exponent from 1e21 up and
    below 1e-6.

    Raises:
        FormatError: NaN or an infinity, which JSON has no form for.
    """
    if not math.isfinite(value):
        raise FormatError(f"{value} has no form in JSON. Leave it out, or write it as a text.")
    if value == 0:
        return "0"
    # repr() yields the shortest round-tripping digits, as ECMAScript asks for.
    negative, digit_tuple, exponent = Decimal(repr(value)).normalize().as_tuple()
    digits = "".join(map(str, digit_tuple))
    # The value is 0.DIGITS times ten to the power of `point`.
    point = len(digits) + int(exponent)
    sign = "-" if negative else ""
    if len(digits) <= point <= 21:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
    return f"{sign}{mantissa}e{point - 1:+d}"


def _integer(value: int) -> str:
    if -_MAX_SAFE <= value <= _MAX_SAFE:
        return str(int(value))
    if abs(value) < 10**21 and js_number(float(value)) == str(int(value)):
        return str(int(value))
    raise FormatError(
        "an integer beyond 2^53 - 1 cannot be held exactly by every reader. Write it as a text instead."
    )


def _quote(text: str) -> str:
    if not text.isascii() and _SURROGATE.search(text):
        # JavaScript joins surrogate pairs and escapes lone ones.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):x}", _quote_well_formed(text))
    return _quote_well_formed(text)


def js_order(text: str) -> bytes:
    """What to sort texts by to have JavaScript's order: their UTF-16 code units, not code points."""
    return text.encode("utf-16-be", "surrogatepass")


def _key_order(key: str) -> tuple[int, bytes]:
    # JavaScript lists array indices first, numerically, whatever order they were set in.
    if _ARRAY_INDEX.fullmatch(key) and (index := int(key)) <= _MAX_INDEX:
        return index, b""
    return _MAX_INDEX + 1, js_order(key)


def _write(value: object, *, sort_arrays: bool) -> tuple[str, str]:
    """The canonical text of `value`, and JavaScript's `String(value)` to sort arrays by."""
    match value:
        case str():
            return _quote(value), value
        case None | True | False:
            text = {None: "null", True: "true", False: "false"}[value]
            return text, text
        case int():
            return (text := _integer(value)), text
        case float():
            return (text := js_number(value)), text
        case Mapping():
            return _write_object(value, sort_arrays=sort_arrays), _OBJECT
        case list() | tuple():
            written = [_write(item, sort_arrays=sort_arrays) for item in value]
            if sort_arrays:
                written.sort(key=lambda pair: js_order(pair[1]))
            # Array.prototype.join prints null as nothing.
            joined = ",".join("" if text == "null" else string for text, string in written)
            return f"[{','.join(text for text, _ in written)}]", joined
        case _:
            raise FormatError(f"a {type(value).__name__} is not a JSON value.")


def _write_object(value: Mapping[object, object], *, sort_arrays: bool) -> str:
    keys = []
    for key in value:
        if not isinstance(key, str):
            raise FormatError(f"the key {key!r} is not a text, as JSON's keys must be.")
        if key != "$comment":
            keys.append(key)
    keys.sort(key=_key_order)
    return (
        "{"
        + ",".join(f"{_quote(key)}:{_write(value[key], sort_arrays=sort_arrays)[0]}" for key in keys)
        + "}"
    )


def _stable(value: object, *, sort_arrays: bool) -> str:
    try:
        return _write(value, sort_arrays=sort_arrays)[0]
    except RecursionError:
        raise FormatError("the value is nested too deeply (or holds itself) to be hashed.") from None


def stable(value: object) -> str:
    """The contract's canonical text: keys sorted, `$comment` dropped, arrays sorted.

    Keys that are array indices come first, numerically; arrays are sorted by the
    JavaScript string form of their (already canonical) items, so a reordered array has
    the same text: see `stable_ordered`.

    Raises:
        FormatError: something in it is no JSON value, not finite, an integer that
            JavaScript cannot hold, or nested too deeply.
    """
    return _stable(value, sort_arrays=True)


def stable_ordered(value: object) -> str:
    """As `stable`, but arrays keep their order.

    Raises:
        FormatError: as `stable`.
    """
    return _stable(value, sort_arrays=False)


def ccm(value: object, domain: str) -> str:
    """The contract's hash: sha256 hex of `domain|stable(value)`.

    Raises:
        FormatError: as `stable`.
    """
    return sha256_hex(f"{domain}|{stable(value)}")


def ccm_ordered(value: object, domain: str) -> str:
    """The order-keeping hash: sha256 hex of `domain|stable_ordered(value)`.

    Raises:
        FormatError: as `stable`.
    """
    return sha256_hex(f"{domain}|{stable_ordered(value)}")
