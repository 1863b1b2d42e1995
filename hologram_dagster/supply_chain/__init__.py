"""What a revision is made of, what is known against it, and statements about it that strangers can check.

What belongs here: lock files, SBOMs, the audit, in-toto statements, their signatures and
their verification. What does not: which run they are of (`gate.vouching`), what follows
from them (`evidence`).
"""
