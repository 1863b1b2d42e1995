"""End to end: publish, install, use, and the strict form without fallbacks."""
