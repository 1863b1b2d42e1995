"""`hologram audit`: whether what was recorded is still what was written; the story of a release."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from hologram_dagster.errors import HologramError
from hologram_dagster.evidence.audit import Audit, audit, entries_of
from hologram_dagster.gate.answering import open_evidence
from hologram_dagster.gate.origin import commit_of
from hologram_dagster.secrets.redactor import redact
from hologram_dagster.settings import Settings, load_settings

app = typer.Typer(no_args_is_help=True, help="Verify what was recorded; tell a release's story.")


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise HologramError(
            f"--since {text!r} is no date: give 2026-03-04 or 2026-03-04T12:00:00Z."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _known_head(settings: Settings) -> list[str]:
    """The head that the last verdict kept in the reports, if it says one."""
    try:
        content: Any = json.loads(Path(settings.reports_dir / "verdict.json").read_bytes())
        head = content.get("ledger_head")
    except (OSError, ValueError, AttributeError):
        return []
    return [head] if isinstance(head, str) and head else []


def _tell(seen: Audit) -> None:
    for broken in seen.broken:
        typer.echo(redact(f"BROKEN {broken.where}: {broken.code}: {broken.message}"))
    for path, pruned in seen.pruned:
        typer.echo(f"pruned {path}: {pruned}")
    for path in seen.unlisted:
        typer.echo(
            f"unlisted {path}: no entry names it: a crash amid recording, or the ledger's end was cut off "
            "(--head with a head kept elsewhere tells)"
        )
    for name in seen.torn:
        typer.echo(f"torn {name}: an append that a crash cut short, kept aside")
    typer.echo(
        f"{'ok' if seen.holds else 'FAIL'}: {seen.entries} entries, {seen.checkpoints} checkpoints, "
        f"{seen.records} records and {seen.artifacts} files of theirs verified, "
        f"{len(seen.pruned)} pruned; head {seen.head[:16] or 'none'}"
    )


@app.command()
def verify(
    since: str | None = typer.Option(None, help="Only records from this date on; links are verified whole."),
    head: list[str] | None = typer.Option(None, help="A ledger head seen before, which must be in it."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object instead of lines."),
) -> None:
    """Verify ledger, links, signatures, checkpoints and records; name the first broken link.

    Exit codes: 0 all holds, 1 something does not. Example: hologram audit verify --since 2026-03-01
    """
    settings = load_settings()
    evidence = open_evidence(settings, commit_of(settings, "HEAD"))
    seen = audit(evidence, since=_moment(since), pins=[*(head or []), *_known_head(settings)])
    if as_json:
        typer.echo(redact(json.dumps(seen.to_json(), indent=2)))
    else:
        _tell(seen)
    raise typer.Exit(0 if seen.holds else 1)


def _refuse_absent(database: str) -> None:
    """An audit makes no database where there is none: SQLite would."""
    prefix, _, path = database.partition(":///")
    if prefix.startswith("sqlite") and not Path(path.partition("?")[0]).is_file():
        raise HologramError(f"--database {database}: there is no such file.")


@app.command()
def registry(
    database: str = typer.Option(..., help="SQLAlchemy URL of the registry's database."),
    trusted: list[str] | None = typer.Option(None, help="Public key or key id that may sign (default: any)."),
    revoked: list[str] | None = typer.Option(None, help="Public key or key id that vouches for nothing."),
    head: str | None = typer.Option(None, help="A head seen before, which must be in it."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object instead of a line."),
) -> None:
    """Verify what a registry did: each operation's proof, links and signature; name the first broken one.

    Exit codes: 0 all holds, 1 something does not. Example: hologram audit registry --database sqlite:///r.sqlite
    """
    # The database's library is slow to import, and no other verb needs it.
    from hologram_dagster.registry.journal import Keys
    from hologram_dagster.registry.journal import verify as verify_journal
    from hologram_dagster.registry.tables import open_database

    _refuse_absent(database)
    engine = open_database(database)
    try:
        seen = verify_journal(engine, Keys(trusted, revoked or ()).fault, head=head)
    finally:
        engine.dispose()
    fault = seen.fault
    told = {"ok": fault is None, "entries": seen.entries, "head": seen.head}
    if as_json:
        broken = None if fault is None else {"seq": fault.seq, "code": fault.code, "message": str(fault)}
        typer.echo(redact(json.dumps({**told, "broken": broken}, indent=2)))
    else:
        if fault is not None:
            typer.echo(redact(f"BROKEN {fault}"))
        word = "ok" if fault is None else "FAIL"
        typer.echo(f"{word}: {seen.entries} operations verified; head {seen.head[:16] or 'none'}")
    raise typer.Exit(0 if fault is None else 1)


@app.command()
def show(
    revision: str = typer.Argument(..., help="Commit or any git ref."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object instead of lines."),
) -> None:
    """Tell what was recorded of REVISION, oldest first, from the verified ledger.

    Exit codes: 0, or 4 if nothing is. Example: hologram audit show HEAD
    """
    settings = load_settings()
    commit = commit_of(settings, revision)
    runs: set[str] = set()
    told: list[dict[str, Any]] = []
    for entry in entries_of(open_evidence(settings, commit)):
        data = entry.data
        of_revision = data.get("revision")
        if data.get("commit") == commit or (
            isinstance(of_revision, dict) and of_revision.get("commit") == commit
        ):
            runs.add(str(data.get("run_id")))
        elif data.get("run_id") not in runs:
            continue
        told.append({"seq": entry.seq, **data})
        if as_json:
            continue
        words = (data.get("entry"), data.get("kind"), data.get("status"), data.get("profile"))
        typer.echo(
            redact(
                f"{data.get('at')}  {entry.seq:>6}  {' '.join(str(word) for word in words if word)}"
                f"  run {data.get('run_id')}"
            )
        )
    if as_json:
        typer.echo(redact(json.dumps({"commit": commit, "entries": told}, indent=2)))
    elif not told:
        typer.echo(f"nothing is recorded of {commit[:12]}.", err=True)
    raise typer.Exit(0 if told else 4)
