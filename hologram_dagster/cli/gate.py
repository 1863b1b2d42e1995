"""`hologram gate`: run the gate of a profile, show its progress, end in a verdict and its exit code.

The run itself is a child process; this one watches it, so that a deadline, Ctrl-C or a
killed run still ends in an inconclusive verdict with a report.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import typer

from hologram_dagster.cli.home import prepare_home
from hologram_dagster.cli.output import Steps, show_verdict
from hologram_dagster.evidence.document import Verdict, Word
from hologram_dagster.gate.announcing import undelivered
from hologram_dagster.gate.conclusion import own_verdict
from hologram_dagster.gate.origin import settings_at
from hologram_dagster.gate.publishing import compared_lines, finish_run
from hologram_dagster.gate.run import GateRun, open_gate_run
from hologram_dagster.gate.services import own_endpoints
from hologram_dagster.gate.tags import (
    BASELINE_TAG,
    COMMIT_TAG,
    ENVIRONMENT_TAG,
    ORIGIN_TAG,
    PROFILE_TAG,
    TRIGGER_TAG,
)
from hologram_dagster.processes import start_child, stop_child
from hologram_dagster.profiles import Profile, choose_profile
from hologram_dagster.settings import Settings, load_settings

_GRACE_S = 20.0
# After which a run that still tells of steps is interrupted once more.
_AGAIN_S = 2.0
_LAST_LINES = 5


@dataclass(slots=True)
class _Launched:
    """A run in its child process; `interrupted` says why it did not come to its own end."""

    process: subprocess.Popen[bytes]
    log: Path
    interrupted: str | None = None
    _signalled_at: float = 0.0
    _over: threading.Event = field(default_factory=threading.Event)

    def interrupt(self, reason: str) -> None:
        """End the run: SIGINT, so that it stops its services, then SIGKILL after a grace period."""
        if self._over.is_set() or self.interrupted:
            return
        self.interrupted = reason
        self._signal()
        patience = threading.Timer(_GRACE_S, self._kill)
        patience.daemon = True
        patience.start()

    def _signal(self) -> None:
        self._signalled_at = time.monotonic()
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGINT)

    def _kill(self) -> None:
        if not self._over.is_set():
            stop_child(self.process, grace_s=0)

    def lines(self) -> Iterator[dict[str, object]]:
        """The progress lines, until the run has ended."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if self.interrupted and time.monotonic() - self._signalled_at > _AGAIN_S:
                # It goes on: what it was importing has swallowed the first one.
                self._signal()
            with suppress(json.JSONDecodeError):
                yield json.loads(line)
        self.process.wait()
        self._over.set()

    def last_lines(self) -> str:
        """The end of Dagster's log, for a run that broke."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:])


def _launch(
    settings: Settings, home: Path, profile: Profile, run_id: str, tags: Mapping[str, str]
) -> _Launched:
    log = settings.state_dir / "logs" / f"{run_id}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as stream:
        process = start_child(
            [
                *(sys.executable, "-m", "hologram_dagster.defs.launch"),
                *("--job", profile.job, "--run-id", run_id, "--tags", json.dumps(dict(tags))),
            ],
            env={**os.environ, "DAGSTER_HOME": str(home), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=stream,
        )
    return _Launched(process, log)


def gate(
    profile: str | None = typer.Option(
        None, help="pr, main, nightly or dev (default: HOLOGRAM_PROFILE, else dev)."
    ),
    baseline: str | None = typer.Option(None, help="Baseline revision, any git ref."),
) -> None:
    """Run the gate and end in a verdict.

    Exit codes: 0 pass, 1 fail, 2 usage or set-up, 3 inconclusive, 5 fail but waived.
    Example: hologram gate --profile pr
    """
    settings = load_settings()
    chosen = choose_profile(tag=profile, config=None, settings=settings)
    baseline = baseline or settings.baseline
    run_gate(settings, chosen, {TRIGGER_TAG: "cli", **({BASELINE_TAG: baseline} if baseline else {})})


def run_gate(settings: Settings, profile: Profile, tags: Mapping[str, str]) -> NoReturn:
    """Run the gate of `profile` in a child process, tagged so, and exit with its verdict's code.

    Raises:
        HologramError: it cannot be run as asked; there is no trace of a run then.
    """
    tags = {**tags, PROFILE_TAG: str(profile.name), ENVIRONMENT_TAG: str(settings.environment)}
    run_id = str(uuid.uuid4())
    # Refuses here, with exit 2 and no trace of a run, what a run would only trip over.
    own_endpoints(settings)
    home = prepare_home(settings)
    run = open_gate_run(
        settings_at(settings, origin=tags.get(ORIGIN_TAG), commit=tags.get(COMMIT_TAG)),
        run_id=run_id,
        profile_tag=str(profile.name),
        commit_tag=tags.get(COMMIT_TAG),
        baseline_tag=tags.get(BASELINE_TAG),
    )
    started = time.monotonic()
    launched = _launch(settings, home, profile, run_id, tags)
    deadline_s = settings.deadline_s or profile.deadline_s
    timer = threading.Timer(deadline_s, launched.interrupt, [f"the deadline of {deadline_s} s has passed"])
    timer.daemon = True
    timer.start()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda got, _: launched.interrupt(f"stopped by {signal.Signals(got).name}"))
    steps = Steps()
    for line in launched.lines():
        steps.tell(line)
    timer.cancel()
    verdict = _conclude(run, launched)
    seconds = time.monotonic() - started
    show_verdict(verdict, settings.reports_dir, steps, seconds=seconds, compared=compared_lines(run, verdict))
    for note in undelivered(run):
        typer.echo(note, err=True)
    raise typer.Exit(verdict.exit_code)


def _conclude(run: GateRun, launched: _Launched) -> Verdict:
    verdict, code = own_verdict(run), launched.process.returncode
    if verdict is not None and launched.interrupted is None and (code == 0) is (verdict.verdict is Word.PASS):
        return verdict
    # A run that broke after its verdict was pass is not to be trusted either.
    reason = launched.interrupted or f"the run broke (exit code {code}); log: {launched.log}"
    return finish_run(run, reason)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(gate)
