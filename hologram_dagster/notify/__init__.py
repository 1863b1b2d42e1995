"""Telling people and CI systems of a verdict: chat messages and commit statuses.

What belongs here: what is told, in which form, and the sending. What does not: when a run
is announced, and the record of it (`gate.announcing`). Nothing here can change a verdict.
"""
