"""The code location that workspace.yaml and `-m hologram_dagster.definitions` load."""

from hologram_dagster.build import build_defs

defs = build_defs()
