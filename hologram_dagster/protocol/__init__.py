"""Hologram's own mathematics and formats: what the gate hashes, encodes, signs and links.

What belongs here: pure functions over bytes and JSON values, and the ledger file.
What does not: anything that knows of services, evidence kinds or Dagster.
"""
