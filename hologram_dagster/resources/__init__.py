"""Thin Dagster resources over the plain packages."""
