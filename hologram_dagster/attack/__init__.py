"""Attacks on a registry, over real HTTP: what is tried, what must come of it, what came.

What belongs here: attacks and their tables. What does not: whose registry may be attacked, and
what a wrong cell means for a release (`gate`, `evidence.judge`).
"""
