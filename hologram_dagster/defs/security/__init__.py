"""Security: secrets that were written down."""
