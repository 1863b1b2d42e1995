"""Signed evidence, how it is kept and found again, and the verdict that follows from it.

What belongs here: the record and its store, the rules of checks and verdict, and the
answer to "what was said of this revision". What does not: observing (the domains),
showing (`reports`), and the signatures and links themselves (`protocol`).
"""
