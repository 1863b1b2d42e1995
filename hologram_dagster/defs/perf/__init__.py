"""Performance: the three measured operations."""
