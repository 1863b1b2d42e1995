"""Dagster: what is materialized, what must hold, and when."""
