"""The system under test: its revision, and the worker that runs its operations."""
