"""The command line put together, and how its errors are answered.

A user's mistake is one line on standard error and exit 2; a bug keeps its traceback.
"""

import typer

from hologram_dagster.cli import (
    attack,
    audit,
    badge,
    baseline,
    bridge,
    chaos,
    exports,
    flakes,
    gate,
    health,
    prune,
    regate,
    report,
    secrets,
    setup,
    stack,
    summary,
    toggles,
    triage,
    verdict,
    verify,
    waive,
)
from hologram_dagster.cli.running import run

app = typer.Typer(
    name="hologram",
    help="The release gate of Hologram: may this revision ship?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
gate.register(app)
regate.register(app)
verdict.register(app)
verify.register(app)
waive.register(app)
triage.register(app)
toggles.register(app)
badge.register(app)
health.register(app)
report.register(app)
summary.register(app)
prune.register(app)
setup.register(app)
app.add_typer(stack.app, name="stack")
app.add_typer(chaos.app, name="chaos")
app.add_typer(baseline.app, name="baseline")
app.add_typer(secrets.app, name="secrets")
app.add_typer(flakes.app, name="flakes")
app.add_typer(audit.app, name="audit")
exports.register(app)
bridge.register(app)
attack.register(app)


def main() -> None:
    """Run the command line; exits with the verb's code, 2 on a user's mistake."""
    run(app)
