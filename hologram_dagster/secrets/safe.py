"""For users' own code: print, log and check without secrets, by the names they know (contract 7.2)."""

import logging
import sys
from pathlib import Path
from typing import TextIO

from hologram_dagster.secrets.redactor import redact
from hologram_dagster.secrets.scan import Leak, scan_file

_log = logging.getLogger("hologram")


def redact_secrets(text: str) -> str:
    """`text` with `[REDACTED]` in place of the value of every secret."""
    return redact(text)


def safe_print(
    *values: object, sep: str = " ", end: str = "\n", file: TextIO | None = None, flush: bool = False
) -> None:
    """`print` without secrets; `end` is printed as it is."""
    print(redact(sep.join(map(str, values))), end=end, file=file or sys.stdout, flush=flush)


def safe_log(message: object, *args: object, level: int | str = logging.INFO) -> None:
    """Log `message % args` without secrets, by the logger `hologram`.

    Raises:
        ValueError: `level` names no level.
    """
    number = logging.getLevelNamesMapping().get(level.upper()) if isinstance(level, str) else level
    if number is None:
        raise ValueError(f"{level!r} is no level of logging")
    text = str(message) % args if args else str(message)
    _log.log(number, "%s", redact(text), stacklevel=2)


def check_file_for_secrets(path: str | Path) -> list[Leak]:
    """The secrets in the file at `path`, each a line and a kind.

    Raises:
        HologramError: the file cannot be read; that is never "clean".
    """
    return scan_file(Path(path))
