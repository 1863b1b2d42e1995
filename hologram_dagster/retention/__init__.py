"""What is kept for how long, and removing the rest: listed first, exported whole, then removed.

What belongs here: finding what is beyond its retention, the export archive, and the order
of the steps. What does not: Dagster's own runs (`defs.retention` brings them as `Expired`).
"""
