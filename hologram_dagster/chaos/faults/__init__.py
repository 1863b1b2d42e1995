"""Faults that really happen, and what is measured of them.

What belongs here: bringing one fault about, undoing it, and witnessing its effect. What does
not: when a fault is brought about and what must hold meanwhile (the experiments).
"""
