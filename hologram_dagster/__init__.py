"""Hologram's release gate as one Dagster project. See `docs/architecture.md`."""
