"""What the gate remembers across runs: the indexed figures, their trend, and the baseline.

What belongs here: the index over evidence records, change points in it, the baseline's
files and verbs, and the file forms other tools read (`cache_profiles.json`, the
attestation). What does not: the evidence itself, which the index can be rebuilt from;
verdicts, which no stored number ever decides.
"""
