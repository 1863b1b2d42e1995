"""`hologram secrets`: take secrets out of a stream, find those that someone wrote into files."""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import typer

from hologram_dagster.errors import HologramError
from hologram_dagster.secrets.accepted import FILE_NAME, Accepted, read_accepted
from hologram_dagster.secrets.formats import Format, Scanned, written
from hologram_dagster.secrets.redactor import redact as without_secrets
from hologram_dagster.secrets.scan import Leak, scan_file
from hologram_dagster.secrets.stream import RedactingStream
from hologram_dagster.secrets.text import parts_of
from hologram_dagster.target.git import GitRefusal, git

app = typer.Typer(
    help="Secrets: redact them, find them (docs/secrets_evidence.md).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_REMEDY = (
    "Take each out, and revoke it if it was ever pushed. One that is no secret is accepted by "
    f"`hologram secrets scan . --write-baseline {FILE_NAME}`."
)


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
    except BrokenPipeError:
        # Nobody reads any more; what is left in the buffer must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())


def _write(text: str, encoding: str) -> None:
    if text:
        errors = "surrogateescape" if encoding == "utf-8" else "surrogatepass"
        sys.stdout.buffer.write(text.encode(encoding, errors))
        sys.stdout.buffer.flush()


@app.command()
def scan(
    paths: list[Path] = typer.Argument(help="Files, and folders: of a repository what git does not ignore."),
    pre_commit: bool = typer.Option(
        False, "--pre-commit", help="The files of a commit, as a hook gets them; folders are refused."
    ),
    baseline: Path | None = typer.Option(
        None, help=f"File of accepted findings (default: {FILE_NAME}, where there is one)."
    ),
    write_baseline: Path | None = typer.Option(
        None, help="Write all findings as accepted to this file, and exit 0."
    ),
    form: Format = typer.Option(Format.TEXT, "--format", help="text, json, sarif, or github (annotations)."),
    as_json: bool = typer.Option(False, "--json", help="The same as --format json."),
) -> None:
    """Find secrets in files: file, line and kind, never the value.

    Exit codes: 0 none, 1 a finding, 2 a file could not be read, or usage.
    Example: hologram secrets scan . --format sarif
    """
    file = baseline or write_baseline or Path(FILE_NAME)
    accepted = read_accepted(file) if baseline or file.exists() else Accepted()
    top = file.resolve().parent
    scanned = Scanned()
    for path in paths if pre_commit else _files_of(paths, scanned.unreadable):
        _scan_one(path, top, None if write_baseline else accepted, scanned)
    if write_baseline:
        accepted = accepted.with_all(scanned.found)
        accepted.write(write_baseline)
        typer.echo(f"{write_baseline}: {len(accepted.entries)} findings accepted", err=True)
    else:
        _tell(scanned, Format.JSON if as_json else form)
    if scanned.unreadable:
        raise typer.Exit(2)
    raise typer.Exit(1 if scanned.found and not write_baseline else 0)


def _scan_one(path: Path, top: Path, accepted: Accepted | None, scanned: Scanned) -> None:
    try:
        leaks: list[Leak] = scan_file(path)
    except HologramError as error:
        scanned.unreadable.append(str(error))
        return
    scanned.files += 1
    whole = path.resolve()
    # As the file of accepted findings names it, and hooks do.
    shown = whole.relative_to(top).as_posix() if whole.is_relative_to(top) else path.as_posix()
    for leak in leaks:
        if accepted and accepted.holds(shown, leak):
            scanned.accepted += 1
        else:
            scanned.found.append((shown, leak))


def _files_of(paths: Iterable[Path], unreadable: list[str]) -> Iterator[Path]:
    def note(error: OSError) -> None:
        unreadable.append(f"cannot read {error.filename} to look for secrets: {error.strerror}.")

    for path in paths:
        if not path.is_dir():
            yield path
        elif (listed := _not_ignored(path)) is not None:
            yield from listed
        else:
            for parent, folders, names in os.walk(path, onerror=note):
                folders[:] = sorted(name for name in folders if name != ".git")
                yield from (each for name in sorted(names) if _is_own(each := Path(parent, name)))


def _not_ignored(folder: Path) -> list[Path] | None:
    """The files below `folder` that git does not ignore; None outside a repository."""
    try:
        listed = git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
    except GitRefusal:
        return None
    names = sorted(name for name in listed.decode(errors="surrogateescape").split("\0") if name)
    return [each for name in names if _is_own(each := folder / name)]


def _is_own(path: Path) -> bool:
    # What a link leads to is read where it lies.
    return path.is_file() and not path.is_symlink()


def _tell(scanned: Scanned, form: Format) -> None:
    if text := written(scanned, form):
        typer.echo(text)
    if form is Format.TEXT:
        notes = [f"{scanned.files} files, {len(scanned.found)} secrets, {scanned.accepted} accepted"]
        typer.echo("\n".join([*notes, *([_REMEDY] if scanned.found else [])]), err=True)
    for why in scanned.unreadable:
        typer.echo(f"hologram: {without_secrets(why)}", err=True)
