"""Experiments that break services for real, and prove it.

No baseline, no witness, no recovery or no look afterwards is no pass.
"""
