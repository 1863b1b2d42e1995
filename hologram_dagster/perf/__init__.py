"""Performance: the three measured operations of contract section 2.1, and their CSV rows."""
