"""`hologram secrets`: take secrets out of a stream, find those that someone wrote into files."""

import os
import sys

import typer

from hologram_dagster.secrets.stream import RedactingStream
from hologram_dagster.secrets.text import parts_of

app = typer.Typer(help="Secrets: redact them, find them (docs/secrets_evidence.md).", no_args_is_help=True)


@app.command()
def redact() -> None:
    """Copy standard input to standard output without secrets, line by line as it comes.

    The value goes whole, [REDACTED] stands in its place, name and shape stay. What is no text is
    copied as it is. Example: tail -f service.log | hologram secrets redact
    """
    stream, out = RedactingStream(), sys.stdout.buffer
    encoding = "utf-8"
    try:
        for part, encoding in parts_of(sys.stdin.buffer):
            _write(stream.feed(part), encoding)
        _write(stream.close(), encoding)
        out.flush()
    except BrokenPipeError:
        # Nobody reads any more; what is left in the buffer must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())


def _write(text: str, encoding: str) -> None:
    if text:
        errors = "surrogateescape" if encoding == "utf-8" else "surrogatepass"
        sys.stdout.buffer.write(text.encode(encoding, errors))
        sys.stdout.buffer.flush()
