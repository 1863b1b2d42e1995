"""Keeping secrets out of everything that is written or printed (contract section 7.2)."""
