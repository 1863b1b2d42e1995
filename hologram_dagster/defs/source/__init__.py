"""What is judged: the revision."""
