"""The errors a user can cause, and how the command line answers them.

Everything raised for a user's mistake or a broken environment derives from
`HologramError`; its text names the file, line or variable and what to do, and is
shown without a traceback. Any other exception is a bug of ours.
"""

from collections.abc import Iterator
from json import JSONDecodeError


class HologramError(Exception):
    """What the user or the environment got wrong, and the remedy, in one or two sentences."""


class SettingsError(HologramError):
    """A setting (environment variable or `hologram.toml` key) is malformed."""


class FormatError(HologramError):
    """A file is not in the form it should have; the text names file and line."""


def not_json(where: object, error: JSONDecodeError) -> FormatError:
    """That the file `where` is not JSON, and at which line and column."""
    # Some of json's messages end in "at", for a position to follow.
    why = error.msg.removesuffix(" at")
    return FormatError(f"{where} line {error.lineno} column {error.colno}: {why}")


class ServiceError(HologramError):
    """A service (IPFS node, registry) is unreachable, refused, or answered wrongly."""


class ServiceTimeoutError(ServiceError):
    """A service gave no answer within the time allowed."""


def chain(error: BaseException) -> Iterator[BaseException]:
    """`error` and all it was made from: causes, contexts, wrapped arguments."""
    waiting, seen = [error], set[int]()
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inner = [current.__cause__, current.__context__, *current.args, getattr(current, "reason", None)]
        waiting.extend(each for each in inner if isinstance(each, BaseException))


class TamperedError(HologramError):
    """A record, link or signature is not what was written."""
