"""Watching branches of the target: which commits are new there, in which order, and since when it is seen."""
