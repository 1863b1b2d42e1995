"""`hologram bridge COMMAND ARG…`: one call of the protocol by a client in another language.

Exactly one JSON object on standard output, always with `ok`; on a failure
`{"ok": false, "err": "…"}` and exit 2. Standard error stays empty. An argument `-` is read
from standard input, for what is too long for a command line.
"""

import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hologram_dagster.errors import FormatError, HologramError
from hologram_dagster.protocol.bridge import MAX_ARGUMENT, answer

if TYPE_CHECKING:
    import typer


def _standard_input() -> str:
    if sys.stdin is None:
        raise FormatError("Standard input is closed: there is nothing to read for -.")
    try:
        read = sys.stdin.buffer.read(MAX_ARGUMENT + 3)
    except OSError as error:
        raise FormatError(f"Standard input cannot be read: {error.strerror}.") from None
    # Of a file or a pipe from echo, the line's end is not meant.
    text = read.removesuffix(b"\n").removesuffix(b"\r")
    if len(text) > MAX_ARGUMENT:
        raise FormatError(f"Standard input is over the limit of {MAX_ARGUMENT} bytes.")
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise FormatError("Standard input is not UTF-8.") from None


def _arguments(call: Sequence[str]) -> list[str]:
    if call.count("-") > 1:
        raise FormatError("Only one argument can come from standard input.")
    return [_standard_input() if argument == "-" else argument for argument in call]


def run(call: Sequence[str]) -> int:
    """Answer `call` (command and arguments) on standard output; the exit code: 0, or 2 on a failure."""
    try:
        answered = {"ok": True, **answer(_arguments(call))}
    except HologramError as error:
        answered = {"ok": False, "err": str(error)}
    except Exception as error:  # noqa: BLE001 - a client waits for one JSON object, whatever happens.
        answered = {"ok": False, "err": f"a bug in the bridge: {type(error).__name__}: {error}"}
    try:
        sys.stdout.write(json.dumps(answered, separators=(",", ":")) + "\n")
        sys.stdout.flush()
    except AttributeError:
        # Standard output was closed before we started.
        return 2
    except OSError:
        # Nobody reads any more; what is left in the buffer must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    return 0 if answered["ok"] else 2


def register(app: "typer.Typer") -> None:
    """Add the verb to the command line; `cli.main` calls `run` without loading it."""
    import typer

    passed_on = {"ignore_unknown_options": True, "allow_interspersed_args": False}

    @app.command(context_settings=passed_on)
    def bridge(
        call: list[str] | None = typer.Argument(
            None, metavar="COMMAND [ARG]...", help="- reads standard input."
        ),
    ) -> None:
        """Answer one call of the protocol as one JSON object. Example: hologram bridge atlas:r96 200"""
        raise typer.Exit(run(call or []))
