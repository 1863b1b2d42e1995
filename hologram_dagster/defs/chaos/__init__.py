"""Chaos: what holds when something is broken on purpose."""
