"""`hologram verify`: what a stranger does with a bundle, without cosign."""

import hashlib
import json
import re
from pathlib import Path

import typer

from hologram_dagster.errors import HologramError
from hologram_dagster.gate.run import KEY_FILE, open_signer
from hologram_dagster.secrets.redactor import redact
from hologram_dagster.settings import load_settings
from hologram_dagster.supply_chain.bundle import MAX_BYTES, public_hex_of
from hologram_dagster.supply_chain.verification import verify as verify_bundle

_HEX = re.compile(r"[0-9a-f]{64}")


def verify(
    bundle: Path = typer.Argument(help="A *.sigstore.json of reports/supply_chain."),
    key: str | None = typer.Option(
        None, help="The gate's public key: a PEM file, or 64 hex digits (default: this gate's own)."
    ),
    file: list[Path] = typer.Option([], help="A file that it must be about; may be repeated."),
    commit: str | None = typer.Option(None, help="The commit (40 hex digits) that it must be of."),
    as_json: bool = typer.Option(False, "--json", help="The result as JSON instead of a text."),
) -> None:
    """Verify a signed statement of the gate; one on a verdict holds only if that is pass.

    Exit codes: 0 it holds, 1 it does not, 2 no key or no such file.
    Example: hologram verify reports/supply_chain/verdict.sigstore.json --key public.pem
    """
    public_hex = _public_key(key)
    files = {str(path): hashlib.sha256(_read(path)).hexdigest() for path in file}
    seen = verify_bundle(_read(bundle, most=MAX_BYTES), public_hex, files=files, commit=commit)
    if as_json:
        typer.echo(json.dumps(seen.to_json(), indent=2))
    else:
        of = f" of commit {seen.commit[:12]}" if seen.commit else ""
        what = f"{seen.kind}{': ' + seen.says if seen.says else ''}{of}" if seen.kind else str(bundle)
        typer.echo(redact(f"{'verified' if seen.holds else 'NOT VERIFIED'}: {what}, key {seen.key_id}"))
        for fault in seen.faults:
            typer.echo(redact(f"  {fault}"))
    raise typer.Exit(0 if seen.holds else 1)


def _public_key(key: str | None) -> str:
    if key is None:
        settings = load_settings()
        if settings.signing_key is None and not (settings.state_dir / KEY_FILE).exists():
            raise HologramError("there is no key of a gate here: name the gate's public key with --key.")
        return open_signer(settings).public_hex
    return key if _HEX.fullmatch(key) else public_hex_of(_read(Path(key)), where=key)


def _read(path: Path, *, most: int | None = None) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(-1 if most is None else most + 1)
    except OSError as error:
        raise HologramError(f"cannot read {path}: {error.strerror or error}.") from error
    if most is not None and len(data) > most:
        raise HologramError(f"{path} has more than {most} bytes: it is no bundle of the gate.")
    return data


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(verify)
