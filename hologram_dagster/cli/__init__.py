"""The `hologram` command: one module a verb group, one style, the exit codes of the gate."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; exits with the verb's code, 2 on a user's mistake."""
    if sys.argv[1:2] == ["bridge"] and not {"-h", "--help"} & set(sys.argv[2:3]):
        # Clients start one process a call: loading the other verbs would be most of its time.
        from hologram_dagster.cli.bridge import run

        sys.exit(run(sys.argv[2:]))
    if sys.argv[1:2] == ["secrets"]:
        # A commit waits for it: the gate and its tools are not loaded for looking at a few files.
        from hologram_dagster.cli.running import run as run_alone
        from hologram_dagster.cli.secrets import app

        run_alone(app, sys.argv[2:], "hologram secrets")
    from hologram_dagster.cli.app import main as all_verbs

    all_verbs()
