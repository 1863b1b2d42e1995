"""Flaky tests: every attempt kept, judged by revision, quarantined with owner and expiry.

What belongs here: attempts, their store, judgement and quarantine. What does not: running a
target's tests in a gate (`gate.flakes`), what must hold of the evidence (`evidence.flake_rules`).
"""
