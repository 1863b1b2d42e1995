"""A running stack: one IPFS node and one registry over it.

What belongs here: composing, seeding and asking after them. What does not: how a node
(`ipfs`) or a registry (`registry`) works.
"""
