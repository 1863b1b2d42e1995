"""Reading JSON that strangers wrote: a value or one typed error, within a declared size."""

import json
from typing import Any, NoReturn

from hologram_dagster.errors import FormatError


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def parse_json(data: bytes | str, *, what: str, limit: int) -> Any:
    """The JSON value in `data` (bytes as UTF-8); `what` names it in errors.

    `limit` is the most bytes (of a text, characters) that are looked at: a value takes up
    to some 40 times as much memory. Of a key that comes twice the last counts, as in
    JavaScript.

    Raises:
        FormatError: it is longer, not UTF-8, not JSON (NaN and infinities are none), or
            nested too deeply.
    """
    if len(data) > limit:
        raise FormatError(f"The {what} has {len(data)} bytes; the limit is {limit}.")
    try:
        return json.loads(data.decode() if isinstance(data, bytes) else data, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise FormatError(f"The {what} is not UTF-8.") from None
    except ValueError as error:
        # A JSONDecodeError tells where; the text itself may be long or secret, and is not shown.
        raise FormatError(f"The {what} is not JSON: {error}.") from None
    except RecursionError:
        raise FormatError(f"The {what} is nested too deeply.") from None
