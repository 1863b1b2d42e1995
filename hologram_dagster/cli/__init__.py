"""The `hologram` command: one module a verb group, one style, the exit codes of the gate."""

from hologram_dagster.cli.app import main

__all__ = ["main"]
